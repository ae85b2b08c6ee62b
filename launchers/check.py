"""Starts keras_sparseflow.launchers.check from a checkout; installed it is `sparseflow-check`."""

from keras_sparseflow.launchers.check import run

if __name__ == "__main__":
    run()
