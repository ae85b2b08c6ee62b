"""Images that a builder of TensorFlow Datasets reads: a prepared dataset, or a folder of files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from keras_sparseflow.data.resizing import Shape, too_large
from keras_sparseflow.data.sources import chunk_size

_PROBED_IMAGES = 32
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


class BuilderSource:
    """The images and labels of a TensorFlow Datasets builder.

    Args:
        name: the dataset's name, for messages.
        builder: a `tfds.core.DatasetBuilder` with the features `image` and `label`.
        remedy: what to do if its files cannot be read, for messages.

    Raises:
        ValueError: the builder is not one of images with one class each, or has no images to test on.
    """

    def __init__(self, name: str, builder: Any, remedy: str):
        import tensorflow_datasets as tfds

        self._name, self._builder, self._remedy = name, builder, remedy
        features = builder.info.features
        found = dict(features) if isinstance(features, tfds.features.FeaturesDict) else {}
        self._image: Any = found.get("image")
        self._label: Any = found.get("label")
        if not isinstance(self._image, tfds.features.Image) or not isinstance(self._label, tfds.features.ClassLabel):
            kinds = {key: type(feature).__name__ for key, feature in found.items()}
            raise ValueError(
                f"Dataset {name!r} is not one of image classification: expected a feature `image` of type "
                f"Image and a feature `label` of type ClassLabel; received {kinds or features}."
            )
        skip = tfds.decode.SkipDecoding()  # images are decoded here, and only those that are wanted
        self._decoders = {k: skip for k, feature in found.items() if isinstance(feature, tfds.features.Image)}

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class, in label order; empty where only the prepared files tell."""
        return tuple(self._label.names or ())

    @property
    def image_shape(self) -> Shape:
        """`(height, width, channels)`; None where images vary, or only the files tell."""
        height, width, channels = self._image.shape
        return height, width, channels

    @property
    def white(self) -> float:
        """The value that stands for 1 when images are brought to [0, 1]."""
        dtype = np.dtype(self._image.np_dtype)
        return float(np.iinfo(dtype.name).max) if np.issubdtype(dtype, np.integer) else 1.0

    def common_shape(self) -> tuple[int, int, int]:
        """Returns the one shape that all images have, judged by the first of them."""
        height, width, channels = self.image_shape
        if height is not None and width is not None:
            return height, width, channels
        examples = self._examples("train").take(_PROBED_IMAGES)
        with self._reading("train"):
            shapes = [tuple(self._image.decode_example(example["image"]).shape) for example in examples]
        for shape in shapes:
            self._refuse_varying(shapes[0], shape)
        return shapes[0]

    def count(self, split: str) -> int:
        """Returns the number of images."""
        return self._builder.info.splits[self._split(split)].num_examples

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
            image = self._image.decode_example(example["image"])
            size = tf.shape(image)
            if varies:  # one by one, since images of different sizes make no batch
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

    @contextmanager
    def _reading(self, split: str) -> Iterator[None]:
        """Turns what a damaged dataset raises into one error that says what to do."""
        import tensorflow as tf

        try:
            yield
        except (tf.errors.OpError, OSError, AssertionError) as error:
            raise RuntimeError(
                f"The {split} images of dataset {self._name!r} under {self._builder.data_path} cannot be "
                f"read: the files are incomplete or corrupt ({first_line(error)}). {self._advice()}"
            ) from error

    def _advice(self) -> str:
        return self._remedy

    def _refuse_varying(self, expected: tuple[int, ...], received: tuple[int, ...]) -> None:
        if expected != received:
            raise ValueError(
                f"Images of dataset {self._name!r} vary in size, for example {_by(expected)} and "
                f"{_by(received)}; expected an `image_size` to bring them to, received None."
            )


class FolderSource(BuilderSource):
    """The images of a directory, read by `tfds.folder_dataset.ImageFolder`.

    Args:
        data_dir: the directory that holds `train` and `test`.
    """

    def __init__(self, data_dir: str):
        import tensorflow_datasets as tfds

        self._root = Path(data_dir)
        super().__init__("folder", tfds.folder_dataset.ImageFolder(data_dir), "")

    def _advice(self) -> str:
        """Names the files that cannot be decoded, which the failed pipeline could not."""
        import tensorflow as tf

        damaged = []
        for path in sorted(self._root.glob("*/*/*")):
            if path.suffix.lower() in _IMAGE_SUFFIXES:
                try:
                    tf.io.decode_image(path.read_bytes())
                except tf.errors.InvalidArgumentError:
                    damaged.append(str(path))
        more = f" and {len(damaged) - 5} more" if len(damaged) > 5 else ""
        return f"Replace or remove {', '.join(damaged[:5])}{more}."


def open_folder(data_dir: str | None) -> BuilderSource:
    """Returns the images of a directory laid out as `root/train/<class>/*.png`, `root/test/<class>/*.png`.

    PNG and JPEG files are read, in colour: grey images get three equal channels. A folder `validation`
    stands in for a missing `test`.

    Args:
        data_dir: the root.

    Raises:
        ValueError: there is no such directory, a class has no training images, or nothing is for testing.
    """
    layout = "expected <data_dir>/train/<class>/*.png (or .jpg) and <data_dir>/test/<class>/*.png"
    if data_dir is None or not Path(data_dir).is_dir():
        raise ValueError(f"Dataset 'folder' needs `data_dir`, an existing directory: {layout}; received {data_dir}.")
    root = Path(data_dir)
    images: dict[str, set[str]] = {}  # the classes of each split that have images
    for folder in root.glob("*/*"):
        if folder.is_dir():
            has_images = any(path.suffix.lower() in _IMAGE_SUFFIXES for path in folder.iterdir())
            images.setdefault(folder.parent.name, set()).update({folder.name} if has_images else ())
    tested = images.get("test", images.get("validation"))
    if not images.get("train") or not tested:
        found = ", ".join(sorted(split for split in images if images[split])) or "none"
        raise ValueError(f"Dataset 'folder' under {root}: {layout}; received images in these splits: {found}.")
    classes = {folder.name for folder in root.glob("*/*") if folder.is_dir()}
    if missing := sorted(classes - images["train"]):
        raise ValueError(
            f"Dataset 'folder' under {root}: {layout}, with images of every class in train; received none "
            f"there for {', '.join(missing[:10])}."
        )
    return FolderSource(data_dir)


def _label_of(example: dict[str, Any]) -> Any:
    return example["label"]


def _second(_: Any, example: dict[str, Any]) -> dict[str, Any]:
    return example


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in shape)


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
