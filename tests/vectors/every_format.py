"""Cases that every format, or every one with scales, goes through.

SPDX-License-Identifier: MIT
"""
from common import (ALL_SCALED, BASE3, BF16, E4M3, F16, HALVES, SCALED, TENSOR, TOKEN, block, case,
                    channel, group, noise, rough, tile)
from definitions import FLOATS, FLT_TRUE_MIN

PACKED = {**SCALED, "base3": BASE3}
OTHERS = {name: config for name, config in ALL_SCALED.items() if name not in SCALED}


def code_of_zero(name, config):
    if "scheme" in config and config["scheme"] == "offset":
        return -2**(int(config["format"][3]) - 1)
    return {"nf4": 7, "binary": 1}.get(name, 0)


def zeros():
    for name, config in ALL_SCALED.items():
        code = code_of_zero(name, config)
        case(f"{name}_zeros", {**config, **TENSOR}, [3], [0, 0, 0],
             "by hand: scale and zero point 0, and the code of 0",
             {"codes": [code] * 3, "scales": [0.0]})
        if name in FLOATS:
            case(f"{name}_negative_zeros", {**config, **TENSOR}, [2], [-0.0, 0.0],
                 "by hand: -0 has a code of its own, the sign",
                 {"codes": [8 if name == "e2m1" else -128, 0], "scales": [0.0],
                  "dequantized": ["80000000", "00000000"]})
        else:
            case(f"{name}_negative_zeros", {**config, **TENSOR}, [2], [-0.0, 0.0],
                 "by hand: -0 is a zero like the other",
                 {"codes": [code] * 2, "scales": [0.0], "dequantized": ["00000000"] * 2})
        case(f"{name}_zero_group", {**config, **group(4)}, [2, 8],
             [0, 0, 0, 0, 1, -1, 2, -2, 4, 0, -4, 0, 0, 0, 0, 0])
        case(f"{name}_one_element", {**config, **group(128)}, [1], [-0.75])
    for name, config in ALL_SCALED.items():
        case(f"{name}_subnormal", {**config, **TENSOR}, [4],
             [FLT_TRUE_MIN * 8, -FLT_TRUE_MIN * 2, 0, FLT_TRUE_MIN])
    for name, config in {**SCALED, **HALVES}.items():
        case(f"{name}_non_finite_zero", {**config, **group(3), "non_finite": "zero"}, [6],
             ["nan", 1, -0.5, "-inf", "inf", 0],
             "the definition; NaN and infinity count as 0")


def shapes():
    for name, config in SCALED.items():
        case(f"{name}_rank_0", {**config, **TENSOR}, [], [-1.25])
        case(f"{name}_rank_0_group", {**config, **group(16)}, [], [1.25])
        case(f"{name}_rank_0_token", {**config, **TOKEN}, [], [1.25])
        case(f"{name}_rank_0_block", {**config, **block(16)}, [], [-1.25])
        case(f"{name}_rank_1_channels", {**config, **channel(0)}, [5], noise(5, 30))
        for axis in (0, 1, -1):
            case(f"{name}_rank_2_axis_{axis}", {**config, **channel(axis)}, [3, 5],
                 noise(15, 31))
        for axis in (0, 1, 2, -1, -2):
            case(f"{name}_rank_3_axis_{axis}", {**config, **channel(axis)}, [2, 3, 5],
                 noise(30, 32))
        case(f"{name}_rank_4_axis_2", {**config, **channel(2)}, [2, 2, 3, 3], noise(36, 33))
        case(f"{name}_rank_8", {**config, **group(4)}, [2, 1, 2, 1, 2, 1, 3, 1], noise(24, 34))
        case(f"{name}_rank_3_tensor", {**config, **TENSOR}, [3, 2, 3], noise(18, 35))
        case(f"{name}_rank_3_group", {**config, **group(4)}, [2, 3, 3], noise(18, 36),
             "the definition; groups run over the flattened rest of each row")
        case(f"{name}_odd_columns", {**config, **TENSOR}, [3, 7], noise(21, 37))
        case(f"{name}_one_column", {**config, **group(8)}, [5, 1], noise(5, 38))
        case(f"{name}_defaults", dict(config), [2, 3], noise(6, 39),
             "the definition; groups of 128 by default, which one row does not fill")


