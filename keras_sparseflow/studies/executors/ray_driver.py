"""The executor that hands the tasks of a study to a Ray cluster, follows them, and tries lost ones again."""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from keras_sparseflow.data import ImageData
from keras_sparseflow.studies.executors.executors import skip_finished
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.ray_task import Launch, Letter, Letters, UnsharedError, train_task
from keras_sparseflow.studies.executors.stored_plan import platform_here
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.size.cost import counted, whole_flops

_PAUSE = 0.5
"""Seconds between two looks at the letters of tasks."""


def train_on_ray(prepared: Prepared, data: ImageData, progress: StudyProgress) -> None:
    """Trains a study on a Ray cluster: a population, a network alone, or all rounds of lottery tickets, is a task.

    A task whose worker or node is lost goes on elsewhere from its last checkpoint. An error in a task leaves the others
    going.

    Args:
        prepared: the prepared study.
        data: its images.
        progress: receives every epoch and every finished run.

    Raises:
        ImportError: the extra `ray` is not installed.
        RuntimeError: no cluster, a machine that does not share the folder of runs, or tasks that failed, by their runs.
        ValueError: tasks take fewer cores than the study is planned for.
    """
    ray = _imported()
    prepared = replace(prepared, study_dir=prepared.study_dir.resolve())
    for what, reason in prepared.plan.reasons.items():
        progress.note(f"Networks with {what} are trained alone: {reason}.")
    left = skip_finished(prepared.specs, prepared.study_dir, progress)
    tasks = tasks_of(replace(prepared, specs=left))
    if tasks:
        with _connected(ray, prepared.options.ray_address):
            _Driver(ray, prepared, data, progress).train(tasks)


def tasks_of(prepared: Prepared) -> list[Prepared]:
    """Returns the tasks of what is left of a study, the costliest first.

    Args:
        prepared: the study; its specs are those that are not finished.
    """
    stored = prepared.plan.stored
    cut = [{spec.run_id for spec in prepared.specs}] if stored is None else [{*task.run_ids} for task in stored.tasks]
    tasks = []
    for runs in cut:
        specs = [spec for spec in prepared.specs if spec.run_id in runs]
        if specs:
            plan = replace(prepared.plan.of(runs), reasons={}, stored=None, before=None)
            tasks.append(replace(prepared, specs=specs, plan=plan, members=[]))
    return sorted(tasks, key=lambda task: -sum(whole_flops(spec, task.size) for spec in task.specs))


