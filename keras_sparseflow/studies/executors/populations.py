"""Trains the networks of a planned population together, each into its own folder."""

import functools
import time
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.data import ImageData
from keras_sparseflow.data.equal_batches import EqualBatches
from keras_sparseflow.data.memory import SMALLER, room_for
from keras_sparseflow.data.streams import BatchStreams, Stream
from keras_sparseflow.flow import measured_epochs
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
from keras_sparseflow.studies.executors.plan import PlannedPopulation, PlannedStack, units_of
from keras_sparseflow.studies.executors.stored_plan import keep_halves
from keras_sparseflow.studies.executors.study_plan import left_of
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.run.diagnosing import Diagnostics
from keras_sparseflow.studies.run.log import FollowerLog, RunLog
from keras_sparseflow.studies.run.network import build_network, build_template, initial_kernels, variable_shapes
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.run.recipe import l2_decay, l2_penalty, loss, optimizer_factory
from keras_sparseflow.studies.size.cost import counted
from keras_sparseflow.studies.spec.measurement_spec import FlowSpec
from keras_sparseflow.studies.spec.name_tables import SCHEDULES
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.gradient_registry import gradients_end_with_graphs
from keras_sparseflow.training.population.stack import Member, Stack
from keras_sparseflow.training.population.trainer import Population
from keras_sparseflow.training.recorder import flow_rows
from keras_sparseflow.training.state import network_state, restore_state

EVALUATION_BATCH = 250
"""Test images that every network of a population evaluates at once: few, so that they stay in the cache."""

_HALVED = "Going on with half as many networks at once."


def run_populations(
    planned: Iterable[PlannedPopulation], prepared: Prepared, data: ImageData, progress: StudyProgress
) -> None:
    """Trains one population after the other; one that the device has no room for is halved.

    Args:
        planned: planned populations of the study.
        prepared: the study.
        data: its images.
        progress: receives every epoch and every finished run.

    Raises:
        MemoryError: there is no room for a single network.
    """
    waiting = [part for population in planned for part in left_of(population, prepared.study_dir)]
    while waiting:
        population = waiting.pop(0)
        last = len(population.training) == 1 and not population.passengers
        what = f"the network {population.specs[0].run_id}" if last else "this population"
        try:
            with gradients_end_with_graphs(), room_for(what, SMALLER if last else _HALVED):
                _PopulationRun(population, prepared, data, progress).train()
        except MemoryError as error:
            if last:
                raise
            halves = population.halves()
            revision = keep_halves(prepared.study_dir, population, halves)
            waiting[:0] = [part for half in halves for part in left_of(half, prepared.study_dir)]
            progress.note(f"{error} This is {revision}." if revision else str(error))
        keras.utils.clear_session()  # the graph of the population before


class _Passenger(FollowerLog):
    """The log of a member that only trains along: it is finished, or has come to another epoch, and nothing is kept."""

    @property
    def over(self) -> bool:
        return True

    def restore(self) -> None:
        """Does nothing: the member begins anew."""


