"""The device that populations train on: its memory, its cores and its settings.

TensorFlow is imported where it is used: to plan a study on a machine without a GPU needs none of it.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

from keras_sparseflow.data.memory import available_memory
from keras_sparseflow.layers.backend import has_gpu

MEMORY_SHARE = 0.5
"""Share of the free memory that a population may take: its need is estimated, and images need memory too."""

CPU_CHAINS = 2


def on_gpu() -> bool:
    """Returns whether TensorFlow trains on a GPU, without taking any of its memory."""
    return has_gpu()


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
    import tensorflow as tf

    if "TF_NUM_INTRAOP_THREADS" in os.environ or tf.config.list_physical_devices("GPU"):
        return False
    tf.config.threading.set_intra_op_parallelism_threads(max(1, cores() // CPU_CHAINS))
    return True


def tensorflow_is_loaded() -> bool:
    """Returns whether this process has imported TensorFlow, and so may have set it up."""
    return "tensorflow" in sys.modules


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Returns how many threads TensorFlow uses within an operation on a CPU, or would if it were loaded now."""
    chosen = 0
    if tensorflow_is_loaded():
        import tensorflow as tf

        chosen = tf.config.threading.get_intra_op_parallelism_threads()
    return int(chosen or os.environ.get("TF_NUM_INTRAOP_THREADS") or cores())


def check_cores(planned: int) -> None:
    """Raises RuntimeError where this process may use fewer cores than a study is planned for.

    Args:
        planned: planned number of threads.
    """
    if cores() < planned:
        raise RuntimeError(
            f"The study is planned for {planned} threads; this process may use {cores()} cores. Give it more cores, or "
            "--replan to plan anew all networks that are not finished."
        )


def take_threads(planned: int) -> None:
    """Has TensorFlow use so many threads within an operation on a CPU: their number decides last bits.

    Args:
        planned: planned number of threads.

    Raises:
        RuntimeError: this process may use fewer cores, or TensorFlow has started with other threads.
    """
    check_cores(planned)
    if threads() == planned:
        return
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(planned)
    except RuntimeError as error:
        raise RuntimeError(
            f"The study is planned for {planned} threads; TensorFlow has started with {threads()} in this process. "
            f"Call tf.config.threading.set_intra_op_parallelism_threads({planned}) before anything else, or give "
            "--replan to plan anew all networks that are not finished."
        ) from error


_VECTORS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve")


def instructions() -> str:
    """Returns the kind of this machine's processor and its vector instructions, as far as Linux tells them."""
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        said = ""
    lines = (line.partition(":") for line in said.splitlines())
    found = next((value.split() for name, _, value in lines if name.strip() in ("flags", "Features")), [])
    return " ".join([platform.machine(), *(name for name in _VECTORS if name in found)])


def grow_memory() -> None:
    """Lets each GPU take memory as it is needed, not all at once. Call it before TensorFlow uses one."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def make_deterministic() -> None:
    """Makes operations deterministic, to the last bit, for the rest of this process.

    TensorFlow then takes slower algorithms for some, and refuses random operations without a seed.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def set_up(*, memory_growth: bool = False, deterministic: bool = False, threads: int | None = None) -> None:
    """Sets TensorFlow up for training. Call it before TensorFlow does anything.

    Args:
        memory_growth: whether GPUs take memory as it is needed.
        deterministic: whether operations give the same bits in every run.
        threads: within an operation on a CPU; None for TensorFlow's own number.
    """
    if memory_growth:
        grow_memory()
    if deterministic:
        make_deterministic()
    if threads is not None:
        take_threads(threads)
