#!/usr/bin/env python3
"""Writes what README.md's commands begin with, by Python alone: model.safetensors, a small
language model's weights, and activations/layer.safetensors, what its layers see.

usage: small_model.py FOLDER
"""
import array
import json
import pathlib
import random
import sys

WEIGHTS = {"embed_tokens.weight": (64, 256), "layers.0.mlp.weight": (256, 256),
           "layers.1.mlp.weight": (256, 256), "norm.weight": (256,)}
ACTIVATIONS = {"layers.0.mlp": (32, 256), "layers.1.mlp": (32, 256)}


def write(path, shapes):
    numbers = random.Random(0)
    header, data = {}, bytearray()
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        values = array.array("f", (numbers.gauss(0, 1) for _ in range(count)))
        if sys.byteorder == "big":
            values.byteswap()
        begin = len(data)
        data += values.tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "activations").mkdir()
    write(folder / "model.safetensors", WEIGHTS)
    write(folder / "activations" / "layer.safetensors", ACTIVATIONS)


if __name__ == "__main__":
    main()
