"""What the device offers to populations: memory, and how many stacks run side by side."""

import os
import subprocess

import tensorflow as tf

from keras_sparseflow.data.memory import available_memory

MEMORY_SHARE = 0.5
"""Share of the free memory that a population may be planned for; the estimate is one, and the images take some."""

CPU_CHAINS = 2


def on_gpu() -> bool:
    """Returns whether TensorFlow trains on a GPU; asking takes none of its memory."""
    return bool(tf.config.list_physical_devices("GPU"))


def default_jit() -> bool:
    """Returns whether XLA compiles populations where nobody says: see docs/performance.md for what was measured."""
    return on_gpu()


def parallel_stacks() -> int:
    """Returns how many stacks of a population run side by side."""
    return 1 if on_gpu() else CPU_CHAINS


def population_memory() -> int:
    """Returns the bytes that a population may take where nobody says: half of what is free."""
    free = gpu_memory_free() if on_gpu() else available_memory()
    return int(MEMORY_SHARE * free)


def gpu_memory_free() -> int:
    """Returns the bytes free on the GPU that TensorFlow takes, the first of those it may see, as its driver says.

    Raises:
        RuntimeError: the driver does not say.
    """
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] or "0"
    command = ["nvidia-smi", f"--id={first}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        return int(answer) * 2**20
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise RuntimeError(
            f"How much memory the GPU has free could not be asked ({type(error).__name__}); say it with "
            "--population_memory_gb."
        ) from error


def use_cores_for_stacks() -> bool:
    """Gives each stack of a population its share of the cores; to be called before TensorFlow does anything.

    An operation that is cut into pieces for every core costs small networks more than it gains: see
    docs/performance.md for what was measured. Where there is a GPU, or where the environment says how many
    threads TensorFlow takes (`TF_NUM_INTRAOP_THREADS`), nothing is changed.

    Returns:
        Whether it was set.
    """
    if "TF_NUM_INTRAOP_THREADS" in os.environ or tf.config.list_physical_devices("GPU"):
        return False
    tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // CPU_CHAINS))
    return True


def grow_memory() -> None:
    """Lets each GPU take memory as it is needed and not all of it at once; to be called before TensorFlow uses one.

    Without a GPU nothing changes.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def make_deterministic() -> None:
    """Lets operations give the same bits whenever they get the same inputs, in this process for good.

    TensorFlow then takes slower algorithms for some, and refuses random operations without a seed.
    """
    tf.config.experimental.enable_op_determinism()
