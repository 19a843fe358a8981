"""Cases of linear.json: every kind of weights by every kind of inputs.

SPDX-License-Identifier: MIT
"""
import numpy as np

from common import (BASE3, BINARY, E2M1, INT2, INT4, INT4_ASYMMETRIC, INT8, INT8_ASYMMETRIC, NF4,
                    TENSOR, TERNARY, TOKEN, channel, group, listed, noise, tile)
from definitions import F32, float_bits, to_bf16, to_f16
from linear_definitions import Codes, Weights, is_integers, linear

CHANNEL = channel(0)
CODEBOOK4 = {"format": "codebook4"}
FORMATS = {"ternary": TERNARY, "base3": BASE3, "int8": INT8, "int4": INT4, "int2": INT2,
           "binary": BINARY, "e2m1": E2M1, "nf4": NF4, "codebook4": CODEBOOK4}
SHARING = {"channel": CHANNEL, "tensor": TENSOR, "group_32": group(32), "group_7": group(7)}
INPUTS = {"float": {}, "int8": {"input": "int8"}, "asymmetric": {"input": "int8_asymmetric"},
          "bitnet": {"input": "bitnet"},
          "static": {"input": "static", "input_scale": "0.0125", "input_zero_point": "-7"}}
#: Few multiples of 1/64 each: they are short to write, and float16 and bfloat16 hold them.
STEP = 64


def coarse(count, seed):
    return [round(v * STEP) / STEP for v in noise(count, seed)]


def stored(y, dtype):
    """The elements of y: bits of floats, or codes."""
    if dtype in ("I8", "U8"):
        return y.ravel().tolist()
    if dtype == "F32":
        return [float_bits(v) for v in y.ravel()]
    return [f"{word:04X}" for word in {"F16": to_f16, "BF16": to_bf16}[dtype](y.ravel())]


def case(name, config, shape, options, rows, *, dtype="F32", bias=None, output="F32", seed=1,
         codes=None, divisors=None, source="the definition"):
    """shape: of the weight. codes: lists of scales and of zero points, of inputs that are
    codes; None in place of either leaves it to the options. divisors: of the columns of x,
    the weight's input scales."""
    weight = [v / 2 for v in coarse(int(np.prod(shape)), seed)]
    if "outlier_threshold" in config:
        weight[3], weight[-5] = 9.0, -12.0
    w = Weights(config, shape, weight)
    columns = w.shape[1]
    x = coarse(rows * columns, seed + 1000)
    entry = {"name": name, "source": source, "config": config, "weight_shape": list(shape),
             "weight": listed(weight), "options": options,
             "integers": is_integers(w, options), "shape": [rows, columns], "dtype": dtype}
    if dtype in ("I8", "U8"):
        least = -128 if dtype == "I8" else 0
        x = [max(least, min(least + 255, int(v * 40) + least + 128)) for v in x]
        entry["input"] = x
        scales, zeros = codes
        entry["scales"] = None if scales is None else listed(np.array(scales, F32))
        entry["zero_points"] = zeros
        inputs = Codes(np.array(x).reshape(rows, columns),
                       scales or [F32(options["input_scale"])] * rows,
                       zeros or [int(options.get("input_zero_point", 0))] * rows)
    else:
        if rows > 4:
            x[2 * columns:3 * columns] = [0.0] * columns
        entry["input"] = listed(x)
        inputs = np.array(x, F32).reshape(rows, columns)
        if divisors is not None:
            entry["input_scales"] = listed(np.array(divisors, F32))
            inputs = inputs / np.array(divisors, F32)
    if bias is not None:
        entry["bias_dtype"] = "I32" if isinstance(bias[0], int) else "F32"
        entry["bias"] = bias if isinstance(bias[0], int) else listed(np.array(bias, F32))
        bias = np.array(bias, np.int64 if isinstance(bias[0], int) else F32)
    y = linear(w, inputs, bias, options)
    entry.update(output_dtype=output, output=stored(y, output))
    return entry


