"""Normal densities and moments, missing values and priors: what Gaussian and Student-t share."""
