#!/usr/bin/env python3
"""What a worker more brings: a model of 64 generated shards, quantized by 1, 2, 4 .. processes.

    bench/distributed.py [FOLDER] [--shard-mib 16] [--workers 1 2 4]

Beside it stand one call of quantize_file with as many threads, a copy of the weights' files, and
tasks that do nothing: what is bound by the disk, by the cores, by the executor.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import tempfile
import time

import bitnet_quant as bq
import numpy as np
from bitnet_quant import distributed

SHARDS = 64


def make_model(folder, mib):
    """Shards as Hugging Face has them, of one matrix each."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    rng = np.random.default_rng(0)
    names = {}
    for shard in range(SHARDS):
        name = f"model-{shard + 1:05d}-of-{SHARDS:05d}.safetensors"
        tensor = f"model.layers.{shard}.mlp.up_proj.weight"
        names[tensor] = name
        with bq.Writer(folder / name) as writer:
            writer.add(tensor, rng.standard_normal((mib * 64, 4096), np.float32))
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": names}))


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def nothing(_):
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--shard-mib", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        folder = pathlib.Path(folder)
        model, output = folder / "model", folder / "out"
        make_model(model, arguments.shard_mib)
        size = SHARDS * arguments.shard_mib * 2**20 / 1e9

        def row(name, function):
            wall = seconds(function)
            shutil.rmtree(output, ignore_errors=True)
            print(f"{name:34} {wall:8.2f} {size / wall:8.2f}", flush=True)

        print(f"{SHARDS} shards, {size:.2f} GB\n{'':34} {'seconds':>8} {'GB/s':>8}")
        row("copy of the files", lambda: shutil.copytree(model, output))
        for workers in arguments.workers:
            row(f"quantize_file, {workers} threads", lambda: bq.quantize_file(
                model, output, "int4_per_group_128", context=bq.Context(workers)))
        for workers in arguments.workers:
            with concurrent.futures.ProcessPoolExecutor(workers) as executor:
                list(executor.map(nothing, range(workers * 4)))  # they are there
                row(f"convert, {workers} processes", lambda: distributed.convert(
                    model, output, "int4_per_group_128", executor=executor))
                wall = seconds(lambda: list(executor.map(nothing, range(SHARDS * 16))))
                print(f"{'  a task that does nothing':34} {wall / SHARDS / 16 * 1e6:8.0f} us")


if __name__ == "__main__":
    main()
