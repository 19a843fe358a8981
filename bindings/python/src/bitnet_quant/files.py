"""Model files: .safetensors, sharded safetensors, and .bnq."""
from __future__ import annotations

import ctypes
import math
import os
from types import TracebackType
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Union

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike, holder, new_or, read_only, view
from ._handles import Handle, StrPath, create, decode, encode, encode_path, integer, read_shape
from ._loader import library
from .config import Config
from .errors import NotFoundError, UnsupportedError
from .progress import Progress, reporting
from .tensor import QuantizedTensor

_KINDS = {
    "safetensors": _abi.FILE_SAFETENSORS,
    "bnq": _abi.FILE_BNQ,
    "safetensors-index": _abi.FILE_SAFETENSORS_INDEX,
    "npy": _abi.FILE_NPY,
    "bnq-index": _abi.FILE_BNQ_INDEX,
    "gguf": _abi.FILE_GGUF,
}

Entry = Union["np.ndarray[Any, Any]", QuantizedTensor]


class TensorInfo(NamedTuple):
    """What a file says about one tensor, without reading its data."""

    name: str
    shape: tuple[int, ...]
    #: The name of its format; None for a plain array.
    format: Optional[str]
    #: The data type of a plain array ("F32", "BF16", ...); None if quantized.
    dtype: Optional[str]
    #: Bytes of its data, and as stored (after compression).
    nbytes: int
    stored_nbytes: int
    #: The tensor of which this is another name, and whose bytes it has; "": it is itself.
    same_as: str = ""
    #: How another ecosystem holds it, for people: "GPTQ"; "": as ours are.
    layout: str = ""


