"""Runs a network on quantized weights, read where they lie in mapped files, in integers;
and says how many images it classifies correctly, how fast, and what its outputs are: in
every language the same bytes, whose FNV-1a this prints. A network of floats is run by
numpy, to compare with.

    python classify.py IMAGES.safetensors MODEL...

IMAGES has "images", uint8 0..16, and their "labels"; MODEL, a .bnq or safetensors file,
"layers.0.weight", "layers.0.bias", "layers.1.weight", .. with ReLU between.
"""
import argparse
import itertools
import pathlib
import time

import bitnet_quant as bq
import numpy as np

RUNS = 50


def layers_of(file):
    """What takes the output of each layer to that of the next."""
    names = [f"layers.{i}" for i in range(len(file)) if f"layers.{i}.weight" in file]
    for name, following in itertools.zip_longest(names, names[1:]):
        weight, bias = file[f"{name}.weight"], file[f"{name}.bias"]
        if isinstance(weight, bq.QuantizedTensor):
            yield bq.QuantLinear(weight, bias, input="int8",
                                 function="relu" if following else "none")
        else:
            yield floats(weight, bias, 0 if following else -np.inf)


def floats(weight, bias, least):
    return lambda x: np.maximum(x @ weight.T + bias, least)


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def classify(path, images, labels):
    with bq.open_file(path) as file:
        layers = list(layers_of(file))
    best = float("inf")
    for _ in range(RUNS):
        start, y = time.perf_counter(), images
        for layer in layers:
            y = layer(y)
        best = min(best, time.perf_counter() - start)
    right = (y.argmax(axis=1) == labels).mean()
    integers = isinstance(layers[0], bq.QuantLinear)
    output = f"{fnv1a(y.tobytes()):016x}" if integers else "by numpy"
    print(f"{pathlib.Path(path).name:28}{100 * right:6.2f} %{1e6 * best:8.0f} us   {output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("images")
    parser.add_argument("models", nargs="+")
    arguments = parser.parse_args()
    with bq.open_file(arguments.images) as file:
        images, labels = file["images"].astype(np.float32) / 16, file["labels"].copy()
    for path in arguments.models:
        classify(path, images, labels)


if __name__ == "__main__":
    main()
