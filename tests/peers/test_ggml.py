"""ggml reads what the golden files say, and every type of block as we do."""
import ctypes
import json
import pathlib

import bitnet_quant as bq
import ggml
import gguf
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("need_ggml")

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "interchange"
FILES = [case for case in json.loads((GOLDEN / "manifest.json").read_text())
         if case["layout"] == "gguf"]


class GgufInitParams(ctypes.Structure):
    """gguf_init_params: whether tensors are not allocated, and where their context goes."""

    _fields_ = [("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p)]


def names_read_by_ggml(path):
    """Of a file's tensors; None where ggml does not take it."""
    library = ggml.library()
    library.gguf_init_from_file.restype = ctypes.c_void_p
    library.gguf_init_from_file.argtypes = [ctypes.c_char_p, GgufInitParams]
    library.gguf_get_n_tensors.restype = ctypes.c_int64
    library.gguf_get_n_tensors.argtypes = [ctypes.c_void_p]
    library.gguf_get_tensor_name.restype = ctypes.c_char_p
    library.gguf_get_tensor_name.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    library.gguf_free.argtypes = [ctypes.c_void_p]
    context = library.gguf_init_from_file(str(path).encode(), GgufInitParams(True, None))
    if not context:
        return None
    names = [library.gguf_get_tensor_name(context, i).decode()
             for i in range(library.gguf_get_n_tensors(context))]
    library.gguf_free(context)
    return names


@pytest.mark.parametrize("case", [case for case in FILES if "i2_s" not in case["name"]],
                         ids=lambda case: case["name"])
def test_ggml_opens_the_golden_files(case):
    path = GOLDEN / case["path"]
    assert names_read_by_ggml(path) == list(gguf.read(path)[1])


def test_the_golden_blocks_are_what_ggml_reads():
    _, tensors = gguf.read(GOLDEN / "gguf" / "blocks.gguf")
    with bq.open_file(GOLDEN / "expected" / "gguf-blocks.safetensors") as expected:
        assert set(tensors) == set(expected) == set(ggml.BLOCKS)
        for name, (number, shape, content) in tensors.items():
            assert number == ggml.BLOCKS[name]
            values, size = ggml.block(name)
            rows = content[:shape[0] * shape[1] // values * size].reshape(shape[0], -1)
            np.testing.assert_array_equal(ggml.dequantize(name, rows), expected[name])
