"""Cases of training.json and schedules.json: fake quantization of every kind, gradients
through it, noise and chance; and schedules step by step.

SPDX-License-Identifier: MIT
"""
import numpy as np

from common import (BF16, E4M3, F16, INT2, INT4, INT4_ASYMMETRIC, INT8, INT8_ASYMMETRIC, NF4,
                    SCALED, TENSOR, TERNARY, TOKEN, block, channel, group, listed, noise, tile)
from definitions import F32, GREATEST, Options, parameters, stored_scale
from training_definitions import PHASE_DEFAULTS, Fake, Schedule, bits_of

SHARING = [TENSOR, channel(0), channel(1), TOKEN, group(8), block(10), tile(4)]


def coarse(count, seed, steps=64):
    return [round(v * steps) / steps for v in noise(count, seed)]


def given_params(config, scales, zero_points=(), offsets=()):
    """What definitions.quantize takes."""
    o = Options(config)
    first = -GREATEST[o.format] - 1 if o.offset else 0
    zeros = zero_points or [first] * len(scales)
    return list(zip(map(F32, scales), zeros, map(F32, offsets or [0] * len(scales))))


def case(name, config, shape, values, *, training=None, given=None, dy=None, range=None,
         source="the definition"):
    """given: (scale, zero point, offset) of each segment; without, they are found, and dy is
    0 but for one element of a segment. range: what `given` is made of by bnq_range_params."""
    training = training or {}
    fake = Fake(config, training, shape, values, given)
    entry = {"name": name, "source": source, "config": config, "training": training,
             "shape": list(shape), "input": listed(values), "given": given is not None}
    if range is not None:
        entry["range"] = listed(range)
    entry.update(scales=bits_of(fake.scales), zero_points=list(fake.zero_points),
                 offsets=bits_of(fake.offsets), values=bits_of(fake.values()),
                 clipped=[int(side != 0) for side in fake.beyond])
    if "codebook" in config["format"]:
        return entry  # has no gradient
    if dy is None:
        dy = coarse(len(values), len(name), 16)
        for own in fake.own if given is None or "noise" in training else []:
            for n, i in enumerate(own):
                dy[i] = dy[i] or 0.25
                if n != len(own) // 2:
                    dy[i] = 0.0
    dx, scales, shifts, ends, slope = fake.gradient(dy)
    entry.update(dy=listed(dy), dx=bits_of(dx), scale_gradients=bits_of(scales),
                 shift_gradients=bits_of(shifts), end_gradients=bits_of(ends),
                 slope_gradient=bits_of([slope])[0])
    return entry


def of_formats():
    """Parameters that are found."""
    formats = {**SCALED, "f16": F16, "bf16": BF16, "codebook4": {"format": "codebook4"}}
    for n, (name, config) in enumerate(formats.items()):
        for m in (n % 7, (n + 3) % 7):
            sharing = SHARING[m]
            values = coarse(4 * 9, 10 * n + m)
            label = "_".join(sharing.values())
            yield case(f"{name}_{label}", {**config, **sharing}, [4, 9], values)
    for name, options in {
            "half_up": {"rounding": "half_up"},
            "stochastic": {"rounding": "stochastic", "seed": "5"},
            "full": {"symmetric_range": "full"}, "extreme": {"symmetric_range": "extreme"},
            "half_scales": {"scale_dtype": "f16"}, "clip": {"clip": "0.75"},
            "percentile": {"scale_rule": "percentile", "percentile": "80"}}.items():
        yield case(f"int4_{name}", {**INT4, **channel(0), **options}, [3, 11],
                   coarse(33, len(name)))
    values = coarse(4 * 9, 77)
    values[5] = values[23] = -5.5
    yield case("int8_outliers", {**INT8, **TOKEN, "outlier_threshold": "4"}, [4, 9], values)
    yield case("rank_3", {**INT4_ASYMMETRIC, **channel(1)}, [2, 3, 4], coarse(24, 78))
    yield case("zeros", {**INT8, **channel(0)}, [2, 4], [0.0] * 4 + coarse(4, 79))


#: Powers of two, so that sums of gradients are exact; some codes are clipped.
GIVEN = {
    "int4": ({**INT4, **channel(0)}, [0.125, 0.25, 0.0625], (), ()),
    "int2_full": ({**INT2, **group(7), "symmetric_range": "full"}, [0.5, 1, 0.25] * 2, (), ()),
    "int8_asymmetric": ({**INT8_ASYMMETRIC, **TENSOR}, [0.0078125], [100], ()),
    "int4_offset": ({**INT4, **channel(0), "scheme": "offset"}, [0.125, 0.25, 0.0625], (),
                    [-1.0, -1.5, 0.25]),
    "ternary": ({**TERNARY, **TENSOR}, [0.5], (), ()),
    "e4m3": ({**E4M3, **channel(0)}, [2**-9, 2**-8, 2**-10], (), ()),
}


def of_gradients():
    for n, (name, (config, scales, zero_points, offsets)) in enumerate(GIVEN.items()):
        values = coarse(42, 200 + n)
        params = given_params(config, scales, list(zero_points), list(offsets))
        for m, estimator in enumerate(("clipped", "straight_through", "soft", "slope")):
            training = {"estimator": estimator}
            if estimator == "slope":
                training["slope"] = "0.25"
            if estimator == "soft":
                training["width"] = "0.75"
            if (n + m) % 2:
                training["gradient_factor"] = "on"
            yield case(f"{name}_{estimator}", config, [3, 14], values, training=training,
                       given=params)
    values = coarse(42, 300)
    values[8] = 6.0
    config = {**INT4, **TOKEN, "outlier_threshold": "5"}
    yield case("outliers_pass", config, [3, 14], values,
               given=given_params(config, [0.125, 0.25, 0.125]))
    # Ties round to even: 7.5 would be 8, which there is not.
    config = {**INT4, **TENSOR}
    yield case("ties", config, [6], [7.5, 7.49609375, -7.5, 6.5, -8.0, 7.0],
               given=given_params(config, [1.0]), dy=[1.0, 2.0, 4.0, 8.0, 16.0, 32.0])