def empty_arrays():
    for name, config in SCALED.items():
        case(f"{name}_empty", {**config, **group(4)}, [0], [])
        case(f"{name}_empty_tensor", {**config, **TENSOR}, [0], [],
             "by hand: the one parameter of nothing is 0", {"scales": [0.0]})
        case(f"{name}_empty_columns_channels", {**config, **channel(0)}, [3, 0], [],
             "by hand: channels of nothing have no parameters", {"scales": []})
        case(f"{name}_empty_rows", {**config, **group(4)}, [0, 6], [])
        case(f"{name}_empty_columns", {**config, **group(4)}, [3, 0], [])
        case(f"{name}_empty_channels", {**config, **channel(1)}, [3, 0], [])
        case(f"{name}_empty_blocks", {**config, **block(4)}, [3, 0], [])
        case(f"{name}_empty_tokens", {**config, **TOKEN}, [0, 6], [])
    for name, config in HALVES.items():
        case(f"{name}_empty", config, [3, 0], [])


def groups():
    for name, config in SCALED.items():
        for size in (1, 2, 3, 5, 8, 16):
            case(f"{name}_group_{size}", {**config, **group(size)}, [3, 13], noise(39, 40),
                 "the definition; the last group of each row is short")
        case(f"{name}_group_32", {**config, **group(32)}, [2, 67], noise(134, 49))
        case(f"{name}_group_divides", {**config, **group(8)}, [2, 16], noise(32, 41))
        case(f"{name}_group_exceeds_row", {**config, **group(1000)}, [2, 9], noise(18, 42))
        case(f"{name}_group_clip", {**config, **group(6), "clip": "0.75"}, [2, 15],
             noise(30, 43))
        case(f"{name}_large_group", {**config, **group(128)}, [2, 300], noise(600, 44))
        case(f"{name}_large_tensor", {**config, **TENSOR}, [601], noise(601, 45))
        if name != "ternary":
            case(f"{name}_rough", {**config, **group(32)}, [3, 67], rough(201, 46))
            case(f"{name}_rough_channels", {**config, **channel(1)}, [5, 6, 2], rough(60, 48))


def tokens():
    for name, config in SCALED.items():
        case(f"{name}_token_rank_1", {**config, **TOKEN}, [7], noise(7, 80),
             "the definition; the array is one token")
        case(f"{name}_token_rank_2", {**config, **TOKEN}, [4, 9], noise(36, 81))
        case(f"{name}_token_rank_3", {**config, **TOKEN}, [2, 3, 5], noise(30, 82),
             "the definition; six tokens, whose codes are packed in two rows")
        case(f"{name}_token_of_one", {**config, **TOKEN}, [2, 3, 1], noise(6, 83))
        case(f"{name}_token_group_size", {**config, **TOKEN, "group_size": "2"}, [2, 5],
             noise(10, 84), "the definition; the group size does not count")
        case(f"{name}_token_large", {**config, **TOKEN}, [3, 131], noise(393, 85))


def blocks():
    for name, config in PACKED.items():
        for size in (1, 3, 4, 32):
            case(f"{name}_block_{size}", {**config, **block(size)}, [3, 11], noise(33, 86),
                 "the definition; blocks run across rows, codes are packed as one row")
        case(f"{name}_block_rank_3", {**config, **block(7)}, [2, 3, 5], noise(30, 87))
        case(f"{name}_block_64", {**config, **block(64)}, [5, 39], noise(195, 88))
        case(f"{name}_block_exceeds", {**config, **block(4096)}, [3, 3], noise(9, 89))


