"""Pairs of arrays and the metrics between them.

SPDX-License-Identifier: MIT
"""
import math
from fractions import Fraction

from common import noise
from definitions import F32, FLT_MAX, FLT_TRUE_MIN


def metrics(a, b):
    """The metrics, in exact rational arithmetic up to the last step."""
    a, b = ([Fraction(float(v)) for v in side] for side in (a, b))
    errors = [x - y for x, y in zip(a, b)]
    n = len(a)
    aa, bb, ee = (sum(v * v for v in side) for side in (a, b, errors))
    ab = sum(x * y for x, y in zip(a, b))
    if ee == 0:
        sqnr = "inf"
    elif aa == 0:
        sqnr = "-inf"
    else:
        sqnr = 10 * math.log10(aa / ee)
    if aa == 0 or bb == 0:
        cosine = 1.0 if aa == bb else 0.0
    else:
        cosine = math.copysign(math.sqrt(ab * ab / (aa * bb)), ab)
    return {
        "mse": float(ee / n),
        "mae": float(sum(map(abs, errors)) / n),
        "max_error": float(max(map(abs, errors))),
        "sqnr_db": sqnr,
        "cosine": cosine,
    }


def metric_cases():
    x = noise(200, 60)
    coarse = [round(v * 8) / 8 for v in x]
    pairs = {
        "by_hand": ([1, 2, -2, 4], [1, 1, -2, 2]),
        "equal": ([0.5, -3, 0], [0.5, -3, 0]),
        "both_zero": ([0, 0, 0], [0, 0, 0]),
        "original_zero": ([0, 0], [1, -2]),
        "other_zero": ([3, -4], [0, 0]),
        "opposite": ([1, -2, 3], [-1, 2, -3]),
        "orthogonal": ([1, 1, 0, 0], [1, -1, 0, 0]),
        "one_element": ([2], [-0.5]),
        "max_float": ([FLT_MAX, -FLT_MAX, 1], [FLT_MAX, FLT_MAX, 0]),
        "subnormal": ([FLT_TRUE_MIN, 0], [FLT_TRUE_MIN * 3, FLT_TRUE_MIN]),
        "wide_range": ([1e10, 1, 0, -1], [1e10, 2, 1, -4]),
        "one_error_among_many": (x[:100], x[:57] + [9.5] + x[58:100]),
        "rounded": (x, coarse),
        "unrelated": (x, noise(200, 61)),
    }
    hand = {
        "by_hand": {"mse": 1.25, "mae": 0.75, "max_error": 2.0, "sqnr_db": 10 * math.log10(5)},
        "equal": {"mse": 0.0, "mae": 0.0, "max_error": 0.0, "sqnr_db": "inf", "cosine": 1.0},
        "both_zero": {"mse": 0.0, "sqnr_db": "inf", "cosine": 1.0},
        "original_zero": {"mse": 2.5, "mae": 1.5, "sqnr_db": "-inf", "cosine": 0.0},
        "other_zero": {"mse": 12.5, "mae": 3.5, "sqnr_db": 0.0, "cosine": 0.0},
        "opposite": {"cosine": -1.0, "max_error": 6.0},
        "orthogonal": {"cosine": 0.0},
    }
    out = []
    for name, (original, other) in pairs.items():
        original, other = ([float(F32(v)) for v in side] for side in (original, other))
        values = metrics(original, other)
        for key, expected in hand.get(name, {}).items():
            assert values[key] == expected, (name, key, values[key], expected)
        out.append({"name": name, "original": original, "other": other, "metrics": values})
    return out