def of_pact():
    """A clipping level is learned: the range is 0 to it."""
    for name, config, level in (("4_bits", {**INT4_ASYMMETRIC, **TENSOR}, 1.875),
                                ("8_bits", {**INT8_ASYMMETRIC, **TENSOR}, 1.9921875 / 2),
                                ("2_bits_offset", {**INT2, **TENSOR, "scheme": "offset"}, 1.5)):
        o = Options(config)
        scale, zero_point, offset = parameters(np.array([0, level], F32), o)
        params = [(stored_scale(scale, "f32", 1), zero_point, offset)]
        yield case(f"pact_{name}", config, [2, 13], [abs(v) for v in coarse(26, 310)],
                   given=params, range=[0, level])


def of_softening():
    config, shape, values = {**INT4, **channel(0)}, [3, 14], coarse(42, 400)
    params = given_params(config, [0.125, 0.25, 0.0625])
    for name, training in {
            "temperature": {"temperature": "0.25"}, "as_they_are": {"temperature": "1"},
            "some": {"probability": "0.5", "seed": "3"}, "none": {"probability": "0"},
            "some_in_part": {"probability": "0.5", "temperature": "0.5", "seed": "4"},
            "a_layer": {"probability": "0.5", "probability_of": "layer", "seed": "3"},
            "no_layer": {"probability": "0.5", "probability_of": "layer", "seed": "1"},
            "uniform": {"noise": "uniform", "seed": "9"},
            "gaussian": {"noise": "gaussian", "noise_amount": "0.5", "seed": "9"},
            "some_uniform": {"noise": "uniform", "probability": "0.75", "temperature": "0.125",
                             "seed": "123456789012"},
            "uniform_straight": {"noise": "uniform", "estimator": "straight_through"}}.items():
        yield case(f"softened_{name}", config, shape, values, training=training, given=params)
    config = {**INT4_ASYMMETRIC, **group(5)}
    yield case("softened_groups", config, shape, values, training={"noise": "gaussian"})
    config = {**INT8, **TOKEN, "outlier_threshold": "1.75"}
    yield case("softened_outliers", config, shape, values, training={"noise": "uniform"})
    yield case("softened_nf4", {**NF4, **TENSOR}, shape, values, training={"temperature": "0.5"})


def cases():
    found = [*of_formats(), *of_gradients(), *of_pact(), *of_softening()]
    names = [entry["name"] for entry in found]
    assert len(set(names)) == len(names)
    clipped = [entry for entry in found if any(entry["clipped"])]
    assert len(clipped) > len(found) / 2
    return found


SCHEDULES = {
    "by_steps": ([{"bits": 8, "steps": 2}, {"bits": 4, "steps": 1}, {"bits": 1.58, "steps": 2}],
                 [(1.0, None), (None, None), (2.0, 0.5), (1.0, 0.5), (1.0, 0.5), (1.0, 0.5)]),
    "by_loss": ([{"bits": 6, "patience": 2, "improvement": 0.125}, {"bits": 2}],
                [(1.0, None), (0.9375, None), (0.875, None), (0.75, None), (None, None),
                 (0.75, None), (-3.0, None), (0.75, None), (0.8125, None), (1.0, None)]),
    "losses_below_0": ([{"bits": 5, "patience": 1, "improvement": 0.5}, {"bits": 3}],
                       [(-1.0, None), (-1.5625, None), (-2.0, None), (-5.0, None)]),
    "by_error": ([{"bits": 16, "max_error": 0.0625}, {"bits": 1, "max_error": 0.5}],
                 [(None, 0.125), (None, None), (None, 0.0625), (1.0, 0.75), (1.0, 0.25),
                  (1.0, 0.25)]),
    "soft_to_hard": ([{"bits": 4, "steps": 4, "temperature_begin": 1, "share_begin": 0.25,
                       "share_end": 0.75},
                      {"bits": 2, "steps": 3, "layers_begin": 0.25, "temperature_end": 0.5},
                      {"bits": 32}], [(1.0, None)] * 9),
    "layer_by_layer": ([{"bits": 1.58, "steps": 5, "layers_begin": 0}], [(None, None)] * 6),
    "without_steps": ([{"bits": 4, "patience": 1, "temperature_begin": 1, "layers_end": 0.5}],
                      [(1.0, None), (1.0, None)]),
}


def schedule_cases():
    found = []
    for name, (phases, steps) in SCHEDULES.items():
        assert all(set(phase) <= set(PHASE_DEFAULTS) for phase in phases)
        schedule, layers = Schedule(phases), 4
        states, ended = [schedule.state(layers)], []
        for loss, error in steps:
            ended.append(bool(schedule.step(loss, error)))
            states.append(schedule.state(layers))
        found.append({
            "name": name, "source": "the definition",
            "phases": [{key: str(value) for key, value in phase.items()} for phase in phases],
            "steps": [{"loss": loss, "error": error} for loss, error in steps],
            "ended": ended, "states": states})
    return found
