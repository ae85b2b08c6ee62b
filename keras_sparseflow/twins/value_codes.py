"""Values of weights as bytes, without loss: as they are, or by byte planes, the smaller of both.

Codes:

    raw             the values, little-endian
    planes+deflate  the lowest byte of every value, then the next of every one, ..., deflated: signs and
                    exponents of weights take few values, so their plane becomes smaller
"""

import zlib

import numpy as np

from keras_sparseflow.twins.mask_codes import entropy_coded, inflated


def encode(values: np.ndarray) -> tuple[str, bytes]:
    """Returns the name of the code that makes a flat array smallest, and the bytes."""
    width = values.itemsize
    raw = values.view(f"u{width}").astype(f"<u{width}").tobytes()
    planes = np.frombuffer(raw, np.uint8).reshape(-1, width).T.tobytes()
    coded = min(entropy_coded(planes), zlib.compress(planes, 1), key=len)
    return ("planes+deflate", coded) if len(coded) < len(raw) else ("raw", raw)


def decode(code: str, content: bytes, count: int, dtype: str) -> np.ndarray:
    """Returns the flat array of `count` values that `encode` made these bytes of.

    Raises:
        ValueError: the code is unknown, or the bytes are not that many values in it.
    """
    width = np.dtype(dtype).itemsize
    if code not in ("raw", "planes+deflate"):
        raise ValueError(f"Unknown code of values: {code!r}.")
    if code != "raw":
        content = inflated("What stands for values", content, count * width)
    if len(content) != count * width:
        raise ValueError(f"{len(content)} bytes are not {count} values of {width} bytes.")
    octets = np.frombuffer(content, np.uint8)
    if code != "raw":
        octets = np.ascontiguousarray(octets.reshape(width, count).T).reshape(-1)
    return octets.view(f"<u{width}").astype(f"u{width}").view(dtype)
