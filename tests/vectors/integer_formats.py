"""Cases of the integer formats: worked by hand, and for every option of theirs.

SPDX-License-Identifier: MIT
"""
from common import (ALL_INTEGERS, BASE3, INT2, INT3, INT4, INT4_ASYMMETRIC, INT5, INT6, INT8,
                    INT8_ASYMMETRIC, INTEGERS, SCHEMES, SIGNED, TENSOR, TERNARY, TOKEN, block,
                    case, channel, group, noise, rough)
from definitions import F32, FLT_MAX, FLT_MIN, FLT_TRUE_MIN, GREATEST

ASYMMETRIC = {"scheme": "asymmetric"}
OTHERS = {name: config for name, config in ALL_INTEGERS.items() if name not in INTEGERS}

FULL = {"symmetric_range": "full"}
EXTREME = {"symmetric_range": "extreme"}
ABSMAX = {"scale_rule": "absmax"}
ABSMEAN = {"scale_rule": "absmean"}


def percentile(percent):
    return {"scale_rule": "percentile", "percentile": str(percent)}


def rounding(name):
    return {"rounding": name}


def ternary_by_hand():
    case("ternary_absmean", {**TERNARY, **TENSOR}, [4], [0.5, -0.25, 0.125, -1],
         "by hand: mean 0.46875; x / mean = 1.07, -0.53, 0.27, -2.13",
         {"codes": [1, -1, 0, -1], "scales": [0.46875], "packed": "12",
          "zero_points": []})
    case("ternary_tie", {**TERNARY, **TENSOR}, [4], [0.5, 1, 1.5, -1],
         "by hand: mean 1; 0.5 rounds to the even 0, 1.5 to 2, clamped to 1",
         {"codes": [0, 1, 1, -1], "scales": [1.0], "packed": "29"})
    case("ternary_negative_tie", {**TERNARY, **TENSOR}, [4], [-0.5, -1, -1.5, 1],
         "by hand: mean 1; -0.5 rounds to the even 0",
         {"codes": [0, -1, -1, 1], "scales": [1.0], "packed": "81"})
    case("ternary_packing", {**TERNARY, **TENSOR}, [5], [1, -1, 1, 1, -1],
         "by hand: element 0 in the lowest bits, unused bits 0",
         {"codes": [1, -1, 1, 1, -1], "packed": "a200", "scales": [1.0]})
    case("ternary_rows_start_on_bytes", {**TERNARY, **TENSOR}, [3, 3],
         [1, 1, 1, -1, -1, -1, 1, -1, 1],
         "by hand: three codes to a row fill three quarters of a byte",
         {"packed": "2a0022", "scales": [1.0]})
    case("ternary_clip", {**TERNARY, **TENSOR, "clip": "1.5"}, [4], [100, 0.5, -1.5, -0.5],
         "by hand: 100 counts as 1.5, so the mean is 1",
         {"codes": [1, 0, -1, 0], "scales": [1.0]})
    case("ternary_scale_floor", {**TERNARY, **TENSOR}, [2], [2.0**-20, -(2.0**-18)],
         "by hand: the mean 2.4e-6 is raised to 1e-5; 0.095 and -0.38 round to 0",
         {"codes": [0, 0], "scales": [1e-5]})
    case("ternary_mean_underflows", {**TERNARY, **TENSOR}, [4], [FLT_TRUE_MIN, 0, 0, 0],
         "by hand: a quarter of the least subnormal rounds to 0, so the scale is 0",
         {"codes": [0, 0, 0, 0], "scales": [0.0]})
    case("ternary_max_float", {**TERNARY, **TENSOR}, [4], [FLT_MAX, -FLT_MAX, FLT_MAX, 0],
         "the definition; 1 / scale is subnormal, the sum exceeds a float32")
    case("ternary_all_max_float", {**TERNARY, **group(4)}, [6], [FLT_MAX] * 4 + [-FLT_MAX] * 2)


