"""Options and arrays that are refused, and texts that are configs or not.

SPDX-License-Identifier: MIT
"""
from common import (BASE3, BF16, BINARY, E2M1, E4M3, E5M2, F16, FP4, INT2, INT3, INT4,
                    INT4_ASYMMETRIC, INT5, INT6, INT8, INT8_ASYMMETRIC, NF4, TENSOR, TERNARY,
                    TOKEN, block, channel, group, noise)
from definitions import F32

BAD = "invalid argument"
UNSUPPORTED = "unsupported"
NON_FINITE = "non-finite value"
NOT_FOUND = "not found"
EXISTS = "already exists"

SIX = [1, -1, 2, -2, 3, -3]


def error(name, config, shape, values, status, message):
    return {"name": name, "config": config, "shape": shape,
            "input": [v if isinstance(v, str) else float(F32(v)) for v in values],
            "status": status, "message": message}


def non_finite():
    finite = noise(20, 70)

    def spoilt(index, value):
        return finite[:index] + [value] + finite[index + 1:]

    def refused(name, config, shape, values, index):
        return error(name, config, shape, values, NON_FINITE, str(index))

    keep_zero = {"non_finite": "zero"}
    return [
        refused("nan", {**TERNARY, **TENSOR}, [20], spoilt(13, "nan"), 13),
        refused("infinity", {**INT8, **TENSOR}, [20], spoilt(19, "inf"), 19),
        refused("negative_infinity", {**INT8_ASYMMETRIC, **group(4)}, [4, 5],
                spoilt(17, "-inf"), 17),
        refused("first_of_several", {**INT8, **channel(1)}, [2, 10],
                ["nan" if i in (12, 13, 18) else v for i, v in enumerate(finite)], 12),
        refused("clip_does_not_mend_nan", {**INT8, **TENSOR, "clip": "1"}, [20],
                spoilt(14, "nan"), 14),
        refused("clip_does_not_mend_infinity", {**TERNARY, **TENSOR, "clip": "1"}, [20],
                spoilt(15, "inf"), 15),
        refused("int4_nan", {**INT4, **group(3)}, [4, 5], spoilt(16, "nan"), 16),
        refused("nf4_infinity", {**NF4, **block(8)}, [4, 5], spoilt(17, "inf"), 17),
        refused("fp4_nan", {**FP4, **block(8)}, [4, 5], spoilt(18, "nan"), 18),
        refused("int3_nan", {**INT3, **group(3)}, [4, 5], spoilt(16, "nan"), 16),
        refused("binary_nan", {**BINARY, **group(3)}, [4, 5], spoilt(17, "nan"), 17),
        refused("e2m1_infinity", {**E2M1, **group(8), "scale_dtype": "e8m0"}, [4, 5],
                spoilt(18, "-inf"), 18),
        refused("e4m3_nan", {**E4M3, **channel(1), "saturate": "off"}, [4, 5],
                spoilt(19, "nan"), 19),
        refused("offset_infinity", {**INT4, **group(8), "scheme": "offset"}, [4, 5],
                spoilt(12, "inf"), 12),
        refused("base3_infinity", {**BASE3, **TOKEN}, [4, 5], spoilt(19, "-inf"), 19),
        refused("percentile_nan", {**INT8, **TOKEN, "scale_rule": "percentile"}, [4, 5],
                spoilt(12, "nan"), 12),
        refused("outliers_infinity", {**INT8, **TOKEN, "outlier_threshold": "6"}, [4, 5],
                spoilt(13, "inf"), 13),
        refused("f16_nan", F16, [20], spoilt(12, "nan"), 12),
        refused("f16_infinity", F16, [20], spoilt(13, "-inf"), 13),
        refused("f16_overflow", F16, [20], spoilt(14, 65520), 14),
        refused("f16_negative_overflow", F16, [20], spoilt(15, -65520), 15),
        refused("f16_overflow_with_zero", {**F16, **keep_zero}, [20], spoilt(16, 1e6), 16),
        refused("bf16_nan", BF16, [20], spoilt(17, "nan"), 17),
        refused("bf16_infinity", BF16, [20], spoilt(18, "inf"), 18),
        refused("bf16_overflow", BF16, [20], spoilt(19, (2 - 2.0**-8) * 2.0**127), 19),
        refused("bf16_overflow_with_zero", {**BF16, **keep_zero}, [20],
                spoilt(12, -(2 - 2.0**-8) * 2.0**127), 12),
    ]


