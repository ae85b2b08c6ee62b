"""Keeps Keras' tests out of `make test`, and knows the mark that they carry."""


def pytest_configure(config):
    config.addinivalue_line("markers", "requires_trainable_backend: Keras' own, which every backend here is.")


def pytest_ignore_collect(config):
    """The suite runs where it is named, as in `make test-keras`, and nowhere else."""
    return None if any("keras_layers" in argument for argument in config.args) else True
