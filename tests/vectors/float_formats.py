"""Cases of nf4, fp4, f16 and bf16, and of how scales are stored.

SPDX-License-Identifier: MIT
"""
import numpy as np

import tables
from common import (BF16, F16, FP4, HALVES, INT4, INT8, NF4, SCALED, TENSOR, TERNARY,
                    TOKEN, block, case, channel, group, noise, rough, with_neighbours)
from definitions import F32, FLT_MAX, FLT_MIN, FLT_TRUE_MIN
from double_quant import MAP

DOUBLE = {"double_quant": "on"}


def percentile(percent):
    return {"scale_rule": "percentile", "percentile": str(percent)}


def four_bit_by_hand():
    x = [1, -1, 0, 0.5] + [0] * 60
    case("nf4_bitsandbytes", {**NF4, **block(64)}, [64], x,
         "by hand, as bitsandbytes: the first of two elements in the high half",
         {"packed": "f07c" + "77" * 30, "scales": [1.0]})
    case("fp4_bitsandbytes", {**FP4, **block(64)}, [64], x,
         "by hand, as bitsandbytes: the first of two elements in the high half",
         {"packed": "3b05" + "00" * 30, "scales": [1.0]})
    # The first element makes the scale 1, so the others are compared as they are.
    nf4 = with_neighbours(tables.NF4_THRESHOLDS)
    case("nf4_thresholds", {**NF4, **TENSOR}, [1 + len(nf4)], [1] + nf4,
         "by hand: a threshold and the next number below it have the code below, the next "
         "number above it has the one above",
         {"codes": [15] + [i + k for i in range(15) for k in (0, 0, 1)], "scales": [1.0]})
    fp4 = with_neighbours(tables.FP4_THRESHOLDS)
    order = [0, 1, 6, 7, 4, 5, 2, 3]
    codes = [order[i + k] for i in range(7) for k in (0, 0, 1)]
    case("fp4_thresholds", {**FP4, **TENSOR}, [1 + 2 * len(fp4)],
         [1] + fp4 + [-v for v in fp4],
         "by hand: thresholds apply to |x|; the sign of a value that becomes 0 stays",
         {"codes": [3] + codes + [8 + c for c in codes], "scales": [1.0]})
    case("fp4_subnormal_ratios", {**FP4, **TENSOR}, [5],
         [1, -FLT_MIN, -FLT_MIN / F32(2), -FLT_TRUE_MIN, FLT_TRUE_MIN],
         "by hand: the least normal number has its sign, smaller ones count as 0",
         {"codes": [3, 8, 0, 0, 0]})
    for name, config, table in (("nf4", NF4, tables.NF4), ("fp4", FP4, tables.FP4)):
        codes = [0 if name == "fp4" and c == 8 else c for c in range(16)]
        case(f"{name}_table", {**config, **TENSOR}, [16], list(table),
             "by hand: every value of the table; -0 is no negative number",
             {"codes": codes, "scales": [1.0]})
        case(f"{name}_negative_zero", {**config, **TENSOR}, [3], [-0.0, 2, 0],
             "by hand: -0 has the code of 0",
             {"codes": [7, 15, 7] if name == "nf4" else [0, 3, 0],
              "dequantized": ["00000000", 2.0, "00000000"]})
        case(f"{name}_zero_block", {**config, **block(4)}, [11],
             [0, 0, 0, 0, 1, -0.5, 0.25, 0, 0, -0.0, 0],
             "the definition; blocks of zeros, the last of them short")
        case(f"{name}_odd_tail", {**config, **block(4)}, [3, 3], noise(9, 150),
             "the definition; the last half is the code of 0")
        case(f"{name}_odd_rows", {**config, **group(2)}, [3, 3], noise(9, 151),
             "the definition; each row's last half is the code of 0")
        case(f"{name}_max_float", {**config, **TENSOR}, [4],
             [FLT_MAX, -FLT_MAX, FLT_MAX / F32(3), 1])
        case(f"{name}_reciprocals", {**config, **group(6)}, [3, 6],
             [3, 1, -1, 2, -2, 0.25, 7, 1, 2, -3, 4, 5, 0.7109375, 0.5, -0.25, 0.125, 0.625,
              0.0625], "the definition; a multiplication by 1 / scale, not a division")
        case(f"{name}_bitsandbytes_blocks", {**config, **block(64)}, [3, 100],
             rough(300, 152), "the definition, as bitsandbytes; the last block is short")
        for percent in (90, 50):
            case(f"{name}_percentile_{percent}", {**config, **group(20), **percentile(percent)},
                 [2, 50], noise(100, 153),
                 "the definition; what is beyond the scale has the codes of the ends")
        case(f"{name}_absmax_by_name", {**config, **group(5), "scale_rule": "absmax"}, [13],
             noise(13, 154), "the definition; the rule by default")


