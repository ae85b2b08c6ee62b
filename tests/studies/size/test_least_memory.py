"""Networks that are larger than the memory are refused by their counts, before anything is written."""

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.execution import Execution
from keras_sparseflow.studies.run_study import run_network
from keras_sparseflow.studies.size.least_memory import check_memory, least_bytes
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training.distributed import device

SIZE = DataSize((8, 8, 1), 10, 100, 100)
SPEC = RunSpec.of(width=100, hidden_layers=1, density=0.1)  # 7,400 weights, 740 active


@pytest.mark.parametrize(("name", "expected"), [("dense", 8 * 7400), ("masked", 9 * 7400), ("sparse", 8 * 740 + 7400)])
def test_weights_gradients_and_masks_are_counted(name, expected):
    assert least_bytes(SPEC, Execution(name), SIZE) == expected


def test_the_largest_network_is_refused_with_what_it_needs_and_what_there_is(monkeypatch):
    small = SPEC.but(width=10)
    executions = {spec.run_id: Execution("masked") for spec in (SPEC, small)}
    monkeypatch.setattr(device, "available_memory", lambda: 9 * 7400)
    check_memory([small, SPEC], executions, SIZE)
    check_memory([], {}, SIZE)
    monkeypatch.setattr(device, "available_memory", lambda: 9 * 7400 - 1)
    with pytest.raises(MemoryError, match=f"{SPEC.run_id} needs at least 66,600 bytes .* 66,599 are free"):
        check_memory([small, SPEC], executions, SIZE)


@pytest.mark.parametrize("executor", ["serial", "population"])
def test_nothing_is_written_of_a_network_that_is_larger_than_the_memory(tmp_path, executor):
    with pytest.raises(MemoryError, match="needs"):
        run_network({"width": 10**7, "hidden_layers": 3}, runs_dir=tmp_path, executor=executor)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("study", ["../x", "a/../../x", "/x", "..", "."])
@pytest.mark.parametrize("repair", [False, True])
def test_no_folder_outside_of_the_runs_folder_is_made(tmp_path, study, repair):
    with pytest.raises(ValueError, match="`name` names a folder"):
        run_network({"width": 8}, study=study, runs_dir=tmp_path / "runs", repair=repair)
    assert not [*tmp_path.iterdir()]
