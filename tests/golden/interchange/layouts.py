"""How other ecosystems hold quantized matrices, from their definitions, in numpy alone.

Each function takes codes and scales and gives the arrays that a file would hold, by the
suffix of their names. Codes are integers as the layout counts them, of shape
[out, in]; scales and zero points of shape [out, groups]. Where types matter (bfloat16,
which numpy lacks) an array is a Typed.
"""
from typing import NamedTuple

import numpy as np

F32 = np.float32


class Typed(NamedTuple):
    """An array whose type numpy does not have: its safetensors name, and the bits."""

    dtype: str
    bits: np.ndarray


def bf16(values):
    """Float32 values rounded to bfloat16 (half to even)."""
    words = np.asarray(values, F32).view(np.uint32).astype(np.uint64)
    return Typed("BF16", ((words + 0x7FFF + (words >> 16 & 1)) >> 16).astype(np.uint16))


def as_float32(array):
    """The values of an array of float16, float32 or bfloat16."""
    if isinstance(array, Typed):
        return (array.bits.astype(np.uint32) << 16).view(F32)
    return np.asarray(array).astype(F32)


def spread(groups, columns):
    """[rows, groups] -> [rows, columns]: each group's value for each of its columns."""
    return np.repeat(groups, columns // groups.shape[1], axis=1)


def words(fields, bits):
    """uint32 words of unsigned fields along the last axis, low bits first, as a dense
    stream: field i is at bit i * bits. The last word is filled with zeros."""
    fields = np.asarray(fields, np.uint8)
    stream = (fields[..., None] >> np.arange(bits, dtype=np.uint8) & 1).reshape(
        *fields.shape[:-1], -1)
    pad = -stream.shape[-1] % 32
    stream = np.concatenate([stream, np.zeros((*stream.shape[:-1], pad), np.uint8)], -1)
    return np.packbits(stream, axis=-1, bitorder="little").view("<u4")


def bitsandbytes_4bit(codes, absmax, table):
    """codes: flat, of the whole tensor; two in a byte, the first one high."""
    padded = np.append(codes, np.zeros(len(codes) % 2, codes.dtype)).astype(np.uint8)
    return {"": (padded[0::2] << 4 | padded[1::2]).reshape(-1, 1), ".absmax": absmax,
            ".quant_map": table}


def dynamic_map():
    """bitsandbytes' signed 8-bit map: 256 sorted float32 values."""
    values = [0.0, 1.0]
    for exponent in range(7):
        edges = np.linspace(0.1, 1, 2**exponent + 1, dtype=F32)
        middles = (edges[1:] + edges[:-1]) / F32(2) * F32(10.0**(exponent - 6))
        values += [*middles, *-middles]
    return np.sort(np.array(values, F32))


def bitnet(codes):
    """Hugging Face's BitNet: code + 1 of row i * R + r in bits 2i of the packed row r."""
    quarter = codes.shape[0] // 4
    fields = (codes + 1).astype(np.uint8).reshape(4, quarter, codes.shape[1])
    return fields[0] | fields[1] << 2 | fields[2] << 4 | fields[3] << 6


def pack_quantized(codes, scales, bits, zeros=None):
    """compressed-tensors: signed codes and zero points, stored plus half of the range."""
    half = 1 << (bits - 1)
    arrays = {"_packed": words(codes + half, bits).view(np.int32), "_scale": scales,
              "_shape": np.array(codes.shape, np.int64)}
    if zeros is not None:  # packed along the rows
        arrays["_zero_point"] = np.ascontiguousarray(
            words((zeros + half).T, bits).view(np.int32).T)
    return arrays


def gptq(codes, scales, bits, stored_zeros, g_idx):
    """GPTQ: unsigned codes, eight inputs (of 4 bits) in a word. stored_zeros: as they
    stand in the file (less one in files of version 1)."""
    return {"qweight": np.ascontiguousarray(words(codes, bits).view(np.int32).T),
            "qzeros": words(stored_zeros.T, bits).view(np.int32),
            "scales": np.ascontiguousarray(scales.T), "g_idx": g_idx.astype(np.int32)}


AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def awq(codes, scales, zeros):
    """AWQ "gemm": field k of a word is output AWQ_ORDER[k] of its eight."""
    def pack(rows):  # [in or groups, out]
        ordered = rows.reshape(rows.shape[0], -1, 8)[:, :, AWQ_ORDER]
        return words(ordered.reshape(rows.shape), 4).view(np.int32)
    return {"qweight": pack(codes.T), "qzeros": pack(zeros.T),
            "scales": np.ascontiguousarray(scales.T)}


def matmul_nbits(codes, bits, block):
    """ONNX Runtime: uint8 [out, blocks, block * bits / 8], the first code low."""
    out, columns = codes.shape
    fields = np.zeros((out, -(-columns // block) * block), np.uint8)
    fields[:, :columns] = codes
    packed = words(fields.reshape(out, -1, block), bits).view(np.uint8)
    return packed[..., :block * bits // 8]


def e4m3(codes):
    """The values of bytes of OCP's E4M3, which are all finite but 0x7F and 0xFF."""
    codes = np.asarray(codes, np.int64)
    exponent, fraction = codes >> 3 & 15, codes & 7
    values = np.where(exponent == 0, np.ldexp(fraction / 8.0, -6),
                      np.ldexp(1 + fraction / 8.0, exponent - 7))
    return np.where(codes & 128, -values, values).astype(F32)


def e2m1(codes):
    """The values of OCP's FP4."""
    values = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], F32)
    return np.concatenate([values, -values])[codes]


def e8m0(codes):
    """Powers of two."""
    return np.ldexp(F32(1), np.asarray(codes, np.int64) - 127).astype(F32)


def nibble_pairs(codes):
    """Bytes of two codes along the last axis, the first one low."""
    codes = np.asarray(codes, np.uint8)
    return codes[..., 0::2] | codes[..., 1::2] << 4
