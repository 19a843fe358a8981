"""ggml's own quantizers and dequantizers, called in its library."""
import ctypes
import functools

import find
import numpy as np

# The types of the tensors of GGUF files, by their ids. Those of NUMBERS are arrays of
# plain numbers; BLOCKS have their values in blocks, which ggml quantizes.
NUMBERS = {"f32": 0, "f16": 1, "bf16": 30, "f64": 28, "i8": 24, "i16": 25, "i32": 26, "i64": 27}
BLOCKS = {"q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q8_1": 9,
          "q2_K": 10, "q3_K": 11, "q4_K": 12, "q5_K": 13, "q6_K": 14,
          "iq4_nl": 20, "iq4_xs": 23, "tq1_0": 34, "tq2_0": 35, "mxfp4": 39, "nvfp4": 40,
          "q2_0": 42}
# What ggml multiplies rows of each type by: it quantizes activations to these first.
DOT_TYPES = {**{name: "q8_0" for name in BLOCKS}, "q4_1": "q8_1", "q5_1": "q8_1",
             **{name: "q8_K" for name in ("q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_xs",
                                          "tq1_0", "tq2_0")},
             "f32": "f32", "f16": "f16", "bf16": "bf16"}

# Of one version, for several processors.
_FOLDERS = [f"LLamaSharpRuntimes/{{rid}}/native/{level}"
            for level in ("avx2" if find.has("avx2") else "noavx", "")]


@functools.lru_cache(maxsize=None)
def folder():
    """Of libggml-base, libggml-cpu and libllama, which belong together."""
    return find.find("BNQ_GGML", "LLamaSharp.Backend.Cpu", _FOLDERS, "ggml-base").parent


def load(name):
    """One of its libraries, whose symbols the others find."""
    return find.load(folder() / f"lib{name}.so", ctypes.RTLD_GLOBAL)


@functools.lru_cache(maxsize=None)
def library():
    """libggml-base. find.NotFound where there is none."""
    ggml = load("ggml-base")
    ggml.ggml_type_name.restype = ctypes.c_char_p
    for function in (ggml.ggml_blck_size, ggml.ggml_type_size, ggml.ggml_row_size,
                     ggml.ggml_quantize_chunk):
        function.restype = ctypes.c_size_t
    ggml.ggml_row_size.argtypes = [ctypes.c_int, ctypes.c_int64]
    ggml.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
        ctypes.c_int64, ctypes.c_void_p]
    for name, number in {**NUMBERS, **BLOCKS}.items():
        theirs = ggml.ggml_type_name(number).decode()
        if theirs != name:
            raise find.NotFound(f"type {number} of this ggml is {theirs}, not {name}")
    return ggml


def version():
    """Of the library, for people."""
    function = library().ggml_version
    function.restype = ctypes.c_char_p
    return function().decode()


def block(name):
    """The values of a block of the type, and its bytes."""
    number = BLOCKS[name]
    return library().ggml_blck_size(number), library().ggml_type_size(number)


def quantize(name, values):
    """The bytes of each row: uint8 [rows, bytes of a row], by ggml's quantizer.

    values: float32 [rows, columns], columns a multiple of the type's block.
    """
    values = np.ascontiguousarray(values, np.float32)
    ggml, number = library(), BLOCKS[name]
    rows, columns = values.shape
    out = np.zeros((rows, ggml.ggml_row_size(number, columns)), np.uint8)
    if name == "q8_1":  # of activations, so ggml_quantize_chunk has it not
        ggml.quantize_row_q8_1_ref(values.ctypes.data_as(ctypes.c_void_p),
                                   out.ctypes.data_as(ctypes.c_void_p),
                                   ctypes.c_int64(values.size))
        return out
    written = ggml.ggml_quantize_chunk(number, values.ctypes.data, out.ctypes.data, 0, rows,
                                       columns, None)
    assert written == out.nbytes, (name, written, out.nbytes)
    return out


def dequantize(name, rows):
    """float32 [rows, columns] of uint8 [rows, bytes of a row], by ggml."""
    rows = np.ascontiguousarray(rows, np.uint8)
    values, size = block(name)
    out = np.empty((rows.shape[0], rows.shape[1] // size * values), np.float32)
    if name == "q8_1":  # likewise: f16 scale, f16 sum, 32 codes
        blocks = rows.reshape(-1, size)
        scales = blocks[:, :2].copy().view(np.float16).astype(np.float32)
        return (blocks[:, 4:].view(np.int8) * scales).reshape(out.shape)
    function = getattr(library(), f"dequantize_row_{name}")
    function.restype = None
    function(rows.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
             ctypes.c_int64(out.size))
    return out
