"""The table of a report's sections, built-in ones and those of other packages."""

from keras_sparseflow.analysis.report.section import Section
from keras_sparseflow.analysis.report.sections.beside_tost import published_accuracies, published_sparsities
from keras_sparseflow.analysis.report.sections.by_density import densities
from keras_sparseflow.analysis.report.sections.compared import comparisons
from keras_sparseflow.analysis.report.sections.correlations import correlations
from keras_sparseflow.analysis.report.sections.figure_sections import (
    diagnostic_figures,
    flow_figures,
    performance_figures,
)
from keras_sparseflow.analysis.report.sections.means import means
from keras_sparseflow.analysis.report.sections.papers_claims import papers_claims
from keras_sparseflow.analysis.report.sections.runs import changes, choices, diverged_runs, provenance
from keras_sparseflow.analysis.report.sections.sparse_against_dense import p_values
from keras_sparseflow.plugins import Table

SECTIONS = Table(
    "report section",
    "keras_sparseflow.report_section",
    {
        "p_values": Section(
            "sparse against dense: p-values and verdicts", "answer", "Is sparse better than dense?", p_values
        ),
        "densities": Section("performance by density", "answer", "Performance by density", densities),
        "comparisons": Section(
            "variants, tweaks, methods and densities compared", "answer", "Which differences hold?", comparisons
        ),
        "claims": Section("the papers' claims with verdicts", "paper", "What the papers claim", papers_claims),
        "published": Section(
            "accuracies beside ToST's", "paper", "Beside the published accuracies", published_accuracies
        ),
        "published_sparsity": Section(
            "activation sparsity beside ToST's",
            "paper",
            "Beside the published activation sparsity",
            published_sparsities,
        ),
        "correlations": Section(
            "gradient flow against performance", "flow", "Does gradient flow go with performance?", correlations
        ),
        "flow_figures": Section("figures of gradient flow", "flow", "Gradient flow in figures", flow_figures),
        "figures": Section("figures of performance", "figures", "Performance in figures", performance_figures),
        "diagnostics": Section("figures of diagnostics", "inside", "Diagnostics in figures", diagnostic_figures),
        "means": Section("means over the seeds", "numbers", "Means over the seeds", means),
        "diverged": Section("runs that diverged", "numbers", "Diverged runs", diverged_runs),
        "changes": Section("what differs from the preset", "made", "What differs from the preset", changes),
        "choices": Section("every choice with its source", "made", "Every choice made", choices),
        "made": Section(
            "versions, machine, command and cost", "made", "How this was made, and what it cost", provenance
        ),
    },
    expects="callable",
)
"""Every section that can be named, the built-in ones each a `Section`, in the order of a page.

One of another package is a function of a report's `Source`, which returns a heading and a `Content` or HTML, or
None where it has nothing to show. To add a built-in one, write a function in a file of this folder, and its row here.
"""