def int8_by_hand():
    case("int8_ties", {**INT8, **TENSOR}, [6], [0.5, 127, -127, 1.5, 2.5, -0.5],
         "by hand: scale 1; halves round to even",
         {"codes": [0, 127, -127, 2, 2, 0], "scales": [1.0], "zero_points": [],
          "packed": "007f81020200"})
    case("int8_asymmetric_range", {**INT8_ASYMMETRIC, **TENSOR}, [4], [-1, 2, 0, 1],
         "by hand: range -1..2, scale 3/255 (1/scale = 85), zero point -128 + 85",
         {"codes": [-128, 127, -43, 42], "scales": [F32(3) / F32(255)],
          "zero_points": [-43]})
    case("int8_asymmetric_positive", {**INT8_ASYMMETRIC, **TENSOR}, [3], [255, 17, 1],
         "by hand: the range is 0..255 because it always includes 0; scale 1",
         {"codes": [127, -111, -127], "scales": [1.0], "zero_points": [-128]})
    case("int8_asymmetric_negative", {**INT8_ASYMMETRIC, **TENSOR}, [3], [-255, -17, -1],
         "by hand: the range is -255..0; scale 1, zero point 127",
         {"codes": [-128, 110, 126], "scales": [1.0], "zero_points": [127]})
    case("int8_asymmetric_zero_point_tie", {**INT8_ASYMMETRIC, **TENSOR}, [4],
         [-0.5, 254.5, 1.5, 2.5],
         "by hand: scale 1; lo / scale = -0.5 rounds to 0, 254.5 to 254",
         {"codes": [-128, 126, -126, -126], "scales": [1.0], "zero_points": [-128]})
    case("int8_asymmetric_clamped", {**INT8_ASYMMETRIC, **TENSOR}, [2], [-1.5, 253.5],
         "by hand: scale 1; lo / scale = -1.5 rounds to -2, 253.5 to 254, whose "
         "code 128 is clamped to 127",
         {"codes": [-128, 127], "scales": [1.0], "zero_points": [-126]})
    case("int8_clip", {**INT8, **TENSOR, "clip": "127"}, [4], [1000, -1000, 3, 0.25],
         "by hand: +-1000 count as +-127, scale 1",
         {"codes": [127, -127, 3, 0], "scales": [1.0]})
    case("int8_asymmetric_clip", {**INT8_ASYMMETRIC, **TENSOR, "clip": "127.5"}, [4],
         [1000, -1000, 3, 0],
         "by hand: range -127.5..127.5, scale 1; -127.5 rounds to the even -128, so "
         "the zero point is 0; 127.5 rounds to 128, clamped to 127",
         {"codes": [127, -128, 3, 0], "scales": [1.0], "zero_points": [0]})
    case("clip_beyond_the_values", {**INT8, **TENSOR, "clip": "500"}, [2], [127, -1],
         "by hand: a clip above every value changes nothing",
         {"codes": [127, -1], "scales": [1.0]})


def int4_by_hand():
    case("int4_ties", {**INT4, **TENSOR}, [6], [0.5, 7, -7, 1.5, 2.5, -0.5],
         "by hand: scale 1; halves round to even; code + 8, the first in the low half",
         {"codes": [0, 7, -7, 2, 2, 0], "scales": [1.0], "zero_points": [],
          "packed": "f8a18a"})
    case("int4_odd_row", {**INT4, **TENSOR}, [2, 3], [7, -7, 1, -1, 0, 3],
         "by hand: each row starts on a byte, the rest of its last one is 0",
         {"codes": [7, -7, 1, -1, 0, 3], "packed": "1f09870b"})
    case("int4_asymmetric_range", {**INT4_ASYMMETRIC, **TENSOR}, [4], [-5, 10, 0, 2.5],
         "by hand: range -5..10, scale 1, zero point -8 + 5; 2.5 rounds to 2",
         {"codes": [-8, 7, -3, -1], "scales": [1.0], "zero_points": [-3],
          "dequantized": [-5.0, 10.0, 0.0, 2.0]})
    case("int4_asymmetric_positive", {**INT4_ASYMMETRIC, **TENSOR}, [3], [15, 4, 1],
         "by hand: range 0..15, scale 1", {"codes": [7, -4, -7], "zero_points": [-8]})
    case("int4_asymmetric_negative", {**INT4_ASYMMETRIC, **TENSOR}, [3], [-15, -4, -1],
         "by hand: range -15..0, scale 1", {"codes": [-8, 3, 6], "zero_points": [7]})
    case("int4_full_range", {**INT4, **TENSOR, **FULL}, [5], [7.5, -7.5, 0.5, 1.5, -2.5],
         "by hand, as torchao: scale 7.5 / 7.5; 7.5 rounds to 8, clamped to 7",
         {"codes": [7, -8, 0, 2, -2], "scales": [1.0]})
    case("int8_full_range", {**INT8, **TENSOR, **FULL}, [4], [127.5, -127.5, 0.5, -1.5],
         "by hand: scale 127.5 / 127.5; 127.5 rounds to 128, clamped to 127",
         {"codes": [127, -128, 0, -2], "scales": [1.0]})
    case("int4_extreme_positive", {**INT4, **TENSOR, **EXTREME}, [4], [8, -8, 4, -1],
         "by hand: the first of the greatest is 8, so the scale is -1; -8 / -1 is clamped to 7",
         {"codes": [-8, 7, -4, 1], "scales": [-1.0], "dequantized": [8.0, -7.0, 4.0, -1.0]})
    case("int4_extreme_negative", {**INT4, **TENSOR, **EXTREME}, [4], [4, -8, 8, 0],
         "by hand: the first of the greatest is -8, so the scale is 1",
         {"codes": [4, -8, 7, 0], "scales": [1.0]})
    case("int4_extreme_zero", {**INT4, **TENSOR, **EXTREME}, [3], [8, 0, -0.25],
         "by hand: zeros times the negative scale are -0; so is -0.25, half of which is even",
         {"codes": [-8, 0, 0], "scales": [-1.0],
          "dequantized": [8.0, "80000000", "80000000"]})
    case("int8_extreme", {**INT8, **TENSOR, **EXTREME}, [4], [-128, 128, 127.5, -0.5],
         "by hand: scale 1; 128 is clamped to 127",
         {"codes": [-128, 127, 127, 0], "scales": [1.0]})


