"""Batches of values, and the ranges, statistics and parameters they give.

SPDX-License-Identifier: MIT
"""
import math
from fractions import Fraction

import numpy as np

import calibration_definitions as calibration
import definitions
from common import listed, noise
from definitions import F32, FLT_MAX, FLT_MIN, FLT_TRUE_MIN, float_bits

CASES = []

ASYMMETRIC = {"scheme": "asymmetric"}
EVERYTHING = {"moments": "on", "histogram": "on", "bins": "64"}
PARAMS = (
    {"format": "int8"}, {"format": "int4"},
    {"format": "int8", "scheme": "asymmetric"}, {"format": "int4", "scheme": "asymmetric"},
    {"format": "int8", "symmetric_range": "full"}, {"format": "int4", "symmetric_range": "full"},
    {"format": "int4", "symmetric_range": "extreme"},
    {"format": "int8", "scale_dtype": "f16"},
    {"format": "int8", "scheme": "asymmetric", "scale_dtype": "bf16"},
)


def channel(axis):
    return {"granularity": "channel", "axis": str(axis)}


def params(config, lows, highs):
    """What the format makes of ranges: the same as of arrays of their two ends."""
    o = definitions.Options(config)
    scales, zero_points, offsets = [], [], []
    for lo, hi in zip(lows, highs):
        scale, zero_point, offset = definitions.parameters(
            np.array([float(lo), float(hi)], F32), o)
        steps = definitions.greatest_multiple(zero_point, o)
        scales.append(float_bits(definitions.stored_scale(F32(scale), o.scale_dtype, steps)))
        zero_points.append(zero_point)
        offsets.append(float_bits(definitions.stored_offset(offset, o.scale_dtype)))
    return {"config": config, "scales": scales,
            "zero_points": zero_points if o.asymmetric else [],
            **({"offsets": offsets} if o.offset else {})}


def case(name, options, batches, configs=PARAMS[:4], source="the definition", hand=None):
    """Adds a case. `batches` are (shape, values); `hand` has parts of the result."""
    o = calibration.Options(options)
    rank = len(batches[0][0])
    axis = int(o.axis) % rank if o.granularity == "channel" else None
    channels = 1 if axis is None else batches[0][0][axis]
    seen = [[] for _ in range(channels)]  # of each channel the batches
    non_finite = [0] * channels
    for shape, values in batches:
        assert len(values) == math.prod(shape)
        assert all(math.isnan(v) or float(F32(v)) == v for v in values), "not float32"
        for own in seen:
            own.append([])
        inner = math.prod(shape[axis + 1:]) if axis is not None else 0
        for i, v in enumerate(values):
            c = i // inner % channels if inner else 0
            if math.isfinite(v):
                seen[c][-1].append(Fraction(float(v)))
            else:
                assert o.non_finite == "skip"
                non_finite[c] += 1

    result = {"lo": [], "hi": [], "statistics": [], "histograms": []}
    outliers = 0
    for c in range(channels):
        x = [v for batch in seen[c] for v in batch]
        lo, hi, beyond = calibration.find_range(seen[c], o)
        for key, value in (("lo", lo), ("hi", hi)):
            assert Fraction(float(F32(float(value)))) == value, (name, "not a float32")
            result[key].append(float(value))
        result["statistics"].append(
            calibration.statistics(x, non_finite[c], beyond, o))
        outliers += beyond
        if o.keeps_histogram:
            h = calibration.histogram(x, int(o.bins))
            result["histograms"].append({"first": float(h.edge(0)), "width": float(h.width),
                                         "counts": h.counts})
    together = [v for own in seen for batch in own for v in batch]
    result["all_channels"] = calibration.statistics(together, sum(non_finite), outliers, o)
    result["params"] = [params(config, result["lo"], result["hi"]) for config in configs]
    for key, expected in (hand or {}).items():
        got = result["statistics"][0][key] if key in result["statistics"][0] else result[key]
        assert got == expected, (name, key, got, expected)
    assert name not in (entry["name"] for entry in CASES), name
    CASES.append({
        "name": name, "source": source, "options": options,
        "batches": [{"shape": list(shape), "input": listed(values)} for shape, values in batches],
        **result})


def flat(*batches):
    return [([len(values)], list(values)) for values in batches]


def with_tail(count, seed, tail):
    """Bell-shaped, and some values far out."""
    return noise(count - len(tail), seed) + list(tail)


