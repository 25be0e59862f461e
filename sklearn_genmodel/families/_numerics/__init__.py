"""Numerical methods that several families share: products, roots, special functions, draws."""
