"""absl flags of the launchers of density studies, and what these flags ask for."""

from pathlib import Path
from typing import Any

from absl import flags

from keras_sparseflow.launchers.flags import (
    define_mask_flags,
    define_name,
    define_numbers,
    define_preview_flags,
    define_report_flags,
    define_run_flags,
    define_spec_flags,
    given_executor,
    given_options,
    given_spec_values,
    listed_presets,
    override,
)
from keras_sparseflow.plugins import Table
from keras_sparseflow.studies.study import Study
from keras_sparseflow.studies.spec.run_spec import RunSpec

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # flags defined here are the launcher's that asks for them, and stand in its --help

_OF_TICKETS = ("rounds", "fraction")


def define_density_flags(presets: Table, preset: str) -> None:
    """Defines every flag of a launcher of density studies.

    Args:
        presets: the studies that can be named.
        preset: the one that other flags change where none is named.
    """
    define_spec_flags(RunSpec, lists=Study.grid_fields, without=Study.derived_fields)
    define_run_flags()
    define_mask_flags()
    define_report_flags()
    define_preview_flags()
    define_name("preset", preset, presets.kind, presets.names(), "the study to start from; other flags change it.")
    flags.DEFINE_string("study", None, "name of the study's folder (default: the preset's).")
    flags.DEFINE_integer(
        "rounds", None, "how often the networks of a preset of lottery tickets are pruned.", lower_bound=1
    )
    flags.DEFINE_float("fraction", None, "of the active weights, removed in each round of such a preset.")
    define_numbers("seeds", int, "seeds; a run of each configuration for each (default: the preset's).")


def run_given_study(presets: Table) -> Path | None:
    """Does what the flags ask for: prints what presets or a study cost, or trains a study.

    Args:
        presets: see `define_density_flags`.

    Returns:
        The folder of a study that was trained and that this process is to report on; else None.

    Raises:
        ValueError: a flag that the preset has no place for; or see `run_study`.
    """
    from keras_sparseflow.studies.executors.devices import is_chief
    from keras_sparseflow.studies.launch import preview_studies, preview_study, run_study

    options = given_options()
    how: dict[str, Any] = {"data_dir": FLAGS.data_dir, "executor": given_executor(), "options": options}
    if FLAGS.list_presets:
        preview_studies(_listed_studies(presets), **how)
        return None
    study = _given_study(presets)
    if FLAGS.dry_run:
        preview_study(study, runs_dir=FLAGS.runs_dir, **how)
        return None
    study_dir = run_study(study, runs_dir=FLAGS.runs_dir, **how)
    return study_dir if is_chief(options) else None


def _given_study(presets: Table) -> Study:
    """Returns the preset that the flags name, changed as they say."""
    study = presets.get(FLAGS.preset)
    for name in _OF_TICKETS:
        if FLAGS[name].value is not None and not isinstance(study, Study):
            raise ValueError(
                f"`{name}` is of lottery tickets, such as --preset=lottery; received --preset={study.name}."
            )
    return _changed(study, given_spec_values(RunSpec), FLAGS.study)


def _listed_studies(presets: Table) -> list[Study]:
    """Returns every preset, changed by those flags that it has a place for."""
    given = given_spec_values(RunSpec)

    def listed(study: Study) -> Study:
        taken = {field: value for field, value in given.items() if field not in study.derived_fields}
        return _changed(study, taken)

    return [listed(study) for study in listed_presets(presets)]


def _changed(study: Study, values: dict[str, Any], name: str | None = None) -> Study:
    own = {field: FLAGS[field].value for field in _OF_TICKETS} if isinstance(study, Study) else {}
    return override(study, values, name=name, seeds=FLAGS.seeds, **own)