def combinations():
    """(option, other options, formats) that do not go together."""
    refused = [
        ("scheme", {"scheme": "asymmetric"},
         (TERNARY, BINARY, NF4, FP4, E2M1, E4M3, E5M2, F16, BF16)),
        ("scheme", {"scheme": "offset"}, (TERNARY, BINARY, NF4, FP4, E2M1, E4M3, E5M2, F16, BF16)),
        ("rounding", {"rounding": "half_away"}, (BINARY, NF4, FP4, E2M1, E4M3, E5M2, F16, BF16)),
        ("rounding", {"rounding": "stochastic"}, (BINARY, NF4, E4M3, F16)),
        ("rounding", {"rounding": "half_toward_zero"}, (BINARY, NF4, FP4, F16, BF16)),
        ("scale_rule", {"scale_rule": "absmean"}, (NF4, FP4, E2M1, E4M3, E5M2, F16, BF16)),
        ("scale_rule", {"scale_rule": "absmax"}, (F16, BF16)),
        ("scale_rule", {"scale_rule": "percentile"}, (F16,)),
        ("symmetric_range", {"symmetric_range": "full"},
         (TERNARY, BINARY, NF4, FP4, E2M1, E4M3, F16, BF16)),
        ("symmetric_range", {"symmetric_range": "extreme"}, (TERNARY, BINARY, NF4, E5M2)),
        ("packing", {"packing": "base3"}, (INT8, INT4, INT2, BINARY, NF4, FP4, E2M1, F16, BF16)),
        ("saturate", {"saturate": "off"},
         (TERNARY, BINARY, INT8, INT3, NF4, FP4, E2M1, F16, BF16)),
        ("scale_dtype", {"scale_dtype": "e8m0"}, (F16, BF16)),
        ("scale_dtype", {"scale_dtype": "e4m3"}, (F16, BF16)),
        ("scale_dtype", {"scale_dtype": "f16"}, (F16, BF16)),
        ("scale_dtype", {"scale_dtype": "bf16"}, (F16,)),
        ("double_quant", {"double_quant": "on"}, (F16, BF16)),
        ("non_finite", {"non_finite": "keep"},
         (TERNARY, BINARY, INT8, INT6, INT5, INT4, INT3, INT2, NF4, FP4, E2M1, E4M3, E5M2)),
        ("outlier_threshold", {**TOKEN, "outlier_threshold": "6"},
         (BINARY, NF4, FP4, E2M1, E4M3, F16, BF16)),
    ]
    out = []
    for option, others, formats in refused:
        for config in formats:
            format = config["format"]
            name = f"{format}_{option}_{others[option]}"
            config = {**config, **others}
            out += [error(name, config, [6], SIX, UNSUPPORTED, option),
                    error(name + "_names_the_format", config, [6], SIX, UNSUPPORTED, format)]
    for name, option, config in (
            ("absmean", "scale_rule", {**INT8_ASYMMETRIC, "scale_rule": "absmean"}),
            ("absmean_int4", "scale_rule", {**INT4_ASYMMETRIC, "scale_rule": "absmean"}),
            ("full", "symmetric_range", {**INT8_ASYMMETRIC, "symmetric_range": "full"}),
            ("extreme", "symmetric_range", {**INT4_ASYMMETRIC, "symmetric_range": "extreme"})):
        out.append(error(f"asymmetric_{name}", config, [6], SIX, UNSUPPORTED, option))
    for rule in ("absmean", "percentile"):
        out.append(error(f"extreme_{rule}",
                         {**INT4, "symmetric_range": "extreme", "scale_rule": rule},
                         [6], SIX, UNSUPPORTED, "symmetric_range"))
    for scheme in ("asymmetric", "offset"):
        for name, others in (("absmean", {"scale_rule": "absmean"}),
                             ("full", {"symmetric_range": "full"})):
            out.append(error(f"int3_{scheme}_{name}", {**INT3, "scheme": scheme, **others}, [6],
                             SIX, UNSUPPORTED, next(iter(others))))
    for dtype in ("e8m0", "e4m3"):
        out.append(error(f"offset_with_{dtype}", {**INT4, "scheme": "offset",
                                                  "scale_dtype": dtype},
                         [6], SIX, UNSUPPORTED, "scheme = offset"))
    out.append(error("offset_with_outliers",
                     {**INT8, **TOKEN, "scheme": "offset", "outlier_threshold": "6"}, [6], SIX,
                     UNSUPPORTED, "scheme = offset"))
    out.append(error("extreme_e8m0", {**INT4, "symmetric_range": "extreme",
                                      "scale_dtype": "e8m0"},
                     [6], SIX, UNSUPPORTED, "scale_dtype = e8m0"))
    for dtype in ("f16", "bf16", "e8m0", "e4m3"):
        out.append(error(f"double_quant_of_{dtype}", {**NF4, "double_quant": "on",
                                                      "scale_dtype": dtype},
                         [6], SIX, UNSUPPORTED, "double_quant"))
    for granularity in ("tensor", "channel", "group", "block"):
        out.append(error(f"outliers_per_{granularity}",
                         {**INT8, "granularity": granularity, "outlier_threshold": "6"},
                         [2, 3], SIX, UNSUPPORTED, "outlier_threshold"))
    return out


