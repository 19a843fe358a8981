"""Cases of offsets, and of scales that are powers of two or small floats.

SPDX-License-Identifier: MIT
"""
from common import (BINARY, E2M1, E4M3, E5M2, INT3, INT4, INT5, INT8, NF4, SCALED, SCHEMES, SIGNED,
                    TENSOR, TERNARY, TOKEN, block, case, channel, group, noise, rough)
from definitions import F32, FLT_MAX, FLT_MIN, FLT_TRUE_MIN, GREATEST

OFFSET = {"scheme": "offset"}
E8M0_SCALES = {"scale_dtype": "e8m0"}
E4M3_SCALES = {"scale_dtype": "e4m3"}
DOUBLE = {"double_quant": "on"}


def percentile(percent):
    return {"scale_rule": "percentile", "percentile": str(percent)}


def offsets_by_hand():
    int4 = {**INT4, **OFFSET}
    case("offset_by_hand", {**int4, **TENSOR}, [4], [3, 18, 4, 10.375],
         "by hand: the range 3..18 in 15 steps; stored 0, 15, 1, 7",
         {"codes": [-8, 7, -7, -1], "packed": "f071", "scales": [1.0], "offsets": ["40400000"],
          "zero_points": [], "dequantized": [3.0, 18.0, 4.0, 10.0]})
    case("int8_offset_by_hand", {**INT8, **OFFSET, **TENSOR}, [3], [-1, 254, 0],
         "by hand: stored 0, 255, 1",
         {"codes": [-128, 127, -127], "packed": "00ff01", "scales": [1.0]})
    case("offset_negative_range", {**int4, **TENSOR}, [3], [-20, -5, -19],
         "by hand: the range does not include 0", {"packed": "f001", "scales": [1.0],
                                                   "dequantized": [-20.0, -5.0, -19.0]})
    case("offset_constant", {**int4, **group(3)}, [6], [5, 5, 5, -0.0, 0, -0.0],
         "by hand: scale 0; the offset is the value, and +0 for any zeros",
         {"codes": [-8] * 6, "scales": [0.0, 0.0], "offsets": ["40A00000", "00000000"],
          "dequantized": [5.0] * 3 + ["00000000"] * 3})
    case("offset_one_of_a_kind", {**int4, **group(1)}, [3], [0.1015625, -7, 2.0**120],
         "by hand: every value is its own offset",
         {"scales": [0.0] * 3, "dequantized": [0.1015625, -7.0, 2.0**120]})
    case("offset_codes_of_the_rounded_offset", {**int4, **TENSOR, "scale_dtype": "f16"}, [3],
         [2049, 2064, 2049.75],
         "by hand: the offset is stored as 2048, codes are of what is beyond that",
         {"codes": [-7, 7, -6], "scale_bytes": "003c", "offset_bytes": "0068",
          "dequantized": [2049.0, 2063.0, 2050.0]})
    case("offset_beyond_f16", {**int4, **TENSOR, "scale_dtype": "f16"}, [2],
         [2.0**17, 2.0**17 + 15], "by hand: the greatest float16, and values beyond are clamped",
         {"codes": [7, 7], "offset_bytes": "ff7b", "scale_bytes": "003c"})
    case("offset_below_f16", {**int4, **TENSOR, "scale_dtype": "f16"}, [2],
         [-(2.0**-26), 15], "by hand: an offset may be rounded to -0",
         {"offset_bytes": "0080", "scale_bytes": "003c"})
    case("offset_percentile_by_hand", {**int4, **TENSOR, **percentile(80)}, [10],
         [-100, 3, 4, 5, 6, 7, 8, 10, 18, 100],
         "by hand: a tenth is cut at each end, so the range is 3..18 and the scale 1",
         {"codes": [-8, -8, -7, -6, -5, -4, -3, -1, 7, 7], "scales": [1.0],
          "offsets": ["40400000"]})
    case("offset_double_quant_by_hand", {**int4, **group(2), **DOUBLE}, [6],
         [1, 16, 2, 17, 3, 18],
         "by hand: equal scales, and offsets apart from them, with mean 2 and difference 1",
         {"scale_bytes": "7f7f7f00" + "00000000" + "0000803f",
          "offset_bytes": "007fff00" + "0000803f" + "00000040"})


