#!/usr/bin/env python3
"""Writes what a release writes, for later ones to read: a .bnq file, a calibration, a
report, and what they must be read as.

    generate.py FOLDER          with BNQ_LIBRARY, BNQ_CLI and the Python package

    model.bnq            a tensor of every format in several configs, one by each
                         preset, and plain arrays
    compressed.bnq       the same, with DEFLATE
    values.safetensors   what the tensors of model.bnq decode to
    calibration.*.bnq    a calibration by each method
    ranges.json          the ranges that follow: "method activation" -> [lo, hi], the
                         bytes of the float32 in hexadecimal
    report.json          `bnq inspect model.bnq --json`

tests/golden/<version> is written once for each release and never again: then a
difference is a broken promise. Until 1.0 is released its folder may be written anew;
0.1 is of a snapshot, and has the formats of that time.
"""
import json
import os
import pathlib
import subprocess
import sys

import bitnet_quant as bq
import numpy as np

SHARINGS = ("granularity=tensor", "granularity=channel,axis=0",
            "granularity=group,group_size=32", "granularity=block,group_size=64")
VARIANTS = {
    "int8": ("scheme=asymmetric", "scale_dtype=f16", "double_quant=on",
             "granularity=token,outlier_threshold=6"),
    "int4": ("scheme=asymmetric", "rounding=stochastic,seed=7"),
    "nf4": ("double_quant=on,granularity=block,group_size=64",),
    "fp4": ("scale_dtype=bf16",),
    "ternary": ("packing=base3",),
}


def numbers(count, seed):
    """Values by integers alone, the same in every release of numpy."""
    state, out = seed, np.empty(count, np.float32)
    for i in range(count):
        total = 0
        for _ in range(4):  # nearly Gaussian
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += state >> 40
        out[i] = (total - 2**25) / 2**23
    return out


def tensors():
    """name -> QuantizedTensor, of every format."""
    values = numbers(8 * 72, 1).reshape(8, 72)
    values[:, 5] *= 8  # an outlier column
    made = {}
    for format in (row.name for row in bq.formats()):
        texts = [f"format={format},{sharing}" for sharing in SHARINGS]
        texts += [f"format={format},{variant}" for variant in VARIANTS.get(format, ())]
        for text in texts:
            try:
                made[text] = bq.quantize(values, text)
            except bq.UnsupportedError:
                continue  # as formats without scales, which know one sharing
    values = numbers(4 * 160, 5).reshape(4, 160)
    for preset in bq.presets():
        made[f"preset {preset.name}"] = bq.quantize(values, preset.name)
    return made


def write_model(path, compress):
    with bq.Writer(path, compress=compress) as writer:
        writer.set_metadata("origin", "tests/golden/generate.py")
        for name, tensor in tensors().items():
            writer.add(name, tensor)
        writer.add("plain.f32", numbers(12, 2).reshape(3, 4))
        writer.add("plain.i64", np.arange(5) - 2)


def bits(values):
    """A range as the bytes of its two float32."""
    return [np.float32(end[0]).tobytes().hex() for end in values.range()]


def write_calibrations(folder):
    ranges = {}
    for method in ("minmax", "moving_average", "percentile", "kl", "mse"):
        calibration = bq.Calibration(method=method, histogram="on")
        for seed in (3, 4):
            for name in ("first", "second"):
                calibration.observe(name, numbers(5000, seed).reshape(50, 100) * len(name))
        calibration.save(folder / f"calibration.{method}.bnq")
        for name, calibrator in calibration.items():
            ranges[f"{method} {name}"] = bits(calibrator)
    (folder / "ranges.json").write_text(json.dumps(ranges, indent=1) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    write_model(folder / "model.bnq", False)
    write_model(folder / "compressed.bnq", True)
    with bq.Writer(folder / "values.safetensors") as writer:
        for name, tensor in tensors().items():
            writer.add(name, tensor.dequantize())
    write_calibrations(folder)
    report = subprocess.run([os.environ["BNQ_CLI"], "inspect", "model.bnq", "--json"],
                            cwd=folder, check=True, capture_output=True, text=True).stdout
    (folder / "report.json").write_text(report)


if __name__ == "__main__":
    main()
