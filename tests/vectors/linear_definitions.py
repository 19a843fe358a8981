"""Linear layers as bnq.h defines them (LINEAR LAYERS), with numpy.

SPDX-License-Identifier: MIT
"""
import numpy as np

import definitions
from definitions import F32, FLOATS, GREATEST, Options, from_bits, matrix_shape, segments

#: Formats whose codes are integers, of which products are exact.
INTEGERS = {*GREATEST, "binary", "e2m1"}
FLOAT_LANES, GROUP_LANES = 16, 8


class Weights:
    """A quantized matrix: what its elements stand for, and of which integers."""

    def __init__(self, config, shape, values):
        self.o = Options(config)
        self.shape = matrix_shape(shape)
        tensor = definitions.quantize(config, shape, values)
        self.values = floats(tensor["dequantized"]).reshape(self.shape)
        self.outliers = tensor.get("outlier_columns", [])
        _, segment = segments(shape, self.o)
        segment = segment.reshape(self.shape)
        self.groups = groups_of(segment) if self.o.format in INTEGERS else None
        if self.groups is None:
            return
        self.numbers, scales, offsets = self.read(tensor, segment)
        self.scales, self.offsets = scales, offsets

    def read(self, tensor, segment):
        """u - z of each element; the scale of each group of each row; its offset."""
        codes = np.array(tensor["codes"]).reshape(self.shape)
        scales = floats(tensor["scales"])
        offsets = None
        if self.o.format == "e2m1":
            codes = (2 * FLOATS["e2m1"].decode(codes)).astype(int)
            scales = scales / F32(2)
        elif self.o.offset:
            codes = codes + GREATEST[self.o.format] + 1
            offsets = floats(tensor["offsets"])
        elif self.o.asymmetric:
            codes = codes - np.array(tensor["zero_points"])[segment]
        first = segment[:, [begin for begin, _ in self.groups]]
        return codes, scales[first], None if offsets is None else offsets[first]


def floats(bits):
    return np.array([from_bits(b) for b in bits], F32)


def groups_of(segment):
    """Columns [begin, end) of the groups of every row; None where parameters do not
    belong to parts of rows, all cut alike."""
    steps = np.diff(segment, axis=1) != 0
    if segment.size and (steps != steps[0]).any():
        return None
    if np.unique(segment, axis=0).shape[0] == 1 and steps.any() and segment.shape[0] > 1:
        return None  # of columns
    cuts = [0, *(np.flatnonzero(steps[0]) + 1), segment.shape[1]]
    return list(zip(cuts, cuts[1:]))


class Codes:
    """Rows of inputs as integers, with a scale and a zero point each."""

    def __init__(self, q, scales, zeros):
        self.q = np.array(q)
        self.scales, self.zeros = np.array(scales, F32), np.array(zeros)

    @property
    def numbers(self):
        return self.q - self.zeros[:, None]


def quantized(x, options):
    """What rows of floats become."""
    mode = options["input"]
    rows, columns = x.shape
    if mode == "bitnet":
        most = np.maximum(np.abs(x).max(axis=1), F32(1e-5))
        q = np.rint(x * (F32(127) / most)[:, None]).clip(-128, 127).astype(int)
        return Codes(q, most / F32(127), [0] * rows)
    config = {"format": "int8", "granularity": "token", "scheme": "asymmetric"}
    given = None
    if mode == "int8":
        config["scheme"] = "symmetric"
    elif mode == "static":
        given = [(F32(options["input_scale"]), int(options.get("input_zero_point", 0)),
                  F32(0))] * rows
    tensor = definitions.quantize(config, [rows, columns], x.ravel(), given)
    return Codes(np.array(tensor["codes"]).reshape(x.shape), floats(tensor["scales"]),
                 tensor["zero_points"] or [0] * rows)


def fused(a, b, c):
    """a * b + c, rounded to float32 once: first to float64 and to odd, which keeps what
    decides the second rounding."""
    product = a.astype(np.float64) * b.astype(np.float64)
    c = c.astype(np.float64)
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)
    even = total.view(np.int64) & 1 == 0
    moved = np.nextafter(total, np.copysign(np.inf, error))
    return np.where((error != 0) & even, moved, total).astype(F32)


