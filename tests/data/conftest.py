"""Small datasets prepared in TensorFlow Datasets' own format, by builders made here."""

import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds


class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A builder of a few random images; subclasses say of what kind."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = {"train": 30, "test": 9}
    SIZE = (6, 6)

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(*self.SIZE, 3)),
            "label": tfds.features.ClassLabel(names=["cat", "dog", "eel"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, count) for split, count in self.SPLITS.items()}

    def _generate_examples(self, split, count):
        rng = np.random.default_rng(len(split))
        for number in range(count):
            yield number, {"image": rng.integers(0, 256, self.size(number), np.uint8), "label": number % 3}

    def size(self, number):
        return (*self.SIZE, 3)


class Varying(Made, skip_registration=True):
    SIZE = (None, None)

    def size(self, number):
        return 6 + number % 3, 8, 3


class Unvarying(Made, skip_registration=True):
    SIZE = (None, None)

    def size(self, number):
        return 7, 8, 3


class Validated(Made, skip_registration=True):
    SPLITS = {"train": 30, "validation": 9}


class Untested(Made, skip_registration=True):
    SPLITS = {"train": 30}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A directory with the builders above, prepared under their snake-case names."""
    root = tmp_path_factory.mktemp("tfds")
    for builder in (Made, Varying, Unvarying, Validated, Untested):
        builder(data_dir=root).download_and_prepare()
    return root


@pytest.fixture
def copy_of(made, tmp_path):
    """Copies one prepared dataset, to be damaged; returns its directory and the folder of its files."""

    def copy(name):
        shutil.copytree(made / name, tmp_path / name)
        return tmp_path, tmp_path / name / "1.0.0"

    return copy
