"""absl flags made from the fields of specs, for the launchers."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from keras_sparseflow.analysis.frames.labels import POINTS
from keras_sparseflow.checks import check_number
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.launchers.terminal import load_training_quietly
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.records.columns import HELD_OUT
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import EXECUTIONS, STRATEGIES, Options
from keras_sparseflow.studies.spec.fields import Leaf, check_value, valid_names
from keras_sparseflow.studies.spec.run_spec import LEAVES

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # flags defined here are the launcher's that asks for them, and stand in its --help


def define_spec_flags(*, lists: Sequence[str] = (), without: Sequence[str] = ()) -> None:
    """Defines a flag for each field of a spec; a flag that is not given is None.

    A bad value is refused as the flags are parsed, with the argument, what was expected and what came.

    Args:
        lists: fields whose flag takes several values, separated by commas.
        without: fields that get no flag.
    """
    for name, leaf in LEAVES.items():
        if name in without:
            continue
        several = name in lists or leaf.is_list
        names = valid_names(leaf.item)
        note = (f"; one of {', '.join(names)}" if names else "") + ("; several separated by commas" if several else "")
        flags.DEFINE(_FieldParser(leaf, several), name, None, f"{leaf.help}{note}.", serializer=None)


def define_plugin_flag() -> None:
    """Defines the flag that lists everything that has a name, and ends the process as soon as it is read."""
    flags.DEFINE_flag(_ListPlugins())


def define_run_flags() -> None:
    """Defines the flags that say where data and results are kept, and how runs are executed."""
    flags.DEFINE_string("runs_dir", "runs", "folder that holds a folder for each study.")
    flags.DEFINE_string("data_dir", None, "folder of prepared TensorFlow Datasets, or of the images of dataset=folder.")
    flags.DEFINE_bool("repair", False, "train runs anew of which a file is damaged; sparseflow-check names them.")
    flags.DEFINE_bool("tensorboard", True, "write TensorBoard events beside the results of each run.")
    flags.DEFINE_enum(
        "jit",
        "auto",
        ("auto", "true", "false"),
        "compile training with XLA; auto: on a GPU alone, without a strategy, and not if deterministic.",
    )
    flags.DEFINE_enum(
        "execution",
        "auto",
        EXECUTIONS,
        "computation of networks with masks that train alone: masked as dense ones, sparse by their active weights, "
        "auto as is faster at their density, on a GPU masked. Results are the same but for the order of sums.",
    )
    flags.DEFINE_list(
        "callbacks",
        [],
        "Keras callbacks that watch each network: plugins, or functions of spec and folder as module:function.",
    )
    define_name(
        "strategy",
        "none",
        STRATEGIES.kind,
        STRATEGIES.names(),
        "way to share the training of one network: mirrored shares each batch among the GPUs of this machine (or parts "
        "of its CPU), multiworker among the processes that TF_CONFIG names, each called alike, tpu among the cores of "
        "a TPU. Results are the same.",
    )
    flags.DEFINE_integer(
        "devices",
        None,
        "number of devices that share each batch (default: all that the strategy finds); without a strategy, number of "
        "GPUs, or of shares of the cores, over which a study is spread, by a process each.",
        lower_bound=1,
    )
    flags.DEFINE_bool("memory_growth", False, "take a GPU's memory as it is needed, not all of it at once.")
    flags.DEFINE_bool(
        "deterministic",
        False,
        "the same seed gives the same bytes in history.csv and flow.csv; slower, above all on GPUs.",
    )
    flags.DEFINE_bool("debug", False, "show where in the code an error arose.")


def define_executor_flags(executor: str) -> None:
    """Defines the flags that say which networks are trained together; without them each is trained alone.

    Args:
        executor: the default executor.
    """
    define_name(
        "executor",
        executor,
        EXECUTORS.kind,
        EXECUTORS.names(),
        "executor of the runs: population trains networks of one shape and optimizer together as one program, serial "
        "one after the other; auto takes population wherever the optimizer allows it, and ray hands populations and "
        "networks alone to the machines of a Ray cluster. Results are the same.",
    )
    flags.DEFINE_float(
        "population_memory_gb",
        None,
        "memory in GB (1e9 bytes) that a population may take; larger ones are split (default: half of what the "
        "device has free).",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "ray_address",
        "auto",
        "of --executor=ray: auto for the cluster that this machine is part of, local for one that is started here, or "
        "ray://host:port.",
    )
    flags.DEFINE_integer(
        "task_cpus",
        None,
        "of --executor=ray: cores that a task takes (default: as many as the threads that the study is planned for).",
        lower_bound=1,
    )
    flags.DEFINE_float("task_gpus", 0, "of --executor=ray: GPUs that a task takes, or a share of one.", lower_bound=0)
    flags.DEFINE_integer(
        "task_retries", 3, "of --executor=ray: how often a task is tried again whose worker is lost.", lower_bound=0
    )


def define_plan_flags() -> None:
    """Defines the flags of a study's stored plan: which part of it is trained, and whether it is made anew."""
    flags.DEFINE_string(
        "shard",
        None,
        "i/n, with i from 0 to n - 1: train one of n shares of the study's plan; n commands, on machines that share "
        "runs_dir, train all of it. The command that finishes the last network writes the report.",
    )
    flags.DEFINE_bool(
        "replan",
        False,
        "plan anew which networks train together, of those that are not finished; the report says so.",
    )