TABLE = [  # float32 bits, binary16, bfloat16; of finite values that do not overflow
    ("477FEFFF", "7BFF", "4780"), ("33000000", "0000", "3300"),
    ("33000001", "0001", "3300"), ("33C00000", "0002", "33C0"),
    ("387FC000", "03FF", "3880"), ("3F801000", "3C00", "3F80"),
    ("3F803000", "3C02", "3F80"), ("3F808000", "3C04", "3F80"),
    ("3F808001", "3C04", "3F81"), ("3F818000", "3C0C", "3F82"),
    ("00018000", "0000", "0002"), ("80008000", "8000", "8000"),
]
OVERFLOWING = [("477FF000", "7C00", "4780"), ("7F7F7FFF", "7C00", "7F7F"),
               ("7F7F8000", "7C00", "7F80"), ("7F800000", "7C00", "7F80"),
               ("FF800000", "FC00", "FF80"), ("7FC00000", "7E00", "7FC0")]


def value_of(bits):
    return float(np.uint32(int(bits, 16)).view(F32))


def swapped(words):
    """Hexadecimal words in the order of their bytes."""
    return "".join((w[2:] + w[:2]).lower() for w in words)


def halves_by_hand():
    for name, config, column in (("f16", F16, 1), ("bf16", BF16, 2)):
        case(f"{name}_ggml", config, [len(TABLE)], [value_of(row[0]) for row in TABLE],
             "ggml, compiled: ties, subnormal numbers, the ends of the range",
             {"packed": swapped(row[column] for row in TABLE), "scales": [],
              "zero_points": []})
        rows = TABLE + OVERFLOWING
        case(f"{name}_keep", {**config, "non_finite": "keep"}, [len(rows)],
             [value_of(row[0]) for row in rows],
             "ggml, compiled: overflow, infinity and NaN, here kept",
             {"packed": swapped(row[column] for row in rows)})
    case("f16_limits", F16, [8],
         [65504, -65504, 2.0**-24, -(2.0**-24), 2.0**-14, 0.0, -0.0, 1023 * 2.0**-24],
         "by hand: the greatest, the least, the least normal, the greatest subnormal",
         {"packed": swapped(["7BFF", "FBFF", "0001", "8001", "0400", "0000", "8000", "03FF"])})
    case("bf16_limits", BF16, [5],
         [value_of("7F7F0000"), value_of("FF7F0000"), FLT_TRUE_MIN, -0.0, value_of("00010000")],
         "by hand: the greatest, an underflow to 0, the least",
         {"packed": swapped(["7F7F", "FF7F", "0000", "8000", "0001"])})
    case("f16_ties", F16, [16],
         [s * (2048 + i) for s in (1, -1) for i in range(8)],
         "by hand: above 2048 every second integer; odd ones are ties",
         {"dequantized": [float(s * v) for s in (1, -1)
                          for v in (2048, 2048, 2050, 2052, 2052, 2052, 2054, 2056)]})
    case("bf16_ties", BF16, [10], [s * (256 + i) for s in (1, -1) for i in range(5)],
         "by hand: above 256 every second integer; odd ones are ties",
         {"dequantized": [float(s * v) for s in (1, -1) for v in (256, 256, 258, 260, 260)]})
    case("f16_subnormal", F16, [64],
         with_neighbours([2.0**-25 * k for k in range(1, 22)]) + [2.0**-26])
    case("bf16_subnormal", BF16, [64],
         with_neighbours([2.0**-134 * k for k in range(1, 22)]) + [2.0**-135])
    for name, config in HALVES.items():
        case(f"{name}_clip", {**config, "clip": "1.5"}, [5], [100, -1.25, -2.0**100, 1.5, 0.1875],
             "by hand: values beyond the clip count as it",
             {"dequantized": [1.5, -1.25, -1.5, 1.5, 0.1875]})
    case("f16_clip_prevents_overflow", {**F16, "clip": "65504"}, [2], [2.0**100, -70000],
         "by hand", {"packed": swapped(["7BFF", "FBFF"])})


