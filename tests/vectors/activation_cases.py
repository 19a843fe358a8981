"""Cases of activations.json: functions of floats and of codes, softmax and norms.

SPDX-License-Identifier: MIT
"""
import numpy as np

import activation_definitions as definitions
from common import listed

F32 = np.float32
SLOPES = {"leaky_relu": 0.125}


def stored(values, dtype):
    """float32 results as elements of dtype, their bits in hexadecimal."""
    values = np.asarray(values, F32)
    if dtype == "F32":
        return [f"{bits:08X}" for bits in values.ravel().view(np.uint32).tolist()]
    if dtype == "F16":
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16).view(np.uint16)
    else:
        bits = values.view(np.uint32).astype(np.uint64)
        halves = (bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)
    return [f"{bits:04X}" for bits in halves.ravel().tolist()]


def points():
    """Where functions bend, tails, ends of float32, and numbers between."""
    special = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, -1.5, 6.0, 7.0, 0.7, -0.7, 0.69, 1e-45,
               -1e-45, 1e-30, -1e-30, 3e38, -3e38, 88.0, -88.0, -87.4, -103.0, -104.0, 15.0, -13.0,
               -14.2, -5.25, 9.1, -9.1, np.inf, -np.inf, np.nan]
    random = np.random.RandomState(7)
    spread = np.concatenate([random.standard_normal(60) * 4, random.uniform(-12, 12, 40)])
    return np.concatenate([np.array(special, F32), spread.astype(F32)])


def float_cases():
    x = points()
    for function in definitions.FUNCTIONS:
        slope = SLOPES.get(function, 0.0)
        y = definitions.activate(function, slope, x)
        for dtype in ("F32",) if function != "silu" else ("F32", "F16", "BF16"):
            keep = ~np.isnan(x) if dtype != "F32" else np.full(x.shape, True)
            yield {"name": function if dtype == "F32" else f"{function}_{dtype.lower()}",
                   "operator": "activate", "function": function, "slope": slope,
                   "shape": [2, int(keep.sum()) // 2], "dtype": "F32",
                   "input": listed(x[keep][:int(keep.sum()) // 2 * 2]), "output_dtype": dtype,
                   "output": stored(y[keep][:int(keep.sum()) // 2 * 2], dtype)}


def code_cases():
    for number, function in enumerate(definitions.FUNCTIONS):
        slope = SLOPES.get(function, 0.0)
        source, target = [("I8", "I8"), ("U8", "U8"), ("I8", "U8"), ("I8", "F32")][number % 4]
        first = -128 if source == "I8" else 0
        least = -128 if target == "I8" else 0
        codes = [[first + (37 * i + 11 * r) % 256 for i in range(64)] for r in range(2)]
        scales, zeros = [0.0371, 0.0913], [first + 121, first + 128]
        outs, out_zeros = [0.0217, 0.0333], [least + 40, least + 128]
        case = {"name": f"{function}_{source.lower()}_to_{target.lower()}",
                "operator": "activate", "function": function, "slope": slope, "shape": [2, 64],
                "dtype": source, "input": codes[0] + codes[1],
                "scales": listed(np.array(scales, F32)), "zero_points": zeros,
                "output_dtype": target}
        rows = [definitions.activate_codes(
            function, slope, codes[r], scales[r], zeros[r],
            (target,) if target == "F32" else (target, outs[r], out_zeros[r])) for r in range(2)]
        if target == "F32":
            case["output"] = stored(rows, "F32")
        else:
            case.update(output_scales=listed(np.array(outs, F32)), output_zero_points=out_zeros,
                        output=rows[0] + rows[1])
        yield case


def rows_of(columns, kind):
    random = np.random.RandomState(columns)
    x = (random.standard_normal((3, columns)) * 3 + 0.5).astype(F32)
    if kind == "masked":
        x[0, ::2] = -np.inf
        x[1] = -np.inf
        x[2, columns // 2] = 40
    if kind == "constant":
        x[:] = np.array([[7.5], [0], [-3e38]], F32)
    if kind == "broken":
        x[0, 0] = np.nan
        x[1, columns - 1] = np.inf
    return x


def row_cases():
    for columns, kind in ((1, "plain"), (7, "plain"), (16, "masked"), (37, "plain"),
                          (33, "broken"), (20, "constant")):
        x = rows_of(columns, kind)
        common = {"shape": list(x.shape), "dtype": "F32", "input": listed(x.ravel()),
                  "output_dtype": "F32"}
        weight = (1 + 0.03125 * np.arange(columns)).astype(F32)
        bias = (0.25 * (np.arange(columns) % 5) - 0.5).astype(F32)
        yield {"name": f"softmax_{columns}_{kind}", "operator": "softmax", **common,
               "output": stored([definitions.softmax(row) for row in x], "F32")}
        for operator, centered, uses in (("rms_norm", False, (True, False)),
                                         ("rms_norm", False, (False, False)),
                                         ("layer_norm", True, (True, True)),
                                         ("layer_norm", True, (False, True))):
            w, b = (weight if uses[0] else None), (bias if uses[1] else None)
            eps = 1e-5 if uses[0] else 0.0
            yield {"name": f"{operator}_{columns}_{kind}" + ("" if uses[0] else "_bare"),
                   "operator": operator, **common, "eps": eps,
                   **({} if w is None else {"weight": listed(w)}),
                   **({} if b is None else {"bias": listed(b)}),
                   "output": stored([definitions.norm(row, centered, eps, w, b) for row in x],
                                    "F32")}


def cases():
    return [*float_cases(), *code_cases(), *row_cases()]
