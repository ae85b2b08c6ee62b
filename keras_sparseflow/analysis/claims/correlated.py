"""Comparisons of rank correlations: EGF with raw norms, and flow with accuracy over the variants of a study."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER, Case, Scale
from keras_sparseflow.analysis.claims.evidence import Evidence, number
from keras_sparseflow.analysis.claims.run_by_run import FIELDS, by_case, case_names
from keras_sparseflow.analysis.frames.formats import format_signed
from keras_sparseflow.analysis.statistics.correlation import FEWEST_POINTS, TARGETS, correlate_cells, kendall_tau
from keras_sparseflow.analysis.statistics.shift import LEVEL

_TAU = Scale(decimals=3)
_OF_VARIANTS = {"variant", "activation", "activation_options", *itertools.chain(*FIELDS.values())}
_RESAMPLES = 2000


def egf_and_raw_norms(evidence: Evidence) -> list[Case]:
    """Returns, for each norm and target, the signed taus of EGF and of the raw norm in each sparse configuration."""
    sparse = evidence.of(evidence.runs["arm"] == "sparse")
    norms = [p for p in (1, 2) if {f"egf_{p}", f"grad_norm_{p}"} <= set(sparse.runs)]
    if "dense_width" not in sparse.runs or not norms or sparse.runs.empty:
        return []
    measures = [f"{kind}_{p}" for p in norms for kind in ("egf", "grad_norm")]
    taus = correlate_cells(sparse.runs, measures, configuration=sparse.configuration)
    return [replace(case, note=_joined(case.note, sparse.reading)) for case in leads(taus, sparse.configuration)]


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def leads(taus: pd.DataFrame, configuration: list[str]) -> list[Case]:
    """Returns, for each norm and target, the taus of EGF and of the raw norm, a pair for each configuration.

    The claim is that the taus of EGF are farther from zero than those of the raw norm, on the side of zero on which
    the mean of both lies. Where their means lie on different sides, the raw norm takes part with its sign turned: the
    distance between the two sides says nothing about strength.

    Args:
        taus: a row per configuration, `measure` and `target`, with `tau`.
        configuration: the columns that name a configuration.
    """
    cases = []
    table = taus.assign(number=number(taus, configuration)).pivot_table("tau", "number", ["target", "measure"])
    for target in TARGETS:
        for p in (1, 2):
            columns = [(target, f"egf_{p}"), (target, f"grad_norm_{p}")]
            if set(columns) <= set(table.columns) and len(both := table[columns].dropna()):
                egf, raw = both.to_numpy().T
                turned = egf.mean() * raw.mean() < 0
                raw = -raw if turned else raw
                claimed = HIGHER if egf.mean() + raw.mean() >= 0 else LOWER
                names = (f"mean tau of EGF_{p}", f"of {'minus ' if turned else ''}||g||_{p}")
                name = f"{target.replace('_', ' ')}, {p}-norm"
                cases.append(Case(name, egf, raw, claimed, _TAU, names, _interval(egf, raw)))
    return cases


@dataclass(frozen=True)
class OverVariants:
    """Kendall's tau of EGF and accuracy over the variants of each draw of masks and weights.

    Args:
        claimed: `LOWER` where the claim says that tau is negative, `HIGHER` where it says that tau is not.
        optimizers: the optimizers whose runs take part.
    """

    claimed: int
    optimizers: tuple[str, ...]

    def __call__(self, evidence: Evidence) -> list[Case]:
        """Returns a case for each optimizer and arm with three variants or more."""
        runs = evidence.runs[evidence.runs["optimizer"].isin(self.optimizers)]
        runs = runs[~runs["diverged"].astype(bool) & runs["egf"].notna() & runs["accuracy"].notna()]
        draw = [column for column in evidence.spec if column not in _OF_VARIANTS]
        rows = []
        for _, inside in runs.groupby(number(runs, draw), sort=False):
            if len(inside) >= FEWEST_POINTS:
                tau = kendall_tau(inside["egf"], inside["accuracy"])
                rows.append({**inside.iloc[0][draw], "first": tau, "second": 0.0})
        pairs = pd.DataFrame(rows, columns=[*draw, "first", "second"]).dropna(subset="first")
        by = ["optimizer", "arm"]
        name = case_names(pairs, by)
        return [
            Case(name(pair), first, second, self.claimed, _TAU, ("mean tau",), evidence.reading)
            for pair, first, second in by_case(pairs, by)
        ]


def _interval(egf: np.ndarray, raw: np.ndarray) -> str:
    """Returns the lead of EGF in the absolute value of the mean signed tau, with its bootstrap interval."""
    if len(egf) < FEWEST_POINTS:
        return ""
    from scipy import stats

    def lead(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        return np.abs(first.mean(axis=axis)) - np.abs(second.mean(axis=axis))

    seen = float(lead(egf, raw, axis=-1))
    found = stats.bootstrap(
        (egf, raw),
        lead,
        paired=True,
        vectorized=True,
        confidence_level=LEVEL,
        n_resamples=_RESAMPLES,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    low, high = (format_signed(end, 3) for end in found)
    return f"lead in |mean tau| {format_signed(seen, 3)} [{low}, {high}], bootstrap over {len(egf)} configurations"
