"""Images read back from folders: one for each class, Tiny-ImageNet's own layout, and what is wrong with others."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from keras_sparseflow.data import describe, load_images


def raw(data, split="train"):
    return getattr(data, f"{split}_images") * np.array(data.std) + np.array(data.mean)


def write_folder(root, splits=("train", "test"), classes=("ant", "bee"), count=4, shape=(6, 5, 3)):
    rng = np.random.default_rng(0)
    for split in splits:
        for label in classes:
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                image = rng.integers(0, 256, shape).astype(np.uint8)
                (folder / f"{number}.png").write_bytes(tf.io.encode_png(image).numpy())
    return root


def test_folder_holds_the_pixels_of_its_files(tmp_path):
    data = load_images("folder", data_dir=write_folder(tmp_path))
    assert (data.name, data.class_names, data.input_shape) == ("folder", ("ant", "bee"), (6, 5, 3))
    assert (len(data.train_images), len(data.test_images)) == (8, 8)
    for split, labels in (("train", data.train_labels), ("test", data.test_labels)):
        files = {
            (tf.io.decode_image(path.read_bytes()).numpy().tobytes(), data.class_names.index(path.parent.name))
            for path in tmp_path.glob(f"{split}/*/*.png")
        }
        images = np.rint(raw(data, split) * 255).astype(np.uint8)
        assert {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)} == files


def test_folder_takes_the_options_of_every_dataset(tmp_path):
    root = write_folder(tmp_path)
    data = load_images("folder", data_dir=root, image_size=3, train_size=4)
    assert data.train_images.shape == (4, 3, 3, 3)
    assert np.bincount(data.train_labels).tolist() == [2, 2]
    assert describe("folder", data_dir=root, image_size=3) == ((3, 3, 3), 2)
    assert describe("folder", data_dir=root) == ((6, 5, 3), 2)


def test_folder_reads_the_home_directory(tmp_path, monkeypatch):
    write_folder(tmp_path / "images")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert describe("folder", data_dir="~/images") == ((6, 5, 3), 2)


def test_grey_files_get_three_channels(tmp_path):
    assert load_images("folder", data_dir=write_folder(tmp_path, shape=(4, 4, 1))).input_shape == (4, 4, 3)


@pytest.mark.parametrize("name", ["validation", "val"])
def test_folder_with_validation_instead_of_test(tmp_path, name):
    data = load_images("folder", data_dir=write_folder(tmp_path, splits=("train", name)))
    assert len(data.test_images) == 8


def test_folder_is_tested_on_test_where_there_is_validation_too(tmp_path):
    write_folder(tmp_path, splits=("train", "val"))
    write_folder(tmp_path, splits=("test",), count=1)
    assert len(load_images("folder", data_dir=tmp_path).test_images) == 2


def test_folder_has_the_order_of_tensorflow_datasets(tmp_path):
    """Studies that were begun with images in that order can go on with the same."""
    data = load_images("folder", data_dir=write_folder(tmp_path, count=7))
    builder = tfds.folder_dataset.ImageFolder(str(tmp_path))
    for split, labels in (("train", data.train_labels), ("test", data.test_labels)):
        examples = list(builder.as_dataset(split=split))
        np.testing.assert_allclose(raw(data, split) * 255, [example["image"] for example in examples], atol=1e-3)
        assert labels.tolist() == [int(example["label"]) for example in examples]


def test_folder_needs_an_existing_directory(tmp_path):
    with pytest.raises(ValueError, match="'folder' needs `data_dir`.*received None"):
        load_images("folder")
    with pytest.raises(ValueError, match="'folder' needs `data_dir`.*received .*nowhere"):
        load_images("folder", data_dir=tmp_path / "nowhere")


@pytest.mark.parametrize(("splits", "found"), [(("train",), "train"), (("test",), "test"), ((), "none")])
def test_folder_without_both_parts_is_refused(tmp_path, splits, found):
    write_folder(tmp_path, splits=splits)
    with pytest.raises(ValueError, match=f"expected <data_dir>/train/<class>/.*in these splits: {found}"):
        load_images("folder", data_dir=tmp_path)


def test_folder_with_a_class_of_no_training_images_is_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "test" / "cow").mkdir()
    with pytest.raises(ValueError, match="images of every class in train; received none there for cow"):
        load_images("folder", data_dir=tmp_path)


def test_folder_without_test_images_is_refused(tmp_path):
    write_folder(tmp_path, splits=("train",))
    (tmp_path / "test" / "ant").mkdir(parents=True)
    with pytest.raises(ValueError, match="received images in these splits: train"):
        load_images("folder", data_dir=tmp_path)


def test_damaged_files_of_a_folder_are_named(tmp_path):
    write_folder(tmp_path)
    damaged = tmp_path / "train" / "bee" / "2.png"
    damaged.write_bytes(b"not an image")
    with pytest.raises(RuntimeError, match=f"cannot be read.*replace or remove {damaged}\\."):
        load_images("folder", data_dir=tmp_path, image_size=3)


@pytest.mark.parametrize("image_size", [None, 3])
@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_animations_under_the_name_of_a_picture_are_named(tmp_path, kind, image_size):
    write_folder(tmp_path)
    picture = tmp_path / "test" / "bee" / "2.png"
    Image.open(picture).save(tmp_path / "test" / "bee" / "z.jpg", format=kind)
    shutil.copy(tmp_path / "test" / "bee" / "z.jpg", tmp_path / "train" / "ant" / "y.PNG")
    names = f"{tmp_path}/test/bee/z.jpg, {tmp_path}/train/ant/y.PNG"
    with pytest.raises(RuntimeError, match=f"cannot be read.*Expected PNG and JPEG files.*remove {names}\\."):
        load_images("folder", data_dir=tmp_path, image_size=image_size)


def test_an_animation_among_many_is_named(tmp_path):
    write_folder(tmp_path, count=40)  # more than the few that tell the common size
    picture = tmp_path / "test" / "bee" / "z.jpg"
    Image.open(tmp_path / "test" / "bee" / "2.png").save(picture, format="GIF")
    with pytest.raises(RuntimeError, match=f"replace or remove {picture}\\."):
        load_images("folder", data_dir=tmp_path)


def test_hidden_files_and_folders_are_no_images_and_no_classes(tmp_path):
    expected = load_images("folder", data_dir=write_folder(tmp_path))
    for hidden in (".ipynb_checkpoints", "ant/.thumbnails"):
        (tmp_path / "train" / hidden).mkdir()
        shutil.copy(tmp_path / "train" / "ant" / "0.png", tmp_path / "train" / hidden / "0-checkpoint.png")
    (tmp_path / "test" / ".cache" / "images").mkdir(parents=True)
    (tmp_path / "train" / "bee" / "._1.png").write_bytes(b"what macOS writes beside 1.png")
    data = load_images("folder", data_dir=tmp_path)
    assert data.class_names == ("ant", "bee")
    np.testing.assert_array_equal(data.train_images, expected.train_images)
    np.testing.assert_array_equal(data.test_labels, expected.test_labels)


# Tiny-ImageNet's own layout


WORDS = ("n01443537", "n02056570", "n07749582")


def write_jpeg(path, shape=(64, 64, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(list(path.name.encode())).integers(0, 256, shape).astype(np.uint8)
    path.write_bytes(tf.io.encode_jpeg(image).numpy())


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The files of Tiny-ImageNet, three classes of it; some of its images are grey."""
    root = tmp_path_factory.mktemp("tiny") / "tiny-imagenet-200"
    for word in WORDS:
        for number in range(4):
            write_jpeg(root / "train" / word / "images" / f"{word}_{number}.JPEG", (64, 64, 1 if number == 3 else 3))
        (root / "train" / word / f"{word}_boxes.txt").write_text(f"{word}_0.JPEG\t0\t0\t63\t63\n")
    for number in range(6):
        write_jpeg(root / "val" / "images" / f"val_{number}.JPEG")
        write_jpeg(root / "test" / "images" / f"test_{number}.JPEG")
    lines = [f"val_{number}.JPEG\t{WORDS[-1 - number % 3]}\t0\t32\t44\t62\n" for number in range(6)]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("\n".join(WORDS))
    return root