def add_plain():
    three = flat([0.5, -1, 0.25], [2, 0], [-0.125])
    case("minmax", {"method": "minmax"}, three, PARAMS,
         hand={"lo": [-2.0], "hi": [2.0]})
    case("minmax_asymmetric", ASYMMETRIC, three, PARAMS,
         source="PyTorch's MinMaxObserver: [-1, 2] is 3/255, -43",
         hand={"lo": [-1.0], "hi": [2.0],
               "params": [params(config, [-1.0], [2.0]) for config in PARAMS]})
    assert CASES[-1]["params"][2] == {"config": PARAMS[2], "scales": [float_bits(3 / 255)],
                                      "zero_points": [-43]}
    case("minmax_everything", {**EVERYTHING, **ASYMMETRIC},
         flat(noise(100, 200), noise(57, 201)), PARAMS)
    case("moments_by_hand", {"moments": "on"}, flat([1, 2], [3, -4, 0, 0, 5, 1]),
         hand={"count": 8.0, "min": -4.0, "max": 5.0, "mean": 1.0, "variance": 6.0,
               "absmax": 5.0, "absmean": 2.0, "zero_share": 0.25})
    case("constant", {**EVERYTHING, **ASYMMETRIC}, flat([5, 5, 5]),
         source="PyTorch's observers: 5/255, 0 of uint8",
         hand={"lo": [5.0], "hi": [5.0], "variance": 0.0, "skewness": "nan"})
    case("all_zero", EVERYTHING, flat([0.0, -0.0], [0.0]), PARAMS,
         hand={"lo": [0.0], "hi": [0.0], "zero_share": 1.0, "absmax": 0.0})
    case("positive", {"method": "minmax", **ASYMMETRIC}, flat([3, 1.5], [2, 6]),
         hand={"lo": [1.5], "hi": [6.0]})
    case("negative", {"method": "minmax", **ASYMMETRIC}, flat([-3, -1.5]), PARAMS)
    case("one_value", {"method": "minmax", "moments": "on"}, [([], [-0.75])],
         hand={"count": 1.0, "mean": -0.75, "variance": 0.0})
    case("empty_batch", {}, flat([1, -3], [], [2]), hand={"hi": [3.0], "count": 3.0})
    case("subnormal", {**ASYMMETRIC, "histogram": "on", "bins": "64"},
         flat([float(FLT_TRUE_MIN), -float(FLT_TRUE_MIN), 0, float(FLT_MIN)]), PARAMS)
    case("max_float", {**ASYMMETRIC, "histogram": "on", "bins": "64"},
         flat([float(FLT_MAX), -float(FLT_MAX), 1]), PARAMS)
    case("skip_non_finite", {**EVERYTHING, "non_finite": "skip"},
         flat([math.nan, 1, math.inf, -2], [-math.inf, math.nan, 0, 0.5]),
         hand={"lo": [-2.0], "count": 4.0, "non_finite": 4.0})


def add_channels():
    values = noise(60, 210)
    for axis in (0, 1, 2, -1):
        case(f"channels_of_axis_{axis}", {**EVERYTHING, **channel(axis), **ASYMMETRIC},
             [([3, 4, 5], values)])
    case("channels_symmetric", {"method": "minmax", **channel(1)},
         [([2, 3], [1, 2, 3, -4, 0, 6]), ([1, 3], [0, -9, 0.5])],
         hand={"lo": [-4.0, -9.0, -6.0], "hi": [4.0, 9.0, 6.0]})
    case("channels_skip_non_finite", {**channel(0), **ASYMMETRIC, "non_finite": "skip"},
         [([2, 2], [math.nan, 1, 2, 3]), ([2, 1], [-1, math.inf])],
         hand={"lo": [-1.0, 2.0], "hi": [1.0, 3.0]})


