"""Quantized tensors that were made before."""
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike, importance_weights, pointer
from ._handles import StrPath, create, decode, encode, encode_path, read_shape, unsigned
from ._loader import library
from ._options import Optioned, OptionValue
from ._values import Values, read_values
from .config import ConfigLike, as_config
from .errors import NotFoundError
from .progress import Progress, reporting
from .tensor import QuantizedTensor


class CacheStatistics(Values):
    """What has become of a cache's requests since it was made, and what is in it; by
    name, and as attributes.

    memory_hits, disk_hits, misses: of requests.
    stores, not_stored: entries written; and not, since they were too large, the folder
        read only or the disk full.
    evictions: entries removed to keep the limit, by this cache.
    damaged, failures: damaged entries; times that the folder could not be read or written.
    bytes_served, load_seconds: bytes of the hits; seconds spent in loading those from disk.
    memory_entries, memory_bytes: tensors in memory besides those in use.
    disk_entries, disk_bytes: entries in the folder, and bytes of their files.

    A newer library may have more.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        memory_hits: float
        disk_hits: float
        misses: float
        stores: float
        not_stored: float
        evictions: float
        damaged: float
        failures: float
        bytes_served: float
        load_seconds: float
        memory_entries: float
        memory_bytes: float
        disk_entries: float
        disk_bytes: float


class CacheEntry(NamedTuple):
    """An entry in a cache's folder."""

    #: 64 hexadecimal digits.
    key: str
    #: Sorted.
    names: tuple[str, ...]
    #: Of its file.
    nbytes: int
    #: When it was used, in seconds since 1970.
    used: float
    #: Set aside, or not to be read; then there is no shape and no config.
    damaged: bool
    shape: tuple[int, ...]
    #: As Config.from_text takes it; "" of a damaged one.
    config: str


class CachedTensor(NamedTuple):
    """What a cache has for an array."""

    tensor: QuantizedTensor
    #: Whether it was there already.
    hit: bool