class _Mailbox:
    """Keeps the letters of tasks until the driver takes them; it lives on the driver's machine."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []

    def put(self, letters: list[Letter]) -> None:
        self._letters += letters

    def take(self) -> list[Letter]:
        letters, self._letters = self._letters, []
        return letters


class _Driver:
    """The side of the cluster that sends tasks and hears of them."""

    def __init__(self, ray: Any, prepared: Prepared, data: ImageData, progress: StudyProgress):
        self._ray = ray
        self._progress = progress
        self._specs = {spec.run_id: spec for spec in prepared.specs}
        self._over: set[str] = set()
        self._retries = prepared.options.task_retries
        stored = prepared.plan.stored
        self._platform = platform_here(prepared.options) if stored is None else stored.platform
        self._launch = Launch.new(prepared.study_dir)
        self._needs = _needs(prepared.options, self._platform.threads or 1)
        # Retries are sent from here, which numbers them; Ray's own would not be told apart.
        self._train = ray.remote(max_retries=0, **self._needs)(_train)
        self._data = ray.put(data)
        place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._mailbox = ray.remote(num_cpus=0, scheduling_strategy=place)(_Mailbox).remote()
        self._note_room()

    def train(self, tasks: list[Prepared]) -> None:
        """Trains all tasks.

        Raises:
            RuntimeError: a machine does not share the folder, or tasks failed.
        """
        waiting = {self._send(task, 1): (task, 1) for task in tasks}
        failed: list[str] = []
        try:
            while waiting:
                done, _ = self._ray.wait([*waiting], num_returns=1, timeout=_PAUSE)
                self._hear()
                for reference in done:
                    task, attempt = waiting.pop(reference)
                    error = self._error_of(reference)
                    if error is None:
                        continue
                    names = ", ".join(spec.run_id for spec in task.specs)
                    if isinstance(error, UnsharedError):
                        raise error
                    if not self._is_lost(error) or attempt > self._retries:
                        failed.append(f"{names}: {_in_a_line(error)}")
                        self._progress.note(f"Failed: {failed[-1]}")
                        continue
                    self._progress.note(
                        f"Lost: {counted(len(task.specs), 'network')} ({_in_a_line(error)}). "
                        f"Retry {attempt} of {self._retries}, from the last checkpoint."
                    )
                    waiting[self._send(task, attempt + 1)] = (task, attempt + 1)
        finally:
            for reference in waiting:
                self._ray.cancel(reference, force=True)
        if failed:
            raise RuntimeError(f"{len(failed)} of {counted(len(tasks), 'task')} failed: {'; '.join(failed)}")

    def _send(self, task: Prepared, attempt: int) -> Any:
        """Sends a task to the cluster; returns the reference of its outcome."""
        part = replace(task, writer=(self._launch.number, attempt))
        run_ids = [spec.run_id for spec in task.specs]
        return self._train.remote(part, run_ids, self._data, self._platform, self._launch, self._mailbox)

    def _error_of(self, reference: Any) -> Exception | None:
        errors = self._ray.exceptions
        try:
            self._ray.get(reference)
        except errors.RayTaskError as error:
            return error.cause if isinstance(error.cause, Exception) else error
        except errors.RayError as error:
            return error
        return None

    def _is_lost(self, error: Exception) -> bool:
        """Returns whether a worker or a node is lost, not a training that went wrong."""
        errors = self._ray.exceptions
        return isinstance(error, errors.RayError) and not isinstance(error, errors.RayTaskError)

    def _hear(self) -> None:
        """Takes the letters of all tasks to the progress of the study."""
        try:
            letters: list[Letter] = self._ray.get(self._mailbox.take.remote())
        except self._ray.exceptions.RayError:
            return  # progress is lost, results are not
        for method, run_id, argument in letters:
            if method in ("note", "show"):
                getattr(self._progress, method)(argument)
            elif method in ("epoch_of", "say_of"):
                getattr(self._progress, method)(self._specs[run_id])(*argument)
            elif run_id not in self._over:  # a retry finds runs finished that were told before
                self._over.add(run_id)
                arguments = () if argument is None else (argument,)
                getattr(self._progress, method)(self._specs[run_id], *arguments)

    def _note_room(self) -> None:
        """Says where no machine is large enough for a task now; another one may join."""
        rooms = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        cpus, gpus = self._needs["num_cpus"], self._needs["num_gpus"]
        if not any(room.get("CPU", 0) >= cpus and room.get("GPU", 0) >= gpus for room in rooms):
            self._progress.note(
                f"No machine of the cluster has {cpus} CPUs and {gpus:g} GPUs; tasks wait for one to join."
            )


def _train(part: Prepared, run_ids: list[str], data: ImageData, platform: Any, launch: Launch, mailbox: Any) -> None:
    """Trains a task where Ray has started it."""
    import ray

    letters = Letters(mailbox.put.remote)
    train_task(part, run_ids, data, platform, launch, letters)
    with contextlib.suppress(ray.exceptions.RayError):  # without the mailbox results are what they are
        ray.get(letters.flush())


def _imported() -> Any:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise ImportError("--executor=ray needs the extra `ray`: pip install 'keras_sparseflow[ray]'.") from error
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Connects to a cluster inside the context, unless this process is connected already."""
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {} if address.startswith("ray://") else {"log_to_driver": False}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet["include_dashboard"] = False
    try:
        ray.init(address, logging_level=logging.ERROR, **quiet)
    except (ConnectionError, ray.exceptions.AuthenticationError) as error:
        raise RuntimeError(
            f"No Ray cluster lets this process in at `ray_address` {address!r}: start one by `ray start --head`, give "
            "--ray_address=local, or set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as on its machines. "
            f"({type(error).__name__})"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _needs(options: Options, threads: int) -> dict[str, float]:
    """Returns the resources of a task."""
    cpus = threads if options.task_cpus is None else options.task_cpus
    if cpus < threads:
        raise ValueError(
            f"`task_cpus` must be at least {threads}, the threads that the study is planned for; received {cpus}. "
            "--replan plans anew all networks that are not finished."
        )
    return {"num_cpus": cpus, "num_gpus": options.task_gpus}


def _in_a_line(error: BaseException) -> str:
    """Returns the kind of an error and its first words."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
