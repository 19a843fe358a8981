"""Post-training quantization: the calibrator that suits a config, the parameters it
finds in batches, and arrays quantized with these.

SPDX-License-Identifier: MIT
"""
from fractions import Fraction

import calibration_cases
import calibration_definitions as calibration
import definitions
import tables
from calibration_cases import flat, with_tail
from common import channel, listed, noise, with_neighbours
from definitions import F32

CASES = []

#: Bits of a code: what a calibrator for the format assumes.
BITS = {"ternary": "2", "int8": "8", "int4": "4", "nf4": "4", "fp4": "4"}


def calibrator_options(config, method):
    """Those that follow from a config; the others are at their defaults."""
    o = definitions.Options(config)
    assert o.granularity in ("tensor", "channel")
    return {"method": method, "granularity": o.granularity, "axis": o.axis,
            "scheme": "asymmetric" if o.offset else o.scheme, "bits": BITS[o.format]}


def ranges(options, batches):
    """The ends of the range of each channel of (shape, values)."""
    o = calibration.Options(options)
    who = definitions.Options({"granularity": o.granularity, "axis": o.axis})
    count, _ = definitions.segments(batches[0][0], who)
    seen = [[] for _ in range(count)]
    for shape, values in batches:
        _, owner = definitions.segments(shape, who)
        for c, own in enumerate(seen):
            own.append([Fraction(float(v)) for v, i in zip(values, owner) if i == c])
    found = [calibration.find_range(own, o) for own in seen]
    return [lo for lo, _, _ in found], [hi for _, hi, _ in found]


def clamped(values, shape, o, given):
    """How many values a code beyond the last one would be nearer to."""
    x, count = definitions.prepared(values, o), 0
    _, segment = definitions.segments(shape, o)
    for i, v in enumerate(x):
        scale, zero_point, offset = given[segment[i]]
        # The reciprocal is float32, too, and so is the product.
        v = float(definitions.scaled(v - offset, scale))
        if o.format in tables.TABLES:
            count += abs(v) > 1 + 2.0**-22
            continue
        q = 1 if o.format == "ternary" else definitions.GREATEST[o.format]
        least = -q - 1 if o.scheme != "symmetric" or o.symmetric_range != "narrow" else -q
        code = round(v)  # halves to even
        count += not least - zero_point <= code <= q - zero_point
    return count


def case(name, config, method, batches, shape, values, source="the definition", hand=None):
    """Adds a case: batches are (shape, values); the array of `values` is quantized."""
    o = definitions.Options(config)
    options = calibrator_options(config, method)
    lows, highs = ranges(options, batches)
    found = calibration_cases.params(config, lows, highs)
    scales = [F32(definitions.from_bits(bits)) for bits in found["scales"]]
    # Under an offset codes count from the least.
    zero_points = found["zero_points"] or \
        [-definitions.GREATEST[o.format] - 1 if o.offset else 0] * len(scales)
    offsets = [F32(definitions.from_bits(bits)) for bits in found.get("offsets", [])]
    given = list(zip(scales, zero_points, offsets or [F32(0)] * len(scales)))
    result = definitions.quantize(config, shape, values, given)
    assert result["scales"] == found["scales"]
    entry = {
        "name": name, "source": source, "config": config, "method": method,
        "batches": [{"shape": list(s), "input": listed(v)} for s, v in batches],
        "calibrator": options, "scales": found["scales"], "zero_points": found["zero_points"],
        "offsets": found.get("offsets", []),
        "shape": list(shape), "input": listed(values), "codes": result["codes"],
        "dequantized": result["dequantized"],
        "clamped": clamped(values, shape, o, given),
    }
    for key, expected in (hand or {}).items():
        assert entry[key] == expected, (name, key, entry[key], expected)
    assert name not in (c["name"] for c in CASES), name
    CASES.append(entry)


TENSOR = {"granularity": "tensor"}
ASYMMETRIC = {"scheme": "asymmetric"}
OFFSET = {"scheme": "offset"}


