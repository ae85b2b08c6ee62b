"""Starts keras_sparseflow.launchers.activation_figures from a checkout; installed it is `sparseflow-activations`."""

from keras_sparseflow.launchers.activation_figures import run

if __name__ == "__main__":
    run()