def given_shard() -> tuple[int, int] | None:
    """Returns number and count of the shard that the flags give; None for the whole study.

    Raises:
        ValueError: it is not written as i/n.
    """
    if FLAGS.shard is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", FLAGS.shard)
    if not found:
        raise ValueError(f"`shard` must be i/n with i from 0 to n - 1, such as 0/4; received {FLAGS.shard!r}.")
    return int(found[1]), int(found[2])


def define_mask_flags() -> None:
    """Defines the flag that lets masks leave a kernel empty, for launchers whose scores decide over all kernels."""
    flags.DEFINE_bool(
        "allow_collapse",
        False,
        "train networks of which the score, over all kernels together, leaves a kernel without any active weight too; "
        "they are refused otherwise.",
    )


def given_executor() -> str:
    """Returns the executor that the flags of `define_executor_flags` give; "serial" where they are not defined."""
    return str(FLAGS.executor) if "executor" in FLAGS else "serial"


_OF_TASKS = ("ray_address", "task_cpus", "task_gpus", "task_retries")


def spreads() -> bool:
    """Returns whether a study is spread over several devices, each of which trains networks of its own."""
    return FLAGS.strategy == "none" and "shard" in FLAGS and (FLAGS.devices or 1) > 1


def given_options() -> Options:
    """Returns the options of executors that the launcher's flags give."""
    memory = FLAGS.population_memory_gb if "population_memory_gb" in FLAGS else None
    return Options(
        tensorboard=FLAGS.tensorboard,
        jit={"auto": False if FLAGS.deterministic else None, "true": True, "false": False}[FLAGS.jit],
        population_memory=None if memory is None else int(check_number("population_memory_gb", memory) * 1e9),
        strategy=FLAGS.strategy,
        execution=FLAGS.execution,
        callbacks=tuple(FLAGS.callbacks),
        devices=None if spreads() else FLAGS.devices,
        allow_collapse="allow_collapse" in FLAGS and FLAGS.allow_collapse,
        memory_growth=FLAGS.memory_growth,
        deterministic=FLAGS.deterministic,
        **{name: FLAGS[name].value for name in _OF_TASKS if name in FLAGS},
    )


def load_training_as_given(threads: int | None = None) -> None:
    """Imports TensorFlow and sets it up as the flags of `define_run_flags` say; to be called before anything else.

    Args:
        threads: within an operation on a CPU, as a study is planned for; None for the executor's own choice.

    Raises:
        ValueError, RuntimeError: devices that are not there.
    """
    load_training_quietly(given_executor(), given_options(), threads=threads)


def define_report_flags() -> None:
    """Defines the flags that say what a report compares and draws."""
    flags.DEFINE_enum(
        "compare_by",
        "test_accuracy",
        ("test_accuracy", "best_test_accuracy", "test_loss", *HELD_OUT),
        "the result by which a report compares the arms: the test accuracy or loss after the last epoch, or the best "
        "test accuracy of all epochs; with --validation_size also selected_test_accuracy, the test accuracy after the "
        "epoch of the best validation accuracy, and the validation accuracy itself, after the last epoch or the best.",
    )
    define_name(
        "measure",
        None,
        MEASURES.kind,
        MEASURES.names(),
        "the measure of gradient flow that a report draws (default: the one that the study names, else egf_2).",
    )
    flags.DEFINE_enum(
        "diverged",
        "worst",
        ("worst", "drop"),
        "treatment of a diverged run in a report: worst counts it as the worst of its pair, drop leaves out the pair.",
    )
    flags.DEFINE_enum(
        "tau_over",
        None,
        POINTS,
        "the points between which a report ranks flow and performance: the runs of a configuration, or the measured "
        "epochs of each run (default: runs).",
    )


