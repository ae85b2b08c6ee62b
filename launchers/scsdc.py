"""Starts keras_sparseflow.launchers.scsdc from a checkout; installed it is `sparseflow-scsdc`."""

from keras_sparseflow.launchers.scsdc import run

if __name__ == "__main__":
    run()
