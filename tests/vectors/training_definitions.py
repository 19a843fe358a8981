"""Training with quantization as bnq.h defines it (section 16), in float32 operation by
operation; sums are exact, whatever their order.

SPDX-License-Identifier: MIT
"""
import math
import statistics

import numpy as np

import definitions
import philox
from activation_definitions import tanh
from definitions import F32, GREATEST, exact_sum, float_bits, from_bits
from small_floats import FLOATS

DEFAULTS = {
    "estimator": "clipped", "slope": "0.1", "width": "1", "gradient_factor": "off",
    "noise": "none", "noise_amount": "1", "temperature": "0", "probability": "1",
    "probability_of": "element", "seed": "0",
}
NOISE_KEY = 1 << 63


class Training:
    def __init__(self, options):
        for name, default in DEFAULTS.items():
            setattr(self, name, options.get(name, default))
        assert set(options) <= set(DEFAULTS), options


def is_integer(o):
    return o.format in GREATEST


def ends_of_codes(zero_point, o):
    """What the least and the greatest code stand for, of scale 1."""
    if o.format in FLOATS:
        most = F32(FLOATS[o.format].numbers[FLOATS[o.format].greatest])
        return -most, most
    if not is_integer(o):
        return F32(-1), F32(1)
    q = GREATEST[o.format]
    least = -q if o.scheme == "symmetric" and o.symmetric_range == "narrow" else -q - 1
    return F32(least - zero_point), F32(q - zero_point)


def beyond(v, ends, o):
    """-1 where v is clipped at the least code, 1 at the greatest, else 0."""
    if is_integer(o):
        # The nearest integer, ties to even.
        v, (lo, hi) = np.rint(v.astype(np.float64)), map(float, ends)
    else:
        # The reciprocal may add a last bit to the greatest value.
        lo, hi = (end * (F32(1) + F32(2.0**-22)) for end in ends)
    return (v > hi).astype(int) - (v < lo)


def word(key, index):
    block = index // 4
    return philox.philox4x32_10((block & philox.WORD, block >> 32, 0, 0),
                                (key & philox.WORD, key >> 32))[index % 4]


def deviate(key, index, kind):
    """A float32 of noise. The normal one is of Wichura's AS 241, which libraries compute
    in float64 to some last bits of theirs: a case where these decide is refused."""
    share = (word(key ^ NOISE_KEY, index) + 0.5) / 2.0**32
    if kind == "uniform":
        return F32(share - 0.5)
    z = statistics.NormalDist().inv_cdf(share)
    assert F32(z * (1 - 1e-13)) == F32(z * (1 + 1e-13)), "a close race"
    return F32(z)


def shares(count, t):
    """Of each element, how much of it stays as it is."""
    found = np.full(count, F32(t.temperature))
    if t.probability_of == "layer":
        drawn = word(int(t.seed), 0) / 2.0**32 < float(t.probability)
        return found if drawn else np.ones(count, F32)
    for i in range(count):
        if not word(int(t.seed), i) / 2.0**32 < float(t.probability):
            found[i] = 1
    return found


