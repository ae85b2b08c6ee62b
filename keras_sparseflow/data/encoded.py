"""Sources of images that are encoded on disk and decoded chunk by chunk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from keras_sparseflow.data.datasets.sources import chunk_size
from keras_sparseflow.data.resizing import Shape, too_large

_PROBED_IMAGES = 32


class EncodedSource:
    """An `ImageSource` that decodes images; subclasses say which images there are.

    Args:
        name: the dataset's name, for messages.
        image: the feature of TensorFlow Datasets that decodes an image.
        path: place of the dataset, for messages.
        remedy: advice for messages if its files cannot be read.
    """

    def __init__(self, name: str, image: Any, path: str | Path, remedy: str):
        self._name, self._image, self._path, self._remedy = name, image, path, remedy

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class, in label order."""
        raise NotImplementedError

    def count(self, split: str) -> int:
        """Returns the number of images."""
        raise NotImplementedError

    def _examples(self, split: str) -> Any:
        """Returns the examples of a split, `image` undecoded and `label`, always in the same order."""
        raise NotImplementedError

    @property
    def image_shape(self) -> Shape:
        """`(height, width, channels)`; None where images vary, or only their files say."""
        height, width, channels = self._image.shape
        return height, width, channels

    @property
    def white(self) -> float:
        """The value that becomes 1 when images are scaled to [0, 1]."""
        dtype = np.dtype(self._image.np_dtype)
        return float(np.iinfo(dtype.name).max) if np.issubdtype(dtype, np.integer) else 1.0

    def common_shape(self) -> tuple[int, int, int]:
        """Returns the shape of all images, judged by the first of them."""
        height, width, channels = self.image_shape
        if height is not None and width is not None:
            return height, width, channels
        examples = self._examples("train").take(_PROBED_IMAGES)
        with self._reading("train"):
            shapes = [image.shape for image in examples.map(self._decode).as_numpy_iterator()]
        for shape in shapes:
            self._refuse_varying(shapes[0], shape)
        return shapes[0]

    def labels(self, split: str) -> np.ndarray:
        """Returns all labels, without decoding images."""
        labels = self._examples(split).map(_label_of).batch(10_000)
        with self._reading(split):
            found = [batch.numpy() for batch in labels]
        return np.concatenate(found)

    def batches(
        self, split: str, indices: np.ndarray | None, image_size: int | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields images and labels, those of the sorted `indices` or all, in the order of the files."""
        import tensorflow as tf

        varies = None in self.image_shape
        if varies and image_size is not None:
            shape = (image_size, image_size, self.image_shape[2])
        else:
            shape = self.common_shape()
        examples = self._examples(split)
        if indices is not None:
            mask = np.zeros(self.count(split), bool)
            mask[indices] = True
            wanted = tf.constant(mask)
            examples = examples.enumerate().filter(lambda index, _: wanted[index]).map(_second)

        def decode(example: dict[str, Any]) -> tuple[Any, Any, Any]:
            image = self._decode(example)
            size = tf.shape(image)
            if varies:  # one by one, because images of different sizes can't form a batch
                image = tf.ensure_shape(tf.image.resize(image, shape[:2], "area"), shape)
            return image, example["label"], size

        chunks = examples.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(chunk_size(shape)).prefetch(1)
        with self._reading(split):
            for images, labels, sizes in chunks.as_numpy_iterator():
                for size in np.unique(sizes, axis=0) if varies else ():
                    if image_size is None:
                        self._refuse_varying(shape, tuple(size.tolist()))
                    elif image_size > min(size[:2]):
                        raise too_large(image_size, size[0], size[1])
                yield images, labels

    def _decode(self, example: dict[str, Any]) -> Any:
        """Returns the image of an example; an animation, which has one axis more, fails within `tf.data`."""
        import tensorflow as tf

        return tf.ensure_shape(self._image.decode_example(example["image"]), self._image.shape)

    @contextmanager
    def _reading(self, split: str) -> Iterator[None]:
        """Turns errors of a damaged dataset into one that says what to do."""
        import tensorflow as tf

        try:
            yield
        except (tf.errors.OpError, OSError, AssertionError) as error:
            raise RuntimeError(
                f"The {split} images of dataset {self._name!r} under {self._path} cannot be "
                f"read: the files are incomplete or corrupt ({first_line(error)}). {self._advice()}"
            ) from error

    def _advice(self) -> str:
        return self._remedy

    def _refuse_varying(self, expected: tuple[int, ...], received: tuple[int, ...]) -> None:
        if expected != received:
            raise ValueError(
                f"Images of dataset {self._name!r} vary in size, for example {_by(expected)} and "
                f"{_by(received)}; expected an `image_size` to which all are resized, received None."
            )


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _label_of(example: dict[str, Any]) -> Any:
    return example["label"]


def _second(_: Any, example: dict[str, Any]) -> dict[str, Any]:
    return example


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in shape)
