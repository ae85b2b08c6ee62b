"""Draws activation functions beside their derivatives, and writes the numbers.

    python launchers/activations.py
    python launchers/activations.py --activation=relu,gelu,mish --low=-3 --high=3 --output_dir=DIR

Writes activations.png, activations.svg and activations.csv. Functions and derivatives are those that
networks are trained with; one with parameters is drawn as training begins.
"""

from pathlib import Path

from absl import app, flags

from keras_sparseflow import records
from keras_sparseflow.experiments.terminal import load_training_quietly, plain_errors, refuse_arguments
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.plugins import unknown_name

NAMES = flags.DEFINE_list(
    "activation",
    "relu,prelu,elu,swish,srelu,sigmoid",
    f"which to draw, several separated by commas; of {', '.join(ACTIVATIONS.names())}.",
)
LOW = flags.DEFINE_float("low", -5.0, "the smallest input.")
HIGH = flags.DEFINE_float("high", 5.0, "the largest input.")
OUTPUT = flags.DEFINE_string("output_dir", "figures", "where to write.")
DEBUG = flags.DEFINE_bool("debug", False, "show where in the code an error arose.")


@flags.validator(NAMES.name)
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
    with plain_errors(DEBUG.value):
        refuse_arguments(argv)
        load_training_quietly("serial")
        from keras_sparseflow.analysis.figures import activation_functions, write_figures
        from keras_sparseflow.training.curves import activation_curves

        curves = activation_curves(NAMES.value, LOW.value, HIGH.value)
        table = Path(OUTPUT.value) / "activations.csv"
        written = write_figures({"activations": activation_functions(curves)}, OUTPUT.value)
        records.write_atomic(table, curves.to_csv(index=False).encode())
        for path in [*written, table]:
            print(path.resolve())


if __name__ == "__main__":
    app.run(main)
