"""Starts keras_sparseflow.launchers.report from a checkout; installed it is `sparseflow-report`."""

from keras_sparseflow.launchers.report import run

if __name__ == "__main__":
    run()
