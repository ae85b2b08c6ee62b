"""The questions of populations to the device: its memory, XLA or not, how many stacks side by side, and the cores."""

import os

import pytest
import tensorflow as tf

from keras_sparseflow.training.distributed import device
from tests import processes


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Puts an executable of that name in the way, which runs a line of shell."""

    def make(line):
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return make


@pytest.mark.parametrize(
    ("visible", "asked"), [(None, "0"), ("", "0"), ("3", "3"), ("3,1", "3"), ("GPU-8f6a,GPU-b01c", "GPU-8f6a")]
)
def test_free_memory_is_that_of_the_first_gpu_that_may_be_seen(nvidia_smi, tmp_path, monkeypatch, visible, asked):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    nvidia_smi(f'echo "$@" > {tmp_path}/asked; echo 40960')
    assert device.gpu_memory_free() == 40960 * 2**20
    query = "--query-gpu=memory.free --format=csv,noheader,nounits"
    assert (tmp_path / "asked").read_text() == f"--id={asked} {query}\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("exit 9", "CalledProcessError"),
        ("echo '[Not Supported]'", "ValueError"),
        ("true", "ValueError"),
        ("echo 81000; echo 40960", "ValueError"),
    ],
)
def test_a_driver_that_does_not_say_is_an_error_with_the_flag_that_helps(nvidia_smi, line, error):
    nvidia_smi(line)
    with pytest.raises(RuntimeError, match=rf"GPU's free memory \({error}\); give it with --population_memory_gb\."):
        device.gpu_memory_free()


def test_no_driver_is_the_same_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"\(FileNotFoundError\); give it with --population_memory_gb"):
        device.gpu_memory_free()


def test_without_a_gpu_no_xla_two_stacks_and_half_of_the_machines_free_memory(monkeypatch):
    monkeypatch.setattr(device, "available_memory", lambda: 1001)
    assert not device.on_gpu() and not device.default_jit()
    assert device.parallel_stacks() == device.CPU_CHAINS == 2
    assert device.population_memory() == 500


def test_with_a_gpu_xla_one_stack_and_half_of_its_free_memory(monkeypatch, nvidia_smi):
    nvidia_smi("echo 1000")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] if kind == "GPU" else [])
    assert device.on_gpu() and device.default_jit() and device.parallel_stacks() == 1
    assert device.population_memory() == 500 * 2**20


THREADS = """
import os
import tensorflow as tf
from keras_sparseflow.training.distributed.device import use_cores_for_stacks

threads = tf.config.threading
for cores, said, gpus in [(8, None, []), (1, None, []), (8, "3", []), (8, None, ["GPU"])]:
    os.environ.pop("TF_NUM_INTRAOP_THREADS", None)
    os.environ.update({} if said is None else {"TF_NUM_INTRAOP_THREADS": said})
    os.sched_getaffinity = lambda process: range(cores)
    tf.config.list_physical_devices = lambda kind: gpus
    threads.set_intra_op_parallelism_threads(99)
    print(use_cores_for_stacks(), threads.get_intra_op_parallelism_threads())
"""


def test_each_stack_gets_its_share_of_the_cores_unless_the_environment_says_otherwise_or_there_is_a_gpu():
    done = processes.run(THREADS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["True 4", "True 1", "False 99", "False 99"]


def test_memory_of_every_gpu_grows_and_without_one_nothing_happens(monkeypatch):
    grown = []
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grows: grown.append((gpu, grows)))
    device.grow_memory()
    assert grown == []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    device.grow_memory()
    assert grown == [("GPU:0", True), ("GPU:1", True)]
