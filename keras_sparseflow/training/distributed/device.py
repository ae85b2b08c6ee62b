"""The device that populations train on: its memory, its cores and its settings."""

import os
import subprocess

import tensorflow as tf

from keras_sparseflow.data.memory import available_memory

MEMORY_SHARE = 0.5
"""Share of the free memory that a population may take: its need is estimated, and images need memory too."""

CPU_CHAINS = 2


def on_gpu() -> bool:
    """Returns whether TensorFlow trains on a GPU, without taking any of its memory."""
    return bool(tf.config.list_physical_devices("GPU"))


def default_jit() -> bool:
    """Returns whether XLA compiles populations by default; docs/performance.md has the measurements."""
    return on_gpu()


def parallel_stacks() -> int:
    """Returns how many stacks of a population run side by side."""
    return 1 if on_gpu() else CPU_CHAINS


def population_memory() -> int:
    """Returns the bytes that a population may take by default: half of what is free."""
    return int(MEMORY_SHARE * free_memory())


def free_memory() -> int:
    """Returns the bytes that are free on the first GPU, or without one in the machine."""
    return gpu_memory_free() if on_gpu() else available_memory()


def gpu_memory_free() -> int:
    """Returns the free bytes of the first GPU that TensorFlow may use, as `nvidia-smi` reports them.

    Raises:
        RuntimeError: `nvidia-smi` fails or reports something else.
    """
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] or "0"
    command = ["nvidia-smi", f"--id={first}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        return int(answer) * 2**20
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise RuntimeError(
            f"nvidia-smi did not report the GPU's free memory ({type(error).__name__}); give it with "
            "--population_memory_gb."
        ) from error


def use_cores_for_stacks() -> bool:
    """Gives each stack of a population its share of the cores. Call it before TensorFlow does anything.

    To split an operation over all cores costs small networks more than it gains; docs/performance.md has the
    measurements. Nothing changes on a GPU, or if the environment sets TensorFlow's threads
    (`TF_NUM_INTRAOP_THREADS`).

    Returns:
        Whether the number of threads was set.
    """
    if "TF_NUM_INTRAOP_THREADS" in os.environ or tf.config.list_physical_devices("GPU"):
        return False
    tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // CPU_CHAINS))
    return True


def grow_memory() -> None:
    """Lets each GPU take memory as it is needed, not all at once. Call it before TensorFlow uses one."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def make_deterministic() -> None:
    """Makes operations deterministic, to the last bit, for the rest of this process.

    TensorFlow then takes slower algorithms for some, and refuses random operations without a seed.
    """
    tf.config.experimental.enable_op_determinism()