# What -2.5, -1.5, -0.5, 0.5, 1.5, 2.5 and then +-0.25, +-0.75 become, 4 above.
TIES_FROM_OFFSET = {
    "half_even": [2, 2, 4, 4, 6, 6, 4, 4, 5, 3],
    "half_away": [2, 3, 4, 5, 6, 7, 4, 4, 5, 3],
    "half_up": [2, 3, 4, 5, 6, 7, 4, 4, 5, 3],
    "floor": [1, 2, 3, 4, 5, 6, 4, 3, 4, 3],
    "ceil": [2, 3, 4, 5, 6, 7, 5, 4, 5, 4],
    "toward_zero": [1, 2, 3, 4, 5, 6, 4, 3, 4, 3],
    "half_toward_zero": [1, 2, 3, 4, 5, 6, 4, 4, 5, 3],
}


def offsets():
    quarters = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.25, -0.25, 0.75, -0.75]
    for mode, codes in TIES_FROM_OFFSET.items():
        case(f"offset_{mode}", {**INT4, **OFFSET, **TENSOR, "rounding": mode}, [12],
             [-4, 11] + quarters, "by hand: scale 1, offset -4",
             {"codes": [-8, 7] + [c - 8 for c in codes]})
    for name, config in SIGNED.items():
        config = {**config, **OFFSET}
        steps = 2 * GREATEST[name] + 1
        for dtype in ("f16", "bf16"):
            case(f"{name}_offset_{dtype}_rough", {**config, **group(16), "scale_dtype": dtype},
                 [2, 25], rough(50, 220))
        case(f"{name}_offset_double_quant", {**config, **group(8), **DOUBLE}, [3, 33],
             noise(99, 221), "the definition; offsets are double quantized apart from scales")
        case(f"{name}_offset_max_float", {**config, **TENSOR}, [4],
             [FLT_MAX, FLT_MAX / F32(2), 0, 1])
        for option in ({"scale_dtype": "bf16"}, DOUBLE):
            case(f"{name}_offset_max_float_{next(iter(option))}", {**config, **TENSOR, **option},
                 [3], [FLT_MAX, FLT_MAX / F32(2), FLT_MAX * F32(0.75)],
                 "the definition: never infinite, however both are stored")
        case(f"{name}_offset_least_scale", {**config, **TENSOR}, [3],
             [-FLT_MIN, FLT_MIN, -FLT_TRUE_MIN],
             "the definition: the scale is raised to the least normal float32")
        case(f"{name}_offset_of_positive", {**config, **channel(0)}, [2, 5],
             [v + 5 for v in noise(10, 224)])
        case(f"{name}_offset_by_hand_ends", {**config, **TENSOR}, [3], [8, 8 + steps, 9],
             "by hand: scale 1, as many steps as there are codes less one",
             {"scales": [1.0], "offsets": ["41000000"],
              "dequantized": [8.0, 8.0 + steps, 9.0]})
    for name, config in (("int4", INT4), ("int3", INT3)):
        config = {**config, **OFFSET, "scale_dtype": "f16"}
        case(f"{name}_offset_f16_blocks", {**config, **block(10)}, [5, 9], noise(45, 225))
        case(f"{name}_offset_f16_tokens", {**config, **TOKEN}, [2, 3, 7], noise(42, 226))
        case(f"{name}_offset_f16_channels", {**config, **channel(1)}, [2, 3, 7], noise(42, 227))


