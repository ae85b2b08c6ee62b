"""Two devices, which are halves of the CPU, come to what one comes to."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import processes


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """Files that `replicas.py` leaves: states and rows of networks that one device has trained, and two."""
    folder = tmp_path_factory.mktemp("replicas")
    done = processes.run(Path(__file__).with_name("replicas.py"), str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def check_same(folder, found, expected, rtol=1e-5):
    states = [np.load(folder / f"{name}.npz") for name in (found, expected)]
    assert set(states[0]) == set(states[1])
    for name in states[0]:
        np.testing.assert_allclose(states[0][name], states[1][name], rtol=rtol, atol=1e-5, err_msg=name)
        if name.endswith("/mask"):
            assert np.array_equal(states[0][name], states[1][name]) and 0 < states[0][name].mean() < 1
    for rows in ("history.csv", "flow.csv"):
        frames = [pd.read_csv(folder / f"{name}-rows" / rows) for name in (found, expected)]
        pd.testing.assert_frame_equal(*frames, rtol=rtol, atol=0)
    assert set(frames[0]["measure"]) == {"grad_norm_1", "grad_norm_2", "egf_1", "egf_2"}


@pytest.mark.parametrize("variant", ["DA_L2", "DA_L2_BN"])
def test_two_devices_come_to_what_one_comes_to_after_20_steps(replicas, variant):
    """Losses, accuracies, weights, masks, slots, moving statistics and all four measures, layer by layer."""
    check_same(replicas, f"{variant}-two", f"{variant}-one")
    state = np.load(replicas / f"{variant}-two.npz")
    assert state["optimizer/iteration"] == 20 and ("norm_1/moving_mean" in state) == ("BN" in variant)


def test_what_one_device_has_begun_two_go_on_with_and_one_ends(replicas):
    check_same(replicas, "resumed", "DA_L2_BN-one")


def test_two_devices_measure_the_diagnostics_that_one_does(replicas):
    for name, rows in (("diagnostics", 2 + 2), ("landscape", 3 + 9)):
        frames = [pd.read_csv(replicas / f"diagnosed-{devices}-rows" / f"{name}.csv") for devices in ("one", "two")]
        pd.testing.assert_frame_equal(*frames, rtol=1e-3)
        assert len(frames[0]) == rows


def test_two_devices_train_in_half_precision(replicas):
    state = np.load(replicas / "half_precision.npz")
    rows = pd.read_csv(replicas / "half_precision-rows" / "history.csv")
    assert np.isfinite(rows).all(axis=None) and state["optimizer/dynamic_scale"] == 2**15
    for name in ("hidden_1", "hidden_2", "output"):
        inactive = ~state[f"{name}/mask"]
        assert inactive.any() and not state[f"{name}/kernel"][inactive].any()
        assert not state[f"optimizer/{name}_kernel_momentum"][inactive].any()
    whole = pd.read_csv(replicas / "DA_L2_BN-one-rows" / "history.csv")
    np.testing.assert_allclose(rows["loss"], whole["loss"][:1], rtol=1e-2)


def test_an_overflow_on_one_device_skips_the_step_on_all(replicas):
    found = json.loads((replicas / "found.json").read_text())
    assert found["overflow"] == {"finite": True, "scale": 2.0**14}
    assert found["policy"] == "float32", "nothing is left of a run's precision"


def test_where_there_is_no_tpu_it_is_said_what_there_is(replicas):
    said = json.loads((replicas / "found.json").read_text())["tpu"]
    assert said.startswith("RuntimeError: No TPU 'local' was found (this machine has CPU:0, CPU:1); name another")
    assert "\n" not in said
