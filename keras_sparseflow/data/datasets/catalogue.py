"""Named datasets of TensorFlow Datasets, found on disk or downloaded."""

import logging
import os
import re
import shlex
import socket
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import getproxies

from keras_sparseflow.data.datasets.builders import BuilderSource
from keras_sparseflow.data.encoded import first_line

_LOG = logging.getLogger(__name__)
_NAME = r"(\w+:)?\w+(/[\w\-.]+)?(:[\w.*]+)?"  # [namespace:]name[/config][:version]


def open_dataset(name: str, data_dir: str | None, builtins: list[str], prepare: bool) -> BuilderSource:
    """Returns the images of a dataset of TensorFlow Datasets.

    A dataset prepared under `data_dir` is read from there, in any version; else it is downloaded.

    Args:
        name: `name`, `name/config` or `name/config:version`, as in `tfds.load`.
        data_dir: folder of prepared datasets; None for TensorFlow Datasets' own default.
        builtins: the other names that a user may have meant.
        prepare: whether to download a dataset that is not there; if not, its description is used.

    Raises:
        ValueError: the name is unknown, or names no image-classification dataset.
        RuntimeError: the dataset cannot be downloaded, or its files are damaged.
    """
    import tensorflow_datasets as tfds

    builder = _builder(name, data_dir, builtins)
    root = builder.data_dir_root
    build = f"    tfds build {name} --data_dir={shlex.quote(str(root))}\n"
    if builder.is_prepared():
        pass
    elif builder.data_path.exists():
        raise RuntimeError(
            f"Dataset {name!r} under {builder.data_path} is incomplete: dataset_info.json is missing. "
            f"Remove that folder and prepare the dataset again with\n\n{build}"
        )
    elif (other := _other_version(builder.data_path)) is not None and ":" not in name:
        _LOG.warning("Reading %s, the version that is prepared; the newest is %s.", other, builder.version)
        builder = tfds.builder_from_directory(other)
    else:
        # Raise for a dataset that can't be trained on before a long download.
        source = BuilderSource(name, builder, "")
        if not prepare:
            return source
        _download(name, builder, build)
    return BuilderSource(name, builder, f"Remove {builder.data_path} and prepare the dataset again with\n\n{build}")


def _builder(name: str, data_dir: str | None, builtins: list[str]) -> Any:
    import tensorflow_datasets as tfds

    if not re.fullmatch(_NAME, name):
        raise _unknown(name, data_dir, builtins)
    options = {} if data_dir is None else {"data_dir": data_dir}
    try:
        return tfds.builder(name, **options)
    except tfds.core.DatasetNotFoundError as error:
        raise _unknown(name, data_dir, builtins) from error
    except Exception as error:  # a builder's own code may raise anything; it is raised again
        # A bad configuration or version is the caller's error; the rest is damage, or a missing package.
        kind = ValueError if isinstance(error, (ValueError, AssertionError)) else RuntimeError
        raise kind(f"TensorFlow Datasets cannot open {name!r} (`data_dir` {data_dir}): {error}") from error


def _unknown(name: str, data_dir: str | None, builtins: list[str]) -> ValueError:
    """Returns the error for an unknown name, with the nearest names instead of the whole catalogue."""
    import tensorflow_datasets as tfds

    catalogue = tfds.list_builders(with_community_datasets=False)
    prepared = _prepared(data_dir)
    near = get_close_matches(name.lower(), sorted({*builtins, *prepared, *catalogue}), n=3)
    return ValueError(
        f"Unknown dataset {name!r}; expected one of {', '.join(builtins)}, or a name of TensorFlow Datasets. "
        f"Prepared under {data_dir or _default_data_dir()}: {', '.join(prepared) or 'none'}. "
        f"Nearest names: {', '.join(near) or 'none'}. "
        "All names: https://www.tensorflow.org/datasets/catalog/overview"
    )


def _prepared(data_dir: str | None) -> list[str]:
    """Returns the names, with configuration where there is one, that are prepared under a directory."""
    root = Path(data_dir or _default_data_dir())
    found = [*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]
    return sorted({path.parent.parent.relative_to(root).as_posix() for path in found})


def _default_data_dir() -> str:
    return os.path.expanduser(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets"))


def _other_version(wanted: Any) -> Any | None:
    """Returns the folder of the newest prepared version, if there is one; the wanted version is missing."""
    versions = {}
    for path in wanted.parent.glob("*/dataset_info.json"):
        if re.fullmatch(r"\d+\.\d+\.\d+", path.parent.name):
            versions[tuple(int(part) for part in path.parent.name.split("."))] = path.parent
    return versions[max(versions)] if versions else None


def _download(name: str, builder: Any, build: str) -> None:
    """Downloads and prepares a dataset, or raises an error that says how to do so elsewhere."""
    try:
        _require_network(builder)
        builder.download_and_prepare()
    except Exception as error:  # downloads fail in many ways; all have the same remedy
        raise RuntimeError(
            f"Dataset {name!r} is not prepared under {builder.data_dir_root} and cannot be downloaded "
            f"({type(error).__name__}: {first_line(error)}). Prepare it where there is a network with\n\n"
            f"{build}\nthen copy that directory here and name it with --data_dir (`data_dir` in Python)."
        ) from error


def _require_network(builder: Any) -> None:
    """Raises `ConnectionError` at once where no download can succeed: the retries would take minutes.

    It raises only if failure is certain: no proxy is set, no files were downloaded before, and none of the
    hosts has an address.
    """
    hosts = sorted({urlparse(url).hostname or "" for url in builder.url_infos or ()} - {""})
    if not hosts or getproxies() or (builder.data_dir_root / "downloads").exists():
        return
    for host in hosts:
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            continue
        return
    raise ConnectionError(f"no network: {', '.join(hosts)} cannot be resolved")
