"""A study spread over the GPUs or cores of one machine, by processes that each train a shard of the stored plan."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

LOGS = "logs"
"""The folder, in that of the studies, of what the processes say."""


def spread(devices: int, logs: Path, tell: Callable[[], str]) -> None:
    """Runs this command once for each device, each with its shard, and waits until all have ended.

    Args:
        devices: number of processes; each sees one GPU, or has its share of the cores where there is no GPU.
        logs: folder of their output.
        tell: gives a line about what is finished, which is printed whenever it changes.

    Raises:
        ValueError: fewer GPUs than devices, or fewer cores where there is no GPU.
        RuntimeError: a process has failed; the message has its last line.
    """
    visible = _gpus()
    most, what = (len(visible), "GPUs") if visible else (len(_cores()), "cores")
    if devices > most:
        raise ValueError(f"`devices` must be in [1, {most}], the {what} of this machine; received {devices}.")
    logs.mkdir(parents=True, exist_ok=True)
    names = [logs / f"device_{device}.log" for device in range(devices)]
    with _processes(names, visible) as processes:
        said = ""
        while any(process.poll() is None for process in processes):
            if (line := tell()) != said:
                print(said := line, flush=True)
            time.sleep(0.5)
    failed = [name for name, process in zip(names, processes, strict=True) if process.returncode]
    if failed:
        last = failed[0].read_text().strip().splitlines()[-1:] or ["nothing"]
        raise RuntimeError(f"{len(failed)} of {devices} processes failed; {failed[0]} ends in: {last[0]}")


@contextlib.contextmanager
def _processes(logs: Sequence[Path], gpus: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Context of the processes, one for each log; with it those end that still run, and save what they can."""
    processes = []
    try:
        for number, log in enumerate(logs):
            command = [sys.executable, *sys.argv, f"--shard={number}/{len(logs)}"]
            own = {"CUDA_VISIBLE_DEVICES": gpus[number]} if gpus else {}
            with log.open("wb") as file:
                started = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **own})
            processes.append(started)
            if not gpus and hasattr(os, "sched_setaffinity"):  # TensorFlow, not yet loaded, counts its cores by it
                first, end = (len(_cores()) * place // len(logs) for place in (number, number + 1))
                os.sched_setaffinity(started.pid, _cores()[first:end])
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # a second one, where Ctrl-C has reached it already, ends it at once
        for process in processes:
            process.wait()


def _cores() -> list[int]:
    """Returns the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]


def _gpus() -> list[str]:
    """Returns the names by which CUDA knows the GPUs that TensorFlow sees, asked by a process that gives them back."""
    program = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=quiet, check=True)
    count = int(found.stdout.split()[-1])
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (named.split(",") if named else [str(gpu) for gpu in range(count)])[:count]