def given_report_options() -> dict[str, Any]:
    """Returns the options of `write_report` that the flags of `define_report_flags` give.

    Returns:
        `value` and `diverged`, and `measure` and `tau_over` if they were given.
    """
    options = {"value": FLAGS.compare_by, "diverged": FLAGS.diverged}
    given = {name: getattr(FLAGS, name) for name in ("measure", "tau_over")}  # the study may name another measure
    return options | {name: value for name, value in given.items() if value is not None}


def define_name(flag: str, default: str | None, kind: str, names: Sequence[str], help: str) -> flags.FlagHolder:
    """Defines a flag that takes one of several names; another one is refused with these, and the nearest.

    Args:
        flag: its name.
        default: a valid name, or None for none.
        kind: kind of the named things, in words.
        names: the valid ones.
        help: what it means.
    """
    return flags.DEFINE(NameParser(kind, names), flag, default, f"{help} One of {', '.join(names)}.")


def define_numbers(name: str, convert: Callable[[str], Any], help: str) -> flags.FlagHolder:
    """Defines a flag of numbers separated by commas.

    Args:
        name: of the flag.
        convert: `int` or `float`.
        help: what it means.
    """
    return flags.DEFINE(_NumbersParser(name, convert), name, None, help)


def given_spec_values() -> dict[str, Any]:
    """Returns the values of the flags of `define_spec_flags` that were given on the command line."""
    return {name: FLAGS[name].value for name in LEAVES if name in FLAGS and FLAGS[name].value is not None}


class _FieldParser(flags.ArgumentParser):
    """Turns the text of a flag into a field's value, and checks it."""

    syntactic_help = ""

    def __init__(self, leaf: Leaf, several: bool):
        self._leaf = leaf
        self._several = several

    def parse(self, argument: Any) -> Any:
        if not isinstance(argument, str):
            return argument
        if not self._several:
            return check_value(self._leaf.item, self._convert(argument))
        parts = [self._convert(part.strip()) for part in argument.split(",")]
        if self._leaf.is_list:
            return check_value(self._leaf.item, tuple(parts))
        return tuple(check_value(self._leaf.item, part) for part in parts)

    def flag_type(self) -> str:
        return "list" if self._several else "value"

    def _convert(self, text: str) -> Any:
        kind = str(self._leaf.item.type)
        if self._leaf.default is None and text.lower() == "none":
            return None
        for name, convert in (("int", int), ("float", float)):
            if name in kind:
                try:
                    return convert(text)
                except ValueError:
                    return text  # the check names the argument, what was expected and this
        return text


class NameParser(flags.ArgumentParser):
    """Takes one of several names as it is."""

    syntactic_help = ""

    def __init__(self, kind: str, names: Sequence[str]):
        self._kind = kind
        self._names = list(names)

    def parse(self, argument: Any) -> str:
        if argument not in self._names:
            raise unknown_name(self._kind, argument, self._names)
        return str(argument)

    def flag_type(self) -> str:
        return "name"


class _ListPlugins(flags.BooleanFlag):
    """Prints all named things and ends the process, as --help does."""

    def __init__(self) -> None:
        super().__init__(
            "list_plugins",
            False,
            "only print everything that has a name: kind, name, where it comes from, and what it is.",
        )

    def parse(self, argument: Any) -> None:
        super().parse(argument)
        if self.value:
            from keras_sparseflow.launchers.plugin_list import print_plugins

            print_plugins()
            sys.exit(0)


class _NumbersParser(flags.ArgumentParser):
    """Turns "0,1,2" into a tuple of numbers."""

    syntactic_help = ""

    def __init__(self, name: str, convert: Callable[[str], Any]):
        self._name = name
        self._convert = convert

    def parse(self, argument: Any) -> tuple[Any, ...]:
        if not isinstance(argument, str):
            return argument
        try:
            return tuple(self._convert(part) for part in argument.split(","))
        except ValueError as error:
            kind = "whole numbers" if self._convert is int else "numbers"
            raise ValueError(f"`{self._name}` must be {kind} separated by commas; received {argument!r}.") from error

    def flag_type(self) -> str:
        return "list of numbers"
