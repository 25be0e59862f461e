"""What `DESCR` says of each data set."""

OLD_FAITHFUL = """\
Old Faithful geyser
===================

Duration of an eruption and waiting time to the next one of the Old Faithful geyser in Yellowstone
National Park, Wyoming, USA.

Rows: 272 eruptions
Columns: 2, continuous
    eruptions  duration of the eruption, in minutes
    waiting    time to the next eruption, in minutes
Row weights: none
Missing values: none

Provenance: exported from `faithful` of R's package `datasets` 4.2.2 (part of R, GPL-2 | GPL-3).

References
----------
Azzalini, A. and Bowman, A. W. (1990). A look at some data on the Old Faithful geyser. Applied
Statistics 39, 357-365.
Härdle, W. (1991). Smoothing Techniques: With Implementation in S. Springer.
"""

DEATHS = """\
Death notices in the London Times
=================================

Number of deaths of women aged 80 and over that The Times of London reported on each day of the
three years 1910 to 1912.

Rows: 10 counts (frequency table), or 1,096 days with `expand=True`
Columns: 1
    count  deaths on a day, 0 to 9
Row weights: `sample_weight`, the number of days with that count; None with `expand=True`
Missing values: none

Provenance: the published frequency table, as typed into the test `Hasselblad1969.R` of the R
package `SQUAREM` 2026.1.

References
----------
Hasselblad, V. (1969). Estimation of finite mixtures of distributions from the exponential family.
Journal of the American Statistical Association 64, 1459-1471.
Titterington, D. M., Smith, A. F. M. and Makov, U. E. (1985). Statistical Analysis of Finite
Mixture Distributions. Wiley.
"""

WHISKEY = """\
Scotch whiskey brands
=====================

Which brands of Scotch whiskey households drank in the last year, from the Simmons Study of Media
and Markets; only households that report drinking Scotch.

Rows: 484 distinct patterns, of 2,218 households
Columns: 21 brands, 1 if the household drank the brand, else 0
Row weights: `sample_weight`, the number of households with that pattern
Missing values: none

Provenance: exported from `whiskey` of the R package `flexmix` 2.3.18 (GPL >= 2), which has it from
`Scotch` of the R package `bayesm`.

References
----------
Edwards, Y. D. and Allenby, G. M. (2003). Multivariate analysis of multiple response data. Journal
of Marketing Research 40, 321-334.
"""
