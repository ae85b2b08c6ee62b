"""The examples run as they are typed, and what they say is so."""

import re
from pathlib import Path

import pytest

from keras_sparseflow.analysis import compare_arms
from keras_sparseflow.records import read_results
from tests import processes

EXAMPLES = Path(__file__).parents[2] / "examples"


def printed_by(name, folder):
    """Runs an example in a folder of its own; returns what it prints."""
    done = processes.run(EXAMPLES / f"{name}.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested():
    tests = Path(__file__).read_text()
    assert all(f'"{path.stem}"' in tests for path in EXAMPLES.glob("*.py"))


def test_masked_layers_stay_sparse_and_learn(tmp_path):
    text = printed_by("masked_layers", tmp_path)
    assert "3686 of 36864; all others zero: True" in text
    assert float(re.search(r"Test accuracy: (.*)", text)[1]) > 0.8


def test_a_sparse_language_model_speaks_its_grammar(tmp_path):
    text = printed_by("sparse_language_model", tmp_path)
    loss, at_random = map(float, re.search(r"held back: ([\d.]+); .* it would be ([\d.]+)", text).groups())
    right, said = map(int, re.search(r"Grammatical: (\d+) of (\d+) sentences", text).groups())
    assert at_random > 3 and loss < 1.4 and said == 200 and right > 170, text
    assert re.search(r"total .* 0\.1000 │  9,979 │", text), "a tenth of all kernels"


def test_flow_of_a_dense_model_is_the_mean_over_its_layers(tmp_path):
    text = printed_by("gradient_flow_of_a_dense_model", tmp_path)
    epochs = re.findall(r"^(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$", text, re.MULTILINE)
    assert [row[0] for row in epochs] == ["0", "2", "4"]
    for _, *layers, total in epochs:
        assert sum(map(float, layers)) / 3 == pytest.approx(float(total), abs=1.1e-3)
    assert float(re.search(r"egf_2 on test images: (.*)", text)[1]) > 0


def test_a_custom_study_ends_in_a_table_and_a_report(tmp_path):
    text = printed_by("custom_study", tmp_path)
    study_dir = tmp_path / "runs" / "swish_on_digits"
    comparison = compare_arms(read_results(study_dir)).set_index("activation")
    assert set(comparison["pairs"]) == {6}
    for activation in ("relu", "swish"):
        p_value = re.search(rf"^ *{activation} +([\d.]+) +6 ", text, re.MULTILINE)[1]
        assert float(p_value) == pytest.approx(comparison.loc[activation, "p_value"], abs=1e-4)
    assert "Does Swish favour sparse networks" in (study_dir / "report.html").read_text()