def add_followers():
    batches = flat([-1, 1], [-3, 2], [0, 0.5], [-8, 16])
    case("moving_average", {"method": "moving_average", "averaging": "0.25"}, batches)
    case("moving_average_asymmetric",
         {"method": "moving_average", "averaging": "0.25", **ASYMMETRIC}, flat([-1, 1], [-3, 2]),
         hand={"lo": [-1.5], "hi": [1.25]})
    case("moving_average_default", {"method": "moving_average", **ASYMMETRIC},
         flat(*(noise(16, 220 + i) for i in range(8))))
    case("moving_average_overflow",
         {"method": "moving_average", "averaging": "0.5", **ASYMMETRIC},
         flat([float(FLT_MAX)], [-float(FLT_MAX)]), hand={"lo": [0.0], "hi": [0.0]})
    case("moving_average_channels",
         {"method": "moving_average", "averaging": "0.5", **channel(-1), **ASYMMETRIC},
         [([2, 2], [1, -1, 2, -2]), ([1, 2], [4, 4])],
         hand={"lo": [2.5, 1.0], "hi": [3.0, 1.5]})
    adaptive = {"method": "adaptive", "averaging": "0.5", "max_growth": "0.25",
                "max_shrink": "0.5", **ASYMMETRIC}
    case("adaptive", adaptive, flat([-1, 1], [-1.5, 1.25]), hand={"lo": [-1.25], "hi": [1.125]})
    case("adaptive_bounded_growth", adaptive, flat([-1, 1], [-100, 1]),
         hand={"lo": [-1.5], "hi": [1.0]})
    case("adaptive_bounded_shrink", adaptive, flat([-4, 4], [0, 0]),
         hand={"lo": [-2.0], "hi": [2.0]})
    case("adaptive_from_one_value", adaptive, flat([2], [-2, 6]), hand={"lo": [0.0], "hi": [4.0]})
    case("adaptive_ends_never_cross", {**adaptive, "averaging": "1", "max_shrink": "1"},
         flat([-1, 1], [8, 9], [8, 9]))
    case("adaptive_symmetric", {"method": "adaptive"},
         flat(*([s * v for v in noise(16, 230 + s)] for s in (1, 1, 4, 8, 1, 64, 1))))


def add_percentile():
    tail = with_tail(128, 240, [9.5, -13.25, 11, 12])
    half = {"method": "percentile", "bins": "64"}
    for percent in ("75", "90.3", "97.1", "100"):
        for scheme in ({}, ASYMMETRIC):
            case(f"percentile_{percent}_{scheme.get('scheme', 'symmetric')}",
                 {**half, "percentile": percent, **scheme}, flat(tail[:70], tail[70:]))
    case("percentile_default", {"method": "percentile"}, flat(noise(200, 241)))
    case("percentile_reached_exactly", {**half, "percentile": "75"},
         flat([1] * 32 + [5] * 64 + [64] * 32),
         hand={"hi": [5.0625], "lo": [-5.0625]})
    # One value that makes all others 0 in uniform bins; known to 1 / 64 all the same.
    for scheme in ({}, ASYMMETRIC):
        suffix = scheme.get("scheme", "symmetric")
        for outlier in (1e3, -1e30):
            case(f"percentile_outlier_{outlier:g}_{suffix}",
                 {**half, "percentile": "99", **scheme},
                 flat([v / 64 for v in noise(199, 244)], [float(F32(outlier)), 0, -0.0]))
    case("percentile_extremes", {**half, "percentile": "80", **ASYMMETRIC},
         flat([float(-FLT_MAX), float(FLT_TRUE_MIN), float(-FLT_TRUE_MIN), 0, 0, 1,
               float(F32(-2e-12))],
              [float(FLT_MIN), float(F32(1e-40)), float(F32(-1e-40)), float(FLT_MAX),
               float(F32(-1e-30)), float(F32(1e19))]))
    case("percentile_channels", {**half, "percentile": "87.5", **channel(0), **ASYMMETRIC},
         [([3, 16], noise(48, 242)), ([3, 5], [4 * v for v in noise(15, 243)])])
    case("percentile_of_a_constant", {**half, "percentile": "50", **ASYMMETRIC}, flat([3, 3, 3]),
         hand={"lo": [3.0], "hi": [3.0]})


