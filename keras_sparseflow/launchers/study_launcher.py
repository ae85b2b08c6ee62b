"""The launcher of studies, which scsdc, wide_resnet and tost share: flags, training and reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from keras_sparseflow.launchers.command_line.help_pages import Defaults, study_defaults
from keras_sparseflow.launchers.command_line.previews import define_preview_flags, needs_tensorflow, only_told
from keras_sparseflow.launchers.command_line.spread import LOGS, spread
from keras_sparseflow.launchers.flags import (
    NameParser,
    define_executor_flags,
    define_mask_flags,
    define_numbers,
    define_plan_flags,
    define_report_flags,
    define_run_flags,
    define_spec_flags,
    given_options,
    given_report_options,
    given_shard,
    given_spec_values,
    load_training_as_given,
    spreads,
)
from keras_sparseflow.launchers.terminal import plain_errors, refuse_arguments, working
from keras_sparseflow.records import read_study
from keras_sparseflow.records.columns import HELD_OUT
from keras_sparseflow.studies.executors.shards import missing
from keras_sparseflow.studies.executors.stored_plan import planned_threads
from keras_sparseflow.studies.presets.preset_table import PRESETS, papers_and_presets, preset_names, studies_of
from keras_sparseflow.studies.presets.small_sizes import small
from keras_sparseflow.studies.presets.starting_points import fields_of_model
from keras_sparseflow.studies.study import GRID_FIELDS, Study

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # flags defined here are the launcher's that asks for them, and stand in its --help

_DERIVED = ("seed", "earlier_densities", "matched_fraction", "width_fraction")
"""Fields of specs that every study gives by itself."""

_OWN = ("seeds", "width_fractions", "max_width", "rounds", "fraction")
"""Flags of a study's own fields."""

_ALL = "all"
"""The value of --preset that stands for every preset of the launcher's group."""


def define_study_flags(preset: str, group: str) -> None:
    """Defines every flag of a launcher of studies.

    Args:
        preset: the one that other flags change where none is named.
        group: a key of `GROUPS`, the presets that are "all" of this launcher.
    """
    define_spec_flags(lists=GRID_FIELDS, without=_DERIVED)
    define_run_flags()
    define_executor_flags("auto")
    define_plan_flags()
    define_mask_flags()
    define_report_flags()
    define_preview_flags()
    flags.DEFINE(
        _PresetParser(group),
        "preset",
        preset,
        f"the study to start from; other flags change it. A word without -- is one too, and --list_presets says which "
        f"there are; {_ALL} is every one of the group {group}.",
    )
    flags.DEFINE_enum(
        "scale",
        "full",
        ("full", "small"),
        "small: a version of the preset on digits, with smaller networks, few epochs and one seed.",
    )
    flags.DEFINE_string("study", None, "name of the study's folder.")
    define_numbers("seeds", int, "seeds; a repetition of each configuration for each.")
    define_numbers("width_fractions", float, "of pairs: dense widths over the maximum width, in (0, 1].")
    flags.DEFINE_integer(
        "max_width",
        None,
        "of pairs: width of the sparse arm, of which dense widths are fractions.",
        lower_bound=1,
    )
    flags.DEFINE_integer("rounds", None, "of lottery tickets: how often networks are pruned.", lower_bound=1)
    flags.DEFINE_float("fraction", None, "of lottery tickets: share of the active weights that each round removes.")


def preset_defaults(words: list[str]) -> Defaults:
    """Returns what flags have that are not given, under the preset that the command line names.

    Args:
        words: words of the command line beside the flags.
    """
    _take_preset(["", *words])
    first, *others = given_studies()
    shown = study_defaults(first)
    return Defaults(f"{shown.source} (the first of several)", shown.values) if others else shown


def train_and_report(argv: list[str]) -> None:
    """Trains the studies that the flags ask for and writes their reports, or prints what they would cost.

    Args:
        argv: the words beside the flags, the program first.
    """
    with plain_errors(FLAGS.debug):
        _take_preset(argv)
        if FLAGS.list_presets:
            _list_presets()
            return
        studies, shard = given_studies(), given_shard()
        _check_compared(studies)
        folders = [Path(FLAGS.runs_dir) / study.name for study in studies]
        if spreads() and shard is None and not only_told():
            spread(FLAGS.devices, Path(FLAGS.runs_dir) / LOGS, lambda: _finished(folders))
            print(*(f"Report: {(folder / 'report.html').resolve()}" for folder in folders), sep="\n")
            return
        if needs_tensorflow():
            load_training_as_given(None if FLAGS.replan or FLAGS.executor == "ray" else planned_threads(folders))
        how = {
            "runs_dir": FLAGS.runs_dir,
            "data_dir": FLAGS.data_dir,
            "executor": FLAGS.executor,
            "options": given_options(),
            "replan": FLAGS.replan,
        }
        if only_told():
            _tell(studies, how, shard)
            return
        from keras_sparseflow.analysis.report.writing import write_report
        from keras_sparseflow.studies.executors.options import is_chief
        from keras_sparseflow.studies.run_study import check_data, run_study

        if len(studies) > 1:
            check_data(studies, data_dir=FLAGS.data_dir)
        for study in studies:
            if is_chief(how["options"]):
                print(f"{study.name}: {study.title}", flush=True)
            study_dir = run_study(study, **how, repair=FLAGS.repair, shard=shard)
            if shard is not None and (left := missing(study_dir)):
                print(f"Runs that are not finished: {left}. The shard that finishes the last writes the report.")
            elif is_chief(how["options"]):
                print("Writing the report.", flush=True)
                with working("Tests, tables and figures."):
                    page = write_report(study_dir, **given_report_options())
                print(f"Report: {page.resolve()}")


