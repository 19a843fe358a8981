"""Calibration as it is defined: histograms, statistics and the ranges of the methods.

Exact where it can be: Python's integers and fractions in place of float64. Where
the result hangs on a comparison that rounding could turn, the case is refused.

SPDX-License-Identifier: MIT
"""
import math
from fractions import Fraction

import numpy as np

from common import listed
from definitions import F32, FLT_MAX

DEFAULTS = {
    "method": "minmax", "granularity": "tensor", "axis": "-1", "scheme": "symmetric",
    "bins": "2048", "bits": "8", "levels": "0", "averaging": "0.01", "max_growth": "0.5",
    "max_shrink": "0.1", "percentile": "99.99", "kl_variant": "tensorrt",
    "mse_variant": "exhaustive", "non_finite": "error", "outliers": "none",
    "outlier_percentile": "99.9", "outlier_deviations": "6", "moments": "off",
    "histogram": "off",
}
SEARCHES = ("percentile", "kl", "mse")
FOLLOWERS = ("moving_average", "adaptive")


class Options:
    """A case's options, with the defaults of those it does not name."""

    def __init__(self, options):
        assert set(options) <= set(DEFAULTS), options
        for name, default in DEFAULTS.items():
            setattr(self, name, options.get(name, default))
        self.symmetric = self.scheme == "symmetric"
        self.keeps_moments = self.moments == "on" or self.outliers == "deviations"
        self.keeps_histogram = (self.histogram == "on" or self.outliers != "none"
                                or self.method in SEARCHES)
        self.fine = (self.histogram == "on" or self.outliers == "percentile"
                     or self.method == "percentile")
        # A percentage as text is a decimal fraction.
        self.share = Fraction(self.percentile) / 100


def less(a, b):
    """a < b, where no rounding to float64 on the way could say otherwise."""
    a, b = Fraction(a), Fraction(b)
    if a == b:  # exact in binary on both sides, too
        assert a.denominator & (a.denominator - 1) == 0, "a comparison on the brink"
    else:
        assert abs(a - b) > 1e-9 * max(abs(a), abs(b)), "a comparison on the brink"
    return a < b


# ----------------------------------------------------------------------------
# Histograms


class Histogram:
    """Bins [k, k + 1) * width, from that of lo to that of hi."""

    def __init__(self, counts, first, width):
        self.counts, self.first, self.width = counts, first, width

    def edge(self, i):
        return (self.first + i) * self.width

    def cumulative(self):
        return np.cumsum(self.counts, dtype=object)

    def symmetric(self):
        """With as many bins below 0 as above it."""
        end = self.first + len(self.counts)
        half = max(end, -self.first)
        counts = [0] * (self.first + half) + self.counts + [0] * (half - end)
        return Histogram(counts, -half, self.width)

    def magnitudes(self):
        """Of |x|: bin k below 0 counts as bin -k - 1."""
        counts = self.symmetric().counts
        half = len(counts) // 2
        return Histogram([counts[half + i] + counts[half - 1 - i] for i in range(half)],
                         0, self.width)


def bin_width(lo, hi, bins):
    """The least power of 2 from 2**-126 up that takes at most 2 * bins bins."""
    greatest = max(abs(lo), abs(hi))
    exponent = -126
    while True:
        width = Fraction(2)**exponent
        if hi // width - lo // width + 1 <= 2 * bins and greatest < 2**22 * width:
            return width
        exponent += 1


