"""Starts keras_sparseflow.launchers.activations from a checkout; installed it is `sparseflow-activations`."""

from keras_sparseflow.launchers.activations import run

if __name__ == "__main__":
    run()
