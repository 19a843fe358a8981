"""The digits network: reading and writing its files, running it, measuring it.

As a program it prints the share of the held-out images that each model file
classifies correctly:

    python3 digits.py digits.safetensors other.safetensors ...

Needs numpy alone, and reads safetensors with a few lines of its own, so that
the figures do not rest on the library they are meant to judge.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
MODEL = HERE / "digits.safetensors"
HELD_OUT = HERE / "digits_test.safetensors"
TRAINED_ON = HERE / "digits_train.safetensors"
TERNARY = HERE / "digits_ternary.bnq"

_DTYPES = {"F32": "<f4", "F16": "<f2", "U8": "u1"}


def read_safetensors(path):
    """The tensors of a file as {name: array}; BF16 is widened to float32."""
    data = Path(path).read_bytes()
    (header_bytes,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + header_bytes])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            bits = np.frombuffer(data[begin:end], "<u2").astype(np.uint32) << 16
            values = bits.view(np.float32)
        else:
            values = np.frombuffer(data[begin:end], _DTYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors, metadata):
    names = {np.dtype(text): name for name, text in _DTYPES.items()}
    header = {"__metadata__": metadata}
    offset = 0
    for name, array in tensors.items():
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the values start aligned
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def classify(model, images):
    """The most likely digit of each image; images are [n, 64] in 0..1."""
    x = images
    layers = sum(name.endswith(".weight") for name in model)
    for i in range(layers):
        x = x @ model[f"layers.{i}.weight"].astype(np.float32).T
        x = x + model[f"layers.{i}.bias"].astype(np.float32)
        if i + 1 < layers:
            x = np.maximum(x, 0)
    return x.argmax(axis=1)


def held_out():
    """The images, scaled to 0..1, and the digits they show."""
    test = read_safetensors(HELD_OUT)
    return test["images"].astype(np.float32) / 16, test["labels"]


def accuracy(path):
    """The share (0..1) of the held-out images a model file gets right."""
    images, labels = held_out()
    return float((classify(read_safetensors(path), images) == labels).mean())


def main(paths):
    images = f"{len(held_out()[1])} images"
    print(f"{images:<28}accuracy   change")
    first = None
    for path in map(Path, paths):
        share = accuracy(path)
        first = share if first is None else first
        change = f"{100 * (share - first):+.2f} points"
        print(f"{path.name:<28}{100 * share:6.2f} % {change:>14}")


if __name__ == "__main__":
    main(sys.argv[1:] or [MODEL])