def stored(dtype):
    return {"scale_dtype": dtype}


def scale_dtypes():
    case("int8_f16_scale_by_hand", {**INT8, **TENSOR, **stored("f16")}, [3], [127, 2, -3],
         "by hand: scale 1", {"codes": [127, 2, -3], "scale_bytes": "003c"})
    case("int8_bf16_scale_by_hand", {**INT8, **TENSOR, **stored("bf16")}, [3], [254, 2, -3],
         "by hand: scale 2; -1.5 rounds to the even -2",
         {"codes": [127, 1, -2], "scale_bytes": "0040"})
    # float16 next to 2049 is 2048: codes are made with that, and 127 steps do not suffice.
    case("int8_codes_of_the_rounded_scale", {**INT8, **TENSOR, **stored("f16")}, [3],
         [127 * 2049.0, 2048 * 1.5, -127 * 2049.0],
         "by hand: the scale 2049 is stored as 2048",
         {"codes": [127, 2, -127], "scales": [2048.0], "dequantized": [260096.0, 4096.0,
                                                                       -260096.0]})
    case("int8_f16_scale_saturates", {**INT8, **TENSOR, **stored("f16")}, [4],
         [2.0**30, -(2.0**23), 65504, 1],
         "by hand: a scale beyond float16 becomes 65504, larger values are clamped",
         {"codes": [127, -127, 1, 0], "scale_bytes": "ff7b"})
    case("int8_f16_scale_underflows", {**INT8, **TENSOR, **stored("f16")}, [4],
         [2.0**-22, -(2.0**-24), 2.0**-25, 3 * 2.0**-25],
         "by hand: a scale below float16 becomes 2**-24",
         {"codes": [4, -1, 0, 2], "scale_bytes": "0100"})
    case("int4_extreme_f16_scale_saturates",
         {**INT4, **TENSOR, **stored("f16"), "symmetric_range": "extreme"}, [3],
         [2.0**30, -65504, 0], "by hand: the sign stays",
         {"codes": [-8, 1, 0], "scale_bytes": "fffb"})
    case("int4_extreme_f16_scale_underflows",
         {**INT4, **TENSOR, **stored("f16"), "symmetric_range": "extreme"}, [3],
         [2.0**-30, -(2.0**-31), 0], "by hand: the sign stays", {"scale_bytes": "0180"})
    for name, config, code in (("nf4", NF4, 15), ("fp4", FP4, 3)):
        case(f"{name}_f16_scale_saturates", {**config, **TENSOR, **stored("f16")}, [3],
             [2.0**20, -65504, 0], "by hand: beyond the scale is the last code",
             {"codes": [code, 0 if name == "nf4" else 11, 7 if name == "nf4" else 0],
              "scale_bytes": "ff7b"})
        case(f"{name}_bf16_scale_saturates", {**config, **TENSOR, **stored("bf16")}, [2],
             [FLT_MAX, -FLT_MAX], "by hand: the greatest bfloat16",
             {"scale_bytes": "7f7f"})
    for name, config in SCALED.items():
        for dtype in ("f16", "bf16"):
            case(f"{name}_{dtype}_scales", {**config, **group(8), **stored(dtype)}, [3, 21],
                 noise(63, 160))
            case(f"{name}_{dtype}_scales_tokens", {**config, **TOKEN, **stored(dtype)},
                 [2, 3, 7], noise(42, 161))
            case(f"{name}_{dtype}_scales_blocks", {**config, **block(10), **stored(dtype)},
                 [5, 9], noise(45, 162))
            case(f"{name}_{dtype}_scale_zero", {**config, **group(2), **stored(dtype)}, [4],
                 [0, 0, 1, -1], "the definition; a scale of 0 stays 0")
            if name != "ternary":
                case(f"{name}_{dtype}_scales_rough", {**config, **group(16), **stored(dtype)},
                     [3, 50], rough(150, 163))
    case("ternary_f16_scale_floor", {**TERNARY, **TENSOR, **stored("f16")}, [2],
         [2.0**-20, -(2.0**-18)], "by hand: 1e-5 is 168 times 2**-24, rounded",
         {"scale_bytes": "a800"})


