"""Starts keras_sparseflow.launchers.train from a checkout; installed it is `sparseflow-train`."""

from keras_sparseflow.launchers.train import run

if __name__ == "__main__":
    run()
