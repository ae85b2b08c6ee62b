r"""Trains networks at several densities, with static, moving or pruned masks or as lottery tickets; writes a report.

    python launchers/wide_resnet.py --dataset=digits --depth=10 --width=1 --variant=SC_BN --density=0.05,0.2,1 \
        --method=static,magnitude --learning_rate=0.1 --epochs=10
    python launchers/wide_resnet.py --preset=wrn_magnitude --dataset=cifar10 --data_dir=DIR --image_size=16 \
        --depth=10 --width=1 --epochs=5 --density=0.05,0.2,1
    python launchers/wide_resnet.py --preset=lottery --dataset=digits --depth=10 --width=1 --rounds=5 --fraction=0.5 \
        --rewind_step=20 --epochs=10
    python launchers/wide_resnet.py --preset=wrn_random --dry_run
    python launchers/wide_resnet.py --list_presets

A preset repeats a figure of a paper, at its full size; other flags change it, and what they change is recorded. Runs
that are finished are not trained again: after an interruption type the command again, and to add to a study type it
with the values of before and the new ones.
"""

from absl import app, flags

from keras_sparseflow.experiments.density_spec import DensitySpec
from keras_sparseflow.experiments.density_study import DensityStudy
from keras_sparseflow.experiments.flags import (
    define_mask_flags,
    define_numbers,
    define_preview_flags,
    define_report_flags,
    define_run_flags,
    define_spec_flags,
    given_executor,
    given_options,
    given_report_options,
    given_spec_values,
    load_training_as_given,
    override,
)
from keras_sparseflow.experiments.lottery_study import LotteryTicket
from keras_sparseflow.experiments.presets import DENSITY_PRESETS
from keras_sparseflow.experiments.terminal import plain_errors, refuse_arguments

define_spec_flags(DensitySpec, lists=DensityStudy.grid_fields, without=DensityStudy.derived_fields)
define_run_flags()
define_mask_flags()
define_report_flags()
define_preview_flags()
PRESET = flags.DEFINE_enum(
    "preset", "single_density", DENSITY_PRESETS.names(), "the study to start from; other flags change it."
)
STUDY = flags.DEFINE_string("study", None, "name of the study's folder (default: the preset's).")
ROUNDS = flags.DEFINE_integer(
    "rounds", None, "how often the networks of preset lottery are pruned (default: 15).", lower_bound=1
)
FRACTION = flags.DEFINE_float(
    "fraction", None, "of the active weights, removed in each round of preset lottery (default: 0.2)."
)
SEEDS = define_numbers("seeds", int, "seeds; a run of each configuration for each (default: the preset's).")


def main(argv: list[str]) -> None:
    with plain_errors(flags.FLAGS.debug):
        refuse_arguments(argv)
        load_training_as_given()
        from keras_sparseflow.analysis.report import write_report
        from keras_sparseflow.experiments.devices import is_chief
        from keras_sparseflow.experiments.launch import preview_studies, preview_study, run_study

        flag = flags.FLAGS
        how = {"data_dir": flag.data_dir, "executor": given_executor(), "options": given_options()}
        if flag.list_presets:
            preview_studies([_listed(DENSITY_PRESETS.get(name)) for name in DENSITY_PRESETS.names()], **how)
            return
        study = _changed(DENSITY_PRESETS.get(PRESET.value), name=STUDY.value)
        if flag.dry_run:
            preview_study(study, runs_dir=flag.runs_dir, **how)
            return
        study_dir = run_study(study, runs_dir=flag.runs_dir, **how)
        if is_chief(how["options"]):
            print(f"Report: {write_report(study_dir, **given_report_options()).resolve()}")


def _changed(study: DensityStudy, name: str | None = None) -> DensityStudy:
    """Returns a preset with what the flags give in place of its own."""
    rounds = {name: value for name, value in (("rounds", ROUNDS.value), ("fraction", FRACTION.value)) if value}
    if rounds and not isinstance(study, LotteryTicket):
        raise ValueError(f"`{next(iter(rounds))}` is of --preset=lottery; received --preset={study.name}.")
    return override(study, given_spec_values(DensitySpec), name=name, seeds=SEEDS.value, **rounds)


def _listed(study: DensityStudy) -> DensityStudy:
    """Returns a preset changed by those flags that it takes."""
    own = {"rounds": ROUNDS.value, "fraction": FRACTION.value} if isinstance(study, LotteryTicket) else {}
    values = {name: value for name, value in given_spec_values(DensitySpec).items() if name not in study.derived_fields}
    return override(study, values, seeds=SEEDS.value, **own)


if __name__ == "__main__":
    app.run(main)
