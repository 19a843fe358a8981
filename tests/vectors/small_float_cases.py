"""Cases of the formats whose codes are small floats, and of binary.

SPDX-License-Identifier: MIT
"""
import numpy as np

from common import (BINARY, E2M1, E4M3, E5M2, TENSOR, TOKEN, block, case, channel, group, noise,
                    rough, with_neighbours)
from definitions import F32, FLT_MAX, FLT_MIN, FLT_TRUE_MIN
from small_floats import FLOATS

OFF = {"saturate": "off"}
DOWN = {"rounding": "half_toward_zero"}


def percentile(percent):
    return {"scale_rule": "percentile", "percentile": str(percent)}


def signed_byte(code):
    return code - 256 if code >= 128 else code


def tables_by_hand():
    magnitudes = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    values = [float(v) for v in magnitudes] + [-float(v) for v in magnitudes]
    case("e2m1_table", {**E2M1, **TENSOR}, [16], values,
         "by hand: the table of OCP MX 1.0, 5.3.3; the even element in the low half",
         {"codes": list(range(16)), "scales": [1.0], "dequantized": values,
          "packed": "1032547698badcfe"})
    # Halfway between two numbers the one whose last bit is 0.
    middles = with_neighbours([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5])
    case("e2m1_ties", {**E2M1, **TENSOR}, [43], [6] + middles + [-v for v in middles],
         "by hand: ties to even",
         {"codes": [7] + [s | c for s in (0, 8) for c in (
             0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6, 6, 6, 7)]})
    codes = [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7]
    case("e2m1_ties_toward_zero", {**E2M1, **TENSOR, **DOWN}, [44],
         [6] + middles + [-v for v in middles] + [-0.0],
         "by hand: ties to the number nearer 0, and never -0",
         {"codes": [7] + codes + [c | 8 * (c > 0) for c in codes] + [0]})
    case("e4m3_by_hand", {**E4M3, **TENSOR}, [13],
         [448, 1, -1, 2.0**-6, 0.875 * 2.0**-6, 2.0**-9, -(2.0**-9), 2.0**-10, 1.5 * 2.0**-9,
          0, -0.0, 240, 17],
         "by hand, OFP8 table 1: greatest, one, least normal, greatest and least subnormal; "
         "half the least and 17 (16 and 18) are ties, to even",
         {"packed": "7e38b808070181" + "0002" + "0080" + "7758", "scales": [1.0]})
    case("e5m2_by_hand", {**E5M2, **TENSOR}, [13],
         [57344, 1, -1, 2.0**-14, 0.75 * 2.0**-14, 2.0**-16, -(2.0**-16), 2.0**-17,
          1.5 * 2.0**-16, 0, -0.0, 448, 9],
         "by hand, OFP8 table 1: greatest, one, least normal, greatest and least subnormal; "
         "half the least and 9 (8 and 10) are ties, to even",
         {"packed": "7b3cbc04030181" + "0002" + "0080" + "5f48", "scales": [1.0]})
    for name, config in (("e4m3", E4M3), ("e5m2", E5M2)):
        type = FLOATS[name]
        codes = [c | s for c in range(type.greatest + 1) for s in (0, 0x80)]
        case(f"{name}_every_number", {**config, **TENSOR}, [len(codes)],
             list(type.decode(codes)), "by hand: every number has its own code",
             {"codes": [signed_byte(c) for c in codes], "scales": [1.0],
              "packed": bytes(codes).hex()})
        between = np.array([(a + b) / 2 for a, b in zip(type.numbers[:type.greatest],
                                                        type.numbers[1:])], F32)
        case(f"{name}_ties", {**config, **TENSOR}, [1 + len(between)],
             [type.numbers[type.greatest]] + [v * (-1)**i for i, v in enumerate(between)],
             "by hand: halfway between two codes is the even one",
             {"codes": [signed_byte(c) for c in [type.greatest] + [
                 (i + i % 2) | 0x80 * (i % 2) for i in range(len(between))]]})
        case(f"{name}_ties_toward_zero", {**config, **TENSOR, **DOWN}, [1 + len(between)],
             [type.numbers[type.greatest]] + [v * (-1)**i for i, v in enumerate(between)],
             "by hand: halfway between two codes is the lower one",
             {"codes": [signed_byte(c) for c in [type.greatest] + [
                 i | 0x80 * (i % 2) for i in range(len(between))]]})