def add_kl():
    kl = {"method": "kl", "bins": "64", "bits": "4"}
    tails = {"near": with_tail(501, 250, [2.5, -2.75, 3]),
             "far": with_tail(501, 253, [7.5, -9, 11, 30])}
    for name, values in tails.items():
        for variant in ("tensorrt", "onnxruntime"):
            for scheme in ({}, ASYMMETRIC):
                case(f"kl_{variant}_{name}_{scheme.get('scheme', 'symmetric')}",
                     {**kl, "kl_variant": variant, **scheme}, flat(values[:200], values[200:]))
    case("kl_levels", {**kl, "levels": "12"}, flat(tails["far"]))
    case("kl_positive", {**kl, **ASYMMETRIC}, flat([abs(v) for v in tails["far"]]))
    # Equal counts lose nothing: of equal divergences the last one wins.
    case("kl_equal_counts_stay", kl, flat([float(v) for v in range(64)]), hand={"hi": [63.0]})
    case("kl_few_bins", {"method": "kl", "bits": "8", "bins": "64"}, flat([1, 2, 3, -2]),
         hand={"lo": [-3.0], "hi": [3.0]})
    # Values so small that bins cannot be narrower: 8 of them, with these counts.
    tiny = [k * float(FLT_MIN) for k, n in zip(range(-4, 4), (1, 2, 4, 8, 8, 4, 2, 1))
            for _ in range(n)]
    case("kl_onnxruntime_by_hand", {**kl, "kl_variant": "onnxruntime", "levels": "4", **ASYMMETRIC},
         flat(tiny), source="ONNX Runtime's calibrate.py",
         hand={"lo": [-4 * float(FLT_MIN)], "hi": [3 * float(FLT_MIN)]})
    case("kl_channels", {**kl, **channel(0), **ASYMMETRIC},
         [([2, 301], tails["far"][-301:] + tails["near"][:301])])


def add_mse():
    mse = {"method": "mse", "bins": "64", "bits": "4"}
    values = with_tail(501, 260, [2.5, -2.75, 4])
    for variant in ("exhaustive", "pytorch"):
        for scheme in ({}, ASYMMETRIC):
            suffix = f"{variant}_{scheme.get('scheme', 'symmetric')}"
            options = {**mse, "mse_variant": variant, **scheme}
            case(f"mse_{suffix}", options, flat(values[:99], values[99:]))
            # PyTorch's search loses the last bin even of evenly spread values.
            case(f"mse_even_{suffix}", options,
                 flat([(i % 64 - 32) / 32 for i in range(2 * 64)] + [-1]),
                 source="PyTorch's HistogramObserver")
    case("mse_8_bits", {"method": "mse", "bins": "128"}, flat(noise(501, 265)))
    case("mse_levels", {**mse, "levels": "15", **ASYMMETRIC}, flat(values))
    case("mse_constant", {**mse, **ASYMMETRIC}, flat([-3, -3, -3]), hand={"lo": [-3.0]})
    case("mse_channels", {**mse, **channel(1), **ASYMMETRIC},
         [([101, 2], with_tail(202, 266, [9, -12])), ([100, 2], noise(200, 267))])


def add_outliers():
    # Mean 1 and variance 4, so that 2.5 deviations reach from -4 to 6.
    spread = [1 + v for v in ([2, -2] * 32 + [0] * 31 + [1, -1, 3, -3, 8, -8])]
    deviations = {"outliers": "deviations", "outlier_deviations": "2.5", "bins": "64"}
    tail = with_tail(129, 270, [9.5, -13.25, 11, 12])
    percentile = {"outliers": "percentile", "outlier_percentile": "97", "bins": "64"}
    for scheme in ({}, ASYMMETRIC):
        suffix = scheme.get("scheme", "symmetric")
        for method in ("minmax", "percentile", "kl", "mse"):
            options = {"method": method, "percentile": "95", "bits": "4", **scheme}
            # Several pairs of ends make the least error of these values.
            if method != "mse" or not scheme:
                case(f"outliers_beyond_deviations_{method}_{suffix}", {**options, **deviations},
                     flat(spread[:60], spread[60:]),
                     hand={"mean": 1.0, "variance": 4.0, "outliers": 2.0})
            case(f"outliers_beyond_percentile_{method}_{suffix}", {**options, **percentile},
                 flat(tail[:60], tail[60:]))
        for method in ("moving_average", "adaptive"):
            case(f"outliers_{method}_{suffix}",
                 {"method": method, "averaging": "0.5", **percentile, **scheme},
                 flat(tail[:100], tail[100:]))
    case("outliers_everywhere", {**channel(0), **percentile, "outlier_percentile": "80"},
         [([2, 40], noise(80, 271))])
    case("no_outliers", deviations, flat([1, -1, 1, -1]), hand={"outliers": 0.0, "hi": [1.0]})


def add():
    add_plain()
    add_channels()
    add_followers()
    add_percentile()
    add_kl()
    add_mse()
    add_outliers()


def cases():
    calibration.check()
    if not CASES:
        add()
    return CASES