def bit_streams_by_hand():
    def packed(name, config, values, bytes):
        case(f"{name}_packing", {**config, **ASYMMETRIC, **TENSOR}, [len(values)], values,
             "by hand: scale 1, zero point 0; the first code in the lowest bits",
             {"codes": values, "packed": bytes, "scales": [1.0], "zero_points": [0]})

    packed("int2", INT2, [-2, -1, 0, 1, 1], "e403")
    packed("int3", INT3, [-4, -3, -2, -1, 0, 1, 2, 3, -3], "88c6fa" + "010000")
    packed("int5", INT5, list(range(-16, -8)) + [15], "208841" + "8a39" + "1f00000000")
    packed("int6", INT6, list(range(-32, -24)) + [31], "40200c44611c" + "3f0000000000")
    for name, config in SIGNED.items():
        for columns in (1, 2, 3, 5, 8, 17):
            case(f"{name}_columns_{columns}", {**config, **TENSOR}, [2, columns],
                 noise(2 * columns, 108),
                 "the definition; each row starts on a byte, the rest of its last ones is 0")
        q = GREATEST[name]
        every = list(range(-q - 1, q + 1))
        case(f"{name}_every_code", {**config, **ASYMMETRIC, **TENSOR}, [len(every)], every,
             "by hand: scale 1, zero point 0", {"codes": every, "zero_points": [0]})


def extremes():
    case("int8_huge", {**INT8, **TENSOR}, [4],
         [127 * 2.0**121, -127 * 2.0**121, 2.0**127, 2.0**120],
         "by hand: scale 2**121; half a scale rounds to 0",
         {"codes": [127, -127, 64, 0], "scales": [2.0**121]})
    for name, config in SIGNED.items():
        asymmetric = {**config, "scheme": "asymmetric"}
        for kind in ("narrow", "full", "extreme"):
            variant = {**config, **TENSOR, "symmetric_range": kind}
            if kind == "narrow":
                del variant["symmetric_range"]
            infix = "" if kind == "narrow" else "_" + kind
            case(f"{name}{infix}_max_float", variant, [3], [FLT_MAX, -FLT_MAX, 0],
                 "the definition: as many steps of the scale as codes do not overflow")
            case(f"{name}{infix}_least_scale", variant, [4],
                 [FLT_MIN * 3, -FLT_MIN, FLT_MIN / F32(2), FLT_MIN * F32(2.5)],
                 "the definition: the scale is raised to the least normal float32")
        case(f"{name}_asymmetric_max_float", {**asymmetric, **TENSOR}, [4],
             [FLT_MAX, FLT_MAX / F32(2), 0, 1])
        case(f"{name}_asymmetric_whole_range", {**asymmetric, **TENSOR}, [4],
             [FLT_MAX, -FLT_MAX, 0, FLT_MAX / F32(2)],
             "the definition: as many steps of the scale as codes do not overflow")
    for name, options in (("int8_full", {**INT8, **FULL}), ("int8_extreme", {**INT8, **EXTREME}),
                          ("int4_full", {**INT4, **FULL}), ("int3_full", {**INT3, **FULL}),
                          *((name, config) for name, config in SCHEMES.items()
                            if "_asymmetric" in name)):
        case(f"{name}_max_float_bf16_scale", {**options, **TENSOR, "scale_dtype": "bf16"}, [4],
             [FLT_MAX, -FLT_MAX, 0, 1],
             "the definition: a scale that is rounded up must not let a value overflow")
    case("int8_asymmetric_overflowing_range", {**INT8_ASYMMETRIC, **TENSOR}, [4],
         [765 * 2.0**118, -765 * 2.0**118, 3 * 2.0**119, 0],
         "by hand: the range exceeds a float32, the scale 3 * 2**119 does not; -127.5 rounds "
         "to the even -128, so the zero point is 0; 127.5 rounds to 128, clamped to 127",
         {"codes": [127, -128, 1, 0], "scales": [3 * 2.0**119], "zero_points": [0]})
    case("int8_asymmetric_least_scale", {**INT8_ASYMMETRIC, **TENSOR}, [3],
         [-FLT_MIN * 5, FLT_MIN * 7, 0],
         "by hand: the scale is raised to the least normal float32",
         {"codes": [-128, -116, -123], "scales": [FLT_MIN], "zero_points": [-123]})
    case("int4_asymmetric_least_scale", {**INT4_ASYMMETRIC, **TENSOR}, [3],
         [-FLT_MIN * 5, FLT_MIN * 7, 0],
         "by hand: the scale is raised to the least normal float32",
         {"codes": [-8, 4, -3], "scales": [FLT_MIN], "zero_points": [-3]})


