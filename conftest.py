"""What pytest is to leave alone where optional dependencies are missing."""

from importlib.util import find_spec

# Doctests import the modules that they are in.
collect_ignore_glob = [] if find_spec("torch") else ["sklearn_genmodel/vae/*"]
