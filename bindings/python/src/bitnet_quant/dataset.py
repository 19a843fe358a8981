"""Where batches of values come from."""
from __future__ import annotations

import functools
import itertools
import os
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, Optional, Union

import numpy as np

from . import _abi
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike
from ._handles import StrPath, create, decode, encode_path
from ._loader import library
from .calibration import Calibration, Calibrator
from .errors import CancelledError
from .files import File
from .progress import Progress, cancels
from .tensor import QuantizedTensor

#: An array is a batch; a path stands for the arrays of a file or directory.
Source = Union["np.ndarray[Any, Any]", StrPath]

class Batch(NamedTuple):
    """Values that are observed together."""

    #: Of the activations; of an array in a file, its name. None where it has none.
    name: Optional[str]
    values: np.ndarray[Any, Any]
    #: The type of the elements, such as "F32"; "BF16" is held in uint16.
    dtype: str


class _File(NamedTuple):
    """The file or directory of a source."""

    path: StrPath


_Part = Union[ArrayArgument, _File]


class CalibrationDataset(Iterable[Batch]):
    """Batches of values to calibrate with: any mixture of arrays and files.

        CalibrationDataset([batch, batch])                      arrays
        CalibrationDataset("activations/")                      a directory
        CalibrationDataset(["a.npy", "b.safetensors", batch])   or several sources
        CalibrationDataset({"layer.0": [batch, batch]})         and what they are of

    An array is one batch. The path of a .npy, .safetensors or .bnq file, or of a
    directory of *.npy and *.safetensors files (hidden ones are skipped), stands for its
    floating-point arrays, a batch each, in the order of their names. Sources under a
    name of a mapping are batches of that name; otherwise those of files have the name
    of the array (that of a .npy file has the file's, without the suffix), and arrays
    have none.

    Arrays are not copied, and must not change while the dataset is in use; files are
    opened when their turn comes. An iterator is read to its end at once: a stream too
    large for that goes to `Calibrator.observe` batch by batch.

    dtype, copy: of the arrays, as in `quantize`.
    """

    __slots__ = ("named", "_parts")

    def __init__(self, sources: Union[Source, Iterable[Source],
                                      Mapping[str, Union[Source, Iterable[Source]]]], *,
                 dtype: Optional[DTypeLike] = None, copy: bool = False) -> None:
        #: Whether the batches have the names of a mapping.
        self.named = isinstance(sources, Mapping)
        self._parts: list[tuple[Optional[str], _Part]] = []
        named: Iterable[tuple[Optional[str], Any]] = (
            sources.items() if isinstance(sources, Mapping) else [(None, sources)])
        for name, several in named:
            if name is not None and not isinstance(name, str):
                raise TypeError(f"the names of batches must be str, got {type(name).__name__}")
            for source in [several] if _is_source(several) else several:
                self._parts.append((name, _File(source) if _is_path(source) else ArrayArgument(
                    source, f"batch {len(self._parts)}", dtype=dtype, copy=copy)))

    def __iter__(self) -> Iterator[Batch]:
        for name, part in self._parts:
            if isinstance(part, ArrayArgument):
                yield Batch(name, part.array, part.dtype)
                continue
            for item in _items(part.path):
                yield Batch(item.name if name is None else name, item.read(), item.dtype)

    @property
    def nbytes(self) -> int:
        """The bytes of all batches. Looks into every file, without reading its data."""
        return sum(map(_nbytes, (part for _, part in self._parts)))

    def feed(self, target: Union[Calibrator, Calibration], *,
             progress: Optional[Progress] = None,
             context: Optional[contexts.Context] = None) -> None:
        """Has a calibrator observe every batch; or a Calibration, in which the batches of
        a name go to the calibrator of that name, so that each must have one (ValueError).

        progress: called with bytes done, bytes in all and the name of the batch ("" where
            it has none), as in quantize_file.

        If it fails or is cancelled, the sources before the one it failed at have been
        observed.
        """
        if isinstance(target, Calibration):
            for index, (name, part) in enumerate(self._parts):
                if name is None and isinstance(part, ArrayArgument):
                    raise ValueError(f"batch {index} has no name, which a Calibration needs; "
                                     "give the dataset a mapping from names to batches")
        elif not isinstance(target, Calibrator):
            raise TypeError("a dataset is fed to a Calibrator or a Calibration, got "
                            f"{type(target).__name__}")
        total, done = 0 if progress is None else self.nbytes, 0
        for name, part in self._parts:
            _observe(target, name, part, _shifted(progress, done, total), context)
            done += 0 if progress is None else _nbytes(part)

    def __repr__(self) -> str:
        return f"<CalibrationDataset of {len(self._parts)} sources>"


def _is_path(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike))


def _is_source(several: Any) -> bool:
    return (_is_path(several) or hasattr(several, "__array_interface__")
            or hasattr(several, "__array__"))


def _nbytes(part: _Part) -> int:
    if isinstance(part, ArrayArgument):
        return part.array.nbytes
    return sum(item.nbytes for item in _items(part.path))


def _shifted(progress: Optional[Progress], done: int, total: int) -> Optional[Progress]:
    """`progress` for an operation that begins at `done` of `total`."""
    if progress is None:
        return None
    report = progress
    return lambda more, _, name: report(done + more, total, name)


def _observe(target: Union[Calibrator, Calibration], name: Optional[str],
             part: _Part, progress: Optional[Progress],
             context: Optional[contexts.Context]) -> None:
    if isinstance(part, ArrayArgument):
        _tell(progress, 0, name)
        _observe_array(target, name, part.array, part.dtype, context)
        _tell(progress, part.array.nbytes, name)
    elif name is None or isinstance(target, Calibrator):
        target.observe_file(part.path, progress=progress, context=context)
    else:
        # The library gives the arrays of a file their own names.
        done = 0
        for item in _items(part.path):
            _tell(progress, done, name)
            _observe_array(target, name, item.read(), item.dtype, context)
            done += item.nbytes
        _tell(progress, done, name)


def _observe_array(target: Union[Calibrator, Calibration], name: Optional[str],
                   values: np.ndarray[Any, Any], dtype: str,
                   context: Optional[contexts.Context]) -> None:
    if isinstance(target, Calibrator):
        target.observe(values, dtype=dtype, context=context)
    else:
        assert name is not None
        target.observe(name, values, dtype=dtype, context=context)


def _tell(progress: Optional[Progress], done: int, name: Optional[str]) -> None:
    if progress is not None and cancels(progress(done, 0, name or "")):
        raise CancelledError("the operation was cancelled by its progress callback")


class _Item(NamedTuple):
    """An array of a file, before it is read."""

    name: str
    dtype: str
    nbytes: int
    read: Callable[[], np.ndarray[Any, Any]]


def _items(path: StrPath) -> Iterator[_Item]:
    """The arrays that Calibrator.observe_file would observe."""
    lib = library()
    batches = create(_abi.bnq_batches, lib.bnq_batches_find, None, encode_path(path, "path"), None,
                     destroy="bnq_batches_destroy")
    indices = range(lib.bnq_batches_count(batches))
    for each, group in itertools.groupby(indices, lambda i: lib.bnq_batches_path(batches, i)):
        with File(os.fsdecode(each)) as file:
            for index in group:
                name = decode(lib.bnq_batches_name(batches, index))
                dtype = file.info(name).dtype
                assert dtype is not None
                yield _Item(name, dtype, lib.bnq_batches_bytes(batches, index),
                            functools.partial(_read, file, name))


def _read(file: File, name: str) -> np.ndarray[Any, Any]:
    values = file[name]
    assert not isinstance(values, QuantizedTensor)
    return values