class File(Mapping[str, Entry]):
    """A model file opened for reading: a mapping from names to tensors.

    A quantized tensor is a QuantizedTensor; any other a read-only array that
    views the file itself (a copy only where the file has it compressed). Types
    that numpy lacks come as unsigned integers of their width (bfloat16 as
    uint16), those below a byte as one-dimensional packed bytes; `info(name)`
    tells their type and shape.

    Everything is validated when the file is opened, except the checksums of
    .bnq data: those of quantized tensors are checked when these are read, those
    of arrays by `read` and `verify`. Any number of threads may use one.

    Closing it (it is a context manager) ends reading; arrays and tensors taken
    from it stay valid and keep the memory as long as they live.

    mmap: False reads the file into memory. A mapped file must not be cut short while
        it, or an array taken from it, is in use: the system would end the process.
    as_source: a file of plain arrays as it is quantized: experts that share an array as
        matrices of their own, a tensor of two names as one (`TensorInfo.same_as`). Arrays
        that do not lie in one piece are copied.
    raw: the arrays of the file as they are, also where several of them are a quantized
        tensor of another ecosystem, which is otherwise one tensor with the same codes
        (`TensorInfo.layout`).
    """

    __slots__ = ("_context", "_open", "__weakref__")

    def __init__(self, source: Union[StrPath, bytes, bytearray, memoryview], *,
                 mmap: bool = True, as_source: bool = False, raw: bool = False,
                 context: Optional[contexts.Context] = None) -> None:
        lib = library()
        self._context = context
        where = contexts.handle(context)
        if isinstance(source, (bytes, bytearray, memoryview)):
            # An array holds the buffer, so that a bytearray cannot be resized.
            data = np.frombuffer(source, np.uint8)
            handle = create(_abi.bnq_file, lib.bnq_file_open_memory, where, data.ctypes.data,
                            data.nbytes, destroy="bnq_file_close", keep=data)
        else:
            handle = create(_abi.bnq_file, lib.bnq_file_open, where,
                            encode_path(source, "path"),
                            (0 if mmap else _abi.OPEN_READ) |
                            (_abi.OPEN_SOURCE if as_source else 0) |
                            (_abi.OPEN_RAW if raw else 0),
                            destroy="bnq_file_close")
        self._open: Optional[Handle] = handle

    @property
    def _handle(self) -> Handle:
        handle = self._open
        if handle is None:
            raise ValueError("the file is closed")
        return handle

    def close(self) -> None:
        """Ends reading. What was taken from the file stays valid."""
        self._open = None

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kind(self) -> str:
        """"safetensors", "bnq", "safetensors-index", "bnq-index", "gguf" or "npy"."""
        number = library().bnq_file_kind(self._handle)
        return next((name for name, kind in _KINDS.items() if kind == number), str(number))

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata."""
        lib, handle = library(), self._handle
        return {decode(lib.bnq_file_metadata_key(handle, index)):
                decode(lib.bnq_file_metadata_value(handle, index))
                for index in range(lib.bnq_file_metadata_count(handle))}

    def info(self, name: str) -> TensorInfo:
        """What the file says about a tensor. NotFoundError (a KeyError)."""
        return self._info(self._handle, self._find(name))

    def config(self, name: str) -> Config:
        """The options of a quantized tensor, as QuantizedTensor.config, without
        reading its data. UnsupportedError where it is a plain array."""
        return Config._own(create(_abi.bnq_config, library().bnq_file_config, self._handle,
                                  self._find(name), destroy="bnq_config_destroy"))

    def read(self, name: str, *, out: Optional[np.ndarray[Any, Any]] = None
             ) -> np.ndarray[Any, Any]:
        """A plain array, read into memory of its own (or `out`) and checked against
        its checksum. UnsupportedError where the tensor is quantized."""
        handle, index = self._handle, self._find(name)
        info = self._info(handle, index)
        if info.dtype is None:
            raise UnsupportedError(f"tensor {name!r} is quantized as {info.format}: "
                                   "file[name] reads it")
        values = new_or(out, *_held(info))
        library().bnq_file_read(contexts.handle(self._context), handle, index,
                                values.ctypes.data, values.nbytes)
        return values

    def verify(self, progress: Optional[Progress] = None) -> None:
        """Reads every byte and checks it: checksums, codes, scales and zero points,
        and that plain floating-point values of safetensors are finite. The first
        defect raises CorruptFileError or NonFiniteError."""
        where, handle = contexts.handle(self._context), self._handle
        reporting(progress, lambda callback: library().bnq_file_verify(
            where, handle, callback, None))

    def __getitem__(self, name: str) -> Entry:
        lib, handle, index = library(), self._handle, self._find(name)
        info = self._info(handle, index)
        if info.dtype is None:
            # The tensor keeps the mapped file by itself, but not the caller's
            # buffer of a file in memory: the file's handle does.
            return QuantizedTensor._own(create(
                _abi.bnq_tensor, lib.bnq_file_tensor, contexts.handle(self._context), handle,
                index, destroy="bnq_tensor_destroy", keep=handle))
        data, size = ctypes.c_void_p(), ctypes.c_uint64()
        try:
            lib.bnq_file_data(handle, index, ctypes.byref(data), ctypes.byref(size))
        except UnsupportedError:  # compressed
            return read_only(self.read(name))
        return view(data.value, *_held(info), handle)

    def __iter__(self) -> Iterator[str]:
        lib, handle = library(), self._handle
        for index in range(lib.bnq_file_count(handle)):
            yield decode(lib.bnq_file_name(handle, index))

    def __len__(self) -> int:
        return int(library().bnq_file_count(self._handle))

    def __contains__(self, name: object) -> bool:
        # Mapping's own reads the tensor.
        if not isinstance(name, str):
            return False
        try:
            self._find(name)
        except NotFoundError:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        # Mapping's own compares contents: dear, and arrays have no truth value.
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        if self._open is None:
            return "File(closed)"
        return f"File(kind={self.kind!r}, tensors={len(self)})"

    def _find(self, name: str) -> int:
        if not isinstance(name, str):
            raise TypeError(f"a tensor's name is a str, got {type(name).__name__}")
        if "\0" in name:
            raise NotFoundError(f"no tensor {name!r}: names have no NUL characters")
        index = ctypes.c_uint64()
        library().bnq_file_find(self._handle, name.encode(), ctypes.byref(index))
        return index.value

    @staticmethod
    def _info(handle: Handle, index: int) -> TensorInfo:
        lib = library()
        format_id = lib.bnq_file_format(handle, index)
        plain = format_id == _abi.FORMAT_NONE
        return TensorInfo(
            decode(lib.bnq_file_name(handle, index)),
            read_shape(lib.bnq_file_shape, handle, index),
            registry.format_name(format_id),
            decode(lib.bnq_dtype_name(lib.bnq_file_dtype(handle, index))) if plain else None,
            int(lib.bnq_file_bytes(handle, index)), int(lib.bnq_file_stored_bytes(handle, index)),
            decode(lib.bnq_file_same_as(handle, index)),
            decode(lib.bnq_file_layout(handle, index)))


def _held(info: TensorInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype of the array that holds a plain tensor."""
    assert info.dtype is not None
    native = holder(info.dtype)
    if math.prod(info.shape) * native.itemsize == info.nbytes:
        return info.shape, native
    return (info.nbytes,), native


def open_file(source: Union[StrPath, bytes, bytearray, memoryview], *, mmap: bool = True,
              as_source: bool = False, raw: bool = False,
              context: Optional[contexts.Context] = None) -> File:
    """Opens a model file (told by its content, not its name), the index of a
    sharded model, the one model of a directory, or the bytes of a file in memory.
    mmap=False reads the file instead of mapping it, as_source=True has it as it is
    quantized, raw=True its arrays as they are: see File. MissingFileError (a
    FileNotFoundError), InputOutputError, CorruptFileError."""
    return File(source, mmap=mmap, as_source=as_source, raw=raw, context=context)