def add():
    # Bell-shaped with a tail, which searches cut off, and an array that reaches beyond.
    tail = with_tail(121, 280, [7.5, -9, 11, 30])
    batches = flat(tail[:50], tail[50:])
    probe = noise(20, 283) + [31.5, -33, 8, -8.5, 0, 2.0**-100]
    for method in ("minmax", "percentile", "kl", "mse"):
        for name in ("int8", "int4"):
            for scheme in ({}, ASYMMETRIC):
                suffix = f"{name}_{scheme.get('scheme', 'symmetric')}"
                # The definition of mse tries all pairs of ends: of one sign they are few.
                positive = method == "mse" and scheme
                case(f"{method}_{suffix}", {"format": name, **TENSOR, **scheme}, method,
                     flat(*([abs(v) for v in values] for _, values in batches))
                     if positive else batches, [26], probe)
    for name in ("ternary", "nf4", "fp4"):
        for method in ("minmax", "mse"):
            case(f"{method}_{name}", {"format": name, **TENSOR}, method, batches, [26], probe)
    for method in ("moving_average", "adaptive"):
        case(f"{method}_int8", {"format": "int8", **TENSOR, **ASYMMETRIC}, method,
             flat([-1, 1], [-3, 2], [0, 0.5]), [6], [-4, -1, 0, 0.25, 1, 2])
    for name in ("int8", "int4"):
        case(f"minmax_{name}_offset", {"format": name, **TENSOR, **OFFSET}, "minmax",
             flat([3, 4.5], [7.5, 5]), [6], [2, 3, 3.75, 7.5, 9, -1])
    case("mse_int4_offset", {"format": "int4", **TENSOR, **OFFSET, "scale_dtype": "f16"}, "mse",
         flat(*([abs(v) for v in values] for _, values in batches)), [26], probe)
    case("channels_int4_offset", {"format": "int4", **channel(0), **OFFSET}, "minmax",
         [([3, 20], noise(60, 290))], [3, 20], [2 * v for v in noise(60, 291)])
    case("by_hand_offset", {"format": "int4", **TENSOR, **OFFSET}, "minmax", flat([-3, 12]),
         [5], [-3, 12, 0, 13, -4],
         hand={"codes": [-8, 7, -5, 7, -8], "offsets": ["C0400000"], "clamped": 2})
    # 5 lies a range beyond the last code.
    case("by_hand", {"format": "int8", **TENSOR}, "minmax", flat([0.5, -1, 2.5]),
         [4], [2.5, -2.5, 0, 5], hand={"codes": [127, -127, 0, 127], "clamped": 1})
    for axis in (0, 1, -1):
        for config in ({"format": "int8"}, {"format": "int4", **ASYMMETRIC}):
            scheme = config.get("scheme", "symmetric")
            case(f"channels_of_axis_{axis}_{config['format']}_{scheme}",
                 {**config, **channel(axis)}, "minmax", [([3, 20], noise(60, 290))],
                 [3, 20], [2 * v for v in noise(60, 291)])
    # The array may have more rows than the batches, the channels are the columns.
    case("channels_mse_int4", {"format": "int4", **channel(-1), **ASYMMETRIC}, "mse",
         [([101, 2], [abs(v) for v in with_tail(202, 266, [9, -12])])],
         [4, 2], [1, -1, 9, 2, -2, -11, 0.5, 0])
    for range_ in ("full", "extreme"):
        case(f"symmetric_range_{range_}", {"format": "int4", **TENSOR, "symmetric_range": range_},
             "minmax", flat([-1.5, 3]), [6], [3, -3, 3.5, -3.5, 0.25, -0.4375])
    for dtype in ("f16", "bf16"):
        case(f"scale_dtype_{dtype}", {"format": "int8", **TENSOR, "scale_dtype": dtype}, "minmax",
             flat([-1.125, 0.3125]), [5], [1.125, -1.125, 0.5, -0.0625, 1.15625])
    case("zeros", {"format": "int8", **TENSOR}, "minmax", flat([0, 0]), [3], [0, 1, -1],
         hand={"scales": ["00000000"], "codes": [0, 0, 0], "clamped": 0})
    # Where a code begins and where one is clamped, and the float32 beside it.
    case("next_to_the_last_code", {"format": "int8", **TENSOR}, "minmax", flat([127.0]),
         [12], with_neighbours([127.5, -127.5, 126.5, 1.5]), hand={"scales": ["3F800000"]})


def cases():
    if not CASES:
        add()
    return CASES