def of_formats():
    for n, (name, config) in enumerate(FORMATS.items()):
        for m, (sharing, options) in enumerate(SHARING.items()):
            mode = ("int8", "asymmetric")[(n + m) % 2]
            rows = (9, 1)[(n + m // 2) % 2]
            bias = [0.375, -1.1, 1e-3, 0.0, 2.5] if m % 2 == 0 else None
            yield case(f"{name}_{sharing}_{mode}", {**config, **options}, [5, 40 + 9 * m],
                       INPUTS[mode], rows, bias=bias, seed=10 * n + m)
    for name in ("ternary", "int8", "int4", "nf4", "codebook4"):
        yield case(f"{name}_float", {**FORMATS[name], **group(32)}, [3, 70], {}, 2,
                   bias=[0.1, 0.2, -0.3], seed=200)


def of_schemes():
    schemes = {"int8_asymmetric": INT8_ASYMMETRIC, "int4_asymmetric": INT4_ASYMMETRIC,
               "int8_offset": {**INT8, "scheme": "offset"},
               "int4_offset": {**INT4, "scheme": "offset"}}
    for n, (name, config) in enumerate(schemes.items()):
        yield case(f"{name}_channel", {**config, **CHANNEL}, [4, 50], INPUTS["asymmetric"],
                   (9, 1)[n % 2], seed=300 + n)
        yield case(f"{name}_groups", {**config, **group(9)}, [4, 83], INPUTS["asymmetric"],
                   (1, 9)[n % 2], bias=[1.0, -0.7, 0.1, 3.3], seed=310 + n)
    yield case("int8_columns", {**INT8, **channel(1)}, [3, 20], INPUTS["int8"], 2, seed=320,
               source="the definition: scales of columns are no groups', so floats")
    yield case("int4_tiles", {**INT4, **tile(16)}, [18, 40], INPUTS["int8"], 2, seed=321)
    yield case("int8_tokens_of_rank_3", {**INT8, **TOKEN}, [3, 4, 9], INPUTS["int8"], 2, seed=322,
               source="the definition: a token is a group of a row")
    yield case("int8_half_scales", {**INT8, **group(16), "scale_dtype": "f16"}, [3, 40],
               INPUTS["bitnet"], 2, seed=323)
    yield case("int8_outliers", {**INT8, **TOKEN, "outlier_threshold": "6"}, [4, 30],
               INPUTS["int8"], 2, bias=[0.1, 0.2, 0.3, 0.4], seed=324)


def of_inputs():
    for n, (name, options) in enumerate(INPUTS.items()):
        for m, dtype in enumerate(("F32", "F16", "BF16")):
            config = {**(TERNARY, INT8, NF4)[(n + m) % 3], **CHANNEL}
            yield case(f"input_{name}_{dtype.lower()}", config, [3, 33], options, 2, dtype=dtype,
                       seed=400 + 3 * n + m)
    given = {"scales_and_zero_points": ([0.01, 0.037], [5, -3]), "scales": ([0.02, 0.5], None)}
    for n, (name, codes) in enumerate(given.items()):
        for m, config in enumerate(({**INT4, **CHANNEL}, {**INT4, **group(7)}, {**NF4, **CHANNEL})):
            label = ("rows", "groups", "table")[m]
            yield case(f"codes_i8_{name}_{label}", config, [4, 37], {}, 2, dtype="I8",
                       codes=codes, seed=420 + 3 * n + m)
            moved = (codes[0], codes[1] and [z + 128 for z in codes[1]])
            yield case(f"codes_u8_{name}_{label}", config, [4, 37], {}, 2, dtype="U8",
                       codes=moved, seed=430 + 3 * n + m)
    yield case("codes_u8_of_options", {**INT8, **CHANNEL}, [4, 37],
               {"input_scale": "0.03", "input_zero_point": "131"}, 9, dtype="U8",
               codes=(None, None), seed=440)


def of_input_scales():
    divisors = [F32(0.7 + 0.3 * (k % 5)) for k in range(37)]
    configs = {"groups": {**INT4, **group(16)}, "rows": {**INT8, **CHANNEL},
               "table": {**NF4, **CHANNEL}}
    for n, (name, config) in enumerate(configs.items()):
        for m, mode in enumerate(("int8", "float")):
            yield case(f"input_scales_{name}_{mode}", config, [4, 37], INPUTS[mode], (2, 9)[m],
                       dtype=("F32", "BF16")[n % 2], divisors=divisors, seed=600 + 2 * n + m)


def of_outputs():
    codes = {"output": "int8", "output_scale": "0.05", "output_zero_point": "-11"}
    bytes_ = {"output": "uint8", "output_scale": "0.031", "output_zero_point": "120"}
    relu = {"function": "relu"}
    floats, integers = [0.3, -0.2, 0.01, 1.5], [900, -70, 1, -2500]
    for n, (name, options, output) in enumerate((("i8", codes, "I8"), ("u8", bytes_, "U8"))):
        mode = INPUTS[("asymmetric", "static")[n]]
        for m, config in enumerate(({**INT8, **CHANNEL}, {**INT4, **group(16)},
                                    {**NF4, **CHANNEL})):
            label = ("rows", "groups", "table")[m]
            yield case(f"output_{name}_{label}", config, [4, 36], {**mode, **options}, (9, 2)[n],
                       output=output, seed=500 + 3 * n + m)
        yield case(f"output_{name}_bias", {**INT8, **CHANNEL}, [4, 36], {**mode, **options}, 2,
                   bias=floats, output=output, seed=510 + n)
        yield case(f"output_{name}_relu", {**INT8, **CHANNEL}, [4, 36],
                   {**mode, **options, **relu}, 2, output=output, seed=514 + n)
        yield case(f"output_{name}_integer_bias", {**TERNARY, **CHANNEL}, [4, 36],
                   {**mode, **options}, (9, 2)[n], bias=integers, output=output, seed=518 + n)
    yield case("integer_bias", {**INT4_ASYMMETRIC, **CHANNEL}, [4, 36], INPUTS["asymmetric"], 9,
               bias=integers, seed=530)
    for n, output in enumerate(("F32", "F16", "BF16")):
        yield case(f"output_{output.lower()}_relu", {**INT8, **CHANNEL}, [4, 36],
                   {**INPUTS["int8"], **relu}, 2, bias=floats, output=output, seed=540 + n)
        yield case(f"output_{output.lower()}_of_floats", {**CODEBOOK4, **group(16)}, [4, 36], relu,
                   2, bias=floats, output=output, seed=550 + n)


def cases():
    found = [*of_formats(), *of_schemes(), *of_inputs(), *of_input_scales(), *of_outputs()]
    names = [entry["name"] for entry in found]
    assert len(set(names)) == len(names)
    return found
