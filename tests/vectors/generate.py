#!/usr/bin/env python3
"""Writes quantize.json, metrics.json, errors.json, config.json, calibration.json,
post_training.json, optimization.json, activations.json, linear.json,
convolution.json, plans.json, allocation.json, training.json and schedules.json.

They go beside this file. The expected values are derived from the definitions
(definitions.py, calibration_definitions.py), with numpy, and never with libbnq:
the library is what they test. Where a result is known by hand, or from the
reference a format follows, it is written down with the case (`hand`), and must
agree.

    python3 generate.py              writes the files
    python3 generate.py DIRECTORY    writes them into DIRECTORY

SPDX-License-Identifier: MIT
"""
import json
import pathlib
import sys

import activation_cases
import allocation_cases
import calibration_cases
import codebook_cases
import common
import convolution_cases
import double_quant
import every_format
import float_formats
import integer_formats
import linear_cases
import metric_cases
import optimization_cases
import parameter_cases
import philox
import plan_cases
import post_training_cases
import refusals
import small_float_cases
import small_floats
import tables
import training_cases


def write(path, description, cases):
    """One line to a member, so that a change of one value is a small diff."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("{\n  \"description\": %s,\n  \"cases\": [" % json.dumps(description))
        for i, entry in enumerate(cases):
            members = ",\n".join(
                f"      {json.dumps(key)}: {json.dumps(value, allow_nan=False)}"
                for key, value in entry.items())
            file.write("%s\n    {\n%s\n    }" % ("," if i else "", members))
        file.write("\n  ]\n}\n")


def main():
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    if target.is_file():
        target = target.parent
    for source in (philox, tables, small_floats, double_quant):
        source.check()
    for source in (integer_formats, float_formats, small_float_cases, codebook_cases,
                   parameter_cases, every_format):
        source.add()
    write(target / "quantize.json",
          "Arrays, options, and the codes, scales and values they give.", common.QUANTIZE)
    write(target / "metrics.json",
          "Pairs of float32 arrays and the metrics between them.", metric_cases.metric_cases())
    write(target / "errors.json",
          "Options and arrays that are refused, and how.", refusals.error_cases())
    write(target / "config.json",
          "Configs as text, and what they are written back as.", refusals.config_cases())
    write(target / "calibration.json",
          "Batches of values, and the ranges, statistics and parameters they give.",
          calibration_cases.cases())
    write(target / "post_training.json",
          "Batches of activations, what they are to be quantized into, and what comes of it.",
          post_training_cases.cases())
    write(target / "optimization.json",
          "Arrays, what they are quantized into with which search, and what that finds.",
          optimization_cases.cases())
    write(target / "activations.json",
          "Matrices, an activation function or a norm, and what it makes of them.",
          activation_cases.cases())
    write(target / "linear.json",
          "Quantized weights, inputs, and what a linear layer makes of them.",
          linear_cases.cases())
    write(target / "convolution.json",
          "Quantized weights, images, and what a convolution makes of them.",
          convolution_cases.cases())
    write(target / "plans.json",
          "Plans as text, and what they decide of tensors.", plan_cases.cases())
    write(target / "allocation.json",
          "Sensitivities of models, budgets, and the choices of least loss.",
          allocation_cases.cases())
    write(target / "training.json",
          "Arrays, and what training makes of them: fake quantized values, and gradients.",
          training_cases.cases())
    write(target / "schedules.json",
          "Schedules of training, and where they stand after each step.",
          training_cases.schedule_cases())


if __name__ == "__main__":
    main()
