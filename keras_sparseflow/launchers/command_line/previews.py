"""Flags that only print what a launcher would do, and whether TensorFlow is needed for it."""

from absl import flags

from keras_sparseflow.layers.backend import may_have_gpu

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # flags defined here are the launcher's that asks for them, and stand in its --help


def define_preview_flags(*, presets: bool = True) -> None:
    """Defines the flags that only print what a launcher would do.

    Args:
        presets: whether it has presets to list.
    """
    flags.DEFINE_bool(
        "dry_run",
        False,
        "only print what would be trained, how, and what it costs.",
    )
    flags.DEFINE_bool("estimate", False, "as dry_run, and how long it would take: some steps are trained for that.")
    if presets:
        flags.DEFINE_bool(
            "list_presets", False, "only print every preset, changed by the other flags, and what it costs."
        )


def only_told() -> bool:
    """Returns whether the flags of `define_preview_flags` ask only for what would be trained, and what it costs."""
    return bool(FLAGS.dry_run or FLAGS.estimate)


def needs_tensorflow() -> bool:
    """Returns whether the launcher trains, or asks TensorFlow for devices: a plan for a machine without a GPU does not.

    A plan may import it all the same, to try an optimizer or an activation that is not the package's own.
    """
    return not FLAGS.dry_run or FLAGS.estimate or FLAGS.strategy != "none" or may_have_gpu()
