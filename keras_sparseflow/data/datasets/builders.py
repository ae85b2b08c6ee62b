"""Images of prepared datasets, read by builders of TensorFlow Datasets."""

from typing import Any

from keras_sparseflow.data.encoded import EncodedSource


class BuilderSource(EncodedSource):
    """The images and labels of a TensorFlow Datasets builder.

    Args:
        name: the dataset's name, for messages.
        builder: a `tfds.core.DatasetBuilder` with the features `image` and `label`.
        remedy: advice for messages if its files cannot be read.

    Raises:
        ValueError: the builder is not one of image classification, or has no test images.
    """

    def __init__(self, name: str, builder: Any, remedy: str):
        import tensorflow_datasets as tfds

        self._builder = builder
        features = builder.info.features
        found = dict(features) if isinstance(features, tfds.features.FeaturesDict) else {}
        image: Any = found.get("image")
        self._label: Any = found.get("label")
        if not isinstance(image, tfds.features.Image) or not isinstance(self._label, tfds.features.ClassLabel):
            kinds = {key: type(feature).__name__ for key, feature in found.items()}
            raise ValueError(
                f"Dataset {name!r} is not one of image classification: expected a feature `image` of type "
                f"Image and a feature `label` of type ClassLabel; received {kinds or features}."
            )
        super().__init__(name, image, builder.data_path, remedy)
        skip = tfds.decode.SkipDecoding()  # `EncodedSource` decodes images, and only those that are wanted
        self._decoders = {k: skip for k, feature in found.items() if isinstance(feature, tfds.features.Image)}

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class, in label order; empty where only the prepared files say."""
        return tuple(self._label.names or ())

    def count(self, split: str) -> int:
        """Returns the number of images."""
        return self._builder.info.splits[self._split(split)].num_examples

    def _split(self, split: str) -> str:
        """Returns the builder's name of the training or the test split."""
        splits = list(self._builder.info.splits)
        if not splits:
            raise RuntimeError(f"Dataset {self._name!r} names no splits. {self._remedy}")
        if split == "test" and "test" not in splits:
            split = "validation"
        if split not in splits:
            expected = "a split `train`" if split == "train" else "a split `test` or `validation`"
            raise ValueError(f"Dataset {self._name!r} must have {expected}; received {', '.join(splits)}.")
        return split

    def _examples(self, split: str) -> Any:
        """Returns the examples of a split, undecoded, in the order of the files."""
        import tensorflow_datasets as tfds

        with self._reading(split):
            return self._builder.as_dataset(
                split=self._split(split),
                decoders=self._decoders,
                read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
            )