class Fake:
    """Fake quantization of an array, and the gradient through it."""

    def __init__(self, config, training, shape, values, given=None):
        """given: scale, zero point and offset of each segment."""
        self.o, self.t = definitions.Options(config), Training(training)
        o = self.o
        self.x = definitions.prepared(values, o)
        made = definitions.quantize(config, shape, values, given)
        self.hard = np.array([from_bits(bits) for bits in made["dequantized"]], F32)
        scales = [from_bits(bits) for bits in made["scales"]]
        first = -GREATEST[o.format] - 1 if o.offset else 0
        zeros = made["zero_points"] or [first] * len(scales)
        offsets = [from_bits(bits) for bits in made.get("offsets", [])]
        self.scales, self.zero_points = scales, made["zero_points"]
        self.offsets = offsets
        self.params = list(zip(scales, zeros, offsets or [F32(0)] * len(scales)))
        count, self.segment = definitions.segments(shape, o)
        if not scales:  # of halves
            count = 0
        self.own = [np.flatnonzero(self.segment == s) for s in range(count)]
        columns = made.get("outlier_columns", [])
        self.passing = np.isin(np.arange(self.x.size) % max(math.prod(shape[-1:]), 1), columns)
        self.steps, self.beyond = np.zeros(self.x.size, F32), np.zeros(self.x.size, int)
        for own, (scale, zero, offset) in zip(self.own, self.params):
            # The reciprocal is float32, too.
            self.steps[own] = definitions.scaled(self.x[own] - offset, scale)
            self.beyond[own] = beyond(self.steps[own], ends_of_codes(zero, o), o)
        self.beyond[self.passing] = 0
        self.soft = self.softened()

    def softened(self):
        """What the training makes of the values, before any stay as they are."""
        y, t = self.hard.copy(), self.t
        if t.noise == "none":
            return y
        assert is_integer(self.o)
        for own, (scale, zero, offset) in zip(self.own, self.params):
            lo, hi = sorted(offset + end * scale for end in ends_of_codes(zero, self.o))
            for i in own:
                if not self.passing[i]:
                    u = deviate(int(t.seed), int(i), t.noise)
                    y[i] = min(max(self.x[i], lo), hi) + F32(t.noise_amount) * abs(scale) * u
        return y

    def values(self):
        share = shares(self.x.size, self.t)
        mixed = self.soft + share * (self.x - self.soft)
        return np.where(share == 0, self.soft, np.where(share == 1, self.x, mixed))

    def gradient(self, dy):
        """All of them: dx, of scales, of shifts, of ends, and of the slope."""
        o, t = self.o, self.t
        dy = np.array(dy, F32)
        if not self.own:
            return dy, [], [], [], F32(0)
        share = np.where(self.passing, F32(1), shares(self.x.size, t))
        kept, through = share * dy, (F32(1) - share) * dy
        if not share.any():
            kept, through = np.zeros(dy.size, F32), dy
        dx = np.zeros(dy.size, F32)
        of_scales, of_shifts, of_ends, of_slope = [], [], [], []
        for own, (scale, zero, offset) in zip(self.own, self.params):
            lo, hi = ends_of_codes(zero, o)
            g, side = through[own], self.beyond[own]
            dx[own] = self.passed(g, side, self.steps[own], lo, hi)
            inside = exact_sum((g * (self.soft - self.x)[own])[side == 0], 24)
            below, above = (exact_sum(g[side == end], 24) for end in (-1, 1))
            far = np.where(side < 0, self.steps[own] - lo, self.steps[own] - hi) * scale
            of_slope += [float(a) * float(b) for a, b, c in zip(g, far, side) if c]
            factor = 1.0
            if t.gradient_factor == "on":
                factor = 1 / math.sqrt(own.size * (GREATEST[o.format] if is_integer(o)
                                                   else float(hi)))
            inverse = float(F32(1) / scale) if scale else 0.0
            of_scales.append(F32((inside * inverse + (below * float(lo) + above * float(hi))) *
                                 factor))
            of_shifts.append(F32((below + above) * (1.0 if o.offset else -float(scale)) * factor))
            of_ends += [F32(below), F32(above)]
        shifted = o.offset or o.asymmetric
        if t.probability != "1" or t.temperature != "0" or self.passing.any():
            dx = dx + kept
        return (dx, of_scales, of_shifts if shifted else [], of_ends,
                F32(exact_sum(of_slope)))

    def passed(self, g, side, v, lo, hi):
        """What an estimator makes of the gradient by values."""
        t = self.t
        if t.estimator == "straight_through":
            return g
        if t.estimator == "soft":
            half, middle = F32(0.5) * (hi - lo), F32(0.5) * (hi + lo)
            u = tanh((v - middle) * (F32(1) / (half * F32(t.width))))
            return g * (F32(1) - u * u)
        outside = F32(t.slope) if t.estimator == "slope" else F32(0)
        return np.where(side == 0, g, outside * g if outside else F32(0))


def bits_of(values):
    return [float_bits(v) for v in values]


# ----------------------------------------------------------------------------
# Schedules

PHASE_DEFAULTS = {
    "steps": 0, "bits": 8, "patience": 0, "improvement": 0, "max_error": 0,
    "temperature_begin": 0, "temperature_end": 0, "share_begin": 1, "share_end": 1,
    "layers_begin": 1, "layers_end": 1,
}
FORMAT_OF_BITS = {1: "binary", 1.58: "ternary", 2: "int2", 3: "int3", 4: "int4", 5: "int5",
                  6: "int6", 8: "int8", 16: "f16", 32: None}


class Schedule:
    def __init__(self, phases):
        self.phases = [{**PHASE_DEFAULTS, **phase} for phase in phases]
        self.phase = self.phase_step = self.step_count = self.since_best = 0
        self.best_loss, self.done = None, False

    def step(self, loss, error):
        phase = self.phases[self.phase]
        self.step_count += 1
        if self.done:
            return False
        self.phase_step += 1
        if loss is not None:
            if self.best_loss is None or \
                    loss < self.best_loss - phase["improvement"] * abs(self.best_loss):
                self.best_loss, self.since_best = loss, 0
            else:
                self.since_best += 1
        ended = (phase["steps"] and self.phase_step >= phase["steps"] or
                 phase["patience"] and self.since_best >= phase["patience"] or
                 phase["max_error"] and error is not None and error <= phase["max_error"])
        if not ended:
            return False
        if self.phase + 1 == len(self.phases):
            self.done = True
        else:
            self.phase += 1
            self.phase_step = self.since_best = 0
            self.best_loss = None
        return True

    def between(self, name):
        phase = self.phases[self.phase]
        begin, end = phase[name + "_begin"], phase[name + "_end"]
        if self.done or self.phase_step + 1 >= phase["steps"]:
            return end
        return begin + (end - begin) * (self.phase_step / (phase["steps"] - 1))

    def state(self, layers):
        """By the names of BNQ_SCHEDULE_*; and the format of each of so many layers."""
        bits = self.phases[self.phase]["bits"]
        of_layers = self.between("layers")
        return {
            "phase": self.phase, "phase_step": self.phase_step, "step": self.step_count,
            "bits": bits, "temperature": self.between("temperature"),
            "share": self.between("share"), "layers": of_layers, "best_loss": self.best_loss,
            "since_best": self.since_best, "done": int(self.done),
            "formats": [FORMAT_OF_BITS[bits] if layer < of_layers * layers else None
                        for layer in range(layers)]}
