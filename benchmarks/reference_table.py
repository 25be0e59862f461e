"""Compare default fits with the best known log-likelihoods of independent software.

Run ``python benchmarks/reference_table.py --help``. Every maximum of a folder is fitted with
default settings, the number of components and the family set; the table shows where the reference
log-likelihood is reached (within 1e-6 relative, or higher without a degenerate component) and
where it is missed. Records of families that the package does not have, or whose data are not in
the folder, are counted and left out.
"""

import argparse
import json
import sys
import time
import warnings
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.mixture import GaussianMixture

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "references"))
import _direct_evaluation
import _record_families
import _record_spikes
import _records

import sklearn_genmodel

RELATIVE_TOLERANCE = 1e-6
GOOD = ("reached", "higher")
LONGEST_REASON = 60
SKLEARN_COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
HEADER = ["id", "n", "d", "K", "reference", "ours", "difference", "relative", "status"]
HEADER += ["passes", "seconds"]


class Fit(NamedTuple):
    """What a fitting function returns: the log-density of each row in nats, and the fit."""

    log_density: np.ndarray
    weights: np.ndarray
    covariances: np.ndarray | None
    resp: np.ndarray
    n_iter: int


class Row(NamedTuple):
    """One line of the table."""

    record: dict
    loglik: float
    status: str
    n_iter: int
    seconds: float

    @property
    def difference(self):
        """Ours minus the reference, in nats."""
        return self.loglik - self.record["loglik"]

    @property
    def relative(self):
        """The difference as a share of the reference."""
        return self.difference / abs(self.record["loglik"])


def fit_package(record, X, sample_weight, seed):
    """Fit `EMMixture` with only the number of components, the family and the seed set."""
    family = _record_families.make_family(record)
    n_components = _records.n_components(record)
    model = sklearn_genmodel.EMMixture(n_components, family=family, random_state=seed)
    model.fit(X, sample_weight=sample_weight)
    covariances = getattr(model.params_, "covariances", None)
    resp = model.predict_proba(X)
    return Fit(model.score_samples(X), model.weights_, covariances, resp, model.n_iter_)


def fit_sklearn(record, X, _sample_weight, settings):
    """Fit `sklearn.mixture.GaussianMixture`, which takes no row weights."""
    covariance_type = record["covariance"]
    model = GaussianMixture(
        record["K"], covariance_type=covariance_type, random_state=0, **settings
    )
    model.fit(X)
    resp = model.predict_proba(X)
    return Fit(model.score_samples(X), model.weights_, model.covariances_, resp, model.n_iter_)


def evaluate(record, folder, fit):
    """Fit one record and judge the result; an error becomes the row's status."""
    X, sample_weight = _records.load_data(record, folder)
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = fit(record, X, sample_weight)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:LONGEST_REASON]
        return Row(record, np.nan, reason, 0, time.perf_counter() - start)
    seconds = time.perf_counter() - start
    loglik = _direct_evaluation.total_loglik(fitted.log_density, sample_weight)
    status = judge(record, X, sample_weight, loglik, fitted)
    return Row(record, loglik, status, fitted.n_iter, seconds)


def judge(record, X, sample_weight, loglik, fitted):
    """Name the outcome: reached, higher, higher-degenerate or MISS."""
    relative = (loglik - record["loglik"]) / abs(record["loglik"])
    if abs(relative) <= RELATIVE_TOLERANCE:
        return "reached"
    if not relative > 0:
        return "MISS"
    return "higher" if admissible(record, X, sample_weight, fitted) else "higher-degenerate"


def admissible(record, X, sample_weight, fitted):
    """Whether the fit passes the filter under which the references compete."""
    if record["family"] != "gaussian":
        return _record_spikes.is_admissible_partition(record, X, fitted.resp, sample_weight)
    shape = record["covariance"]
    return _record_spikes.is_admissible(fitted.weights, fitted.covariances, shape, X, sample_weight)


def cells(row):
    """Return the texts of one line."""
    record = row.record
    n_features = record["d"] if "d" in record else len(record["columns"])
    size = (record["n"], n_features, _records.n_components(record))
    return (
        record["id"],
        *map(str, size),
        f"{record['loglik']:.6f}",
        f"{row.loglik:.6f}",
        f"{row.difference:+.2e}",
        f"{row.relative:+.1e}",
        row.status,
        str(row.n_iter),
        f"{row.seconds:.2f}",
    )


