"""Starts keras_sparseflow.launchers.wide_resnet from a checkout; installed it is `sparseflow-wide-resnet`."""

from keras_sparseflow.launchers.wide_resnet import run

if __name__ == "__main__":
    run()
