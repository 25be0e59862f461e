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

PIMA = """\
Diabetes in Pima women
======================

Women of Pima heritage, at least 21 years old, who lived near Phoenix, Arizona, and were tested for
diabetes by the criteria of the World Health Organization. 200 complete rows, then 100 with at
least one cell missing.

Rows: 300 women
Columns: 8
    npreg  number of pregnancies
    glu    plasma glucose concentration two hours into an oral glucose tolerance test, in mg/dl
    bp     diastolic blood pressure, in mm Hg
    skin   thickness of the triceps skin fold, in mm
    bmi    body mass index, in kg/m^2
    ped    diabetes pedigree function, of the disease among relatives
    age    age in years
    type   "Yes" for diabetes, else "No": 1 and 0 in the array
Row weights: none
Missing values: 114 cells (bp 13, skin 98, bmi 3), NaN

Provenance: exported from `Pima.tr2` of the R package `MASS` 7.3-58.2 (GPL-2 | GPL-3).

References
----------
Smith, J. W., Everhart, J. E., Dickson, W. C., Knowler, W. C. and Johannes, R. S. (1988). Using the
ADAP learning algorithm to forecast the onset of diabetes mellitus. Proceedings of the Symposium on
Computer Applications in Medical Care, 261-265. IEEE.
Ripley, B. D. (1996). Pattern Recognition and Neural Networks. Cambridge University Press.
"""

BIOCHEMISTS = """\
Articles by graduate students in biochemistry
=============================================

Students who obtained a Ph.D. in biochemistry, and what they published by then.

Rows: 915 students
Columns: 6
    art   number of articles published in the last three years of the Ph.D.
    fem   "Women" or "Men": 1 and 0 in the array
    mar   "Single" or "Married": 1 and 0 in the array
    kid5  number of children aged 5 or younger
    phd   prestige of the department, a score
    ment  number of articles of the mentor in the last three years
Row weights: none
Missing values: none

Provenance: exported from `bioChemists` of the R package `pscl` 1.5.5 (GPL-2); `phd` has the digits
of single precision there.

References
----------
Long, J. S. (1990). The origins of sex differences in science. Social Forces 68, 1297-1316.
Long, J. S. (1997). Regression Models for Categorical and Limited Dependent Variables. Sage.
"""

AIRQUALITY = """\
Air quality in New York
=======================

Daily readings from May to September 1973. Ozone is from the New York State Department of
Conservation, the weather from the National Weather Service.

Rows: 153 days
Columns: 6
    Ozone    mean ozone from 13:00 to 15:00 hours at Roosevelt Island, in parts per billion
    Solar_R  solar radiation at 4000-7700 Angstrom from 08:00 to 12:00 hours at Central Park, in
             Langley
    Wind     mean wind speed at 07:00 and 10:00 hours at LaGuardia Airport, in miles per hour
    Temp     maximum temperature at LaGuardia Airport, in degrees Fahrenheit
    Month    5 to 9
    Day      day of the month
Row weights: none
Missing values: 44 cells (Ozone 37, Solar_R 7), NaN

Provenance: exported from `airquality` of R's package `datasets` 4.2.2 (part of R, GPL-2 | GPL-3).

References
----------
Chambers, J. M., Cleveland, W. S., Kleiner, B. and Tukey, P. A. (1983). Graphical Methods for Data
Analysis. Wadsworth.
"""
