"""Loaders of data sets with columns of several kinds or missing cells."""

from sklearn.utils import Bunch

from sklearn_genmodel.datasets import _descriptions
from sklearn_genmodel.datasets._tables import make_bunch, read_table


def load_pima(*, as_frame: bool = False) -> Bunch:
    """Load the diabetes study of Pima women (300 rows, 8 columns, 114 cells missing).

    Counts, measurements and a yes/no column in one table, with gaps in blood pressure, skin fold
    and body mass: 200 complete rows, then 100 with a cell or more missing.

    Parameters
    ----------
    as_frame : bool, default=False
        Return `data` as a pandas DataFrame, and fill `frame`: ``type`` is then a pandas
        categorical of the words, the complete whole-number columns are integers.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray or DataFrame of shape (300, 8)
            NaN where a cell is missing. In the array, ``type`` is 0 for "No" and 1 for "Yes".
        feature_names : list of str
            ``["npreg", "glu", "bp", "skin", "bmi", "ped", "age", "type"]``.
        categories : dict of str to list of str
            The words of ``type``, in the order of their codes.
        sample_weight : None
            Every row is one woman.
        frame : DataFrame of shape (300, 8) or None
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
    Smith, J. W., Everhart, J. E., Dickson, W. C., Knowler, W. C. and Johannes, R. S. (1988). Using
    the ADAP learning algorithm to forecast the onset of diabetes mellitus. Proceedings of the
    Symposium on Computer Applications in Medical Care, 261-265. IEEE.

    Ripley, B. D. (1996). Pattern Recognition and Neural Networks. Cambridge University Press.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.datasets import load_pima
    >>> pima = load_pima()
    >>> pima.data.shape, int(np.isnan(pima.data).sum())
    ((300, 8), 114)
    >>> pima.categories
    {'type': ['No', 'Yes']}
    """
    filename = "mass_Pima_tr2.csv"
    table = read_table(filename, words=("type",), integers=("npreg", "glu", "age"))
    return make_bunch(table, filename, _descriptions.PIMA, as_frame=as_frame)


def load_biochemists(*, as_frame: bool = False) -> Bunch:
    """Load the articles of biochemistry graduates (915 rows, 6 columns of three kinds).

    How many articles each student published in the last three years of the Ph.D., with sex,
    marriage, young children, the prestige of the department and the articles of the mentor.

    Parameters
    ----------
    as_frame : bool, default=False
        Return `data` as a pandas DataFrame, and fill `frame`: ``fem`` and ``mar`` are then pandas
        categoricals of the words, the counts are integers.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray or DataFrame of shape (915, 6)
            In the array, ``fem`` is 0 for "Men" and 1 for "Women", ``mar`` is 0 for "Married" and
            1 for "Single".
        feature_names : list of str
            ``["art", "fem", "mar", "kid5", "phd", "ment"]``.
        categories : dict of str to list of str
            The words of ``fem`` and ``mar``, in the order of their codes.
        sample_weight : None
            Every row is one student.
        frame : DataFrame of shape (915, 6) or None
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
    Long, J. S. (1990). The origins of sex differences in science. Social Forces 68, 1297-1316.

    Long, J. S. (1997). Regression Models for Categorical and Limited Dependent Variables. Sage.

    Examples
    --------
    >>> from sklearn_genmodel.datasets import load_biochemists
    >>> students = load_biochemists()
    >>> students.data.shape
    (915, 6)
    >>> students.categories["mar"]
    ['Married', 'Single']
    """
    filename = "pscl_bioChemists.csv"
    table = read_table(filename, words=("fem", "mar"), integers=("art", "kid5", "ment"))
    return make_bunch(table, filename, _descriptions.BIOCHEMISTS, as_frame=as_frame)


def load_airquality(*, as_frame: bool = False) -> Bunch:
    """Load the air quality of New York in summer 1973 (153 days, 6 columns, 44 cells missing).

    Daily ozone, sunlight, wind and temperature from May to September: continuous columns of
    which two have gaps.

    Parameters
    ----------
    as_frame : bool, default=False
        Return `data` as a pandas DataFrame, and fill `frame`; the complete whole-number columns
        are then integers.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray or DataFrame of shape (153, 6)
            NaN where a cell is missing.
        feature_names : list of str
            ``["Ozone", "Solar_R", "Wind", "Temp", "Month", "Day"]``.
        sample_weight : None
            Every row is one day.
        frame : DataFrame of shape (153, 6) or None
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
    Chambers, J. M., Cleveland, W. S., Kleiner, B. and Tukey, P. A. (1983). Graphical Methods for
    Data Analysis. Wadsworth.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_genmodel.datasets import load_airquality
    >>> days = load_airquality()
    >>> days.data.shape
    (153, 6)
    >>> dict(zip(days.feature_names, np.isnan(days.data).sum(axis=0).tolist()))
    {'Ozone': 37, 'Solar_R': 7, 'Wind': 0, 'Temp': 0, 'Month': 0, 'Day': 0}
    """
    table = read_table("airquality.csv", integers=("Temp", "Month", "Day"))
    return make_bunch(table, "airquality.csv", _descriptions.AIRQUALITY, as_frame=as_frame)
