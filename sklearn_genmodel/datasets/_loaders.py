"""Loaders of numeric data sets that ship, in scikit-learn's manner."""

from sklearn.utils import Bunch

from sklearn_genmodel.datasets import _descriptions
from sklearn_genmodel.datasets._tables import expand_frequencies, make_bunch, read_table


def load_old_faithful(*, as_frame: bool = False) -> Bunch:
    """Load the eruptions of the Old Faithful geyser (272 rows, 2 continuous columns).

    The duration of an eruption and the waiting time to the next one, both in minutes: the
    standard example of a two-component Gaussian mixture.

    Parameters
    ----------
    as_frame : bool, default=False
        Return `data` as a pandas DataFrame, and fill `frame`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray or DataFrame of shape (272, 2)
            Minutes.
        feature_names : list of str
            ``["eruptions", "waiting"]``.
        sample_weight : None
            Every row is one eruption.
        frame : DataFrame of shape (272, 2) or None
            Only with ``as_frame=True``.
        DESCR : str
            What the data are, and where they come from.
        filename : str
            The name of the data file inside the package.

    Raises
    ------
    ImportError
        If `as_frame` is set and pandas is not installed.

    References
    ----------
    Azzalini, A. and Bowman, A. W. (1990). A look at some data on the Old Faithful geyser.
    Applied Statistics 39, 357-365.

    Härdle, W. (1991). Smoothing Techniques: With Implementation in S. Springer.

    Examples
    --------
    >>> from sklearn_genmodel.datasets import load_old_faithful
    >>> geyser = load_old_faithful()
    >>> geyser.data.shape
    (272, 2)
    >>> print(*geyser.data.mean(axis=0).round(3))
    3.488 70.897
    """
    table = read_table("faithful.csv")
    return make_bunch(table, "faithful.csv", _descriptions.OLD_FAITHFUL, as_frame=as_frame)


def load_deaths(*, expand: bool = False, as_frame: bool = False) -> Bunch:
    """Load the daily death notices of the London Times (1,096 days, 1 count).

    Deaths of women aged 80 and over reported each day of 1910 to 1912: counts of a two-component
    Poisson mixture (summer and winter) on which EM is slow. They are published as a table: on how
    many days there were 0, 1, ..., 9 deaths.

    Parameters
    ----------
    expand : bool, default=False
        Return one row for each day, sorted by its count, in place of the table with
        `sample_weight`. The days' real order was never published.
    as_frame : bool, default=False
        Return `data` as a pandas DataFrame, and fill `frame`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray or DataFrame of shape (10, 1), or (1096, 1) with ``expand=True``
            Deaths on a day.
        feature_names : list of str
            ``["count"]``.
        sample_weight : ndarray of shape (10,), or None with ``expand=True``
            Number of days with that count.
        frame : DataFrame or None
            Only with ``as_frame=True``: `data` and, as its last column ``freq``, `sample_weight`
            if there is one.
        DESCR : str
            What the data are, and where they come from.
        filename : str
            The name of the data file inside the package.

    Raises
    ------
    ImportError
        If `as_frame` is set and pandas is not installed.

    References
    ----------
    Hasselblad, V. (1969). Estimation of finite mixtures of distributions from the exponential
    family. Journal of the American Statistical Association 64, 1459-1471.

    Titterington, D. M., Smith, A. F. M. and Makov, U. E. (1985). Statistical Analysis of Finite
    Mixture Distributions. Wiley.

    Examples
    --------
    >>> from sklearn_genmodel.datasets import load_deaths
    >>> deaths = load_deaths()
    >>> deaths.data.ravel()
    array([0., 1., 2., 3., 4., 5., 6., 7., 8., 9.])
    >>> int(deaths.sample_weight.sum())
    1096
    >>> load_deaths(expand=True).data.shape
    (1096, 1)
    """
    table = read_table("hasselblad_deaths.csv", frequency_name="freq")
    if expand:
        table = expand_frequencies(table)
    return make_bunch(table, "hasselblad_deaths.csv", _descriptions.DEATHS, as_frame=as_frame)


def load_whiskey(*, as_frame: bool = False) -> Bunch:
    """Load the survey of Scotch whiskey brands (2,218 households, 21 binary columns).

    A 1 says that the household drank the brand in the last year. The 484 patterns seen come with
    the number of households that showed each: binary data with frequency weights.

    Parameters
    ----------
    as_frame : bool, default=False
        Return `data` as a pandas DataFrame, and fill `frame`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray or DataFrame of shape (484, 21)
            0 or 1.
        feature_names : list of str
            The brands.
        sample_weight : ndarray of shape (484,)
            Number of households with that pattern.
        frame : DataFrame of shape (484, 22) or None
            Only with ``as_frame=True``: `data` and, as its last column ``Freq``, `sample_weight`.
        DESCR : str
            What the data are, and where they come from.
        filename : str
            The name of the data file inside the package.

    Raises
    ------
    ImportError
        If `as_frame` is set and pandas is not installed.

    References
    ----------
    Edwards, Y. D. and Allenby, G. M. (2003). Multivariate analysis of multiple response data.
    Journal of Marketing Research 40, 321-334.

    Examples
    --------
    >>> from sklearn_genmodel.datasets import load_whiskey
    >>> survey = load_whiskey()
    >>> survey.data.shape
    (484, 21)
    >>> int(survey.sample_weight.sum())
    2218
    >>> households = survey.sample_weight @ survey.data
    >>> survey.feature_names[households.argmax()], int(households.max())
    ('Chivas_Regal', 806)
    """
    table = read_table("flexmix_whiskey.csv", frequency_name="Freq")
    return make_bunch(table, "flexmix_whiskey.csv", _descriptions.WHISKEY, as_frame=as_frame)