class Writer:
    """Writes a model file: to a temporary file beside it, which replaces the
    output when everything has been written. For one thread.

        with Writer("model.bnq") as writer:
            writer.add("weight", quantize(weight))
            writer.add("bias", bias)

    The file appears when the block ends, or `finish` is called; if the block
    raises, nothing is left behind and an old output stays as it was.

    kind: "safetensors" or "bnq"; by default what the path's suffix says.
    overwrite: replace an existing output, rather than raise ExistsError.
    compress: DEFLATE the data of a .bnq file.
    max_shard_size: the most bytes of tensors in one file; more become
        model-00001-of-00002.bnq and so on, with the index model.bnq.index.json.
    """

    __slots__ = ("_handle", "_kept", "__weakref__")

    def __init__(self, path: StrPath, *, kind: Optional[str] = None, overwrite: bool = False,
                 compress: bool = False, max_shard_size: Optional[int] = None,
                 metadata: Optional[Mapping[str, str]] = None,
                 context: Optional[contexts.Context] = None) -> None:
        lib = library()
        if kind is None:
            kind = os.path.splitext(os.fspath(path))[1][1:].lower()
        if kind not in ("safetensors", "bnq"):
            raise ValueError(f"kind is {kind!r}; 'safetensors' and 'bnq' are accepted, as kind= "
                             f"or as the suffix of the path {os.fspath(path)!r}")
        # At exit too, so as not to leave the temporary file.
        self._handle: Optional[Handle] = create(
            _abi.bnq_writer, lib.bnq_writer_create, contexts.handle(context),
            encode_path(path, "path"), _KINDS[kind], write_flags(overwrite, compress),
            shard_bytes(max_shard_size), destroy="bnq_writer_destroy", keep=context, atexit=True)
        self._kept: list[object] = []
        for key, value in (metadata or {}).items():
            self.set_metadata(key, value)

    @property
    def _writer(self) -> Handle:
        if self._handle is None:
            raise ValueError("the writer is finished or abandoned")
        return self._handle

    def set_metadata(self, key: str, value: str) -> None:
        """Sets a text of the file's metadata."""
        library().bnq_writer_set_metadata(
            self._writer, encode(key, "key"), encode(value, f"the value of {key!r}"))

    def add(self, name: str, value: Entry, *, dtype: Optional[DTypeLike] = None,
            copy: bool = False, shape: Optional[tuple[int, ...]] = None) -> None:
        """Adds an array or (.bnq only) a quantized tensor. An array must not be
        written to until the file is finished: it is read then.

        dtype: what the elements are where numpy has no such type: "bf16" for
            uint16, "F8_E4M3" for uint8. `shape` is then that of the tensor, where
            the array holds packed elements below a byte.
        copy: permits copying an array that cannot be used as it is.
        """
        lib, encoded = library(), encode(name, "name")
        if isinstance(value, QuantizedTensor):
            lib.bnq_writer_add_tensor(self._writer, encoded, value._handle)
            self._kept.append(value)
        else:
            array = ArrayArgument(value, f"tensor {name!r}", dtype=dtype, copy=copy, shape=shape)
            lib.bnq_writer_add_array(self._writer, encoded, array)
            self._kept.append(array)

    def finish(self) -> None:
        """Writes everything and puts the file in its place."""
        try:
            library().bnq_writer_finish(self._writer)
        finally:
            self.abandon()  # what is finished is not undone by this

    def abandon(self) -> None:
        """Gives the output up, unless it is finished. Harmless when repeated."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.destroy()
        self._kept.clear()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if kind is not None:
            self.abandon()
        elif self._handle is not None:
            self.finish()


def shard_bytes(max_shard_size: Optional[int]) -> int:
    """The parameter of writers and conversions: 0 for one file."""
    if max_shard_size is None:
        return 0
    value = integer(max_shard_size, "max_shard_size", 63)
    if value < 1:
        raise ValueError(f"max_shard_size is {value}, must be 1 or more bytes")
    return value


def write_flags(overwrite: bool, compress: bool = False, dry_run: bool = False,
                resume: bool = False, restart: bool = False,
                requantize: bool = False) -> int:
    """The flags of writers and conversions."""
    return ((_abi.WRITE_OVERWRITE if overwrite else 0) | (_abi.WRITE_COMPRESS if compress else 0)
            | (_abi.WRITE_DRY_RUN if dry_run else 0) | (_abi.WRITE_RESUME if resume else 0)
            | (_abi.WRITE_RESTART if restart else 0)
            | (_abi.WRITE_REQUANTIZE if requantize else 0))
