"""Starts keras_sparseflow.launchers.tost from a checkout; installed it is `sparseflow-tost`."""

from keras_sparseflow.launchers.tost import run

if __name__ == "__main__":
    run()
