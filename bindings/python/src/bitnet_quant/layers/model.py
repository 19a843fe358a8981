"""A model's layers one after the other."""
from __future__ import annotations

import ctypes
import math
from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional, Union

from .. import _abi, registry
from .. import context as contexts
from .._arrays import holder, view
from .._handles import Handle, StrPath, create, decode, encode, encode_path, integer, unsigned
from .._loader import library
from .._options import OptionValue
from .._values import Values, read_values
from ..cache import Cache
from ..config import ConfigLike
from ..conversion import Plan, as_plan
from ..errors import NotFoundError
from ..files import Entry
from ..progress import Progress, reporting
from ..tensor import QuantizedTensor


class LayerStatistics(Values):
    """What has become of a model's layers, by name, and as attributes.

    loads, prefetched: layers loaded; those of them that were loaded ahead.
    wait_seconds: that callers spent in loading.
    quantized, restored: tensors quantized; and restored from the cache.
    bytes_read: of arrays that were read to quantize them, or to know what they are.
    largest_bytes, peak_bytes: of the largest layer as loaded; and the most that layers took
        up at a time, those in use and those ahead.

    A newer library may have more.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        loads: float
        prefetched: float
        wait_seconds: float
        quantized: float
        restored: float
        bytes_read: float
        largest_bytes: float
        peak_bytes: float


class Layer(Mapping[str, Entry]):
    """A loaded layer: a mapping from the names of its tensors to QuantizedTensors, and
    to read-only arrays of what is not quantized. Memory is let go of with the last
    reference to it and to what came out of it."""

    __slots__ = ("_handle", "_index", "__weakref__")

    _handle: Handle
    _index: dict[str, int]

    def __init__(self) -> None:
        raise TypeError("a Layer comes from Layers")

    @classmethod
    def _own(cls, handle: Handle) -> Layer:
        layer = object.__new__(cls)
        layer._handle = handle
        lib = library()
        layer._index = {decode(lib.bnq_layer_tensor_name(handle, i)): i
                        for i in range(lib.bnq_layer_count(handle))}
        return layer

    @property
    def name(self) -> str:
        """What the names of its tensors begin with."""
        return decode(library().bnq_layer_name(self._handle))

    @property
    def nbytes(self) -> int:
        """Of its tensors, as they are loaded."""
        return int(library().bnq_layer_bytes(self._handle))

    def __getitem__(self, name: str) -> Entry:
        lib, index = library(), self._index[name]
        if lib.bnq_layer_format(self._handle, index) != _abi.FORMAT_NONE:
            return QuantizedTensor._own(create(_abi.bnq_tensor, lib.bnq_layer_tensor,
                                               self._handle, index,
                                               destroy="bnq_tensor_destroy"))
        array = _abi.bnq_array()
        lib.bnq_layer_array(self._handle, index, ctypes.byref(array))
        shape = tuple(array.shape[:array.rank])
        native = holder(decode(lib.bnq_dtype_name(array.dtype)))
        nbytes = math.prod(shape) * lib.bnq_dtype_bits(array.dtype) // 8
        if math.prod(shape) * native.itemsize != nbytes:
            shape = (nbytes,)
        return view(array.data, shape, native, self._handle)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def __eq__(self, other: object) -> bool:
        # Mapping's own compares contents: dear, and arrays have no truth value.
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"Layer({self.name!r}, tensors={len(self)}, nbytes={self.nbytes})"


class Layers:
    """A model's layers one after the other, however large it is: each is read from its
    files, quantized as a plan says or restored from a cache, and the next ones are got
    ready by a thread meanwhile:

        layers = bq.Layers("model", "nf4", cache=bq.Cache("layers"), look_ahead=2)
        for layer in layers:
            x = run(x, layer)

    In memory are `look_ahead` layers besides those that you hold, and what the cache
    keeps (its `memory_limit`). Passes may be repeated, and layers be loaded in any order
    by their number or name; the look-ahead follows.

    model: a file or folder, as for open_file.
    plan, options: which tensor gets which config, as in quantize_file. Without any,
        tensors come as they are.
    cache: None quantizes a layer whenever it is loaded.

    Any number of threads may use one. `names` has the layers' names: what comes before the
    first number in those of tensors ("model.layers.3"), or their modules' ("lm_head").
    """

    __slots__ = ("_context", "_open", "cache", "names", "__weakref__")

    def __init__(self, model: StrPath, plan: Union[Plan, ConfigLike, None] = None, *,
                 cache: Optional[Cache] = None, look_ahead: int = 1,
                 context: Optional[contexts.Context] = None, **options: OptionValue) -> None:
        lib = library()
        rules = Plan() if plan is None and not options else as_plan(plan, options)
        handle = create(_abi.bnq_layers, lib.bnq_layers_open, contexts.handle(context),
                        encode_path(model, "model"), rules._handle,
                        None if cache is None else cache._handle,
                        unsigned(look_ahead, "look_ahead", 32), destroy="bnq_layers_close")
        self._context = context
        self._open: Optional[Handle] = handle
        #: The cache, or None.
        self.cache = cache
        #: The layers' names, in order.
        self.names = tuple(decode(lib.bnq_layers_name(handle, i))
                           for i in range(lib.bnq_layers_count(handle)))

    @property
    def _handle(self) -> Handle:
        handle = self._open
        if handle is None:
            raise ValueError("the layers are closed")
        return handle

    def close(self) -> None:
        """Ends loading. Layers that were loaded stay."""
        self._open = None

    def __enter__(self) -> Layers:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Layer]:
        for index in range(len(self)):
            yield self.load(index)

    def __reversed__(self) -> Iterator[Layer]:
        for index in reversed(range(len(self))):
            yield self.load(index)

    def __getitem__(self, key: Union[int, str]) -> Layer:
        return self.load(key)

    def load(self, key: Union[int, str], *, progress: Optional[Progress] = None) -> Layer:
        """A layer, by its number (negative ones count from the end), its name, or the name of
        one of its tensors. progress: as in quantize_file, of the layer's bytes in the model.
        IndexError; NotFoundError (a KeyError); the errors of `quantize` name the tensor."""
        index = self.find(key) if isinstance(key, str) else self._checked(key)
        pointer = ctypes.POINTER(_abi.bnq_layer)()
        where, handle = contexts.handle(self._context), self._handle
        reporting(progress, lambda callback: library().bnq_layers_load(
            where, handle, index, callback, None, ctypes.byref(pointer)))
        return Layer._own(Handle(pointer, library().bnq_layer_destroy))

    def find(self, name: str) -> int:
        """The number of the layer of that name, or with a tensor of that name."""
        index = ctypes.c_uint64()
        library().bnq_layers_find(self._handle, encode(name, "name"), ctypes.byref(index))
        return index.value

    def nbytes(self, key: Union[int, str]) -> int:
        """Of a layer's tensors in the model."""
        index = self.find(key) if isinstance(key, str) else self._checked(key)
        return int(library().bnq_layers_bytes(self._handle, index))

    def prepare(self, progress: Optional[Progress] = None) -> None:
        """Has all that the plan quantizes in the cache, so that no later pass waits for it.
        progress: as in quantize_file."""
        where, handle = contexts.handle(self._context), self._handle
        reporting(progress, lambda callback: library().bnq_layers_prepare(
            where, handle, callback, None))

    def statistics(self) -> LayerStatistics:
        """What has become of the layers so far."""
        return read_values(LayerStatistics, registry.layer_statistics(),
                           library().bnq_layers_stats, self._handle)

    def _checked(self, key: Any) -> int:
        index = integer(key, "index", 64)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} layers")
        return index % len(self)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        try:
            self.find(name)
        except NotFoundError:
            return False
        return True

    def __repr__(self) -> str:
        return f"Layers({len(self)} layers, cache={self.cache!r})"