class Cache(Optioned):
    """Quantized tensors that were made before, in memory and in a folder that any number
    of processes share:

        cache = bq.Cache("layers", disk_limit=20 * 10**9)
        tensor = cache.quantize(weights, "nf4", name="model/3/ffn").tensor
        tensor = cache["model/3/ffn"]

    An entry is found by what it was made of: the array's contents, type and shape, the
    config and the importance. So nothing stale is ever found, and equal arrays share
    an entry, whatever they are called. Names are there besides.

    folder: is made when something is stored in it. None for a cache in memory alone.
    options: `cache_options()` lists them. `memory_limit` and `disk_limit` are bytes.

    Damaged entries are misses and set aside; the folder's failures (it is full, or may
    not be read) are misses that change nothing, or with strict=True errors. Any number
    of threads may use one.
    """

    __slots__ = ("folder",)

    _prefix, _kind = "bnq_cache", registry.CACHE

    def __init__(self, folder: Optional[StrPath] = None, **options: OptionValue) -> None:
        path = None if folder is None else encode_path(folder, "folder")
        self._handle = create(_abi.bnq_cache, library().bnq_cache_create, path,
                              destroy="bnq_cache_destroy")
        self._set(options)
        #: Where it is; None for memory alone.
        self.folder = folder

    @staticmethod
    def default_folder() -> str:
        """The folder that a person's programs share: the environment's BNQ_CACHE, else
        bnq in XDG_CACHE_HOME or ~/.cache."""
        size = ctypes.c_uint64()
        library().bnq_cache_default_folder(None, 0, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        library().bnq_cache_default_folder(buffer, size.value, None)
        return buffer.value.decode("utf-8", "surrogateescape")

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option by name."""
        return self._all()

    def quantize(self, source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None, *,
                 name: Optional[str] = None, dtype: Optional[DTypeLike] = None,
                 copy: bool = False, importance: Optional[np.ndarray[Any, Any]] = None,
                 context: Optional[contexts.Context] = None, **options: OptionValue
                 ) -> CachedTensor:
        """What `quantize` gives, or gave before. Reads the array to know which entry is
        its own. name: the entry's name from now on. InputOutputError only with
        strict=True; other errors are those of `quantize`."""
        hit, lib = ctypes.c_int32(), library()
        arguments = _source(source, config, dtype, copy, importance, options)

        def call(out: Any) -> Any:
            return lib.bnq_cache_quantize(
                contexts.handle(context), self._handle, *arguments,
                None if name is None else encode(name, "name"), out, ctypes.byref(hit))

        handle = create(_abi.bnq_tensor, call, destroy="bnq_tensor_destroy")
        return CachedTensor(QuantizedTensor._own(handle), bool(hit.value))

    def key(self, source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None, *,
            dtype: Optional[DTypeLike] = None, copy: bool = False,
            importance: Optional[np.ndarray[Any, Any]] = None,
            context: Optional[contexts.Context] = None, **options: OptionValue) -> str:
        """What `quantize` would find the array's entry by, and `find` does."""
        buffer = ctypes.create_string_buffer(65)
        library().bnq_cache_key(
            contexts.handle(context), *_source(source, config, dtype, copy, importance, options),
            buffer, len(buffer), None)
        return buffer.value.decode("ascii")

    def find(self, key: str, *, context: Optional[contexts.Context] = None) -> QuantizedTensor:
        """The entry of a key. NotFoundError."""
        return self._read(library().bnq_cache_find, encode(key, "key"), context)

    def get(self, name: str, default: Any = None, *,
            context: Optional[contexts.Context] = None) -> Any:
        """The entry of a name, or `default`."""
        try:
            return self._read(library().bnq_cache_get, encode(name, "name"), context)
        except NotFoundError:
            return default

    def __getitem__(self, name: str) -> QuantizedTensor:
        return self._read(library().bnq_cache_get, encode(name, "name"), None)

    def put(self, name: str, tensor: QuantizedTensor, *,
            context: Optional[contexts.Context] = None) -> None:
        """Stores a copy of a tensor, however it was made, in place of what has that name."""
        if not isinstance(tensor, QuantizedTensor):
            raise TypeError(f"tensor must be a QuantizedTensor, got {type(tensor).__name__}")
        library().bnq_cache_put(contexts.handle(context), self._handle, encode(name, "name"),
                                tensor._handle)

    def __setitem__(self, name: str, tensor: QuantizedTensor) -> None:
        self.put(name, tensor)

    def statistics(self) -> CacheStatistics:
        """What has become of requests, and what is there now, for which the folder is
        listed."""
        return read_values(CacheStatistics, registry.cache_statistics(),
                           library().bnq_cache_stats, self._handle)

    def entries(self, glob: Optional[str] = None, *,
                context: Optional[contexts.Context] = None) -> list[CacheEntry]:
        """What is in the folder, used last first; with a glob only what has a name that
        matches."""
        lib = library()
        pattern = None if glob is None else encode(glob, "glob")

        def read(out: Any) -> Any:
            return lib.bnq_cache_list_create(contexts.handle(context), self._handle, pattern, out)

        rows = create(_abi.bnq_cache_list, read, destroy="bnq_cache_list_destroy")
        return [CacheEntry(
            decode(lib.bnq_cache_list_key(rows, i)),
            tuple(decode(lib.bnq_cache_list_name(rows, i, k))
                  for k in range(lib.bnq_cache_list_name_count(rows, i))),
            lib.bnq_cache_list_bytes(rows, i), lib.bnq_cache_list_used(rows, i),
            lib.bnq_cache_list_damaged(rows, i) == 1,
            read_shape(lib.bnq_cache_list_shape, rows, i),
            decode(lib.bnq_cache_list_config(rows, i))) for i in range(
                lib.bnq_cache_list_count(rows))]

    def verify(self, *, progress: Optional[Progress] = None,
               context: Optional[contexts.Context] = None) -> int:
        """Reads all entries of the folder, and sets those that are damaged aside. Returns
        how many these are."""
        damaged = ctypes.c_uint64()
        reporting(progress, lambda callback: library().bnq_cache_verify(
            contexts.handle(context), self._handle, callback, None, ctypes.byref(damaged)))
        return damaged.value

    def trim(self, nbytes: int, *, context: Optional[contexts.Context] = None) -> int:
        """Removes what was not used for longest until no more than so many bytes are left
        in memory and in the folder; and what is of no more use. Returns the number of
        entries."""
        removed = ctypes.c_uint64()
        library().bnq_cache_trim(contexts.handle(context), self._handle,
                                 unsigned(nbytes, "nbytes", 64), ctypes.byref(removed))
        return removed.value

    def remove(self, glob: str, *, context: Optional[contexts.Context] = None) -> int:
        """Removes the names that match, and entries that have no other name; returns the
        number of these."""
        removed = ctypes.c_uint64()
        library().bnq_cache_remove(contexts.handle(context), self._handle, encode(glob, "glob"),
                                   ctypes.byref(removed))
        return removed.value

    def clear(self, *, context: Optional[contexts.Context] = None) -> None:
        """Removes all entries and names, and nothing else that may be in the folder."""
        library().bnq_cache_clear(contexts.handle(context), self._handle)

    def _read(self, function: Any, what: bytes, context: Optional[contexts.Context]
              ) -> QuantizedTensor:
        return QuantizedTensor._own(create(_abi.bnq_tensor, function, contexts.handle(context),
                                           self._handle, what, destroy="bnq_tensor_destroy"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.folder, self.options)

    def __repr__(self) -> str:
        shown = "".join(f", {name}={value!r}" for name, value in self._changed().items())
        return f"Cache({self.folder!r}{shown})"


def _restore(folder: Optional[StrPath], options: dict[str, OptionValue]) -> Cache:
    return Cache(folder, **options)


def _source(source: Any, config: Optional[ConfigLike], dtype: Optional[DTypeLike], copy: bool,
            importance: Any, options: dict[str, OptionValue]) -> tuple[Any, ...]:
    """config, array and importance as the library takes them."""
    into = as_config(config, options)
    array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
    if importance is None:
        return into._handle, array, None, 0
    weights = importance_weights(importance)
    return into._handle, array, pointer(weights, ctypes.c_float), weights.size
