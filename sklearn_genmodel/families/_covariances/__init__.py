"""Structures of covariance matrices: how they are stored, inverted, estimated and kept regular."""