def powers_of_two_by_hand():
    e2m1 = {**E2M1, **group(4), **E8M0_SCALES}
    case("mxfp4_by_hand", {**e2m1}, [20],
         [6, 3, -1.5, 0.5, 7, 5, 4, -7.75, 8, -12, 1, 2, 4, 2, 1, 0.25, 0, -0.0, 0, 0],
         "by hand, OCP MX 1.0, 6.3: 2^(floor(log2 of the greatest) - 2), so that 7 and 7.75 are "
         "clipped; zeros are stored as 2^-127",
         {"scale_bytes": "7f7f807f00",
          "codes": [7, 5, 11, 1, 7, 6, 6, 15, 6, 15, 1, 2, 6, 4, 2, 0, 0, 8, 0, 0],
          "scales": [1.0, 1.0, 2.0, 1.0, "00400000"],
          "dequantized": [6.0, 3.0, -1.5, 0.5, 6.0, 4.0, 4.0, -6.0, 8.0, -12.0, 1.0, 2.0, 4.0,
                          2.0, 1.0, 0.0, 0.0, "80000000", 0.0, 0.0]})
    case("mxfp8_e4m3_by_hand", {**E4M3, **group(2), **E8M0_SCALES}, [6],
         [448, 1, 511, -480, 512, 2], "by hand: 2^(floor(log2 of the greatest) - 8)",
         {"scale_bytes": "7f7f80", "packed": "7e387efe7838"})
    case("mxfp8_e4m3_without_saturation",
         {**E4M3, **group(2), **E8M0_SCALES, "saturate": "off"}, [4], [448, 1, 511, -464],
         "by hand: what is clipped is NaN", {"scale_bytes": "7f7f", "packed": "7e387ffe"})
    case("mxfp8_e5m2_by_hand", {**E5M2, **group(2), **E8M0_SCALES}, [4],
         [57344, 1, 65535, -2], "by hand: 2^(floor(log2 of the greatest) - 15)",
         {"scale_bytes": "7f7f", "packed": "7b3c7bc0"})
    case("int8_e8m0_by_hand", {**INT8, **group(2), **E8M0_SCALES}, [8],
         [127, 2, 127.5, -3, 254, 1, 0, 0],
         "by hand: the least power of two that clips nothing; -1.5 and 0.5 round to even",
         {"scale_bytes": "7f808000", "codes": [127, 2, 64, -2, 127, 0, 0, 0]})
    case("ternary_e8m0_by_hand", {**TERNARY, **TENSOR, **E8M0_SCALES}, [4], [1.5, -1, 2, -0.5],
         "by hand: the mean 1.25 becomes 2; halves round to even",
         {"scale_bytes": "80", "codes": [1, 0, 1, 0]})
    case("binary_e8m0_by_hand", {**BINARY, **group(2), **E8M0_SCALES}, [8],
         [1, -2, 1, 2.0078125, -4, 4, 0, 0],
         "by hand: the power of two nearest to the mean, of two the lower; 2^-127 for 0",
         {"scale_bytes": "7f808100", "codes": [1, -1, 1, 1, -1, 1, 1, 1]})
    case("nf4_e8m0_by_hand", {**NF4, **group(2), **E8M0_SCALES}, [4], [1, -1, 3, -4],
         "by hand: 3 of 4 is 0.75 beside the table's 0.7230 and 1",
         {"scale_bytes": "7f81", "codes": [15, 0, 14, 0]})


def powers_of_two():
    formats = {name: config for name, config in {**SCALED, **SCHEMES, "e5m2": E5M2}.items()
               if config.get("scheme") != "offset"}
    for name, config in formats.items():
        config = {**config, **E8M0_SCALES}
        case(f"{name}_e8m0_scales", {**config, **group(8)}, [2, 21], noise(42, 230))
        case(f"{name}_e8m0_zero_group", {**config, **group(2)}, [4], [0, 0, 1, -1],
             "the definition; a scale of 0 is stored as the least power, the values stay 0"
             if name != "binary" else "the definition; of zeros the least power is left")
        if name in ("ternary", "binary"):
            continue
        case(f"{name}_e8m0_rough", {**config, **group(16)}, [2, 25], rough(50, 231))
        case(f"{name}_e8m0_max_float", {**config, **TENSOR}, [4],
             [FLT_MAX, -FLT_MAX, FLT_MAX / F32(3), 1],
             "the definition: a power of two that is rounded up must not let a value overflow")
        case(f"{name}_e8m0_subnormal", {**config, **group(2)}, [6],
             [FLT_TRUE_MIN, -FLT_TRUE_MIN * 3, FLT_MIN, FLT_MIN / F32(2), FLT_MIN * 5, FLT_MIN])
    case("e2m1_e8m0_tokens", {**E2M1, **TOKEN, **E8M0_SCALES}, [2, 3, 7], noise(42, 232))
    case("e2m1_e8m0_channels", {**E2M1, **channel(1), **E8M0_SCALES}, [2, 3, 7], noise(42, 233))
    case("e4m3_e8m0_blocks", {**E4M3, **block(10), **E8M0_SCALES}, [5, 9], noise(45, 234))
    case("e4m3_e8m0_percentile", {**E4M3, **group(20), **E8M0_SCALES, **percentile(80)}, [2, 30],
         noise(60, 235))
    case("int4_e8m0_full", {**INT4, **group(8), **E8M0_SCALES, "symmetric_range": "full"},
         [2, 21], noise(42, 236))
    case("int8_e8m0_outliers", {**INT8, **TOKEN, **E8M0_SCALES, "outlier_threshold": "1.5"},
         [3, 12], noise(36, 237))
    case("e2m1_e8m0_empty", {**E2M1, **TENSOR, **E8M0_SCALES}, [0], [],
         "by hand: the one parameter of nothing is 0, stored as the least power",
         {"scale_bytes": "00"})