def ranges():
    for name, config in SIGNED.items():
        for kind in (FULL, EXTREME):
            infix = kind["symmetric_range"]
            case(f"{name}_{infix}_groups", {**config, **group(8), **kind}, [3, 21],
                 noise(63, 100))
            if name not in INTEGERS:
                continue
            case(f"{name}_{infix}_rough", {**config, **group(32), **kind}, [2, 65],
                 rough(130, 101))
            case(f"{name}_{infix}_channels", {**config, **channel(1), **kind}, [3, 4, 3],
                 noise(36, 102))
            case(f"{name}_{infix}_blocks", {**config, **block(5), **kind}, [3, 7],
                 noise(21, 103))
            case(f"{name}_{infix}_tokens", {**config, **TOKEN, **kind}, [2, 2, 9],
                 noise(36, 104))


def q4_0(name, values, codes, scale_bytes, hand=None):
    """A block of ggml's Q4_0, whose bytes are in another order than ours."""
    case(f"ggml_q4_0_{name}",
         {**INT4, **group(32), **EXTREME, **rounding("half_up"), "scale_dtype": "f16"},
         [32], values, "ggml, compiled: its codes less 8, and its scale",
         {"codes": codes, "scale_bytes": scale_bytes, **(hand or {})})


def ggml():
    # Byte j of a Q4_0 block holds code j in its low half, code j + 16 in its high one.
    block_bytes = bytes.fromhex("809191A2A2B3B3C4C4D5D5E6E6F7F7F8")
    q4_0("ramp", list(range(-16, 16)),
         [(b & 15) - 8 for b in block_bytes] + [(b >> 4) - 8 for b in block_bytes], "0040")
    q4_0("positive_first", [1, -1] + [0] * 30, [-8, 7] + [0] * 30, "00b0",
         {"dequantized": [1.0, -0.875] + ["80000000"] * 30})
    q4_0("negative_first", [-1, 1] + [0] * 30, [-8, 7] + [0] * 30, "0030",
         {"dequantized": [-1.0, 0.875] + ["00000000"] * 30})
    case("ggml_q8_0", {**INT8, **group(32), **rounding("half_away"), "scale_dtype": "f16"},
         [32], [127, 0.5, 1.5, 2.5, -0.5, -2.5, -127] + [0] * 25,
         "ggml's reference, compiled: its codes and scale",
         {"packed": "7f010203fffd81" + "00" * 25, "scale_bytes": "003c"})
    ternary = {**TERNARY, **group(256), **ABSMAX, **rounding("half_away"), "scale_dtype": "f16"}
    case("ggml_tq2_0", ternary, [256], [2, 1, -1, F32(0.999)] + [0] * 252,
         "ggml, compiled: the codes of its bytes 56 56 54 55, and its scale",
         {"codes": [1, 1, -1] + [0] * 253, "scale_bytes": "0040"})


