"""Linear layers on quantized weights, and embeddings."""
from __future__ import annotations

import ctypes
from typing import Any, ClassVar, Iterable, Mapping, Optional, Sequence

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike, borrow, holder_of, pointer
from ._handles import create, unsigned
from ._loader import library
from ._matrix import MatrixArgument, output_rows
from ._options import Optioned, OptionValue
from .config import ConfigLike, as_config
from .tensor import QuantizedTensor

#: What the library asks of a workspace.
_ALIGNMENT = 64


class Operator(Optioned):
    """What an operator does beside its weights, given as keywords:

        Operator(input="int8", function="relu")

    `operator_options()` lists the options with their bounds and defaults. It does not
    change once made.
    """

    __slots__ = ()

    _prefix, _kind = "bnq_operator", registry.OPERATOR

    def __init__(self, **options: OptionValue) -> None:
        self._handle = create(_abi.bnq_operator, library().bnq_operator_create,
                              destroy="bnq_operator_destroy")
        self._set(options)

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option by name."""
        return self._all()

    def check(self, config: Optional[ConfigLike] = None, **options: OptionValue) -> bool:
        """Whether a linear layer with weights of a config (as in `quantize`) multiplies
        inputs that become codes as integers, whatever its shape. UnsupportedError or
        InvalidArgumentError, with what QuantLinear would say, where there is no such layer."""
        integers = ctypes.c_int32()
        library().bnq_operator_check(self._handle, as_config(config, options)._handle,
                                     ctypes.byref(integers))
        return bool(integers.value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.options,)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._changed().items())
        return f"Operator({shown})"


def _restore(options: Mapping[str, OptionValue]) -> Operator:
    return Operator(**options)


class Layer:
    """Owns an operator with weights."""

    __slots__ = ("_handle", "weight", "operator", "__weakref__")

    #: The handle, and what its functions start with.
    _type: ClassVar[type[ctypes.Structure]]
    _prefix: ClassVar[str]

    def __init__(self, weight: QuantizedTensor, bias: Optional[Any] = None,
                 operator: Optional[Operator] = None, *,
                 context: Optional[contexts.Context] = None, **options: OptionValue) -> None:
        _check_tensor(weight, "weight")
        if operator is None:
            operator = Operator(**options)
        elif options:
            raise TypeError("operator and options exclude each other")
        given = None if bias is None else ArrayArgument(bias, "bias", copy=True)
        self._handle = create(self._type, getattr(library(), f"{self._prefix}_create"),
                              contexts.handle(context), operator._handle, weight._handle, given,
                              destroy=f"{self._prefix}_destroy", keep=weight._handle)
        #: What it was made of.
        self.weight, self.operator = weight, operator

    def _option(self, name: str) -> str:
        return str(self.operator._get(registry.option(name, registry.OPERATOR)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight!r}, {self.operator!r})"


class QuantLinear(Layer):
    """A linear layer y = function(x W^T + b) on a quantized weight [outputs, inputs]
    (further dimensions are inputs):

        linear = QuantLinear(file["layers.0.weight"], bias, input="int8", function="relu")
        y = linear(x)

    weight: read where it is, also in a mapped file: there is no second copy of it. The
        layer keeps it.
    bias: [outputs], copied: float32, float16, float64; or int32, added to the integer sums.
    operator, options: what `Operator` takes, such as input="bitnet" or output="uint8".

    Results are the same bytes on every CPU and for any number of threads, and a row's do
    not depend on other rows. Immutable; any number of threads may call one.
    InvalidArgumentError, UnsupportedError.
    """

    __slots__ = ()

    _type, _prefix = _abi.bnq_linear, "bnq_linear"

    @property
    def inputs(self) -> int:
        """Columns of x."""
        return int(library().bnq_linear_inputs(self._handle))

    @property
    def outputs(self) -> int:
        """Columns of y."""
        return int(library().bnq_linear_outputs(self._handle))

    def workspace_bytes(self, rows: int) -> int:
        """Bytes that a call takes for so many rows of x."""
        size = ctypes.c_uint64()
        library().bnq_linear_workspace(self._handle, unsigned(rows, "rows", 64),
                                       ctypes.byref(size))
        return size.value

    def __call__(self, x: Any, out: Optional[np.ndarray[Any, Any]] = None,
                 workspace: Optional[np.ndarray[Any, Any]] = None, *,
                 dtype: Optional[DTypeLike] = None, scale: Any = None, zero_point: Any = None,
                 out_dtype: Optional[DTypeLike] = None, copy: bool = False,
                 context: Optional[contexts.Context] = None) -> np.ndarray[Any, Any]:
        """y, [..., outputs], of x, [..., inputs].

        x: float32, float16 or, in uint16 with dtype="bf16", bfloat16; or int8 or uint8
            codes of `scale` and `zero_point`, a number or one for each row; None: those of
            the operator, and 0. Rows may lie any distance apart, as in x[:, :n]; what
            cannot be used as it is is refused unless copy=True.
        out: where to write, with rows likewise, not overlapping x.
        workspace: from `new_workspace`, to be used by one call at a time; None: memory
            of the library's for this call.
        out_dtype: of y: a type of floats, by default that of x, or float32 where x is
            codes. An operator with an output of codes gives these.

        InvalidArgumentError; NonFiniteError where x becomes codes.
        """
        return run_many([self], x, None if out is None else [out], workspace, dtype=dtype,
                        scale=scale, zero_point=zero_point, out_dtype=out_dtype, copy=copy,
                        context=context)[0]


def run_many(linears: Iterable[QuantLinear], x: Any,
             outs: Optional[Sequence[np.ndarray[Any, Any]]] = None,
             workspace: Optional[np.ndarray[Any, Any]] = None, *,
             dtype: Optional[DTypeLike] = None, scale: Any = None, zero_point: Any = None,
             out_dtype: Optional[DTypeLike] = None, copy: bool = False,
             context: Optional[contexts.Context] = None) -> list[np.ndarray[Any, Any]]:
    """What each layer makes of one x (query, key and value; experts), as one piece of
    work for the context's threads. Parameters are those of QuantLinear's call; the
    workspace is that of new_workspace for all of them."""
    layers = list(linears)
    for index, layer in enumerate(layers):
        if not isinstance(layer, QuantLinear):
            raise TypeError(f"linears[{index}] must be a QuantLinear, got "
                            f"{type(layer).__name__}")
    if outs is not None and len(outs) != len(layers):
        raise ValueError(f"outs has {len(outs)} arrays; {len(layers)} are needed")
    source = MatrixArgument(x, "x", dtype=dtype, scales=scale, zero_points=zero_point, copy=copy)
    rows = source.array.shape[:-1]
    ys = [output_of(layer, source, None if outs is None else outs[index],
                    (*rows, layer.outputs), out_dtype)
          for index, layer in enumerate(layers)]
    memory = workspace_of(workspace)
    count = len(layers)
    library().bnq_linear_run_many(
        (ctypes.POINTER(_abi.bnq_linear) * count)(
            *(layer._handle._as_parameter_ for layer in layers)),
        count, contexts.handle(context), source,
        (_abi.bnq_matrix * count)(*(y.struct for y in ys)), pointer(memory, None),
        0 if memory is None else memory.nbytes)
    return [y.array for y in ys]


def output_of(layer: Layer, x: MatrixArgument, out: Optional[np.ndarray[Any, Any]],
              shape: tuple[int, ...], dtype: Optional[DTypeLike]) -> MatrixArgument:
    """Where the result of a layer goes: `out`, or a new array."""
    # Outputs of codes are called as their types are.
    output = layer._option("output")
    if output != "float":
        dtype = output
    elif dtype is None:
        dtype = x.dtype if library().bnq_dtype_is_target(x.struct.dtype) else "F32"
    array = output_rows(out, shape, dtype, holder_of(dtype))
    return MatrixArgument(array, "out", dtype=dtype if array.dtype == holder_of(dtype) else None)


def new_workspace(rows: Any, *layers: Any) -> np.ndarray[Any, Any]:
    """Memory that a call of these layers, all together, takes for so many rows of x; of
    convolutions, for images of a shape."""
    size = sum(layer.workspace_bytes(rows) for layer in layers)
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start:start + size]


def embedding(table: QuantizedTensor, indices: Any, out: Optional[np.ndarray[Any, Any]] = None, *,
              out_dtype: DTypeLike = "F32", context: Optional[contexts.Context] = None
              ) -> np.ndarray[Any, Any]:
    """Rows of a quantized matrix [rows, columns] by index, dequantized: an array of the
    shape of indices by columns (further dimensions of the table are columns).

    indices: integers, of any shape. InvalidArgumentError names one that is no row's.
    out, out_dtype: as in a call of QuantLinear.
    """
    _check_tensor(table, "table")
    numbers = np.asarray(indices)
    if numbers.size == 0:
        numbers = numbers.astype(np.int64)
    rows = np.ascontiguousarray(numbers.astype(np.int64, casting="safe"))
    array = output_rows(out, (*numbers.shape, table.columns), out_dtype, holder_of(out_dtype))
    y = MatrixArgument(array, "out",
                       dtype=out_dtype if array.dtype == holder_of(out_dtype) else None)
    library().bnq_embedding(contexts.handle(context), table._handle,
                            pointer(rows, ctypes.c_int64), rows.size, y)
    return array


def _check_tensor(tensor: Any, what: str) -> None:
    if not isinstance(tensor, QuantizedTensor):
        raise TypeError(f"{what} must be a QuantizedTensor, got {type(tensor).__name__}")


def workspace_of(workspace: Any) -> Optional[np.ndarray[Any, Any]]:
    """The caller's, having made sure that it can be written to."""
    if workspace is None:
        return None
    memory = borrow(workspace, "workspace", native=np.uint8)
    if not memory.flags.writeable:
        raise ValueError("workspace is read-only")
    return memory
