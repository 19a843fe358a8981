#!/usr/bin/env python3
"""Writes the fuzzer's first inputs, made of the golden files, in the form of read_model.h.

usage: seeds.py FOLDER
"""
import json
import pathlib
import struct
import sys

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
I2_S = {"x86": 1, "arm": 2}
WEIGHT_SCALE = {"multiply": 1, "divide": 2}


def seed(config, file, options=None):
    told = options or {}
    bits = I2_S.get(told.get("i2_s"), 0) | WEIGHT_SCALE.get(told.get("weight_scale"), 0) << 2
    return struct.pack("<BI", bits, len(config)) + config + file


def seeds():
    folder = GOLDEN / "interchange"
    for case in json.loads((folder / "manifest.json").read_text("utf-8")):
        path = folder / case["path"]
        config = path / "config.json"
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file != config:
                yield case["name"], seed(config.read_bytes() if config.exists() else b"",
                                         file.read_bytes(), case["options"])
    for file in sorted(GOLDEN.glob("[0-9]*/*")):
        if file.suffix in (".bnq", ".safetensors", ".npz", ".npy"):
            yield file.name, seed(b"", file.read_bytes())


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (out / name).write_bytes(data)


if __name__ == "__main__":
    main()
