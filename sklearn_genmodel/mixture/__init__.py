"""Mixture models as scikit-learn estimators."""

from sklearn_genmodel.mixture._em_mixture import EMMixture

__all__ = ["EMMixture"]