def tiles():
    for name, config in PACKED.items():
        for size in (1, 2, 16):
            case(f"{name}_tile_{size}", {**config, **tile(size)}, [3, 19], noise(57, 96),
                 "the definition; the tiles at the right and lower edge are short")
        case(f"{name}_tile_rank_0", {**config, **tile(4)}, [], [-1.25])
        case(f"{name}_tile_rank_1", {**config, **tile(4)}, [9], noise(9, 97),
             "the definition; the array is one row")
        case(f"{name}_tile_rank_3", {**config, **tile(2)}, [2, 3, 5], noise(30, 98),
             "the definition; two matrices, whose codes are packed in six rows")
        case(f"{name}_tile_empty", {**config, **tile(4)}, [2, 3, 0], [])
        case(f"{name}_tile_exceeds", {**config, **tile(4096)}, [3, 3], noise(9, 99))
    case("e4m3_tile_128", {**E4M3, **tile(128)}, [2, 130], rough(260, 100))
    case("int4_offset_tile", {"format": "int4", "scheme": "offset", "scale_dtype": "f16",
                              **tile(3)}, [4, 7], noise(28, 101))
    case("int8_tile_double_quant", {"format": "int8", "double_quant": "on", **tile(2)},
         [5, 7], noise(35, 102))
    case("int8_tile_percentile", {"format": "int8", "scheme": "asymmetric",
                                  "scale_rule": "percentile", "percentile": "75", **tile(4)},
         [6, 9], noise(54, 103))
    case("e2m1_tile_e4m3", {"format": "e2m1", "scale_dtype": "e4m3", **tile(16)},
         [2, 40], noise(80, 104))


def halves():
    for name, config in HALVES.items():
        case(f"{name}_noise", config, [3, 41], noise(123, 90))
        case(f"{name}_rough", config, [5, 8, 2], rough(80, 91))
        case(f"{name}_rank_0", config, [], [-1.25])
    case("f16_block", {**F16, **block(4)}, [3, 3], noise(9, 92),
         "the definition; granularity and group size are without effect")
    case("f16_token", {**F16, **TOKEN}, [2, 3, 1], noise(6, 93),
         "the definition; granularity is without effect")
    case("bf16_channel", {**BF16, **channel(1)}, [2, 3], noise(6, 94),
         "the definition; granularity and axis are without effect")
    case("bf16_tensor", {**BF16, **TENSOR}, [7], noise(7, 95),
         "the definition; granularity is without effect")


def others():
    """The rest of the formats, in fewer of these ways."""
    for name, config in OTHERS.items():
        case(f"{name}_rank_0", {**config, **TENSOR}, [], [-1.25])
        case(f"{name}_rank_3_axis_1", {**config, **channel(1)}, [2, 3, 5], noise(30, 32))
        case(f"{name}_odd_columns", {**config, **TENSOR}, [3, 7], noise(21, 37))
        case(f"{name}_one_column", {**config, **group(8)}, [5, 1], noise(5, 38))
        case(f"{name}_empty_columns", {**config, **group(4)}, [3, 0], [])
        case(f"{name}_group_3", {**config, **group(3)}, [3, 13], noise(39, 40),
             "the definition; the last group of each row is short")
        case(f"{name}_group_clip", {**config, **group(6), "clip": "0.75"}, [2, 15],
             noise(30, 43))
        case(f"{name}_group_32", {**config, **group(32)}, [2, 67], noise(134, 49))
        case(f"{name}_rough", {**config, **group(32)}, [2, 35], rough(70, 46))
        case(f"{name}_token_rank_3", {**config, **TOKEN}, [2, 3, 5], noise(30, 82),
             "the definition; six tokens, whose codes are packed in two rows")
        case(f"{name}_block_3", {**config, **block(3)}, [3, 11], noise(33, 86),
             "the definition; blocks run across rows, codes are packed as one row")
        case(f"{name}_tile_2", {**config, **tile(2)}, [2, 3, 5], noise(30, 98),
             "the definition; two matrices, whose codes are packed in six rows")


def add():
    for cases in (zeros, shapes, empty_arrays, groups, tokens, blocks, tiles, halves, others):
        cases()
