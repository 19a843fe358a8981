"""Quantizes a safetensors model and shows what it cost.

    python quantize_model.py                               a small random model, every preset
    python quantize_model.py model.safetensors -o model.bnq --config nf4_double_quant
    python quantize_model.py model.safetensors --config format=int4,group_size=64
"""
import argparse
import pathlib
import sys
import tempfile

import bitnet_quant as bq
import numpy as np


def make_model(path):
    """A model to play with: two layers of random weights."""
    random = np.random.default_rng(0)
    with bq.Writer(path) as writer:
        for name, shape in {"hidden": (256, 784), "output": (10, 256)}.items():
            writer.add(f"{name}.weight", random.standard_normal(shape).astype(np.float32))
            writer.add(f"{name}.bias", np.zeros(shape[0], np.float32))


def show(report):
    print(f"{'tensor':24} {'format':8} {'bits':>7} {'bytes':>10} {'sqnr dB':>8}")
    for row in report:
        quality = f"{row.metrics.sqnr_db:8.2f}" if row.format else f"{'-':>8}"
        print(f"{row.name:24} {row.format or row.dtype:8} {row.bits_per_weight:7.3f} "
              f"{row.bytes_after:10} {quality}")
    print(f"total: {report.bytes_before} -> {report.bytes_after} bytes\n")


def progress(done, total, name):
    if sys.stderr.isatty():
        print(f"\r{100 * done // max(total, 1):3} % {name:40.40}",
              end="\n" if done == total else "", file=sys.stderr)


def quantize(model, output, config):
    """Every matrix as the config says; the rest as it is."""
    report = bq.quantize_file(model, output, config, overwrite=True, progress=progress,
                              context=bq.Context(threads=0))
    print(f"{output}: {config}")
    show(report)

    # A .bnq file is a mapping from names to tensors.
    with bq.open_file(output) as file:
        name, tensor = next((n, t) for n, t in file.items() if isinstance(t, bq.QuantizedTensor))
        first_row = tensor.dequantize(rows=slice(0, 1)).ravel()
        print(f"{name}: {tensor}\n  first values: {first_row[:4]}\n")


def show_presets(model):
    """What each preset makes of the model, without writing anything."""
    print(f"{'preset':30} {'bytes':>10} {'least sqnr dB':>13}")
    for preset in bq.presets():
        report = bq.quantize_file(model, None, preset.name, dry_run=True)
        worst = min(row.metrics.sqnr_db for row in report if row.format)
        print(f"{preset.name:30} {report.bytes_after:10} {worst:13.2f}")


def config_argument(text):
    try:
        return bq.Config.from_text(text)
    except bq.BitNetQuantError as error:
        raise argparse.ArgumentTypeError(str(error))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--config", default="default", type=config_argument,
                        help="a preset, options such as format=int4,group_size=64, or both")
    arguments = parser.parse_args()
    if arguments.model:
        quantize(arguments.model, arguments.output or arguments.model.with_suffix(".bnq"),
                 arguments.config)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder, "model.safetensors")
        make_model(model)
        quantize(model, pathlib.Path(folder, "model.bnq"), arguments.config)
        show_presets(model)


if __name__ == "__main__":
    main()
