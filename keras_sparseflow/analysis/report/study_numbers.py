"""The numbers of a study from which its report is made, each computed once, when a section first asks for it."""

import dataclasses
from functools import cached_property
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.claims.claim import JudgedClaim
from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.analysis.figures.gallery import Drawing, drawings
from keras_sparseflow.analysis.frames.cells import arrange
from keras_sparseflow.analysis.frames.densities import arrange_densities, line_heading, one_run_each, tabulate_densities
from keras_sparseflow.analysis.frames.diagnostic_means import tabulate_diagnostics
from keras_sparseflow.analysis.frames.method_names import method_name, name_methods, name_tweaks
from keras_sparseflow.analysis.frames.readings import reading_of
from keras_sparseflow.analysis.frames.study_source import Source
from keras_sparseflow.analysis.published.tessera_tables import with_published_tau
from keras_sparseflow.analysis.published.tost_accuracies import beside_published_tost
from keras_sparseflow.analysis.published.tost_ghosts import beside_published_ghosts
from keras_sparseflow.analysis.published.tost_sparsities import EXACT, NEAR_ZERO, beside_published_sparsity
from keras_sparseflow.analysis.report.tables.pair_tables import tabulate, tabulate_means
from keras_sparseflow.analysis.statistics.correlation import correlate_densities, correlate_flow
from keras_sparseflow.analysis.statistics.paired_tests import compare_densities


class StudyNumbers:
    """The numbers of one study: of pairs, where its networks have arms, else of networks over densities.

    Args:
        source: the study.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.value = source.value
        self.reading = reading_of(source.results) if source.measure in source.results else ""

    @property
    def of_pairs(self) -> bool:
        """True if networks have arms."""
        return "arm" in self.source.results

    @cached_property
    def results(self) -> pd.DataFrame:
        """A row per finished run; methods and tweaks of networks over densities have one name each."""
        results = self.source.results
        return results if self.of_pairs else name_tweaks(name_methods(results))

    @cached_property
    def placed(self) -> pd.DataFrame:
        """The runs with their places in tables, each once; the columns `cell` and `table` name them."""
        if self.of_pairs:
            placed = arrange(self.results)
            return placed.assign(cell=placed["row"] + ", " + placed["column"])
        placed = one_run_each(arrange_densities(self.results))
        return placed.assign(cell=self._named(placed))

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """Sparse against dense, as `tabulate` returns it."""
        return tabulate(self.results, self.value, self.source.diverged)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """Variants, tweaks, methods and densities compared, as `compare_densities` returns it."""
        return compare_densities(self.results, self.value, self.source.diverged)

    @cached_property
    def means(self) -> pd.DataFrame:
        """Means over the seeds by dense width, or by density, with the column `cell`."""
        measure = self.source.measure if self.source.measure in self.results else None
        if self.of_pairs:
            means = tabulate_means(self.results, self.value, measure)
            return means.assign(cell=means["row"] + ", " + means["column"])
        means = tabulate_densities(self.results, self.value, measure).assign(flow_reading=self.reading)
        return means.assign(cell=self._named(means))

    @cached_property
    def correlations(self) -> pd.DataFrame:
        """Mean correlations of flow and performance; empty where no flow was recorded."""
        if self.of_pairs:
            return with_published_tau(correlate_flow(self.results, **self._points)).assign(reading=self.reading)
        return self._density_correlations[1].assign(reading=self.reading)

    @cached_property
    def taus(self) -> pd.DataFrame:
        """The correlation in each configuration of networks over densities, with the column `cell`."""
        taus = self._density_correlations[0]
        return taus.assign(reading=self.reading, cell=self._named(taus))

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """Diagnostics as numbers; empty where none were measured."""
        return tabulate_diagnostics(self.source.diagnostics, self.results)

    @cached_property
    def published(self) -> pd.DataFrame:
        """Accuracies beside those of ToST; empty where the study stands beside no table of it."""
        return beside_published_tost(self._trainings, self.source.study if self.value == "test_accuracy" else {})

    @cached_property
    def sparsities(self) -> pd.DataFrame:
        """Activation sparsities beside those of ToST; empty where the study stands beside no table of it."""
        rows = self.source.diagnostics
        measured = rows.loc[rows["measure"].isin((EXACT, NEAR_ZERO)), "run_id"]
        runs = self._trainings[self._trainings["run_id"].isin(measured)]
        return beside_published_sparsity(rows, runs, self.source.study)

    @cached_property
    def ghosts(self) -> pd.DataFrame:
        """The cost of schedules of ghosts beside that of ToST; empty where the study repeats another part of it."""
        study = self.source.study if self.value == "test_accuracy" else {}
        return beside_published_ghosts(self._trainings, study)

    @cached_property
    def claims(self) -> tuple[JudgedClaim, ...]:
        """The papers' claims, judged; none where the study can test none."""
        value = self.value if self.value.endswith("accuracy") else "test_accuracy"
        return tuple(judge_claims(self.source.results, self.source.diagnostics, value, self.source.diverged))

    def drawings(self, *sections: str) -> list[Drawing]:
        """Returns the figures of sections for which there are numbers; see `keras_sparseflow.analysis.figure`."""
        source = dataclasses.replace(self.source, results=self.results)
        return drawings(source, sections, **({"comparison": self.comparison} if self.of_pairs else {}))

    @cached_property
    def line_heading(self) -> str:
        """The columns in which configurations of one method and optimizer differ, such as "variant, tweaks"."""
        return "variant" if self.of_pairs else line_heading(self.results)

    @cached_property
    def _density_correlations(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return correlate_densities(self.results, **self._points)

    @property
    def _points(self) -> dict[str, Any]:
        """The points that correlations rank, and the rows that these need."""
        source = self.source
        if source.totals is None:
            return {}
        rows = source.totals[source.totals["reading"] == self.reading]
        return {"points": source.tau_over, "flow": rows, "history": source.history}

    @cached_property
    def _trainings(self) -> pd.DataFrame:
        """One of the runs that are the same training, with methods and scores as specs name them."""
        results = self.source.results
        return results[results.index.isin(one_run_each(arrange_densities(results)).index)]

    @cached_property
    def several_methods(self) -> bool:
        """True if networks become sparse in several ways."""
        return "method" in self.results and self.results["method"].nunique() > 1

    def _named(self, rows: pd.DataFrame) -> list[str]:
        """Returns the configuration of each row in words, such as "momentum, SC_BN, random masks"."""
        parts = [rows["panel"], rows["line"], *([rows["method"].map(method_name)] if self.several_methods else [])]
        return [", ".join(names) for names in zip(*parts, strict=True)]
