"""Masks as bytes: a bit for each entry, or the gaps between active entries, the smaller of both.

Codes, each also deflated where that helps ("+deflate"):

    full     every entry is active; no bytes
    bits     a bit for each entry, the first in the highest bit of its byte
    gaps8    for each active entry how many inactive ones stand before it, in a byte; 255 adds 255
             inactive ones and goes on in the next byte
    gaps16   the same in two bytes, little-endian, with 65535

Entries are in row-major order. The size of "gaps" follows the active entries, that of "bits" all.
"""

import zlib
from typing import Any

import numpy as np

_GAPS: dict[str, Any] = {"gaps8": np.dtype("<u1"), "gaps16": np.dtype("<u2")}


def encode(mask: np.ndarray) -> tuple[str, bytes]:
    """Returns the name of the code that makes a boolean mask smallest, and the bytes."""
    if mask.all():
        return "full", b""
    active = np.flatnonzero(mask)
    plain = {"bits": np.packbits(mask).tobytes(), **{name: _gaps(active, kind) for name, kind in _GAPS.items()}}
    deflated = {f"{name}+deflate": entropy_coded(content) for name, content in plain.items()}
    # Matches of longer strings are searched for where masks with a structure, such as whole rows, would show them.
    structured = [("bits+deflate", zlib.compress(plain["bits"]))]
    return min([*plain.items(), *deflated.items(), *structured], key=lambda item: len(item[1]))


def decode(code: str, content: bytes, size: int) -> np.ndarray:
    """Returns the flat boolean mask of `size` entries that `encode` made these bytes of.

    Raises:
        ValueError: the code is unknown, or the bytes are not a mask of that size in it.
    """
    name, _, deflated = code.partition("+")
    if name not in ("full", "bits", *_GAPS) or deflated not in ("", "deflate"):
        raise ValueError(f"Unknown code of a mask: {code!r}.")
    if deflated:
        # There are at most as many gaps as entries, but in files that are no masks.
        content = inflated("A mask", content, size * _GAPS[name].itemsize if name in _GAPS else (size + 7) // 8)
    if name == "full":
        mask, fits = np.ones(size, dtype=bool), not content
    elif name == "bits":
        fits = len(content) == (size + 7) // 8
        mask = np.unpackbits(np.frombuffer(content, np.uint8), count=size).astype(bool) if fits else np.empty(0)
    else:
        active = _active(content, _GAPS[name])
        fits = not active.size or int(active[-1]) < size
        mask = np.zeros(size, dtype=bool)
        mask[active[: size if fits else 0]] = True
    if not fits:
        raise ValueError(f"{len(content)} bytes in code {code!r} are no mask of {size} entries.")
    return mask


def entropy_coded(content: bytes) -> bytes:
    """Returns the bytes deflated by their frequencies alone: for random ones smaller, and a hundred times faster."""
    coder = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(content) + coder.flush()


def inflated(what: str, content: bytes, limit: int) -> bytes:
    """Returns the deflated bytes of something as they were, of which there may be at most `limit`.

    Raises:
        ValueError: there are more, or they can't be inflated.
    """
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(content, limit + 1)
    except zlib.error as error:
        raise ValueError(f"{what} cannot be inflated: {error}.") from error
    if len(found) > limit or not inflater.eof or inflater.unused_data:
        raise ValueError(f"{what} cannot be inflated to at most {limit} bytes and end there.")
    return found


def _gaps(active: np.ndarray, kind: np.dtype) -> bytes:
    largest = int(np.iinfo(kind).max)
    gaps = np.diff(active, prepend=-1) - 1
    ends = np.cumsum(gaps // largest + 1)
    codes = np.full(int(ends[-1]) if ends.size else 0, largest, dtype=kind)
    codes[ends - 1] = gaps % largest
    return codes.tobytes()


def _active(content: bytes, kind: np.dtype) -> np.ndarray:
    if len(content) % kind.itemsize:
        raise ValueError(f"{len(content)} bytes are no whole number of gaps of {kind.itemsize} bytes.")
    codes = np.frombuffer(content, dtype=kind)
    ends = np.flatnonzero(codes != np.iinfo(kind).max)
    return np.cumsum(codes, dtype=np.int64)[ends] + np.arange(ends.size)
