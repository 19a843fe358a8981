"""Convolutions on quantized weights."""
from __future__ import annotations

import ctypes
from typing import Any, Optional

import numpy as np

from . import _abi
from . import context as contexts
from ._arrays import DTypeLike, borrow, pointer
from ._handles import unsigned
from ._loader import library
from ._matrix import MatrixArgument
from .linear import Layer, output_of, workspace_of


class QuantConvolution(Layer):
    """A convolution of one or two dimensions on quantized weights [outputs, channels /
    groups, (height,) width], or with layout="nhwc" [outputs, (height,) width, channels /
    groups]:

        convolution = QuantConvolution(weight, bias, input="int8", pad_top=1, pad_left=1,
                                       pad_bottom=1, pad_right=1, stride_height=2)
        y = convolution(x)

    Of each output pixel a QuantLinear on the patch under the kernel: what is said there
    of weight, bias, options, results and errors goes for this. Inputs that become codes
    do so image by image.
    """

    __slots__ = ()

    _type, _prefix = _abi.bnq_convolution, "bnq_convolution"

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of y for images x of a shape, [items, channels, (height,) width], or
        with layout="nhwc" [items, (height,) width, channels]."""
        height, width = self._sides(shape)
        sizes = ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_uint64()
        library().bnq_convolution_output(self._handle, height, width, *map(ctypes.byref, sizes))
        channels, *sides = (size.value for size in sizes)
        sides = sides[4 - len(shape):]
        return ((shape[0], *sides, channels) if self._channels_last
                else (shape[0], channels, *sides))

    def workspace_bytes(self, shape: tuple[int, ...]) -> int:
        """Bytes that a call takes for images of a shape."""
        height, width = self._sides(shape)
        size = ctypes.c_uint64()
        library().bnq_convolution_workspace(self._handle, unsigned(shape[0], "items", 64), height,
                                            width, ctypes.byref(size))
        return size.value

    def __call__(self, x: Any, out: Optional[np.ndarray[Any, Any]] = None,
                 workspace: Optional[np.ndarray[Any, Any]] = None, *,
                 dtype: Optional[DTypeLike] = None, scale: Any = None, zero_point: Any = None,
                 out_dtype: Optional[DTypeLike] = None, copy: bool = False,
                 context: Optional[contexts.Context] = None) -> np.ndarray[Any, Any]:
        """y of images x, C-contiguous, of the shapes of output_shape. Parameters are those
        of QuantLinear's call; scale and zero_point a number or one for each image; the
        workspace that of new_workspace(x.shape, convolution)."""
        images = borrow(x, "x", copy=copy)
        shape = self.output_shape(images.shape)
        height, width = self._sides(images.shape)
        source = MatrixArgument(images.reshape(len(images), -1), "x", dtype=dtype, scales=scale,
                                zero_points=zero_point)
        y = output_of(self, source, out, shape, out_dtype)
        result = MatrixArgument(borrow(y.array, "out").reshape(shape[0], -1), "out", dtype=y.dtype)
        memory = workspace_of(workspace)
        library().bnq_convolution_run(
            self._handle, contexts.handle(context), source, height, width, result,
            pointer(memory, None), 0 if memory is None else memory.nbytes)
        return y.array

    @property
    def _channels_last(self) -> bool:
        return self._option("layout") == "nhwc"

    def _sides(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width; the height of one dimension is 1."""
        if len(shape) != self.weight.ndim:
            raise ValueError(f"x has shape {tuple(shape)}; {self.weight.ndim} dimensions are "
                             "needed")
        sides = shape[1:-1] if self._channels_last else shape[2:]
        return (1, sides[0]) if len(sides) == 1 else (sides[0], sides[1])
