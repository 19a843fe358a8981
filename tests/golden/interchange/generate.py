#!/usr/bin/env python3
"""Writes the files of this folder: quantized tensors in the layouts of other programs.

    generate.py           all but the blocks of GGUF files
    generate.py --ggml    those too, quantized by ggml's own library (tests/peers finds it)

None of it uses libbnq. README.md says what is what.
"""
import json
import pathlib
import shutil
import sys

import numpy as np
from files import folder, safetensors, write_json
from layouts import (F32, Typed, as_float32, awq, bf16, bitnet, bitsandbytes_4bit, dynamic_map,
                     e2m1, e4m3, e8m0, gptq, matmul_nbits, nibble_pairs, pack_quantized, spread,
                     words)

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests" / "vectors"), str(ROOT / "tests" / "peers")]

import gguf_files  # noqa: E402
from tables import FP4, NF4  # noqa: E402

PREFIX = "model.layers.0."
NORM = {PREFIX + "input_layernorm.weight": bf16(np.linspace(0.5, 1.5, 64))}


class Numbers:
    """Numbers by integers alone: the same with every release of numpy."""

    def __init__(self, seed):
        self.state = seed

    def integers(self, low, high, *shape):
        """Of [low, high)."""
        out = np.empty(int(np.prod(shape)), np.int64)
        for i in range(out.size):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            out[i] = low + (self.state >> 33) % (high - low)
        return out.reshape(shape)

    def normal(self, *shape):
        """Nearly Gaussian, float32, deviation near 1."""
        return (self.integers(-2**20, 2**20, *shape, 4).sum(-1) / F32(2**20)).astype(F32)

    def scales(self, *shape):
        """Positive, float32, of about 1/64, their 24 bits all in use."""
        return (self.integers(2**20, 2**24, *shape) / F32(2**29)).astype(F32)


class Case:
    """One golden file or folder, and what it must be read as."""

    def __init__(self, name, layout, options=None):
        self.name, self.layout, self.options = name, layout, options or {}
        self.arrays, self.expected, self.numbers = {}, {}, Numbers(len(name) + ord(name[-1]))

    def module(self, name, arrays, expected):
        """Arrays of a module by the suffix of its weight's name, or ("." ...) of its own."""
        prefix = PREFIX + name
        for suffix, array in arrays.items():
            key = suffix[1:] if suffix[:1] == "/" else "weight" + suffix
            self.arrays[f"{prefix}.{key}"] = array
        self.expected[f"{prefix}.weight"] = expected.astype(F32)

    def write(self, method, metadata=None, **config):
        """A folder: the modules, and a norm that is not quantized."""
        self.arrays.update(NORM)
        self.expected.update(NORM)
        folder(HERE / self.name, self.arrays, method, metadata, **config)
        return self.finish(self.name)

    def finish(self, path):
        safetensors(HERE / "expected" / f"{self.name}.safetensors", self.expected)
        return self.entry(path)

    def entry(self, path):
        return {"name": self.name, "path": path, "layout": self.layout,
                "options": self.options, "expected": f"expected/{self.name}.safetensors"}


def quant_state(**items):
    """bitsandbytes' JSON in an array of bytes."""
    return np.frombuffer(json.dumps(items).encode(), np.uint8)