def bad_values():
    def bad(name, config, message, shape=(6,)):
        return error(name, config, list(shape), SIX, BAD, message)

    return [
        bad("format_none", {"format": "none"}, "format"),
        error("unknown_option", {"group_sise": "64"}, [6], SIX, NOT_FOUND, "group_sise"),
        bad("unknown_format", {"format": "int9"}, "int9"),
        bad("unknown_scheme", {"scheme": "lopsided"}, "lopsided"),
        bad("unknown_granularity", {"granularity": "row"}, "granularity"),
        bad("unknown_rounding", {"rounding": "up"}, "rounding"),
        bad("unknown_scale_rule", {"scale_rule": "median"}, "median"),
        bad("unknown_symmetric_range", {"symmetric_range": "wide"}, "symmetric_range"),
        bad("unknown_scale_dtype", {"scale_dtype": "f64"}, "f64"),
        bad("unknown_packing", {"packing": "base4"}, "packing"),
        bad("unknown_double_quant", {"double_quant": "yes"}, "double_quant"),
        bad("unknown_non_finite", {"non_finite": "drop"}, "drop"),
        bad("group_size_zero", group(0), "group_size"),
        bad("group_size_negative", group(-8), "group_size"),
        bad("group_size_no_number", {"group_size": "many"}, "many"),
        bad("group_size_with_tail", {"group_size": "64k"}, "64k"),
        bad("group_size_empty", {"group_size": ""}, "group_size"),
        bad("group_size_too_large_for_an_integer", {"group_size": "99999999999999999999"},
            "group_size"),
        bad("axis_out_of_bounds", channel(8), "axis", (2, 3)),
        bad("axis_beyond_the_rank", {**INT8, **channel(2)}, "axis", (2, 3)),
        bad("axis_before_the_first", {**INT8, **channel(-3)}, "axis", (2, 3)),
        bad("clip_negative", {"clip": "-1"}, "clip"),
        bad("clip_nan", {"clip": "nan"}, "clip"),
        bad("clip_infinite", {"clip": "inf"}, "clip"),
        bad("clip_vanishes", {"clip": "1e-46"}, "clip"),
        bad("outlier_threshold_vanishes", {"outlier_threshold": "1e-46"}, "outlier_threshold"),
        bad("seed_negative", {"seed": "-1"}, "seed"),
        bad("seed_beyond", {"seed": str(2**53 + 1)}, "seed"),
        bad("percentile_negative", {"percentile": "-0.5"}, "percentile"),
        bad("percentile_beyond", {"percentile": "100.5"}, "percentile"),
        bad("percentile_no_number", {"percentile": "nan"}, "percentile"),
        bad("outlier_threshold_negative", {"outlier_threshold": "-6"}, "outlier_threshold"),
        bad("outlier_threshold_no_number", {"outlier_threshold": "six"}, "six"),
        bad("double_quant_beyond", {"double_quant": "2"}, "double_quant"),
        bad("rounding_beyond", {"rounding": "8"}, "rounding"),
        bad("unknown_saturate", {"saturate": "yes"}, "saturate"),
        bad("scale_dtype_beyond", {"scale_dtype": "5"}, "scale_dtype"),
    ]


