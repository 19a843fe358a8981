#!/usr/bin/env python3
"""Two builds of the library give the same bytes: codes, scales and files of every
format, states and ranges of every calibration method, and the last bits of what
optimisation reports, for every method and objective.

    same_bytes.py LIBBNQ.SO LIBBNQ.SO...

It runs itself once for each, since a process loads one library only.
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

from common import ROOT


def digests():
    """Prints a line for each thing that is made: its name and what it is."""
    sys.path[:0] = [str(ROOT / "tests" / "golden"), str(ROOT / "bindings" / "python" / "src")]
    import bitnet_quant as bq
    import generate
    import numpy as np

    def show(name, *parts):
        print(name, hashlib.sha256(b"".join(bytes(part) for part in parts)).hexdigest())

    for name, tensor in generate.tensors().items():
        show(name, tensor.codes, tensor.scale_data, tensor.dequantize())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        generate.write_model(folder / "model.bnq", False)
        generate.write_calibrations(folder)
        for path in sorted(folder.iterdir()):
            show(path.name, path.read_bytes())
    weights = generate.numbers(16 * 64, 5).reshape(16, 64)
    activations = generate.numbers(32 * 64, 6).reshape(32, 64)
    for method in bq.OptimizationMethod:
        for objective in ("mse", "kl", "cosine"):
            text = f"optimize {method.value} {objective}"
            try:
                made = bq.Optimizer(method=method.value, objective=objective).quantize(
                    weights, "format=int4,granularity=group,group_size=32", activations=activations)
            except bq.BitNetQuantError as error:
                print(text, error)  # what does not go together, in the same words
                continue
            figures = np.array(list(made.figures.values()), np.float64)
            show(text, made.tensor.codes, made.tensor.scale_data, figures.tobytes())


def main():
    found = []
    for path in sys.argv[1:]:
        result = subprocess.run([sys.executable, __file__], text=True, stdout=subprocess.PIPE,
                                env={**os.environ, "BNQ_LIBRARY": str(pathlib.Path(path).resolve()),
                                     "PYTHONDONTWRITEBYTECODE": "1"})
        if result.returncode != 0:
            sys.exit(result.returncode)
        found.append(result.stdout.splitlines())
    differ = [lines for lines in zip(*found) if len(set(lines)) != 1]
    for lines in differ:
        print("differs:", *lines, sep="\n  ")
    print(f"{len(found[0])} results of {len(found)} libraries compared")
    sys.exit(bool(differ) or len({len(lines) for lines in found}) != 1 or len(found[0]) < 50)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main()
    else:
        digests()
