"""absl flags of the launchers of density studies, and the studies that these flags name."""

from typing import Any

from absl import flags

from keras_sparseflow.experiments.density_spec import DensitySpec
from keras_sparseflow.experiments.density_study import DensityStudy
from keras_sparseflow.experiments.flags import (
    define_mask_flags,
    define_numbers,
    define_preview_flags,
    define_report_flags,
    define_run_flags,
    define_spec_flags,
    given_spec_values,
    override,
)
from keras_sparseflow.experiments.lottery_study import LotteryTicket
from keras_sparseflow.plugins import Table

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # flags defined here are the launcher's that asks for them, and stand in its --help

_OF_TICKETS = ("rounds", "fraction")


def define_density_flags(presets: Table, preset: str) -> None:
    """Defines every flag of a launcher of density studies.

    Args:
        presets: the studies that can be named.
        preset: the one that other flags change where none is named.
    """
    define_spec_flags(DensitySpec, lists=DensityStudy.grid_fields, without=DensityStudy.derived_fields)
    define_run_flags()
    define_mask_flags()
    define_report_flags()
    define_preview_flags()
    flags.DEFINE_enum("preset", preset, presets.names(), "the study to start from; other flags change it.")
    flags.DEFINE_string("study", None, "name of the study's folder (default: the preset's).")
    flags.DEFINE_integer(
        "rounds", None, "how often the networks of a preset of lottery tickets are pruned.", lower_bound=1
    )
    flags.DEFINE_float("fraction", None, "of the active weights, removed in each round of such a preset.")
    define_numbers("seeds", int, "seeds; a run of each configuration for each (default: the preset's).")


def given_study(presets: Table) -> DensityStudy:
    """Returns the preset that the flags name, changed as they say.

    Raises:
        ValueError: a flag that the preset has no place for.
    """
    study = presets.get(FLAGS.preset)
    for name in _OF_TICKETS:
        if FLAGS[name].value is not None and not isinstance(study, LotteryTicket):
            raise ValueError(
                f"`{name}` is of lottery tickets, such as --preset=lottery; received --preset={study.name}."
            )
    return _changed(study, given_spec_values(DensitySpec), FLAGS.study)


def listed_studies(presets: Table) -> list[DensityStudy]:
    """Returns every preset, changed by those flags that it has a place for."""
    given = given_spec_values(DensitySpec)

    def listed(study: DensityStudy) -> DensityStudy:
        taken = {field: value for field, value in given.items() if field not in study.derived_fields}
        return _changed(study, taken)

    return [listed(presets.get(name)) for name in presets.names()]


def _changed(study: DensityStudy, values: dict[str, Any], name: str | None = None) -> DensityStudy:
    own = {field: FLAGS[field].value for field in _OF_TICKETS} if isinstance(study, LotteryTicket) else {}
    return override(study, values, name=name, seeds=FLAGS.seeds, **own)
