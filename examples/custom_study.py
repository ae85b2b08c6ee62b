"""An SC-SDC study of one's own: does Swish favour sparse networks on digits?

It trains 24 networks into runs/swish_on_digits, or what of them is missing there, and writes a report:

    python examples/custom_study.py
"""

from keras_sparseflow import Study, run_study
from keras_sparseflow.analysis import compare_arms, write_report
from keras_sparseflow.records import read_results

study = Study(
    name="swish_on_digits",
    title="Does Swish favour sparse networks on digits?",
    grids=[{"hidden_layers": (2,), "activation": ("relu", "swish"), "optimizer": ("adam",), "learning_rate": (0.01,)}],
    base={"dataset": "digits", "epochs": 5, "batch_size": 64},
    width_fractions=(0.1, 0.5, 0.9),
    seeds=(0, 1),
)

if __name__ == "__main__":
    study_dir = run_study(study)
    table = compare_arms(read_results(study_dir))  # H1: the sparse network is the more accurate
    print(table[["activation", "p_value", "pairs", "median_difference"]].round(4).to_string(index=False))
    page = write_report(study_dir, figures=False)  # the page holds all figures; as files they can be left out
    print(f"Report: {page}")