def by_floats(x, w):
    """Sums of products, [rows, outputs], in fused lanes."""
    lanes = np.zeros((x.shape[0], w.shape[0], FLOAT_LANES), F32)
    for k in range(w.shape[1]):
        lane = lanes[:, :, k % FLOAT_LANES]
        lanes[:, :, k % FLOAT_LANES] = fused(x[:, None, k], w[None, :, k], lane)
    half = FLOAT_LANES // 2
    while half:
        lanes = lanes[:, :, :half] + lanes[:, :, half:]
        half //= 2
    return lanes[:, :, 0]


def by_groups(w, x):
    """S, in float64."""
    lanes = np.zeros((x.q.shape[0], w.shape[0], GROUP_LANES))
    for g, (begin, end) in enumerate(w.groups):
        q = x.numbers[:, begin:end]
        sums = (q @ w.numbers[:, begin:end].T).astype(np.float64)
        lane = lanes[:, :, g % GROUP_LANES]
        lane[...] = lane + sums * w.scales[None, :, g].astype(np.float64)
        if w.offsets is not None:
            of_x = q.sum(axis=1)[:, None].astype(np.float64)
            lane[...] = lane + of_x * w.offsets[None, :, g].astype(np.float64)
    a = [lanes[:, :, j] for j in range(GROUP_LANES)]
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))


def by_outliers(w, x):
    """What the columns beside the codes add, added up in float64."""
    total = np.zeros((x.shape[0], w.shape[0]))
    for k in w.outliers:
        total = total + x[:, None, k].astype(np.float64) * w.values[None, :, k].astype(np.float64)
    return total.astype(F32)


def requantized(v, options):
    """Codes of v, in units of the output's scale."""
    lo = -128 if options["output"] == "int8" else 0
    zero = int(options.get("output_zero_point", 0))
    return (np.rint(v).astype(np.int64) + zero).clip(lo, lo + 255)


def linear(w, x, bias, options):
    """y as float32, before it is stored as another type of float; or its codes.

    x: float32 [rows, K], or Codes. bias: float32 or integers, or None.
    """
    function = options.get("function", "none")
    outside = None
    if not isinstance(x, Codes) and options.get("input", "float") != "float":
        if w.groups is not None and w.outliers:
            outside = by_outliers(w, x)
            x = x.copy()
            x[:, w.outliers] = 0
        x = quantized(x, options)
    integer_bias = bias is not None and bias.dtype != F32
    added = -F32(0) if bias is None or integer_bias else bias  # -0: not even a sign changes
    coded = options.get("output", "float") != "float"
    if not isinstance(x, Codes) or w.groups is None:
        codes = isinstance(x, Codes)
        y = by_floats(x.numbers.astype(F32) if codes else x, w.values)
        if codes:
            y = y * x.scales[:, None]
        y = y + added
    elif len(w.groups) > 1 or w.offsets is not None:
        y = (by_groups(w, x) * x.scales[:, None].astype(np.float64)
             + added.astype(np.float64)).astype(F32)
    else:
        sums = x.numbers @ w.numbers.T + (bias if integer_bias else 0)
        scales = x.scales[:, None] * w.scales[None, :, 0]
        if coded and function == "none" and (bias is None or integer_bias) and outside is None:
            exact = x.scales[:, None].astype(np.float64) * w.scales[None, :, 0].astype(np.float64)
            scales = (exact / float(F32(options["output_scale"]))).astype(F32)
            return requantized(sums.astype(F32) * scales, options)
        y = sums.astype(F32) * scales
        if outside is not None:
            y = y + outside
        y = y + added
    assert function in ("none", "relu")
    if function == "relu":
        y = np.where(y > 0, y, F32(0))
    return requantized(y / F32(options["output_scale"]), options) if coded else y


def is_integers(w, options):
    """What bnq_operator_check says of it."""
    return options.get("input", "float") != "float" and w.groups is not None
