"""Codebooks as they are defined, with numpy: Lloyd's algorithm under the scales of
segments.

SPDX-License-Identifier: MIT
"""
import math
from fractions import Fraction

import numpy as np

F32 = np.float32

STARTS = {
    "codebook2": [-0.53, -0.06, 0.30, 0.92],
    "codebook3": [-0.80, -0.47, -0.23, -0.03, 0.14, 0.35, 0.64, 1.06],
    "codebook4": [-0.80, -0.63, -0.49, -0.37, -0.265, -0.17, -0.085, -0.01, 0.06, 0.145, 0.235,
                  0.34, 0.47, 0.63, 0.85, 1.03],
}
ROUNDS = 8
GREATEST_ENTRY = 2


def midpoints(table):
    table = np.array(table, F32)
    return (table[:-1] + table[1:]) * F32(0.5)


def encode(v, table):
    """How many midpoints v is above."""
    return (np.asarray(v, F32)[:, None] > midpoints(table)[None, :]).sum(axis=1)


def exact(terms):
    """The sum, having made sure that no order of summing rounds."""
    terms = [Fraction(t) for t in terms]
    unit = Fraction(1, max((t.denominator for t in terms), default=1))
    if unit == 1 and any(terms):
        unit = Fraction(math.gcd(*(int(t) for t in terms)))
    assert sum(map(abs, terms)) / unit <= 2**53, "a sum that depends on the order of summing"
    return float(sum(terms, Fraction(0)))


def error(sums):
    ss, sx, xx = sums
    return xx - sx * sx / ss if ss > 0 else 0.0


def use_all(sums, values):
    """An entry that is nobody's code shares those of the one with the greatest error."""
    for i in range(len(values)):
        if sums[i][0] > 0:
            continue
        worst = i
        for k in range(len(values)):
            if error(sums[k]) > error(sums[worst]):
                worst = k
        if worst == i:
            return
        ss, sx, _ = sums[worst]
        deviation = float(np.sqrt(error(sums[worst]) / ss))
        values[i] = values[worst] - deviation
        values[worst] += deviation
        half = (0.5 * ss, 0.5 * sx)
        sums[i] = sums[worst] = (*half, half[1] * half[1] / half[0] + 0.125 * error(sums[worst]))


def fit(format, pieces, scales):
    """The table of a tensor of few elements: `pieces` are its segments, with their
    scales, the extremes."""
    table = np.array(STARTS[format], F32)
    for turn in range(ROUNDS if any(scales) else 0):
        terms = [([], [], []) for _ in table]
        for x, s in zip(pieces, scales):
            if s == 0:
                continue
            for value, rank in zip(x, encode(x * (F32(1) / s), table)):
                wide, of = float(value), float(s)
                for sums, term in zip(terms[rank], (of * of, of * wide, wide * wide)):
                    sums.append(term)
        sums = [tuple(exact(t) for t in of_entry) for of_entry in terms]
        values = [sx / ss if ss > 0 else float(v) for (ss, sx, _), v in zip(sums, table)]
        if turn + 1 < ROUNDS:
            use_all(sums, values)
        table = np.sort(np.clip(values, -GREATEST_ENTRY, GREATEST_ENTRY).astype(F32))
    return table
