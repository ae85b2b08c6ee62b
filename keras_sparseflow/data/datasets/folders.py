"""Images in folders, one for each class: ImageNet's layout, and Tiny-ImageNet's own."""

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_sparseflow.data.encoded import EncodedSource

_SUFFIXES = (".png", ".jpg", ".jpeg")
_TEST_SPLITS = ("test", "validation", "val")  # the first that has labelled images
_INNER = "images"  # Tiny-ImageNet's folder of files, in a class or in a split

_LAYOUT = (
    "expected <data_dir>/train/<class>/*.png (or .jpg) and <data_dir>/test/<class>/*.png (or validation or val for "
    "test), or Tiny-ImageNet's train/<class>/images and val/images with val/val_annotations.txt"
)

Files = dict[str, list[Path]]
"""Image files by class."""


class FolderSource(EncodedSource):
    """The images of a directory, in colour: grey ones get three equal channels.

    Args:
        root: the directory, for messages.
        splits: for "train" and "test" the name of the folder and its files by class; "train" has all classes.
    """

    def __init__(self, root: Path, splits: Mapping[str, tuple[str, Files]]):
        import tensorflow_datasets as tfds

        super().__init__("folder", tfds.features.Image(), root, "")
        self._classes = tuple(sorted(splits["train"][1]))
        self._files = {split: _shuffled(folder, files) for split, (folder, files) in splits.items()}

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes' folders, sorted."""
        return self._classes

    def count(self, split: str) -> int:
        """Returns the number of images."""
        return len(self._files[split])

    def labels(self, split: str) -> np.ndarray:
        """Returns all labels."""
        label_of = {name: label for label, name in enumerate(self._classes)}
        return np.array([label_of[name] for _, name in self._files[split]], np.int64)

    def _examples(self, split: str) -> Any:
        import tensorflow as tf

        paths = [str(path) for path, _ in self._files[split]]
        files = tf.data.Dataset.from_tensor_slices((paths, self.labels(split)))
        return files.map(
            lambda path, label: {"image": tf.io.read_file(path), "label": label}, num_parallel_calls=tf.data.AUTOTUNE
        )

    def _advice(self) -> str:
        """Names the files that cannot be decoded, which errors of the pipeline do not."""
        import tensorflow as tf

        damaged = []
        for path in sorted(path for files in self._files.values() for path, _ in files):
            try:
                self._decode({"image": path.read_bytes()})
            except (tf.errors.InvalidArgumentError, ValueError, OSError):  # ValueError: the shape of an animation
                damaged.append(str(path))
        more = f" and {len(damaged) - 5} more" if len(damaged) > 5 else ""
        return f"Expected PNG and JPEG files under these names; replace or remove {', '.join(damaged[:5])}{more}."


def open_folder(data_dir: str | None) -> FolderSource:
    """Returns the images of a directory laid out as `root/train/<class>/*.png`, `root/test/<class>/*.png`.

    PNG and JPEG files are read; hidden files and folders, whose names begin with a dot, are not. Test images are those
    of the first of the folders `test`, `validation` and `val` that has labelled images. The files of a class may also
    be in its subfolder `images`. A split's folder may instead hold all files in `images` and their classes in
    `<split>_annotations.txt`, with a line for each file: its name, a tab, its class and anything more. So Tiny-ImageNet
    is read as it is unpacked, and tested on its `val`.

    Args:
        data_dir: the root.

    Raises:
        ValueError: there is no such directory, a class has no training images, there are no test images, or
            annotations and files do not match.
    """
    if data_dir is None or not Path(data_dir).is_dir():
        raise ValueError(f"Dataset 'folder' needs `data_dir`, an existing directory: {_LAYOUT}; received {data_dir}.")
    root = Path(data_dir)
    trained = _files_by_class(root / "train")
    labelled = {"train": trained} | {split: _labelled(root / split, trained) for split in _TEST_SPLITS}
    found = [split for split, files in labelled.items() if any(files.values())]
    if len(found) < 2 or found[0] != "train":
        raise ValueError(
            f"Dataset 'folder' under {root}: {_LAYOUT}; received images in these splits: "
            f"{', '.join(sorted(found)) or 'none'}."
        )
    tested = found[1]
    if missing := sorted(name for name in {*trained, *labelled[tested]} if not trained.get(name)):
        raise ValueError(
            f"Dataset 'folder' under {root}: {_LAYOUT}, with images of every class in train; received none "
            f"there for {', '.join(missing[:10])}."
        )
    return FolderSource(root, {"train": ("train", trained), "test": (tested, labelled[tested])})


def _labelled(folder: Path, trained: Files) -> Files:
    """Returns the files by class of a folder of test images; none if nothing labels them."""
    annotations = folder / f"{folder.name}_annotations.txt"
    if annotations.is_file():
        return _annotated(annotations)
    files = _files_by_class(folder)
    return {} if list(files) == [_INNER] and _INNER not in trained else files


def _files_by_class(folder: Path) -> Files:
    if not folder.is_dir():
        return {}
    classes = [path for path in _shown(folder) if path.is_dir()]
    return {path.name: [*_images_in(path), *_images_in(path / _INNER)] for path in classes}


def _annotated(annotations: Path) -> Files:
    """Returns the files by class as annotations name them; they must name each file once, and no other."""
    folder = annotations.parent / _INNER
    unnamed = {path.name for path in _images_in(folder)}
    files: Files = {}
    for number, line in enumerate(annotations.read_text().splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 2:
            raise ValueError(
                f"{annotations}, line {number}: expected the name of a file, a tab and its class; received {line!r}."
            )
        name, label = fields[:2]
        if name not in unnamed:
            raise ValueError(
                f"{annotations}, line {number}: expected the name of an image in {folder}, once; received {name!r}."
            )
        unnamed.remove(name)
        files.setdefault(label, []).append(folder / name)
    if unnamed:
        raise ValueError(
            f"{annotations}: expected a line for each image in {folder}; received none for {len(unnamed)} of them, "
            f"such as {min(unnamed)!r}."
        )
    return files


def _images_in(folder: Path) -> Iterable[Path]:
    return [path for path in _shown(folder) if path.suffix.lower() in _SUFFIXES] if folder.is_dir() else []


def _shown(folder: Path) -> Iterable[Path]:
    """Returns the entries of a folder without hidden ones, which notebooks and file managers make."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _shuffled(folder: str, files: Files) -> list[tuple[Path, str]]:
    """Returns files and classes in the order of `tfds.folder_dataset.ImageFolder`, a shuffle by the folder's name."""
    ordered = [(path, name) for name in sorted(files) for path in sorted(files[name], key=str)]
    random.Random(folder).shuffle(ordered)
    return ordered