def group(record):
    """Name the family, with its covariance type; tell mixed tables with missing cells apart."""
    missing = "missing cells" if record.get("missing_cells") else None
    fixed = "fixed dof" if record.get("fixed_df") else None
    return " ".join(filter(None, (record["family"], record.get("covariance"), fixed, missing)))


def shares(rows):
    """Lines of (group, reached, records, share), the last one for all."""
    groups = defaultdict(list)
    for row in rows:
        groups[group(row.record)].append(row.status in GOOD)
        groups["all"].append(row.status in GOOD)
    groups["all"] = groups.pop("all")
    return [
        (name, str(sum(good)), str(len(good)), f"{100 * np.mean(good):.1f} %")
        for name, good in groups.items()
    ]


def misses(rows):
    """Lines of (id, status, difference in nats, relative) for what counts as not reached."""
    return [
        (row.record["id"], row.status, f"{row.difference:+.3g}", f"{row.relative:+.1e}")
        for row in rows
        if row.status not in GOOD
    ]


def aligned(header, lines):
    """Draw a table for the terminal: columns padded to their widest cell."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    padded = (map(str.ljust, line, widths) for line in (header, *lines))
    return "\n".join("  ".join(line).rstrip() for line in padded)


def markdown(header, lines):
    """Draw the same table in Markdown."""
    rule = ["---"] * len(header)
    bodies = [[cell.replace("|", "\\|") for cell in line] for line in (header, rule, *lines)]
    return "\n".join("| " + " | ".join(body) + " |" for body in bodies)


def report(rows, left_out, table):
    """Join the whole report, with tables drawn by `table`."""
    parts = [table(HEADER, [cells(row) for row in rows])]
    parts.append(table(("family", "reached", "records", "share"), shares(rows)))
    missed = misses(rows)
    parts.append(f"{len(missed)} not reached" + (":" if missed else "."))
    if missed:
        parts.append(table(("id", "status", "difference", "relative"), missed))
    if left_out:
        parts.append(f"{left_out.total()} records left out:")
        parts.append(table(("reason", "records"), [(why, str(n)) for why, n in left_out.items()]))
    return "\n\n".join(parts) + "\n"


def parse(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=_records.FOLDER, help="records and data")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--family", nargs="+", choices=_records.FAMILIES, help="only these")
    parser.add_argument("--id", default="", help="only records whose id contains this")
    parser.add_argument("--seed", type=int, default=0, help="random_state of the package's fits")
    parser.add_argument("--markdown", type=Path, help="write the report to this file, too")
    parser.add_argument(
        "--sklearn",
        nargs="?",
        const={},
        type=json.loads,
        metavar="JSON",
        help="fit scikit-learn's GaussianMixture instead, by default or with these arguments",
    )
    return parser.parse_args(arguments)


def chosen(options):
    """Return the records to fit, and how many are left out for which reason."""
    families = ["gaussian"] if options.sklearn is not None else options.family or _records.FAMILIES
    records, left_out = [], Counter()
    for record in _records.mixture_fits(_records.load_records(options.folder), families):
        if options.id not in record["id"]:
            continue
        reason = obstacle(record, options)
        if reason is None:
            records.append(record)
        else:
            left_out[reason] += 1
    return records, left_out


def obstacle(record, options):
    """Why a record cannot be fitted; None if it can."""
    if not _records.has_data(record, options.folder):
        return "no data: " + record.get("file", record.get("data"))
    if options.sklearn is not None:
        known = record["covariance"] in SKLEARN_COVARIANCE_TYPES
        return None if known else f"scikit-learn has no {record['covariance']}"
    return None


def main(arguments=None):
    """Fit, print, and write the Markdown report if asked."""
    options = parse(arguments)
    fit = partial(fit_package, seed=options.seed)
    if options.sklearn is not None:
        fit = partial(fit_sklearn, settings=options.sklearn)
    records, left_out = chosen(options)
    if not records:
        sys.exit("\n".join(["no record to fit", *left_out]))
    jobs = (delayed(evaluate)(record, options.folder, fit) for record in records)
    rows = Parallel(n_jobs=options.jobs)(jobs)
    print(report(rows, left_out, aligned), end="")
    if options.markdown:
        options.markdown.write_text(report(rows, left_out, markdown), encoding="utf-8")


if __name__ == "__main__":
    main()
