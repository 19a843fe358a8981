"""Calibrates a model's activations and writes it quantized, with their parameters.

    python calibrate_model.py model.safetensors -o model.bnq --activations batches/
    python calibrate_model.py model.safetensors -o model.bnq --method percentile

Activations are arrays in .npy or .safetensors files, each named as the place where
they were watched. Without any, made-up ones stand in for them.
"""
import argparse
import pathlib

import bitnet_quant as bq
import numpy as np

#: The methods that look for the range in a histogram, beside the plain one.
METHODS = ["minmax", "percentile", "kl", "mse"]


def made_up(model):
    """Batches such as a ReLU gives, with some wild values, for each matrix's input."""
    random, batches = np.random.default_rng(0), {}
    with bq.open_file(model) as file:
        for name in file:
            shape = file.info(name).shape
            if len(shape) == 2:
                values = np.maximum(random.standard_normal((3, 256, shape[1])), 0)
                values[random.random(values.shape) < 1e-4] *= 20
                batches[name.rpartition(".")[0] or name] = list(values.astype(np.float32))
    return batches


def show(calibration):
    """What was seen of each activation, and the end of the range by each method."""
    print(f"{'activations':16} {'values':>9} {'zeros':>6} {'kurtosis':>8} "
          + " ".join(f"{method:>10}" for method in METHODS))
    for name, calibrator in calibration.items():
        seen, ends = calibrator.statistics(), []
        for method in METHODS:
            calibrator.set(method=method)
            ends.append(calibrator.range().hi.max())
        print(f"{name:16} {seen.count:9.0f} {seen.zero_share:6.1%} {seen.kurtosis:8.2f} "
              + " ".join(f"{end:10.4g}" for end in ends))
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--activations", type=pathlib.Path, help="a file or a directory of them")
    parser.add_argument("--method", default="kl", choices=METHODS)
    parser.add_argument("--config", default="int8_per_channel", help="of the weights")
    arguments = parser.parse_args()

    context = bq.Context(threads=0)
    # With a histogram and the moments the table below can be had from one pass.
    calibration = bq.Calibration(method=arguments.method, scheme="asymmetric", histogram=True,
                                 moments=True)
    dataset = bq.CalibrationDataset(arguments.activations or made_up(arguments.model))
    dataset.feed(calibration, context=context)
    show(calibration)

    report = bq.post_training_quantize_file(
        arguments.model, arguments.output, calibration, arguments.config,
        activation_config="int8_asymmetric", overwrite=True, context=context)
    print(f"{arguments.output}: {report.bytes_before} -> {report.bytes_after} bytes")
    for name, params in calibration.params("int8_asymmetric").items():
        print(f"{name}: scale {params.scales[0]:.6g}, zero point {params.zero_points[0]}")


if __name__ == "__main__":
    main()