def histogram(x, bins):
    width = bin_width(min(x), max(x), bins)
    first, last = min(x) // width, max(x) // width
    counts = [0] * (last - first + 1)
    for v in x:
        counts[v // width - first] += 1
    return Histogram(counts, first, width)


# ----------------------------------------------------------------------------
# Searches, on any histogram


def cells(x, h, o):
    """The bins of values, with exact zeros apart and, where they are kept, fine bins.

    Pairs of edges, ascending, and their counts. Fine: from bin -64 to 63, 64 to each octave.
    """
    counts = {}
    for v in x:
        k = v // h.width
        if v == 0:
            cell = Fraction(0), Fraction(0)
        elif o.fine and -64 <= k < 64:
            size, exponent = abs(v), -126
            # Of values below 0 it is the upper edge that belongs to the octave.
            while size > 2 * Fraction(2)**exponent or (v > 0 and size == 2 * Fraction(2)**exponent):
                exponent += 1
            step = Fraction(2)**(exponent - 6)
            low = size // step if v > 0 else -(-size // step) - 1
            cell = (low * step, (low + 1) * step) if v > 0 else (-(low + 1) * step, -low * step)
        else:
            cell = k * h.width, (k + 1) * h.width
        counts[cell] = counts.get(cell, 0) + 1
    return sorted(counts.items())


def limited(items, lo, hi):
    """With what lies outside [lo, hi] on the limits."""
    return [(tuple(min(max(edge, lo), hi) for edge in cell), count) for cell, count in items]


def cut_tails(items, cut):
    """Without the most whole bins at either end that hold no more than `cut` values."""
    first, end = 0, len(items)
    while first + 1 < end and sum(count for _, count in items[:first + 1]) <= cut:
        first += 1
    while end > first + 1 and sum(count for _, count in items[end - 1:]) <= cut:
        end -= 1
    return items[first:end]


def percentile(items, o):
    """The range of the outer edges of the bins that hold the share of the values."""
    n = sum(count for _, count in items)
    inside = -(-o.share * n // 1)
    if not o.symmetric:
        kept = cut_tails(items, (n - inside) // 2)
        return kept[0][0][0], kept[-1][0][1]
    magnitudes = sorted((max(map(abs, cell)), count) for cell, count in items)
    total = 0
    for edge, count in magnitudes:
        total += count
        if total >= max(inside, 1):
            return -edge, edge
    raise AssertionError


def divergence(p, q):
    """Kullback and Leibler's, in nats, of weights that are normalized first."""
    p, q = np.asarray(p, float), np.asarray(q, float)
    if not q.any() or (q[p > 0] == 0).any():
        return math.inf
    p, q = p[p > 0] / p.sum(), q[p > 0] / q.sum()
    return float((p * np.log(p / q)).sum())


def kl_tensorrt(counts, i, levels):
    """NVIDIA's pytorch-quantization, calib/histogram.py, with i bins kept."""
    counts = np.asarray(counts)
    p = counts[:i].copy()
    p[-1] += counts[i:].sum()
    used = counts[:i] > 0
    cell = np.arange(i) * levels // i
    sums = np.bincount(cell, counts[:i], levels)
    members = np.bincount(cell, used, levels)
    return divergence(p, np.where(used, sums[cell] / np.maximum(members[cell], 1), 0))


def kl_onnxruntime(counts, half, levels):
    """ONNX Runtime's calibrate.py, with bins middle - half .. middle + half kept."""
    counts = np.asarray(counts)
    middle = counts.size // 2
    begin, end = middle - half, min(middle + half + 1, counts.size)
    inside = counts[begin:end]
    p = inside.copy()
    p[0] += counts[:begin].sum()
    p[-1] += counts[end:].sum()
    q = np.zeros(p.size)
    group = p.size // levels
    for level in range(levels):
        span = slice(level * group, (level + 1) * group)
        total = inside[level * group:].sum() if level == levels - 1 else inside[span].sum()
        used = np.count_nonzero(p[span])
        if used:
            q[span] = total // used
    smoothed = []
    for weights in (p.astype(float), q):
        zeros = np.count_nonzero(weights == 0)
        others = weights.size - zeros
        if others == 0 or 1e-4 * zeros / others >= 1:
            return math.inf
        smoothed.append(np.where(weights == 0, 1e-4, weights - 1e-4 * zeros / others))
    return divergence(*smoothed)


def least(candidates, last):
    """The last or the first one of least divergence, where nothing else comes near it."""
    best = min(d for _, d in candidates)
    winners = [c for c, d in candidates if d == best]
    assert len(winners) == 1 or best in (0, math.inf), "equal divergences"
    assert all(d == best or d > best + 1e-9 for _, d in candidates), "divergences close together"
    return winners[-1 if last else 0]


def search_kl_tensorrt(counts, levels):
    """The number of bins kept."""
    n = len(counts)
    if n < max(levels, 2):
        return n
    counts = [counts[1]] + list(counts[1:])
    return least([(i, kl_tensorrt(counts, i, levels)) for i in range(levels, n + 1)], last=True)


def search_kl_onnxruntime(counts, levels):
    """The first bin kept, and the one after the last."""
    n = len(counts)
    if n < levels or levels < 2:
        return 0, n
    candidates = [(half, kl_onnxruntime(counts, half, levels))
                  for half in range(levels // 2, n // 2 + 1)]
    if all(d == math.inf for _, d in candidates):
        return 0, n
    half = least(candidates, last=False)
    return n // 2 - half, min(n // 2 + half + 1, n)


def squared_error(counts, first, last, levels):
    """Of values spread evenly within their bins, in units of the bins.

    Level k is the middle of [k, k + 1) steps, and the outer ones take all beyond.
    """
    step = Fraction(last + 1 - first, levels)
    total = Fraction(0)
    for i, count in enumerate(counts):
        if not count:
            continue
        a, end = Fraction(i - first), Fraction(i + 1 - first)
        while a < end:
            level = min(max(a // step, 0), levels - 1)
            b = end if level == levels - 1 else min((level + 1) * step, end)
            centre = (level + Fraction(1, 2)) * step
            total += count * ((b - centre)**3 - (a - centre)**3) / 3
            a = b
    return total


def quantizing_error(pieces, lo, hi, levels, symmetric):
    """Of evenly spread values, pieces (from, to, count), to the nearest level of the range.

    lo, hi: arrays of ranges. In float64, in squares of the unit of the pieces.
    """
    if symmetric:
        q = max(levels - 1, 2) // 2
        step, first = np.maximum(-lo, hi) / q, np.full(lo.shape, -q, float)
        count = 2 * q + 1
    else:
        step = (hi - lo) / (levels - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            first = np.where(step > 0, -np.floor(-lo / step + 0.5), 0)
        count = levels
    a, b, weight = (np.array(v, float) for v in zip(*pieces))
    step, first = step[:, None], first[:, None]

    def nearest(x):
        with np.errstate(invalid="ignore", divide="ignore"):
            index = np.floor(x / step + 0.5) - first
        return np.clip(np.where(step > 0, index, 0), 0, count - 1)

    # A piece is of its first level, of its last one, and of whole ones between.
    i, j = nearest(a), nearest(b)
    from_, to, half = a - (first + i) * step, b - (first + j) * step, step / 2
    cubes = np.where(i == j, to**3 - from_**3,
                     half**3 - from_**3 + (j - i - 1) * 2 * half**3 + to**3 + half**3)
    spread = b > a
    share = weight / np.where(spread, b - a, 1)
    return np.where(spread, share * cubes / 3, weight * from_**2).sum(axis=1)


def search_mse(h, lo, hi, zeros, levels, symmetric):
    """The range of least error with ends on edges, or at the minimum and maximum: all are tried."""
    pieces = []
    for i, count in enumerate(h.counts):
        edge = h.first + i
        count -= zeros if edge == 0 else 0
        pieces.append((max(Fraction(edge), lo / h.width), min(edge + 1, hi / h.width), count))
    pieces = [(float(a), float(max(a, b)), count) for a, b, count in pieces if count]
    least_end, greatest = (float(v / h.width) for v in (min(lo, 0), max(hi, 0)))
    whole = (quantizing_error(pieces, np.array([least_end]), np.array([greatest]), levels,
                              symmetric) if pieces else np.zeros(1))
    if whole[0] == 0:
        return lo, hi
    if symmetric or lo >= 0 or hi <= 0:
        ends = np.append(np.arange(0, math.ceil(max(-least_end, greatest)), 1.0),
                         max(-least_end, greatest))
        pairs = [(max(-e, least_end), min(e, greatest)) for e in ends]
    else:
        lows = np.append(np.arange(0, math.floor(least_end), -1.0), least_end)
        highs = np.append(np.arange(0, math.ceil(greatest), 1.0), greatest)
        pairs = [(a, b) for a in lows for b in highs]
    best = None
    for k in range(0, len(pairs), 512):
        some = np.array(pairs[k:k + 512])
        errors = quantizing_error(pieces, some[:, 0], some[:, 1], levels, symmetric)
        i = int(np.argmin(errors))
        # Pairs with the same step and zero point are equal: the first one, from 0 outwards.
        if best is None or errors[i] < best[0]:
            best = errors[i], pairs[k + i]
    if not best[0] < whole[0]:
        return lo, hi
    low, high = (Fraction(v) * h.width for v in best[1])
    return max(lo, low), min(hi, high)


def search_mse_pytorch(counts, levels):
    """PyTorch's HistogramObserver: the first and the last bin kept."""
    cumulative = np.cumsum(counts, dtype=object)
    total = cumulative[-1]
    best, best_error = (0, len(counts) - 1), math.inf
    below = above = 0
    while below + above < 100000:
        left, right = best
        while left < best[1] and cumulative[left] * 100000 < (below + 1) * total:
            left += 1
        while right > best[0] and cumulative[right] * 100000 > (99999 - above) * total:
            right -= 1
        if left - best[0] > best[1] - right:
            candidate = left, best[1]
            below += 1
        else:
            candidate = best[0], right
            above += 1
        if candidate == best:
            continue
        error = squared_error(counts, *candidate, levels)
        if best_error != math.inf and less(best_error, error):
            break
        best, best_error = candidate, error
    return best


# ----------------------------------------------------------------------------
# Ranges


def average(m, current, c):
    """PyTorch's moving average, in float32."""
    with np.errstate(over="ignore"):
        step = m + c * (current - m)
    return step if np.isfinite(step) else (F32(1) - c) * m + c * current


def follow(batches, o):
    """What the methods that follow the order of batches make of it, in float32."""
    lo = hi = None
    for x in batches:
        if not x:
            continue
        least_value, greatest = F32(float(min(x))), F32(float(max(x)))
        if lo is None:
            lo, hi = least_value, greatest
        elif o.method == "moving_average":
            c = F32(float(o.averaging))
            lo, hi = average(lo, least_value, c), average(hi, greatest, c)
        else:
            c, width = float(o.averaging), float(hi) - float(lo)
            down = c * (float(lo) - float(least_value))
            up = c * (float(greatest) - float(hi))
            if width > 0:
                inwards = -float(o.max_shrink) * width / 2
                outwards = float(o.max_growth) * width
                down, up = (min(max(step, inwards), outwards) for step in (down, up))
            lo = F32(max(float(lo) - down, -float(FLT_MAX)))
            hi = F32(min(float(hi) + up, float(FLT_MAX)))
        hi = max(lo, hi)
    return Fraction(float(lo)), Fraction(float(hi))


def outlier_limits(x, h, o):
    """Limits of the values that count as they are, and the number of the others."""
    if o.outliers == "none":
        return min(x), max(x), 0
    n, counts = len(x), h.counts
    if o.outliers == "percentile":
        # Half at most of those outside the share at either end, in whole bins.
        share = Fraction(o.outlier_percentile) / 100
        kept = cut_tails(limited(cells(x, h, o), min(x), max(x)), (n - -(-share * n // 1)) // 2)
        return kept[0][0][0], kept[-1][0][1], n - sum(count for _, count in kept)
    else:
        mean = sum(x) / n
        variance = sum((v - mean)**2 for v in x) / n
        deviation = Fraction(math.isqrt(variance.numerator), math.isqrt(variance.denominator))
        assert deviation**2 == variance, "a limit that depends on rounding"
        reach = Fraction(o.outlier_deviations) * deviation
        lo, hi = max(min(x), mean - reach), min(max(x), mean + reach)
        first, last = (int(v // h.width) - h.first for v in (lo, hi))
    return lo, hi, n - sum(counts[first:last + 1])


def clipped(h, lo, hi):
    """With the bins beyond the limits counted at them."""
    first = lo // h.width
    last = max(first, -(-hi // h.width) - 1)  # a limit on an edge is of the bin below
    counts = [0] * (hi // h.width - first + 1)
    for i, count in enumerate(h.counts):
        counts[min(max(h.first + i, first), last) - first] += count
    return Histogram(counts, first, h.width)


def search(x, h, lo, hi, o):
    """The range that the method finds in a histogram from lo to hi, of values x."""
    if o.method == "percentile":
        return percentile(limited(cells(x, h, o), lo, hi), o)
    if o.method == "kl":
        levels = int(o.levels) or 2**(int(o.bits) - 1)
        if o.kl_variant == "tensorrt":
            m = h.magnitudes()
            end = m.edge(search_kl_tensorrt(m.counts, levels))
            return max(lo, -end), min(hi, end)
        h = h.symmetric()
        begin, end = search_kl_onnxruntime(h.counts, levels)
        return max(lo, h.edge(begin)), min(hi, h.edge(end))
    levels = int(o.levels) or 2**int(o.bits)
    if o.mse_variant == "exhaustive":
        zeros = x.count(0) if lo <= 0 <= hi else 0
        return search_mse(h, lo, hi, zeros, levels, o.symmetric)
    # Steps of 1e-5 of the values never come to whole ones then.
    assert math.gcd(sum(h.counts), 10) == 1, "a comparison on the brink"
    first, last = search_mse_pytorch(h.counts, levels)
    return max(lo, h.edge(first)), min(hi, h.edge(last + 1))


def find_range(batches, o):
    """The range of a channel, from its batches of finite values; and the outliers."""
    x = [v for batch in batches for v in batch]
    h = histogram(x, int(o.bins))
    low, high, outliers = outlier_limits(x, h, o)
    if o.method in SEARCHES and outliers:
        lo, hi = search(x, clipped(h, low, high), low, high, o)
    else:
        if o.method in SEARCHES:
            lo, hi = search(x, h, min(x), max(x), o)
        elif o.method in FOLLOWERS:
            lo, hi = follow(batches, o)
        else:
            lo, hi = min(x), max(x)
        lo, hi = (min(max(v, low), high) for v in (lo, hi))
    if o.symmetric:
        hi = max(abs(lo), abs(hi))
        lo = -hi
    return lo, hi, outliers


# ----------------------------------------------------------------------------
# Statistics


def statistics(x, non_finite, outliers, o):
    """By name."""
    n = len(x)
    result = dict.fromkeys(
        ("count", "min", "max", "mean", "variance", "absmax", "absmean", "skewness",
         "kurtosis", "zero_share", "non_finite", "outliers"), math.nan)
    result.update(count=n, non_finite=non_finite, outliers=outliers)
    result.update(min=min(x), max=max(x), absmax=max(map(abs, x)),
                  zero_share=Fraction(x.count(0), n))
    if o.keeps_moments:
        mean = sum(x) / n
        second, third, fourth = (sum((v - mean)**k for v in x) / n for k in (2, 3, 4))
        result.update(mean=mean, variance=second, absmean=sum(map(abs, x)) / n)
        if second:
            assert abs(mean) < 100 * math.sqrt(second), "moments that cancel out"
            result.update(skewness=float(third) / (float(second) * math.sqrt(second)),
                          kurtosis=fourth / second**2)
    return dict(zip(result, listed(result.values())))


def check():
    """Results of the references' definitions, run elsewhere on their own code."""
    assert search_kl_tensorrt([7] * 2048, 128) == 2048
    assert search_kl_tensorrt(list(range(128, 0, -1)) + [0] * 1920, 128) == 129
    bell = [int(1e6 * math.exp(-(k / 256)**2 / 2)) for k in range(2048)]
    assert kl_tensorrt([bell[1]] + bell[1:], 1229, 128) == min(
        kl_tensorrt([bell[1]] + bell[1:], i, 128) for i in range(1200, 1260))
    counts = [1, 2, 4, 8, 8, 4, 2, 1]
    for half, expected in ((2, 0.9643), (3, 2.2192), (4, 0.0687)):
        assert abs(kl_onnxruntime(counts, half, 4) - expected) < 5e-5
    assert search_kl_onnxruntime(counts, 4) == (0, 8)
    assert search_mse_pytorch([1] * 2048, 256) == (0, 2046)
    assert search_mse_pytorch([1000] * 1024 + [0] * 1023 + [1], 256) == (0, 1022)
