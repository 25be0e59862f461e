"""What pytest is not to collect for doctests."""

from importlib.util import find_spec

# Helpers of tests, which find each other only once a test has put their folder on the path.
collect_ignore_glob = ["tests/*/_*.py"]
if find_spec("torch") is None:
    collect_ignore_glob += ["sklearn_genmodel/vae/*"]