def double_quantized():
    case("double_quant_by_hand", {**NF4, **block(2), **DOUBLE}, [6],
         [0.5, -0.25, -1, 0, 0.75, 1.5],
         "by hand, as bitsandbytes: offset 1, greatest difference 0.5",
         {"scale_bytes": "007fff00" + "0000003f" + "0000803f",
          "scales": ["3F00E666", 1.0, 1.5]})
    case("double_quant_equal_scales", {**INT8, **group(2), **DOUBLE}, [6],
         [127, 0, -127, 1, 127, 2],
         "by hand: no differences, so codes of 0 and the offset for a scale",
         {"scale_bytes": "7f7f7f00" + "00000000" + "0000803f", "scales": [1.0] * 3})
    case("double_quant_one_scale", {**INT4, **TENSOR, **DOUBLE}, [3], [7, -7, 1],
         "by hand: one code, three zeros",
         {"scale_bytes": "7f000000" + "00000000" + "0000803f", "codes": [7, -7, 1]})
    case("double_quant_four_scales", {**NF4, **channel(0), **DOUBLE}, [4, 1], [1, 2, -3, 4],
         "the definition; four codes need no zeros after them")
    for name, config in SCALED.items():
        case(f"{name}_double_quant_groups", {**config, **group(8), **DOUBLE}, [7, 33],
             noise(231, 170))
        case(f"{name}_double_quant_zero_group", {**config, **group(2), **DOUBLE}, [2, 4],
             [0, 0, 1, -0.5, 2, 0.25, 0, 0],
             "the definition; the scale of a group of zeros need not remain 0, its values do")
    for scales in (256, 257, 600):
        case(f"nf4_double_quant_{scales}_scales", {**NF4, **block(1), **DOUBLE}, [scales],
             noise(scales, 171), "the definition; a greatest difference for each 256 scales")
    for name, config in (("fp4", FP4), ("int8", INT8), ("ternary", TERNARY)):
        case(f"{name}_double_quant_300_scales", {**config, **block(3), **DOUBLE}, [900],
             noise(900, 175))
    case("nf4_double_quant_tokens", {**NF4, **TOKEN, **DOUBLE}, [3, 5, 4], noise(60, 172))
    case("int4_double_quant_extreme",
         {**INT4, **group(8), **DOUBLE, "symmetric_range": "extreme"}, [4, 24], noise(96, 173),
         "the definition; scales of both signs")
    case("int8_double_quant_outliers",
         {**INT8, **TOKEN, **DOUBLE, "outlier_threshold": "1.5"}, [7, 12], noise(84, 174))


def double_quant_midpoints():
    """Scales at the midpoints of the map, and next to them.

    Signed extremes make any scale, one for an element; as many of either sign
    have the offset 0, and with +-1 the greatest difference is 1, so that the
    scales are compared as they are.
    """
    middles = [float((a + b) * F32(0.5)) for a, b in zip(MAP[127:], MAP[128:])]
    for part in range(0, len(middles), 32):
        scales = with_neighbours(middles[part:part + 32]) + [1]
        case(f"double_quant_midpoints_{part}",
             {**INT4, **block(1), **DOUBLE, "symmetric_range": "extreme"}, [2 * len(scales)],
             [s * -8 * v for v in scales for s in (1, -1)],
             "the definition; offset 0, greatest difference 1")


def add():
    for cases in (four_bit_by_hand, halves_by_hand, scale_dtypes, double_quantized,
                  double_quant_midpoints):
        cases()