@pytest.fixture
def tiny(unpacked, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(unpacked, tmp_path / "tiny")


def test_tiny_imagenet_is_read_as_it_is_unpacked_and_tested_on_val(unpacked):
    data = load_images("folder", data_dir=unpacked)
    assert describe("folder", data_dir=unpacked) == ((64, 64, 3), 3)
    assert (data.class_names, data.input_shape) == (WORDS, (64, 64, 3))
    assert np.bincount(data.train_labels).tolist() == [4, 4, 4]
    assert len(data.test_images) == 6
    for image, label in zip(np.rint(raw(data, "test") * 255), data.test_labels, strict=True):
        numbers = [n for n in range(6) if WORDS[-1 - n % 3] == WORDS[label]]
        files = [unpacked / "val" / "images" / f"val_{number}.JPEG" for number in numbers]
        assert any(np.array_equal(tf.io.decode_jpeg(path.read_bytes()), image) for path in files)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val_0.JPEG\tn01443537", "line 7: expected the name of an image in .*images, once; received 'val_0.JPEG'"),
        ("val_9.JPEG\tn01443537", "line 7: expected the name of an image in .*; received 'val_9.JPEG'"),
        ("val_9.JPEG n01443537", "line 7: expected the name of a file, a tab and its class; received 'val_9.JPEG n0"),
    ],
)
def test_annotations_that_name_no_image_are_refused(tiny, line, message):
    with (tiny / "val" / "val_annotations.txt").open("a") as annotations:
        annotations.write(line)
    with pytest.raises(ValueError, match=message):
        load_images("folder", data_dir=tiny)


def test_images_that_annotations_leave_out_are_refused(tiny):
    write_jpeg(tiny / "val" / "images" / "val_6.JPEG")
    with pytest.raises(
        ValueError, match=r"a line for each image in .*received none for 1 of them, such as 'val_6.JPEG'"
    ):
        load_images("folder", data_dir=tiny)


def test_annotated_classes_without_training_images_are_refused(tiny):
    shutil.rmtree(tiny / "train" / WORDS[0])
    with pytest.raises(ValueError, match=f"images of every class in train; received none there for {WORDS[0]}"):
        load_images("folder", data_dir=tiny)


def test_images_without_labels_are_nothing_to_test_on(tiny):
    """Without its annotations `val` is like `test`: files in `images`, and nothing says of which class."""
    (tiny / "val" / "val_annotations.txt").unlink()
    with pytest.raises(ValueError, match="Tiny-ImageNet's .*val_annotations.txt; received images in .* splits: train"):
        load_images("folder", data_dir=tiny)


def test_a_class_may_be_called_images(tmp_path):
    write_folder(tmp_path, classes=("images",))
    assert load_images("folder", data_dir=tmp_path).class_names == ("images",)


def test_damaged_files_of_tiny_imagenet_are_named(tiny):
    damaged = tiny / "val" / "images" / "val_2.JPEG"
    damaged.write_bytes(b"not an image")
    with pytest.raises(RuntimeError, match=f"test images .* cannot be read.*replace or remove {damaged}\\."):
        load_images("folder", data_dir=tiny, image_size=8)