def _tell(studies: Sequence[Study], how: dict[str, Any], shard: tuple[int, int] | None) -> None:
    """Prints what would be trained, and how long it would take."""
    from keras_sparseflow.studies.executors.timing import print_time
    from keras_sparseflow.studies.prepare import prepare
    from keras_sparseflow.studies.printing import print_study

    for study in studies:
        print_study(prepared := prepare(study, **how), cut=FLAGS.executor == "ray", shard=shard)
        print_time(prepared, FLAGS.executor, FLAGS.estimate)


def _check_compared(studies: Sequence[Study]) -> None:
    """Refuses a report by accuracies on images held out of studies that hold none out."""
    for study in studies:
        if FLAGS.compare_by in HELD_OUT and study.value("validation_size") is None:
            raise ValueError(
                f"--compare_by={FLAGS.compare_by} needs --validation_size, a number of images held out from training; "
                f"received none for {study.name}."
            )


def _finished(folders: Sequence[Path]) -> str:
    """Returns how many runs of the studies that have begun are finished, in a line."""
    begun = [folder for folder in folders if (folder / "study.json").is_file()]
    runs, left = sum(len(read_study(folder)["run_ids"]) for folder in begun), sum(map(missing, begun))
    return f"{runs - left}/{runs} runs" if begun else "Loading TensorFlow and the images."


def _take_preset(argv: list[str]) -> None:
    """Takes a word beside the flags, the first, for the preset: `sparseflow-scsdc demo`."""
    if len(argv) == 2 and not FLAGS["preset"].present:
        FLAGS["preset"].parse(argv[1])
    else:
        refuse_arguments(argv)


def _list_presets() -> None:
    from keras_sparseflow.studies.presets.counted import listed_costs
    from keras_sparseflow.studies.printing import print_presets

    papers = {
        paper: listed_costs([_changed(study, taken=True) for study in studies], FLAGS.data_dir)
        for paper, studies in papers_and_presets().items()
    }
    print_presets(papers)


def given_studies() -> list[Study]:
    """Returns the preset that the flags name, changed as they say; a group of presets is several studies."""
    studies = studies_of(FLAGS.preset)
    if len(studies) > 1 and FLAGS.study is not None:
        names = ", ".join(study.name for study in studies)
        raise ValueError(f"`study` names one folder, but {FLAGS.preset} is the studies {names}; name one as `preset`.")
    return [_changed(study, name=FLAGS.study) for study in studies]


def _changed(study: Study, name: str | None = None, taken: bool = False) -> Study:
    """Returns a study as the flags change it; if `taken`, by those that it has a place for alone."""
    if FLAGS.scale == "small":
        study = small(study)
    values = given_spec_values()
    own = {field: FLAGS[field].value for field in _OWN if FLAGS[field].value is not None}
    if taken:
        values = {field: value for field, value in values.items() if field not in study.derived_fields}
        own = {field: value for field, value in own.items() if not _other_kind(study, field)}
    if taken and not values and not own:
        return study
    if "model" in values:
        taken_over, of_study = fields_of_model(study, values["model"])
        values, own = {**taken_over, **values}, {**of_study, **own}
    for field in own:
        if kind := _other_kind(study, field):
            raise ValueError(f"`{field}` is of {kind}; received --preset={study.name}.")
    return study.with_choices(values, **own, **({} if name is None else {"name": name}))


def _other_kind(study: Study, field: str) -> str:
    """Returns the kind of study that a field is of, in words, where this one is of another; else nothing."""
    if field in ("rounds", "fraction") and study.rounds is None:
        return "lottery tickets, such as --preset=lottery"
    if field in ("width_fractions", "max_width") and study.comparison != "pairs":
        return "matched pairs, such as --preset=single"
    return ""


class _PresetParser(NameParser):
    """Takes the name of a preset or a group of them; "all" stands for the group that is the launcher's."""

    def __init__(self, group: str):
        super().__init__(PRESETS.kind, [*preset_names(), _ALL])
        self._group = group

    def parse(self, argument: Any) -> str:
        name = super().parse(argument)
        return self._group if name == _ALL else name