def error_cases():
    cases = non_finite() + combinations() + bad_values()
    names = [case["name"] for case in cases]
    assert len(names) == len(set(names)), "a name twice"
    return cases


PRESETS = {
    "default": "format=ternary",
    "ternary": "format=ternary,granularity=tensor",
    "ternary_per_group_128": "format=ternary",
    "ternary_base3": "format=ternary,packing=base3",
    "int8_symmetric": "format=int8,granularity=tensor",
    "int8_asymmetric": "format=int8,granularity=tensor,scheme=asymmetric",
    "int8_per_channel": "format=int8,granularity=channel",
    "int8_per_group_128": "format=int8",
    "int8_dynamic": "format=int8,granularity=token",
    "int8_dynamic_asymmetric": "format=int8,granularity=token,scheme=asymmetric",
    "int8_outliers": "format=int8,granularity=token,outlier_threshold=6",
    "int4_per_group_32": "format=int4,group_size=32",
    "int4_per_group_128": "format=int4",
    "int4_per_group_128_asymmetric": "format=int4,scheme=asymmetric",
    "int4_mse_per_group_128": "format=int4,scale_rule=mse",
    "nf4": "format=nf4,granularity=block,group_size=64",
    "nf4_double_quant": "format=nf4,granularity=block,group_size=64,double_quant=on",
    "fp4": "format=fp4,granularity=block,group_size=64",
    "fp4_double_quant": "format=fp4,granularity=block,group_size=64,double_quant=on",
    "binary_per_group_128": "format=binary",
    "int2_per_group_64": "format=int2,group_size=64,scheme=offset,scale_rule=mse,scale_dtype=f16",
    "int3_per_group_64": "format=int3,group_size=64,scheme=offset,scale_rule=mse,scale_dtype=f16",
    "int4_offset_per_group_32": "format=int4,group_size=32,scheme=offset,scale_dtype=f16",
    "int4_offset_per_group_64": "format=int4,group_size=64,scheme=offset,scale_dtype=f16",
    "int5_per_group_32": "format=int5,group_size=32,scheme=offset,scale_dtype=f16",
    "int6_per_group_32": "format=int6,group_size=32,scale_dtype=f16",
    "int8_per_group_32": "format=int8,group_size=32,scale_dtype=f16",
    "mxfp4": "format=e2m1,group_size=32,scale_dtype=e8m0",
    "mxfp8": "format=e4m3,group_size=32,scale_dtype=e8m0",
    "mxfp8_e5m2": "format=e5m2,group_size=32,scale_dtype=e8m0",
    "nvfp4": "format=e2m1,group_size=16,scale_dtype=e4m3",
    "fp8": "format=e4m3,granularity=tensor",
    "fp8_per_channel": "format=e4m3,granularity=channel",
    "fp8_dynamic": "format=e4m3,granularity=token",
    "fp8_per_group_128": "format=e4m3",
    "fp8_per_tile_128": "format=e4m3,granularity=tile",
    "f16": "format=f16",
    "bf16": "format=bf16",
    "aggressive": "format=ternary,group_size=256,scale_rule=mse,scale_dtype=f16,packing=base3",
}
# The preset or format that is usual for codes of so many bits.
BITS = {"1": "binary_per_group_128", "1.58": "ternary_per_group_128", "2": "int2_per_group_64",
        "3": "int3_per_group_64", "4": "int4_per_group_128", "5": "int5_per_group_32",
        "6": "int6_per_group_32", "8": "int8_per_channel", "16": "f16"}