def saturation():
    # The percentile makes the scale 1, though greater values are there.
    x = [448, 1, 464, np.nextafter(F32(464), F32(999)), 480, 1e9, -464, -465]
    e4m3 = {**E4M3, **TENSOR, **percentile(25)}
    case("e4m3_saturates", e4m3, [8], x, "by hand: what is beyond 448 is 448",
         {"packed": "7e387e7e7e7efefe", "scales": [1.0]})
    case("e4m3_ties_toward_zero_do_not_saturate", {**e4m3, **OFF, **DOWN}, [8], x,
         "by hand: beyond 464 is NaN", {"packed": "7e387e7f7f7ffeff", "scales": [1.0]})
    case("e4m3_does_not_saturate", {**e4m3, **OFF}, [8], x,
         "by hand: beyond the tie 464, which is rounded to 448, is NaN",
         {"packed": "7e387e7f7f7ffeff", "scales": [1.0]})
    x = [57344, 1, 61440, np.nextafter(F32(61440), F32(0)), 65536, -61440, 2.0**90, 2]
    e5m2 = {**E5M2, **TENSOR, **percentile(37.5)}
    case("e5m2_saturates", e5m2, [8], x, "by hand: what is beyond 57344 is 57344",
         {"packed": "7b3c7b7b7bfb7b40", "scales": [1.0]})
    case("e5m2_ties_toward_zero_do_not_saturate", {**e5m2, **OFF, **DOWN}, [8], x,
         "by hand: the tie 61440 is 57344", {"packed": "7b3c7b7b7cfb7c40", "scales": [1.0]})
    case("e5m2_does_not_saturate", {**e5m2, **OFF}, [8], x,
         "by hand: from the tie 61440 on, which is rounded to even, is infinity",
         {"packed": "7b3c7c7b7cfc7c40", "scales": [1.0]})
    case("e2m1_saturates", {**E2M1, **TENSOR, **percentile(20)}, [5],
         [6, 7, 8, -2.0**40, 1e4], "by hand: there is nothing beyond 6",
         {"codes": [7, 7, 7, 15, 7], "scales": [1.0]})
    for name, config in (("e4m3", E4M3), ("e5m2", E5M2)):
        case(f"{name}_unsaturated_groups", {**config, **group(16), **percentile(60), **OFF},
             [2, 40], noise(80, 200))
        case(f"{name}_unsaturated_absmax", {**config, **group(8), **OFF}, [2, 20], noise(40, 201),
             "the definition; nothing is beyond the greatest, so nothing is lost")


def extremes():
    for name, config in (("e2m1", E2M1), ("e4m3", E4M3), ("e5m2", E5M2)):
        case(f"{name}_max_float", {**config, **TENSOR}, [4],
             [FLT_MAX, -FLT_MAX, FLT_MAX / F32(3), 1])
        case(f"{name}_max_float_bf16_scale", {**config, **TENSOR, "scale_dtype": "bf16"}, [3],
             [FLT_MAX, -FLT_MAX, 1],
             "the definition: a scale that is rounded up must not let a value overflow")
        case(f"{name}_least_scale", {**config, **TENSOR}, [5],
             [FLT_MIN * 3, -FLT_MIN, FLT_MIN / F32(2), -FLT_TRUE_MIN, FLT_MIN * F32(0.3)],
             "the definition: the scale is raised to the least normal float32; the sign stays")
        case(f"{name}_odd_tail", {**config, **block(4)}, [3, 3], noise(9, 202))
        case(f"{name}_negative_zero_among_others", {**config, **group(3)}, [6],
             [-0.0, 0, 1, -0.0, 0, -0.0], "the definition; the sign of 0 stays")
        for percent in (90, 50):
            case(f"{name}_percentile_{percent}", {**config, **group(20), **percentile(percent)},
                 [2, 50], noise(100, 203), "the definition; what is beyond the scale is clipped")


def binary():
    case("binary_by_hand", {**BINARY, **TENSOR}, [8], [1, -1, -3, 0.5, 0.5, 1, -0.5, -0.5],
         "by hand: the mean is 1; the first in the lowest bit",
         {"codes": [1, -1, -1, 1, 1, 1, -1, -1], "scales": [1.0], "packed": "39"})
    case("binary_zeros_are_positive", {**BINARY, **TENSOR}, [2, 5],
         [0, -0.0, 4, -4, 0, -1, -0.0, 0, 0, 1],
         "by hand: sign(0) is 1, of -0 too; rows start on a byte",
         {"codes": [1, 1, 1, -1, 1, -1, 1, 1, 1, 1], "scales": [1.0], "packed": "171e"})
    case("binary_subnormals_have_signs", {**BINARY, **TENSOR}, [3],
         [-FLT_TRUE_MIN, FLT_TRUE_MIN, -FLT_MIN], "by hand: below 0 is below 0",
         {"codes": [-1, 1, -1], "scales": [FLT_MIN]})
    case("binary_max_float", {**BINARY, **TENSOR}, [3], [FLT_MAX, -FLT_MAX, FLT_MAX],
         "by hand: the sum exceeds a float32, the mean does not", {"scales": [FLT_MAX]})
    for rule in ("absmean", "absmax"):
        case(f"binary_{rule}", {**BINARY, **group(5), "scale_rule": rule}, [2, 12],
             noise(24, 204))
    case("binary_absmax_by_hand", {**BINARY, **TENSOR, "scale_rule": "absmax"}, [3],
         [0.5, -2, 1], "by hand: the greatest |x|", {"codes": [1, -1, 1], "scales": [2.0]})
    case("binary_percentile", {**BINARY, **group(20), **percentile(60)}, [2, 50],
         noise(100, 205))
    case("binary_rough_absmax", {**BINARY, **group(32), "scale_rule": "absmax"}, [2, 65],
         rough(130, 206))
    for columns in (1, 7, 8, 9, 17):
        case(f"binary_columns_{columns}", {**BINARY, **TENSOR}, [3, columns],
             noise(3 * columns, 207), "the definition; each row starts on a byte")
    case("binary_channels_of_rank_4", {**BINARY, **channel(1)}, [2, 3, 2, 5], noise(60, 208))
    case("binary_tokens", {**BINARY, **TOKEN}, [2, 3, 9], noise(54, 209))


def add():
    for cases in (tables_by_hand, saturation, extremes, binary):
        cases()
