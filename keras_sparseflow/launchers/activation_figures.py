"""Draws activation functions beside their derivatives, and writes the numbers.

    python launchers/activations.py
    python launchers/activations.py --activation=relu,gelu,mish --low=-3 --high=3 --output_dir=DIR

Writes activations.png, activations.svg and activations.csv. Functions and derivatives are those that
networks are trained with; one with parameters is drawn as training begins.
"""

from pathlib import Path

from absl import flags

from keras_sparseflow import records
from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.terminal import load_training_quietly, plain_errors, refuse_arguments, working
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.records.csv_cells import as_csv_file

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    flags.DEFINE_list(
        "activation",
        "relu,prelu,elu,swish,srelu,sigmoid",
        f"activations to draw, separated by commas; of {', '.join(ACTIVATIONS.names())}.",
    )
    flags.register_validator("activation", check_names)
    flags.DEFINE_float("low", -5.0, "the smallest input.")
    flags.DEFINE_float("high", 5.0, "the largest input.")
    flags.DEFINE_string("output_dir", "figures", "where to write.")
    flags.DEFINE_bool("debug", False, "show where in the code an error arose.")


def check_names(names: list[str]) -> bool:
    """Refuses unknown names, none, and one that stands twice as the flags are parsed."""
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown:
        raise flags.ValidationError(str(unknown_name("activation", unknown[0], ACTIVATIONS.names())))
    if not names or len(set(names)) < len(names):
        received = ",".join(names) or "none"
        raise flags.ValidationError(f"name at least one activation, and each once; received {received}.")
    return True


def main(argv: list[str]) -> None:
    """Writes the curves as picture and as table, and prints where."""
    with plain_errors(FLAGS.debug):
        refuse_arguments(argv)
        load_training_quietly("serial")
        from keras_sparseflow.analysis import activation_functions, write_figures
        from keras_sparseflow.training.tensorboard.curves import activation_curves

        table = Path(FLAGS.output_dir) / "activations.csv"
        with working("Drawing."):
            curves = activation_curves(FLAGS.activation, FLAGS.low, FLAGS.high)
            written = write_figures({"activations": activation_functions(curves)}, FLAGS.output_dir)
        records.write_atomic(table, as_csv_file(curves))
        for path in [*written, table]:
            print(path.resolve())


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main)