class _PopulationRun:
    """The training of one population: its members' logs on one side, the compiled program on the other."""

    def __init__(
        self,
        planned: PlannedPopulation,
        prepared: Prepared,
        data: ImageData,
        progress: StudyProgress,
    ):
        self._began = time.monotonic()
        specs, options = planned.specs, prepared.options
        self._specs = specs
        self._passengers = planned.passengers
        self._spec = specs[0]  # for all that members share
        self._flow = self._spec.measurement.flow or FlowSpec()
        self._data = data
        self._progress = progress
        self._allow_collapse = options.allow_collapse
        self._clock = CheckpointClock(options.checkpoint_seconds)
        self._logs: list[RunLog] = [
            _Passenger(spec, prepared.folder(spec))
            if spec in planned.passengers
            else RunLog(spec, prepared.folder(spec), options.tensorboard)
            for spec in specs
        ]
        saved = [log.restore() for log in self._logs]
        self._active: list[list[int]] = [[] for _ in specs]
        self._stacked = [stack.members for stack in planned.stacks]
        streams = list(dict.fromkeys(_stream(spec, data) for spec in specs))
        self._batches = BatchStreams(data, self._spec.training.batch_size, streams)
        stacks = [self._stack(stack, streams, saved) for stack in planned.stacks]
        test = EqualBatches.of(data.test_images, data.test_labels, EVALUATION_BATCH)
        self._population = Population(stacks, self._batches, test, options.jit)
        self._validation: EqualBatches | None = None
        if data.validation_images is not None:
            self._validation = EqualBatches.of(data.validation_images, data.validation_labels, EVALUATION_BATCH)

    def train(self) -> None:
        """Trains all epochs that are left, and finishes every run."""
        for log, active in zip(self._logs, self._active, strict=True):
            log.start(active)
        measured = measured_epochs(self._spec.training.epochs, self._spec.measurement.flow_epochs)
        done = [log for log in self._logs if log.over and log.spec not in self._passengers]
        self._finish(done)  # runs that were killed just before their results
        while self._training():
            epoch = self._training()[0].next_epoch
            self._train_epoch(epoch, epoch in measured)
        for log in self._logs:
            log.close()

    def _train_epoch(self, epoch: int, measured: bool) -> None:
        training = self._training()
        by_steps = measured and "steps" in self._flow.flow_readings
        self._population.train_epoch(epoch, by_steps, functools.partial(self._show, epoch, "step"))
        metrics, flow = self._measure(epoch, measured)
        diagnostics = self._diagnose(epoch)
        seconds = (time.monotonic() - self._began) / len(training)
        self._began = time.monotonic()
        for member, log in enumerate(self._logs):
            if log.over:
                continue
            log.add(metrics[member], flow[member], seconds, diagnostics.get(member, ()))
            self._progress.epoch_of(log.spec)(epoch, {"val_accuracy": metrics[member]["test_accuracy"]})
        self._finish([log for log in training if log.over])
        if self._clock.due() and self._training():
            with self._clock.saving():
                self._save()

    def _measure(self, epoch: int, measured: bool) -> tuple[dict[int, dict[str, float]], dict[int, list[Any]]]:
        """Returns metrics and flow rows of the epoch just trained, by member."""
        trained = self._population.train_means()
        tested = self._population.evaluate()
        held = None if self._validation is None else self._population.evaluate(self._validation)
        tables = self._flow_tables(epoch, [flow for _, flow in trained]) if measured else {}
        metrics, rows = {}, {}
        for place, (stack, members) in enumerate(zip(self._population.stacks, self._stacked, strict=True)):
            for position, member in enumerate(members):
                values = map(float, (*trained[place][0][position], *tested[place][position]))
                metrics[member] = dict(zip(("loss", "accuracy", "test_loss", "test_accuracy"), values, strict=True))
                if held is not None:
                    names = "validation_loss", "validation_accuracy"
                    metrics[member] |= zip(names, map(float, held[place][position]), strict=True)
                rows[member] = [
                    row
                    for reading, of_stacks in tables.items()
                    for row in flow_rows(epoch, reading, list(stack.measures), stack.layers, of_stacks[place][position])
                ]
        return metrics, rows

    def _flow_tables(self, epoch: int, of_steps: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
        """Returns the flow of the epoch just trained by reading: for each stack, as `Stack.flow_of` does."""
        readings = self._flow.flow_readings
        tables = {"steps": of_steps} if "steps" in readings else {}
        if "end" in readings:
            on_call = functools.partial(self._show, epoch, "flow of batch")
            tables["end"] = self._population.probe(self._flow.flow_mode == "training", on_call)
        return tables

    def _show(self, epoch: int, doing: str, done: int) -> None:
        where = f"epoch {epoch + 1}/{self._spec.training.epochs}, {doing} {done}/{self._batches.steps}"
        self._progress.show(f"{counted(len(self._training()), 'network')} together: {where}")

    def _training(self) -> list[RunLog]:
        return [log for log in self._logs if not log.over]

    def _finish(self, logs: Sequence[RunLog]) -> None:
        looked_at = self._spec.measurement.landscape_steps is not None and logs
        states = self._states() if looked_at else {}
        for log in logs:
            member, landscape = self._logs.index(log), []
            if states and not log.diverged:
                self._progress.show(f"{log.spec.name}: losses around its weights")
                landscape = Diagnostics(log.spec, self._data).landscape(self._network(member, states[member]))
            self._progress.finish(log.spec, log.finish(self._active[member], landscape))

    def _save(self) -> None:
        for member, state in self._states().items():
            if not self._logs[member].over:
                self._logs[member].save(state)

    def _states(self) -> dict[int, dict[str, np.ndarray]]:
        """Returns what each member must keep to go on training."""
        states = zip(self._stacked, self._population.states(), strict=True)
        return {member: state for members, of_stack in states for member, state in zip(members, of_stack, strict=True)}

    def _diagnose(self, epoch: int) -> dict[int, list[Any]]:
        """Returns the diagnostics of the epoch just trained, by member: each is of a network by itself."""
        epochs = self._spec.measurement.diagnostic_epochs
        if epochs is None or epoch not in measured_epochs(self._spec.training.epochs, epochs):
            return {}
        rows = {}
        for member, state in self._states().items():
            if not self._logs[member].over:
                say = self._progress.say_of(self._specs[member])
                rows[member] = Diagnostics(self._specs[member], self._data, say).of(self._network(member, state), epoch)
        return rows

    def _network(self, member: int, state: dict[str, np.ndarray]) -> SparseModel:
        """Returns a member as a network by itself."""
        spec, folder = self._specs[member], self._logs[member].folder
        model = build_network(spec, self._data, allow_collapse=self._allow_collapse, initialise=False)
        restore_state(network_state(model), state, folder.path)
        return model

    def _stack(self, planned: PlannedStack, streams: list[Stream], saved: list[dict[str, np.ndarray] | None]) -> Stack:
        """Returns a stack as planned, its members taken up from what `saved` holds of them."""
        template = build_template(self._spec, self._data, planned.width)
        spec = self._spec
        stack = Stack(
            template,
            [self._member(template, planned.width, i, streams, saved[i] is None) for i in planned.members],
            optimizer_factory(spec),
            loss(spec),
            () if spec.measurement.flow is None else self._flow.flow_measures,
            self._flow.flow_tensors,
            self._flow.flow_cost,
            SCHEDULES.get(spec.training.schedule),
            spec.training.epochs * self._batches.steps,
        )
        states = [saved[member] for member in planned.members]
        if any(state is not None for state in states):  # then of all but passengers
            stack.restore(states, [self._logs[member].folder.path for member in planned.members])
        return stack

    def _member(self, template: keras.Model, width: int, index: int, streams: list[Stream], initialise: bool) -> Member:
        spec = self._specs[index]
        variables, masks = initial_kernels(
            spec,
            self._data,
            allow_collapse=self._allow_collapse,
            initialise=initialise,
            say=self._progress.say_of(spec),
        )
        shapes = variable_shapes(template, width, variables, units_of(spec))
        self._active[index] = [
            int(np.count_nonzero(masks[path])) if path in masks else values.size
            for path, values in variables.items()
            if path.endswith("/kernel")
        ]
        return Member(
            variables=variables,
            shapes=shapes,
            masks=masks,
            learning_rate=spec.training.learning_rate,
            l2=l2_penalty(spec),
            decay=l2_decay(spec),
            stream=streams.index(_stream(spec, self._data)),
        )


def _stream(spec: RunSpec, data: ImageData) -> Stream:
    return Stream(spec.seed, spec.batch_augment_pad(data.input_shape), spec.data.augment_flip != "never")