def bitsandbytes(kind, nested):
    case = Case(f"bitsandbytes-{kind}" + ("-nested" if nested else ""), "bitsandbytes")
    table = {"nf4": NF4, "fp4": FP4}[kind]
    # The last block is short, and the last byte of the second one has half a pair.
    for name, shape in (("self_attn.q_proj", (8, 64)), ("self_attn.o_proj", (5, 45))):
        count = shape[0] * shape[1]
        codes = case.numbers.integers(0, 16, count)
        state = {"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": list(shape)}
        blocks = -(-count // 64)
        arrays = {}
        if nested:
            absmax = case.numbers.integers(0, 256, blocks).astype(np.uint8)
            nested_absmax = case.numbers.scales(-(-blocks // 256))
            offset = F32(0.0634765625)
            values = (dynamic_map()[absmax] * np.repeat(nested_absmax, 256)[:blocks] + offset)
            arrays = {".nested_absmax": nested_absmax, ".nested_quant_map": dynamic_map()}
            state.update(nested_blocksize=256, nested_dtype="float32",
                         nested_offset=float(offset))
        else:
            values = absmax = case.numbers.scales(blocks)
        arrays = {**bitsandbytes_4bit(codes, absmax, table), **arrays,
                  f".quant_state.bitsandbytes__{kind}": quant_state(**state)}
        case.module(name, arrays, (table[codes] * np.repeat(values, 64)[:count]).reshape(shape))
    return case.write({
        "quant_method": "bitsandbytes", "_load_in_4bit": True, "_load_in_8bit": False,
        "load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_compute_dtype": "bfloat16",
        "bnb_4bit_quant_storage": "uint8", "bnb_4bit_quant_type": kind,
        "bnb_4bit_use_double_quant": nested, "llm_int8_enable_fp32_cpu_offload": False,
        "llm_int8_has_fp16_weight": False, "llm_int8_skip_modules": None,
        "llm_int8_threshold": 6.0})


def bitsandbytes_int8():
    case = Case("bitsandbytes-int8", "bitsandbytes")
    codes = case.numbers.integers(-127, 128, 6, 44).astype(np.int8)
    scb = case.numbers.scales(6) * F32(8)
    case.module("self_attn.q_proj", {"": codes, "/SCB": scb,
                                     "/weight_format": np.array(0, np.uint8)},
                codes * (scb / F32(127))[:, None])
    return case.write({
        "quant_method": "bitsandbytes", "_load_in_4bit": False, "_load_in_8bit": True,
        "load_in_4bit": False, "load_in_8bit": True, "llm_int8_threshold": 6.0,
        "llm_int8_skip_modules": None, "llm_int8_has_fp16_weight": False})


def bitnet_folder(multiplies):
    case = Case("bitnet-" + ("multiplies" if multiplies else "divides"), "bitnet")
    for name, rows, columns in (("self_attn.q_proj", 8, 64), ("mlp.down_proj", 12, 30)):
        codes = case.numbers.integers(-1, 2, rows, columns)
        scale = bf16([0.03173828125] if multiplies else [24.5])
        value = as_float32(scale)[0]
        case.module(name, {"": bitnet(codes), "_scale": scale},
                    codes * (value if multiplies else F32(1) / value))
    return case.write({"quant_method": "bitnet", "modules_to_not_convert": None,
                       **({"linear_class": "autobitlinear", "quantization_mode": "offline",
                           "use_rms_norm": False, "rms_norm_eps": 1e-6} if multiplies else {})})


def weights_args(bits, symmetric, group):
    return {"num_bits": bits, "type": "int", "symmetric": symmetric,
            "strategy": "group" if group else "channel", "group_size": group,
            "dynamic": False, "actorder": None, "block_structure": None, "observer": "minmax",
            "observer_kwargs": {}}


def compressed_config(layout, groups):
    return {"quant_method": "compressed-tensors", "format": layout, "version": "0.9.0",
            "quantization_status": "compressed", "ignore": ["lm_head"],
            "global_compression_ratio": None, "kv_cache_scheme": None,
            "sparsity_config": {}, "transform_config": {},
            "config_groups": {f"group_{i}": {"input_activations": None,
                                             "output_activations": None, **group}
                              for i, group in enumerate(groups)}}


def packed_module(case, name, rows, columns, bits, group, symmetric, scale_type=bf16):
    half = 1 << (bits - 1)
    groups = columns // group if group else 1
    codes = case.numbers.integers(-half, half, rows, columns)
    scales = scale_type(case.numbers.scales(rows, groups))
    zeros = None if symmetric else case.numbers.integers(-half, half, rows, groups)
    case.module(name, pack_quantized(codes, scales, bits, zeros),
                (codes - (0 if symmetric else spread(zeros, columns))) *
                spread(as_float32(scales), columns))


def compressed(name, bits, group, symmetric, scale_type=bf16):
    case = Case("compressed-tensors-" + name, "compressed-tensors")
    packed_module(case, "self_attn.q_proj", 10, 64, bits, group, symmetric, scale_type)
    # Rows whose last word is not full, where there are no groups.
    packed_module(case, "mlp.down_proj", 8, 64 if group else 45, bits, group, symmetric,
                  scale_type)
    return case.write(compressed_config("pack-quantized", [
        {"targets": ["Linear"], "weights": weights_args(bits, symmetric, group)}]))


def int_quantized(case, name, rows, columns):
    codes = case.numbers.integers(-128, 128, rows, columns).astype(np.int8)
    scales = case.numbers.scales(rows, 1)
    case.module(name, {"": codes, "_scale": scales}, codes * scales)


INT8_ACTIVATIONS = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token",
                    "group_size": None, "dynamic": True, "actorder": None,
                    "block_structure": None, "observer": None, "observer_kwargs": {}}


def compressed_int8():
    case = Case("compressed-tensors-w8a8", "compressed-tensors")
    int_quantized(case, "self_attn.q_proj", 6, 44)
    return case.write(compressed_config("int-quantized", [
        {"targets": ["Linear"], "weights": weights_args(8, True, None),
         "input_activations": INT8_ACTIVATIONS}]))


def compressed_mixed():
    case = Case("compressed-tensors-mixed", "compressed-tensors")
    packed_module(case, "mlp.down_proj", 8, 64, 4, 32, True)
    int_quantized(case, "self_attn.q_proj", 8, 64)
    return case.write(compressed_config("mixed-precision", [
        {"targets": ["re:.*mlp.*"], "weights": weights_args(4, True, 32),
         "format": "pack-quantized"},
        {"targets": ["model.layers.0.self_attn.q_proj"], "weights": weights_args(8, True, None),
         "input_activations": INT8_ACTIVATIONS, "format": "int-quantized"}]))


def gptq_folder(name, bits, version, symmetric, act_order=False):
    case = Case("gptq-" + name, "gptq")
    group, top = 32, 1 << bits
    for module, rows, columns in (("self_attn.q_proj", 16, 64), ("mlp.down_proj", 16, 32)):
        groups = columns // group
        codes = case.numbers.integers(0, min(top, 3) if bits == 2 else top, rows, columns)
        middle = 1 if bits == 2 else top // 2
        # Never zero, which version 1 cannot tell from its neighbours.
        zeros = (np.full((rows, groups), middle) if symmetric else
                 case.numbers.integers(1, top, rows, groups))
        scales = case.numbers.scales(rows, groups).astype(np.float16)
        g_idx = np.arange(columns) // group
        if act_order:
            g_idx = g_idx[np.argsort(case.numbers.integers(0, 2**31, columns), kind="stable")]
        stored = zeros - 1 if version == 1 else zeros
        case.module(module, {"/" + key: array for key, array in
                             gptq(codes, scales, bits, stored, g_idx).items()},
                    (codes - zeros[:, g_idx]) * scales.astype(F32)[:, g_idx])
    return case.write({
        "quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": act_order,
        "sym": symmetric, "lm_head": False, "pack_dtype": "int32",
        "checkpoint_format": "gptq" if version == 1 else "gptq_v2",
        "meta": {"quantizer": "gptqmodel:1.0.0"}})


def awq_folder():
    case = Case("awq", "awq")
    for module, rows, columns in (("self_attn.q_proj", 16, 64), ("mlp.down_proj", 8, 96)):
        codes = case.numbers.integers(0, 16, rows, columns)
        zeros = case.numbers.integers(0, 16, rows, columns // 32)
        scales = case.numbers.scales(rows, columns // 32).astype(np.float16)
        case.module(module, {"/" + key: array for key, array in
                             awq(codes, scales, zeros).items()},
                    (codes - spread(zeros, columns)) * spread(scales.astype(F32), columns))
    return case.write({"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True,
                       "version": "gemm", "modules_to_not_convert": None})


def mlx(name, bits, group, half=np.float16):
    case = Case("mlx-" + name, "mlx")
    for module, rows, columns in (("self_attn.q_proj", 8, 64), ("mlp.down_proj", 5, 128)):
        codes = case.numbers.integers(0, 3 if bits == 2 else 1 << bits, rows, columns)
        scales = case.numbers.scales(rows, columns // group)
        scales[0, 0] *= -1  # as its quantizer may have them
        scales, biases = half(scales), half(case.numbers.normal(rows, columns // group))
        if bits == 2:  # ternary: the bias is -1 scale
            biases = half(-as_float32(scales))
        case.module(module, {"": words(codes, bits), "/scales": scales, "/biases": biases},
                    codes.astype(F32) * spread(as_float32(scales), columns) +
                    spread(as_float32(biases), columns))
    quantization = {"group_size": group, "bits": bits, "mode": "affine"}
    return case.write(quantization, {"format": "mlx"}, quantization=quantization)


def onnx(name, bits, block, symmetric):
    """The initializers of MatMulNBits, by the names that ONNX Runtime's quantizer gives."""
    case = Case("onnx-" + name, "ort")
    for module, rows, columns in (("self_attn.q_proj", 6, 64), ("mlp.down_proj", 5, 2 * block)):
        codes = case.numbers.integers(0, 1 << bits, rows, columns)
        blocks = columns // block
        scales = case.numbers.scales(rows, blocks)
        zeros = np.full((rows, blocks), 1 << (bits - 1))
        arrays = {f"_Q{bits}": matmul_nbits(codes, bits, block), "_scales": scales}
        if not symmetric:
            zeros = case.numbers.integers(0, 1 << bits, rows, blocks)
            packed = words(zeros, bits).view(np.uint8)
            arrays["_zero_points"] = packed[:, :-(-blocks * bits // 8)]
        case.module(module, arrays, (codes - spread(zeros, columns)) * spread(scales, columns))
    return case.write(None)


def finite_e4m3(case, rows, columns):
    codes = case.numbers.integers(0, 254, rows, columns)
    return np.where(codes >= 127, codes + 1, codes).astype(np.uint8)


def fp8_tiles(tile, name, scale_type):
    """As DeepSeek has them: the last tile of rows and of columns is cut."""
    case = Case(name, "fp8")
    for module, rows, columns in (("self_attn.q_proj", 40, 72), ("mlp.down_proj", 32, 64)):
        codes = finite_e4m3(case, rows, columns)
        scales = scale_type(case.numbers.scales(-(-rows // tile), -(-columns // tile)))
        each = np.repeat(np.repeat(as_float32(scales), tile, 0), tile, 1)[:rows, :columns]
        case.module(module, {"": Typed("F8_E4M3", codes), "_scale_inv": scales},
                    e4m3(codes) * each)
    return case.write({"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                       "weight_block_size": [tile, tile]})


def compressed_fp8():
    case = Case("compressed-tensors-fp8", "compressed-tensors")
    codes = finite_e4m3(case, 6, 44)
    scales = case.numbers.scales(6, 1)
    case.module("self_attn.q_proj", {"": Typed("F8_E4M3", codes), "_scale": scales},
                e4m3(codes) * scales)
    return case.write(compressed_config("float-quantized", [
        {"targets": ["Linear"], "weights": {**weights_args(8, True, None), "type": "float"}}]))


def mxfp4_codes(case, *shape):
    return (case.numbers.integers(0, 16, *shape),
            case.numbers.integers(110, 140, *shape[:-1], shape[-1] // 32).astype(np.uint8))


def mxfp4_values(codes, scales):
    return e2m1(codes) * np.repeat(e8m0(scales), 32, -1)


def mxfp4():
    """gpt-oss: the experts of a layer in one array."""
    case = Case("mxfp4", "mxfp4")
    codes, scales = mxfp4_codes(case, 2, 6, 64)
    name = PREFIX + "mlp.experts.down_proj"
    case.arrays = {name + "_blocks": nibble_pairs(codes).reshape(2, 6, 2, 16),
                   name + "_scales": scales}
    case.expected = {name: mxfp4_values(codes, scales)}
    return case.write({"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]})


def mlx_mxfp4():
    case = Case("mlx-mxfp4", "mlx")
    for module, rows, columns in (("self_attn.q_proj", 8, 64), ("mlp.down_proj", 5, 128)):
        codes, scales = mxfp4_codes(case, rows, columns)
        case.module(module, {"": words(codes, 4), "/scales": scales},
                    mxfp4_values(codes, scales))
    quantization = {"group_size": 32, "bits": 4, "mode": "mxfp4"}
    return case.write(quantization, {"format": "mlx"}, quantization=quantization)


def all_folders():
    yield bitsandbytes("nf4", False)
    yield bitsandbytes("nf4", True)
    yield bitsandbytes("fp4", False)
    yield bitsandbytes_int8()
    yield bitnet_folder(False)
    yield bitnet_folder(True)
    yield compressed("int4-group", 4, 32, True)
    yield compressed("int4-asymmetric", 4, 32, False)
    yield compressed("int4-channel", 4, None, True, lambda values: values.astype(np.float16))
    yield compressed("int8-channel", 8, None, True)
    yield compressed("int2-group", 2, 32, True, lambda values: values)
    yield compressed_int8()
    yield compressed_mixed()
    yield compressed_fp8()
    yield fp8_tiles(32, "fp8-tiles", lambda values: values)
    yield fp8_tiles(16, "fp8-tiles-bf16", bf16)
    yield mxfp4()
    yield mlx_mxfp4()
    yield gptq_folder("v1", 4, 1, True)
    yield gptq_folder("v1-int8", 8, 1, True)
    yield gptq_folder("v1-ternary", 2, 1, True)
    yield gptq_folder("v2", 4, 2, False)
    yield gptq_folder("act-order", 4, 2, True, act_order=True)
    yield awq_folder()
    yield mlx("int4", 4, 32)
    yield mlx("int8", 8, 64, bf16)
    yield mlx("int3", 3, 64)
    yield mlx("int6", 6, 64, bf16)
    yield mlx("ternary", 2, 64, bf16)
    yield onnx("int4", 4, 32, True)
    yield onnx("int4-asymmetric", 4, 16, False)
    yield onnx("int8", 8, 32, False)
    yield onnx("int2", 2, 32, True)


def main():
    arguments = sys.argv[1:]
    if arguments not in ([], ["--ggml"]):
        sys.exit(__doc__)
    for path in HERE.iterdir():
        if path.is_dir() and path.name not in ("gguf", "expected", "__pycache__"):
            shutil.rmtree(path)
    (HERE / "expected").mkdir(exist_ok=True)
    write_json(HERE / "manifest.json",
               [*all_folders(), *gguf_files.write(HERE / "gguf", Case, bool(arguments))])


if __name__ == "__main__":
    main()