def small_scales_by_hand():
    case("nvfp4_by_hand", {**E2M1, **group(2), **E4M3_SCALES}, [10],
         [2688, -1344, 6, 3, 0, 0, 6 * 2.0**-11, 0, 6 * 17, -6 * 16],
         "by hand: scales 448, 1, 0, 2^-11 and 17, the tensor's 448 / 448; 2^-11 is stored as the "
         "least, 2^-9, of which 6 * 2^-11 is 1.5; 17 as the even 16, which clips",
         {"tensor_scale": "3F800000", "scale_bytes": "7e38000158",
          "codes": [7, 13, 7, 5, 0, 0, 3, 0, 7, 15],
          "scales": [448.0, 1.0, 0.0, 2.0**-9, 16.0],
          "dequantized": [2688.0, -1344.0, 6.0, 3.0, 0.0, 0.0, 1.5 * 2.0**-9, 0.0, 96.0,
                          -96.0]})
    case("e4m3_scales_of_zeros", {**E2M1, **group(2), **E4M3_SCALES}, [4], [0, 0, -0.0, 0],
         "by hand: the tensor's scale is 0 too",
         {"tensor_scale": "00000000", "scale_bytes": "0000"})
    case("int4_e4m3_negative_scales",
         {**INT4, **group(2), **E4M3_SCALES, "symmetric_range": "extreme"}, [4],
         [8 * 448, 448, -8, 1], "by hand: scales -448 and 1 have their signs",
         {"tensor_scale": "3F800000", "scale_bytes": "fe38", "codes": [-8, -1, -8, 1]})


def small_scales():
    formats = {name: config for name, config in {**SCALED, **SCHEMES, "e5m2": E5M2}.items()
               if config.get("scheme") != "offset"}
    for name, config in formats.items():
        config = {**config, **E4M3_SCALES}
        case(f"{name}_e4m3_scales", {**config, **group(8)}, [2, 21], noise(42, 240))
        case(f"{name}_e4m3_zero_group", {**config, **group(2)}, [4], [0, 0, 1, -1],
             "the definition; a scale of 0 stays 0")
        if name in ("ternary", "binary"):
            continue
        case(f"{name}_e4m3_rough", {**config, **group(16)}, [2, 25], rough(50, 241))
        if config.get("scheme") != "asymmetric":
            case(f"{name}_e4m3_max_float", {**config, **group(2)}, [6],
                 [FLT_MAX, -FLT_MAX, FLT_MAX / F32(3), 1, FLT_MAX * F32(0.97), 0],
                 "the definition: no stored scale is beyond the greatest found")
        case(f"{name}_e4m3_subnormal", {**config, **group(2)}, [6],
             [FLT_TRUE_MIN, -FLT_TRUE_MIN * 3, FLT_MIN, FLT_MIN / F32(2), FLT_MIN * 5, FLT_MIN])
    case("e2m1_e4m3_groups_of_16", {**E2M1, **group(16), **E4M3_SCALES}, [5, 48],
         noise(240, 242), "the definition: NVFP4")
    case("e2m1_e4m3_tokens", {**E2M1, **TOKEN, **E4M3_SCALES}, [2, 3, 7], noise(42, 243))
    case("e2m1_e4m3_channels", {**E2M1, **channel(1), **E4M3_SCALES}, [2, 3, 7], noise(42, 244))
    case("e2m1_e4m3_blocks", {**E2M1, **block(10), **E4M3_SCALES}, [5, 9], noise(45, 245))
    case("int4_e4m3_stochastic", {**INT4, **group(8), **E4M3_SCALES, "rounding": "stochastic",
                                  "seed": "12"}, [2, 21], noise(42, 246))
    case("int8_e4m3_outliers", {**INT8, **TOKEN, **E4M3_SCALES, "outlier_threshold": "1.5"},
         [3, 12], noise(36, 247))
    case("e2m1_e4m3_one_scale", {**E2M1, **TENSOR, **E4M3_SCALES}, [3], [6, 1, -3],
         "by hand: the one scale 1 is 448 times the tensor's, 1 / 448",
         {"scale_bytes": "7e", "tensor_scale": "3B124925"})
    case("e2m1_e4m3_empty", {**E2M1, **TENSOR, **E4M3_SCALES}, [0], [],
         "by hand: the one parameter of nothing is 0", {"tensor_scale": "00000000"})
    case("e2m1_e4m3_no_parameters", {**E2M1, **group(4), **E4M3_SCALES}, [3, 0], [],
         "by hand: without scales there is none of the tensor")