TEXTS = {  # name: (text, what it becomes)
    **{f"bits_{bits}": (f"bits={bits}", PRESETS[preset]) for bits, preset in BITS.items()},
    "bits_of_none": ("bits=32", "format=none"),
    "bits_with_options": (" bits = 4.0 , group_size=32", "format=int4,group_size=32"),
    "one_option": ("format=int8", "format=int8"),
    "two_options": ("format=int4,group_size=64", "format=int4,group_size=64"),
    "the_format_comes_first": ("group_size=64,format=int4", "format=int4,group_size=64"),
    "the_format_may_be_left_out": ("group_size=64", "format=ternary,group_size=64"),
    "defaults_are_left_out": (
        "format=int8,granularity=group,group_size=128,axis=0,scheme=symmetric,clip=0,"
        "non_finite=error,rounding=half_even,seed=0,scale_rule=default,percentile=99.9,"
        "symmetric_range=narrow,scale_dtype=f32,double_quant=off,packing=default,"
        "outlier_threshold=0,saturate=on", "format=int8"),
    "every_option": (
        "saturate=off,outlier_threshold=6.5,packing=base3,double_quant=on,scale_dtype=bf16,"
        "symmetric_range=extreme,percentile=97.25,scale_rule=percentile,seed=7,"
        "rounding=stochastic,non_finite=keep,clip=0.5,scheme=asymmetric,axis=-1,"
        "group_size=32,granularity=block,format=nf4",
        "format=nf4,granularity=block,group_size=32,axis=-1,scheme=asymmetric,clip=0.5,"
        "non_finite=keep,rounding=stochastic,seed=7,scale_rule=percentile,percentile=97.25,"
        "symmetric_range=extreme,scale_dtype=bf16,double_quant=on,packing=base3,"
        "outlier_threshold=6.5,saturate=off"),
    "offsets": ("int3,scheme=2,group_size=32", "format=int3,group_size=32,scheme=offset"),
    "powers_of_two": ("e2m1,group_size=32,scale_dtype=e8m0",
                      "format=e2m1,group_size=32,scale_dtype=e8m0"),
    "small_scales": ("E4M3,scale_dtype=e4m3,saturate=off",
                     "format=e4m3,scale_dtype=e4m3,saturate=off"),
    "numbers_for_names": ("format=3,granularity=4,rounding=6,double_quant=1",
                          "format=int4,granularity=block,rounding=stochastic,double_quant=on"),
    "the_last_of_several": ("format=int8,group_size=32,format=int4,group_size=64",
                            "format=int4,group_size=64"),
    "blanks": ("  format=int4 ,  group_size=64  ", "format=int4,group_size=64"),
    "format_none": ("format=none", "format=none"),
    "preset_with_options": ("nf4_double_quant,group_size=128",
                            "format=nf4,granularity=block,double_quant=on"),
    "preset_with_blanks": (" nf4 , group_size=128 ", "format=nf4,granularity=block"),
    "preset_with_an_option_undone": ("nf4_double_quant,double_quant=off",
                                     "format=nf4,granularity=block,group_size=64"),
    "large_seed": (f"format=int8,rounding=stochastic,seed={2**53}",
                   f"format=int8,rounding=stochastic,seed={2**53}"),
}
NO_TEXTS = {  # name: (text, status, message)
    "unknown_preset": ("int5_per_group_7", NOT_FOUND, "int5_per_group_7"),
    "unknown_option": ("format=int8,group_sise=64", NOT_FOUND, "group_sise"),
    "unknown_value": ("format=int8,scheme=lopsided", BAD, "lopsided"),
    "unknown_format": ("format=int9", BAD, "int9"),
    "no_number": ("group_size=many", BAD, "group_size"),
    "out_of_bounds": ("nf4,group_size=0", BAD, "group_size"),
    "percentile_out_of_bounds": ("percentile=101", BAD, "percentile"),
    "no_value": ("format=int8,group_size=", BAD, "group_size"),
    "bits_that_no_config_has": ("bits=7", BAD, "1.58"),
    "bits_no_number": ("bits=four", BAD, "four"),
}


def config_cases():
    cases = [{"name": f"preset_{name}", "text": name, "canonical": text}
             for name, text in PRESETS.items()]
    cases += [{"name": f"{name}", "text": text, "canonical": canonical}
              for name, (text, canonical) in TEXTS.items()]
    canonical = sorted({case["canonical"] for case in cases})
    cases += [{"name": f"canonical_{i}", "text": text, "canonical": text}
              for i, text in enumerate(canonical)]
    cases += [{"name": name, "text": text, "status": status, "message": message}
              for name, (text, status, message) in NO_TEXTS.items()]
    return cases