def base3():
    codes = {0: ("00", [-1] * 5), 120: ("7f", [0, 0, 0, 0, -1]), 121: ("80", [0] * 5),
             240: ("fd", [1, 1, 1, 1, -1]), 242: ("ff", [1] * 5)}
    for value, (byte, five) in codes.items():
        # 121 has to have a scale, so that its zeros are not those of an empty group.
        case(f"base3_{value}", {**BASE3, **TENSOR}, [2, 5], five + [1, -1, 1, -1, 1],
             f"by hand: the digits of {value}, then those of 182; ggml's bytes",
             {"codes": five + [1, -1, 1, -1, 1], "packed": byte + "c0"})
    values = [[v // 3**(4 - n) % 3 - 1 for n in range(5)] for v in range(243)]
    case("base3_every_byte", {**BASE3, **TENSOR}, [243, 5], sum(values, []),
         "by hand: every number of five digits in turn; the mean is 2/3",
         {"codes": sum(values, []),
          "packed": bytes(-(-v * 256 // 243) for v in range(243)).hex()})
    for columns in (1, 2, 3, 4, 6, 9, 11):
        case(f"base3_columns_{columns}", {**BASE3, **TENSOR}, [3, columns],
             noise(3 * columns, 110),
             "the definition; each row starts on a byte, the rest of its last one is digit 0")
    case("base3_tail_by_hand", {**BASE3, **TENSOR}, [2], [1, -1],
         "by hand: digits 2 0 0 0 0 are 162, whose byte is 170.67 rounded up",
         {"packed": "ab"})
    case("base3_groups", {**BASE3, **group(7)}, [4, 33], noise(132, 111))
    case("base3_large", {**BASE3, **group(128)}, [3, 333], noise(999, 112))
    case("base3_tokens", {**BASE3, **TOKEN}, [2, 3, 4], noise(24, 113))
    case("base3_zeros", {**BASE3, **TENSOR}, [7], [0] * 7,
         "by hand: codes 0, then codes 0 0 and digits 0: 1 1 0 0 0 is 108",
         {"packed": "8072"})
    case("base3_empty", {**BASE3, **TENSOR}, [3, 0], [])


TIES = {  # what -2.5, -1.5, -0.5, 0.5, 1.5, 2.5 and then +-0.25, +-0.75 become
    "half_even": [-2, -2, 0, 0, 2, 2, 0, 0, 1, -1],
    "half_away": [-3, -2, -1, 1, 2, 3, 0, 0, 1, -1],
    "half_up": [-2, -1, 0, 1, 2, 3, 0, 0, 1, -1],
    "floor": [-3, -2, -1, 0, 1, 2, 0, -1, 0, -1],
    "ceil": [-2, -1, 0, 1, 2, 3, 1, 0, 1, 0],
    "toward_zero": [-2, -1, 0, 0, 1, 2, 0, 0, 0, 0],
    "half_toward_zero": [-2, -1, 0, 0, 1, 2, 0, 0, 1, -1],
}


def roundings():
    quarters = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.25, -0.25, 0.75, -0.75]
    below, above = F32(0.5) - F32(2.0**-25), F32(0.5) + F32(2.0**-24)
    for mode, codes in TIES.items():
        for name, config in SIGNED.items():
            top = GREATEST[name]
            if name == "int2":  # its codes end before 2.5
                continue
            case(f"{name}_{mode}", {**config, **TENSOR, **rounding(mode)}, [11],
                 [top] + quarters, "by hand: scale 1", {"codes": [top] + codes})
        case(f"int8_asymmetric_{mode}", {**INT8_ASYMMETRIC, **TENSOR, **rounding(mode)}, [12],
             [-100, 155] + quarters, "by hand: scale 1, zero point -28",
             {"codes": [-128, 127] + [c - 28 for c in codes], "zero_points": [-28]})
        case(f"int4_asymmetric_{mode}", {**INT4_ASYMMETRIC, **TENSOR, **rounding(mode)}, [12],
             [-4, 11] + quarters, "by hand: scale 1, zero point -4",
             {"codes": [-8, 7] + [c - 4 for c in codes], "zero_points": [-4]})
        case(f"ternary_{mode}", {**TERNARY, **TENSOR, **ABSMAX, **rounding(mode)}, [7],
             [1, 0.5, -0.5, 0.25, -0.25, 0.75, -0.75], "by hand: scale 1",
             {"codes": [1, codes[3], codes[2]] + codes[6:]})
        case(f"int8_{mode}_near_ties", {**INT8, **TENSOR, **rounding(mode)}, [7],
             [127, below, -below, above, -above, F32(1.5) - F32(2.0**-23),
              F32(-1.5) - F32(2.0**-23)],
             "the definition; 0.49999997 + 0.5 is 1 in float32")
        case(f"int8_{mode}_tiny", {**INT8, **TENSOR, **rounding(mode)}, [6],
             [127, 2.0**-30, -(2.0**-30), FLT_MIN, -FLT_MIN, 0],
             "the definition; no difference from 0 is too small, if it is a normal number")
        case(f"int8_{mode}_subnormal", {**INT8, **TENSOR, **rounding(mode)}, [3],
             [127, FLT_TRUE_MIN, -FLT_TRUE_MIN],
             "by hand: a subnormal difference from 0 counts as none", {"codes": [127, 0, 0]})
        for name, config in INTEGERS.items():
            case(f"{name}_{mode}_groups", {**config, **group(9), **rounding(mode)}, [3, 22],
                 noise(66, 120))
        for name, config in OTHERS.items():
            case(f"{name}_{mode}_groups", {**config, **group(9), **rounding(mode)}, [14],
                 noise(14, 120))


def stochastic():
    random = rounding("stochastic")
    case("stochastic_integers_stay", {**INT8, **TENSOR, **random, "seed": "99"}, [9],
         [127, -127, 0, 1, -1, 2, -2, 64, -100], "by hand: scale 1, no fractions",
         {"codes": [127, -127, 0, 1, -1, 2, -2, 64, -100]})
    for name, config in INTEGERS.items():
        for seed in ("0", "1", str(2**32), str(2**53)):
            case(f"{name}_stochastic_seed_{seed}",
                 {**config, **group(16), **random, "seed": seed}, [3, 37], noise(111, 121))
        case(f"{name}_stochastic_channels", {**config, **channel(1), **random, "seed": "5"},
             [4, 3, 5], noise(60, 122), "the definition; an element's index is row-major")
        case(f"{name}_stochastic_blocks", {**config, **block(10), **random, "seed": "6"},
             [3, 7], noise(21, 123))
    for name, config in OTHERS.items():
        case(f"{name}_stochastic", {**config, **group(16), **random, "seed": "8"}, [2, 21],
             noise(42, 121))
    case("base3_stochastic", {**BASE3, **group(16), **random, "seed": "7"}, [2, 33],
         noise(66, 124))
    case("int8_stochastic_halves", {**INT8, **TENSOR, **random, "seed": "12345678901"}, [400],
         [127] + [0.5] * 399, "the definition; about half of the halves go up")


def scale_rules():
    case("ternary_absmax", {**TERNARY, **TENSOR, **ABSMAX}, [5], [2, -1, 1, 0.75, -1.5],
         "by hand: scale 2; halves round to the even 0",
         {"codes": [1, 0, 0, 0, -1], "scales": [2.0]})
    case("ternary_absmean_by_name", {**TERNARY, **TENSOR, **ABSMEAN}, [4],
         [0.5, -0.25, 0.125, -1], "by hand: the rule of ternary by default",
         {"codes": [1, -1, 0, -1], "scales": [0.46875]})
    case("int4_absmean_by_hand", {**INT4, **TENSOR, **ABSMEAN}, [4], [1, -1, 3, -3],
         "by hand: 2 * 2 / sqrt(7) = 1.51186; x / scale = 0.66, -0.66, 1.98, -1.98",
         {"codes": [1, -1, 2, -2]})
    case("int4_absmean_full", {**INT4, **group(8), **ABSMEAN, **FULL}, [3, 21], noise(63, 137),
         "the definition: the range that narrow divides by 7, divided by 7.5")
    case("int8_percentile_full", {**INT8, **group(8), **percentile(70), **FULL}, [3, 21],
         noise(63, 138))
    ten = [3, -1, 2, 10, -4, 5, -6, 7, -8, 9]
    case("int8_percentile_by_hand", {**INT8, **TENSOR, **percentile(90)}, [10], ten,
         "by hand: 9 of 10 values are 9 or less",
         {"scales": [F32(9) / F32(127)]})
    case("int4_percentile_by_hand", {**INT4, **TENSOR, **percentile(65)}, [10], ten,
         "by hand: rank 6.5 is rounded up to 7, whose value is 7: scale 1",
         {"codes": [3, -1, 2, 7, -4, 5, -6, 7, -7, 7], "scales": [1.0]})
    case("int8_percentile_0", {**INT8, **TENSOR, **percentile(0)}, [3], [3, -2, 127],
         "by hand: the least of |x|", {"scales": [F32(2) / F32(127)]})
    case("int8_percentile_100", {**INT8, **TENSOR, **percentile(100)}, [3], [3, -2, 127],
         "by hand: absmax", {"codes": [3, -2, 127], "scales": [1.0]})
    # No double is 0.07 or 0.999: what doubles make of these ranks is one too many.
    hundred, thousand = list(range(1, 101)), list(range(1, 1001))
    case("int8_percentile_7_of_100", {**INT8, **TENSOR, **percentile(7)}, [100], hundred,
         "by hand: 7 of 100 values are 7 or less", {"scales": [F32(7) / F32(127)]})
    case("int8_percentile_56_of_100", {**INT8, **TENSOR, **percentile(56)}, [100], hundred,
         "by hand: 56 of 100 values are 56 or less", {"scales": [F32(56) / F32(127)]})
    case("int8_percentile_default_of_1000", {**INT8, **TENSOR, "scale_rule": "percentile"},
         [1000], thousand, "by hand: 99.9 percent of 1000 are 999",
         {"scales": [F32(999) / F32(127)]})
    case("int8_asymmetric_percentile_of_2000",
         {**INT8_ASYMMETRIC, **TENSOR, "scale_rule": "percentile"}, [2000],
         [-v for v in thousand] + thousand,
         "by hand: 99.9 percent leave one of 2000 at each end",
         {"scales": [F32(1998) / F32(255)]})
    case("int8_percentile_of_zeros", {**INT8, **TENSOR, **percentile(50)}, [4], [0, 5, 0, 0],
         "by hand: the percentile is 0, and so the scale",
         {"codes": [0, 0, 0, 0], "scales": [0.0]})
    case("int4_asymmetric_percentile_by_hand", {**INT4_ASYMMETRIC, **TENSOR, **percentile(80)},
         [10], [-100, -5, 0, 1, 2, 3, 4, 5, 10, 100],
         "by hand: a tenth is cut at each end, so the range is -5..10 and the scale 1",
         {"codes": [-8, -8, -3, -2, -1, 0, 1, 2, 7, 7], "zero_points": [-3],
          "scales": [1.0]})
    case("int8_asymmetric_percentile_positive",
         {**INT8_ASYMMETRIC, **TENSOR, **percentile(50)}, [8], [1, 2, 3, 4, 5, 6, 255, 300],
         "by hand: two are cut at each end, the range 3..6 is extended to 0..6",
         {"scales": [F32(6) / F32(255)], "zero_points": [-128]})
    case("ternary_percentile_by_hand", {**TERNARY, **TENSOR, **percentile(50)}, [4],
         [1, -2, 3, -4], "by hand: scale 2; 0.5 rounds to the even 0",
         {"codes": [0, -1, 1, -1], "scales": [2.0]})
    case("int4_percentile_default", {**INT4, **TENSOR, "scale_rule": "percentile"}, [2, 550],
         noise(1100, 133), "the definition; 99.9 percent by default: of 1100 one is cut")
    for name, config in INTEGERS.items():
        if "scheme" not in config:
            case(f"{name}_absmean_groups", {**config, **group(8), **ABSMEAN}, [3, 21],
                 noise(63, 130))
            case(f"{name}_absmean_zero_group", {**config, **group(3), **ABSMEAN}, [6],
                 [0, 0, 0, 1, -2, 3])
        case(f"{name}_absmax_groups", {**config, **group(8), **ABSMAX}, [3, 21],
             noise(63, 131))
        for percent in (99.9, 97.5, 60):
            case(f"{name}_percentile_{percent}", {**config, **group(40), **percentile(percent)},
                 [2, 100], noise(200, 132))
        case(f"{name}_percentile_channels", {**config, **channel(1), **percentile(75)},
             [5, 3, 4], noise(60, 134))
        case(f"{name}_percentile_tokens", {**config, **TOKEN, **percentile(75)},
             [2, 3, 9], noise(54, 135))
        case(f"{name}_percentile_blocks", {**config, **block(11), **percentile(75)},
             [3, 10], noise(30, 136))
    for name, config in OTHERS.items():
        if "scheme" not in config:
            case(f"{name}_absmean", {**config, **group(8), **ABSMEAN}, [2, 11], noise(22, 130))
        case(f"{name}_percentile", {**config, **group(20), **percentile(75)}, [2, 30],
             noise(60, 132))


def threshold(value):
    return {"outlier_threshold": str(value)}


def outliers():
    case("outliers_llm_int8", {**INT8, **TOKEN, **threshold(6)}, [2, 3],
         [1, -2, 127, 0.5, 0.25, 8],
         "by hand, as LLM.int8: column 2 is kept apart; the rows' greatest others are 2 and 0.5",
         {"codes": [64, -127, 0, 127, 64, 0], "outlier_columns": [2], "outlier_dtype": "F16",
          "scales": [F32(2) / F32(127), F32(0.5) / F32(127)], "outlier_values": "f0570048"})
    case("outliers_at_the_threshold", {**INT8, **TOKEN, **threshold(6)}, [2, 3],
         [127, 6, 5.984375, 5, 1, -6],
         "by hand: 6 and -6 are outliers, 127 is one too; none is left in the codes",
         {"outlier_columns": [0, 1, 2], "codes": [0] * 6,
          "dequantized": [127.0, 6.0, 5.984375, 5.0, 1.0, -6.0]})
    case("outliers_small_values_count", {**INT8, **TOKEN, **threshold(200)}, [2, 2],
         [300, 1, 127, 64],
         "by hand: 127 is in an outlier column but no outlier, so it makes the scale",
         {"codes": [0, 127, 0, 64], "scales": [F32(1) / F32(127), 1.0],
          "outlier_columns": [0]})
    case("outliers_bf16", {**INT8, **TOKEN, **threshold(6)}, [2, 2], [65536, 1, 0.125, 127 / 64],
         "by hand: float16 does not hold 65536, so bfloat16 keeps the values",
         {"outlier_columns": [0], "outlier_dtype": "BF16", "outlier_values": "8047003e"})
    case("outliers_of_f16_limit", {**INT8, **TOKEN, **threshold(6)}, [2, 2], [65504, 1, 0, 2],
         "by hand: float16 holds 65504",
         {"outlier_dtype": "F16", "outlier_values": "ff7b0000"})
    spiked = [v * (9 if i % 17 in (3, 11) else 1) for i, v in enumerate(noise(17 * 12, 140))]
    for name, config in {**INTEGERS, "base3": BASE3}.items():
        if config.get("scheme") == "offset":
            continue
        case(f"{name}_outliers_none", {**config, **TOKEN, **threshold(100)}, [3, 5],
             noise(15, 141), "the definition; no outlier, nothing kept apart")
        case(f"{name}_outliers_rank_1", {**config, **TOKEN, **threshold(1)}, [9], noise(9, 142))
        case(f"{name}_outliers_rank_2", {**config, **TOKEN, **threshold(6)}, [12, 17], spiked)
        case(f"{name}_outliers_rank_3", {**config, **TOKEN, **threshold(6)}, [3, 4, 17], spiked,
             "the definition; columns are those of the last dimension")
        case(f"{name}_outliers_all", {**config, **TOKEN, **threshold(0.5)}, [2, 3],
             [1, -1, 2, 3, -0.5, 0.75], "by hand: every column is kept apart",
             {"outlier_columns": [0, 1, 2]})
        case(f"{name}_outliers_zero_row", {**config, **TOKEN, **threshold(6)}, [3, 3],
             [7, 1, -2, 0, 0, 0, 8, 0, 0])
    for name, config in OTHERS.items():
        if config.get("scheme") != "offset":
            case(f"{name}_outliers", {**config, **TOKEN, **threshold(6)}, [3, 17], spiked[:51])
    case("int8_outliers_rough", {**INT8, **TOKEN, **threshold(1.75)}, [5, 33], rough(165, 143),
         "the definition; values kept apart are rounded to float16")
    case("int8_outliers_percentile", {**INT8, **TOKEN, **threshold(2), **percentile(80)},
         [6, 10], [2 * v for v in noise(60, 144)],
         "the definition; outliers count as 0 in the percentile")
    case("int8_outliers_stochastic", {**INT8, **TOKEN, **threshold(1), **rounding("stochastic"),
                                      "seed": "3"}, [4, 15], noise(60, 145))


def add():
    for cases in (ternary_by_hand, int8_by_hand, int4_by_hand, bit_streams_by_hand, extremes,
                  ranges, ggml, base3,
                  roundings, stochastic, scale_rules, outliers):
        cases()
