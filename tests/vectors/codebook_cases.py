"""Cases of the formats whose values are fitted to the tensor.

SPDX-License-Identifier: MIT
"""
from common import TENSOR, TOKEN, block, case, channel, group, noise

CODEBOOKS = {name: {"format": name} for name in ("codebook4", "codebook3", "codebook2")}


def coarse(count, seed):
    """Multiples of 1/32: all sums of products are exact."""
    return [round(v * 32) / 32 for v in noise(count, seed)]


def add():
    for name, config in CODEBOOKS.items():
        entries = 2**int(name[-1])
        # As many values as entries: each becomes one.
        values = [(i - entries // 3) / entries for i in range(entries)]
        last = max(values, key=abs)
        case(f"{name}_every_value", {**config, **TENSOR}, [entries], values,
             "the definition; of as many values as entries nothing is lost" if entries == 4
             else "the definition", {"scales": [last]})
        case(f"{name}_groups", {**config, **group(20)}, [3, 48], coarse(144, 300))
        case(f"{name}_two_heaps", {**config, **group(16)}, [2, 40],
             [v / 8 + (1 if i % 2 else -0.5) for i, v in enumerate(coarse(80, 301))],
             "the definition; entries that are nobody's code are used elsewhere")
        case(f"{name}_zeros", {**config, **TENSOR}, [2, 3], [0] * 6,
             "by hand: scale 0, and the table that a fit starts from", {"scales": [0.0]})
        case(f"{name}_zero_group", {**config, **group(4)}, [2, 8],
             [0, 0, 0, 0, 1, -1, 2, -2, 4, 0, -4, 0, 0, 0, 0, 0])
        case(f"{name}_one_element", {**config, **group(128)}, [1], [-0.75])
        case(f"{name}_signed_scale", {**config, **group(4)}, [8],
             [1, -2, 0.5, 0.25, -1, 2, -0.5, -0.25],
             "by hand: the scale has the sign of the greatest", {"scales": [-2.0, 2.0]})
        for storage in ({"scale_dtype": "f16"}, {"scale_dtype": "bf16"},
                        {"scale_dtype": "e4m3"}, {"double_quant": "on"}):
            kind = next(iter(storage.values()))
            case(f"{name}_scales_{kind}", {**config, **group(8), **storage}, [3, 32],
                 coarse(96, 302))
        for sharing, options in (("channels", channel(1)), ("tokens", TOKEN),
                                 ("blocks", block(7))):
            case(f"{name}_{sharing}", {**config, **options}, [2, 3, 9], coarse(54, 303))
        case(f"{name}_empty", {**config, **group(16)}, [0, 5], [])
        case(f"{name}_max_float", {**config, **TENSOR}, [4],
             [2.0**127, -(2.0**127), 0, 2.0**126],
             "the definition: the scale leaves room for an entry of 2")