def halves_of(block):
    """Codes of a block of ggml: byte j holds code j in its low half, code j + 16 above."""
    block = bytes.fromhex(block)
    return [b & 15 for b in block[-16:]] + [b >> 4 for b in block[-16:]]


def ggml():
    """Its reference functions, compiled: the blocks of Q4_1, Q5_1, MXFP4 and Q1_0.

    Q4_1 and Q5_1 make codes with the numbers that they then store as float16; here
    those are exact. MXFP4 rounds halves toward 0 and has no -0, so there are none.
    """
    offset = {**group(32), **OFFSET, "scale_dtype": "f16", "rounding": "half_up"}
    ties = [-16, -1, -15.5, -14.5, -13.5, -2.5, -1.5, -7.25, -7.75, -8] + [
        -16 + i % 16 for i in range(22)]
    block = "003c00cc607f8192a3becfd9e8f8001122334455"
    case("ggml_q4_1", {**INT4, **offset}, [32], ties, "ggml, compiled: its codes, scale and least",
         {"codes": [c - 8 for c in halves_of(block)], "scale_bytes": block[:4],
          "offset_bytes": block[4:8]})
    case("ggml_q5_1", {**INT5, **offset}, [32], list(range(-16, 16)),
         "ggml, compiled: scale 003c, least 00cc, upper bits 0000ffff, lower 00 11 22 .. ff",
         {"codes": list(range(-16, 16)), "scale_bytes": "003c", "offset_bytes": "00cc"})
    block = "80171f06060e767675fdf53424a493ba72"
    case("ggml_mxfp4", {**E2M1, **group(32), **E8M0_SCALES}, [32],
         [12, -11, 10, 9.5, -9, 8, 7.25, 6.5, -6, 5.5, 4.5, 4, 3.75, 2.75, -2, 1.625, 1.25, 0.75,
          0.5, 0.25, 0, 14, 15.5, 13, -15, -14.5, 3, 2.25, -1.75, -0.75, -3.25, 11.5],
         "ggml, compiled: its codes and scale",
         {"codes": halves_of(block), "scale_bytes": block[:2]})
    values = [(-1)**(i // 3) * (1 + i % 5) for i in range(128)]
    values[7:9] = [-0.0, 0]
    block = "d841c7711cc7711cc7711cc7711cc7711cc7"
    case("ggml_q1_0", {**BINARY, **group(128), "scale_dtype": "f16"}, [128], values,
         "ggml, compiled: its bits and scale", {"packed": block[4:], "scale_bytes": block[:4]})


def add():
    for cases in (ggml, offsets_by_hand, offsets, powers_of_two_by_hand, powers_of_two,
                  small_scales_by_hand, small_scales):
        cases()
