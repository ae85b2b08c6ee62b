"""Names of datasets, and every way in which a dataset is not there."""

import shutil
import socket

import pytest
import tensorflow_datasets as tfds

from keras_sparseflow.data import describe, load_images
from keras_sparseflow.data.datasets import catalogue


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b/c", "CIFAR10", "kaggle:x", "nothing_of_that_name"])
def test_every_kind_of_unknown_name_is_refused_alike(name, tmp_path):
    with pytest.raises(ValueError, match="Unknown dataset .*Prepared under .*: none") as caught:
        load_images(name, data_dir=tmp_path)
    assert len(str(caught.value)) < 500


def test_unknown_name_lists_prepared_and_nearest_but_not_the_catalogue(made):
    with pytest.raises(ValueError, match="Unknown dataset 'cifar11'; expected one of digits, folder") as caught:
        load_images("cifar11", data_dir=made)
    message = str(caught.value)
    assert f"Prepared under {made}: made, untested, unvarying, validated, varying." in message
    assert "Nearest names: cifar10" in message
    with pytest.raises(ValueError, match="Nearest names: made"):
        load_images("mades", data_dir=made)


def test_unknown_configuration_names_it(tmp_path):
    with pytest.raises(ValueError, match="cannot open 'cifar10_corrupted/foo'.*foo not found"):
        load_images("cifar10_corrupted/foo", data_dir=tmp_path)


def test_failed_download_says_how_to_prepare_the_dataset_elsewhere(tmp_path, monkeypatch):
    def refuse(self):
        raise tfds.download.DownloadError("HTTP code: 503")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    with pytest.raises(RuntimeError) as caught:
        load_images("mnist_corrupted/fog", data_dir=tmp_path)
    message = str(caught.value)
    assert f"'mnist_corrupted/fog' is not prepared under {tmp_path}" in message
    assert "DownloadError: HTTP code: 503" in message
    assert f"tfds build mnist_corrupted/fog --data_dir={tmp_path}\n" in message
    assert "--data_dir (`data_dir` in Python)" in message
    assert isinstance(caught.value.__cause__, tfds.download.DownloadError)


def unresolved(*_):
    raise socket.gaierror("Name or service not known")


def no_proxies():
    return {}


def test_no_network_is_found_out_before_minutes_of_retries(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    monkeypatch.setattr(catalogue, "getproxies", no_proxies)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", None)  # would be a TypeError
    with pytest.raises(RuntimeError, match="ConnectionError: no network: storage.googleapis.com cannot be resolved"):
        load_images("mnist", data_dir=tmp_path)


@pytest.mark.parametrize("reason", ["proxy", "earlier downloads"])
def test_download_is_tried_where_it_may_succeed_without_an_address(tmp_path, monkeypatch, reason):
    def refuse(self):
        raise OSError("tried")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    monkeypatch.setattr(catalogue, "getproxies", lambda: {"https": "proxy"} if reason == "proxy" else {})
    if reason == "earlier downloads":
        (tmp_path / "downloads").mkdir()
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    with pytest.raises(RuntimeError, match="OSError: tried"):
        load_images("mnist", data_dir=tmp_path)


def test_description_of_a_dataset_that_is_not_there_needs_no_download(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", None)
    assert describe("mnist", data_dir=tmp_path) == ((28, 28, 1), 10)
    assert describe("imagenet2012", data_dir=tmp_path, image_size=32) == ((32, 32, 3), 1000)


def test_older_prepared_version_is_read_rather_than_downloaded(made, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(catalogue, "_download", None)
    shutil.copytree(made / "made", tmp_path / "mnist")  # as version 1.0.0, where the code is at 3.0.1
    assert len(load_images("mnist", data_dir=tmp_path).train_images) == 30
    assert "the newest is 3.0.1" in caplog.text


@pytest.mark.parametrize("name", ["imdb_reviews", "coco"])
def test_dataset_of_another_kind_is_refused_before_any_download(name, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_download", None)
    for call in (load_images, describe):
        with pytest.raises(ValueError, match=f"'{name}' is not one of image classification: expected .*received .*"):
            call(name, data_dir=tmp_path)


def test_missing_description_says_to_prepare_again(tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(RuntimeError, match=r"(?s)'mnist' under .* is incomplete: .*tfds build mnist --data_dir="):
        load_images("mnist", data_dir=tmp_path)


def test_unreadable_description_is_reported_with_its_cause(copy_of):
    root, files = copy_of("made")
    (files / "dataset_info.json").write_text("{oops")
    with pytest.raises(RuntimeError, match=r"cannot open 'made' \(`data_dir` .*\): .*JSON") as caught:
        load_images("made", data_dir=root)
    assert caught.value.__cause__ is not None
