"""How ggml rounds the activations that it multiplies a matrix by: which type, by that of
the matrix, is ggml.DOT_TYPES."""
import layouts
import numpy as np


def _q8(x, block, half_scales):
    """8-bit codes of blocks: 127 is the greatest; scales in float16, or float32."""
    blocks = x.astype(np.float32).reshape(-1, block)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    codes = np.rint(blocks / np.where(scales == 0, 1, scales))
    stored = scales.astype(np.float16) if half_scales else scales
    return (codes * stored.astype(np.float64)).reshape(x.shape)


ROUNDING = {
    "f32": lambda x: x.astype(np.float32).astype(np.float64),
    "f16": lambda x: x.astype(np.float16).astype(np.float64),
    "bf16": lambda x: layouts.as_float32(layouts.bf16(x.astype(np.float32))).astype(np.float64),
    "q8_0": lambda x: _q8(x, 32, True),
    "q8_1": lambda x: _q8(x, 32, True),
    "q8_K": lambda x: _q8(x, 256, False),
}


def half(x):
    """Of float16, in which llama.cpp keeps keys and values."""
    return ROUNDING["f16"](x)
