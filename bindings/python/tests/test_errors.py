"""Every status becomes its exception, with the library's own text."""
import ctypes

import bitnet_quant as bq
import numpy as np
import pytest
from bitnet_quant import _abi, errors
from bitnet_quant._handles import create
from bitnet_quant._loader import library

VALUES = np.ones((64, 64), np.float32)

STATUSES = {name: value for name, value in vars(_abi).items() if name.startswith("ERROR_")}


@pytest.mark.parametrize("name", STATUSES)
def test_every_status_has_a_class_of_its_own(name):
    error = errors.from_status(STATUSES[name], "the cause")
    assert type(error) is not bq.BitNetQuantError
    assert isinstance(error, bq.BitNetQuantError)
    assert type(error).__name__ in bq.__all__
    assert error.status == type(error).status == STATUSES[name]
    assert str(error) == "the cause"


def test_a_status_of_a_newer_library():
    error = errors.from_status(77, "new")
    assert type(error) is bq.BitNetQuantError
    assert (error.status, str(error)) == (77, "new")
    assert bq.BitNetQuantError.status is None


@pytest.mark.parametrize("error, builtin", [
    (bq.InvalidArgumentError, ValueError), (bq.UnsupportedError, NotImplementedError),
    (bq.OutOfMemoryError, MemoryError), (bq.CorruptFileError, ValueError),
    (bq.InputOutputError, OSError), (bq.NoDataError, ValueError),
    (bq.InternalError, RuntimeError), (bq.NonFiniteError, ValueError),
    (bq.NotFoundError, LookupError), (bq.NotFoundError, KeyError),
    (bq.MissingFileError, FileNotFoundError), (bq.MissingFileError, bq.NotFoundError),
    (bq.ExistsError, FileExistsError), (bq.LibraryLoadError, ImportError),
    (bq.CancelledError, bq.BitNetQuantError)])
def test_builtin_bases(error, builtin):
    assert issubclass(error, builtin) and issubclass(error, bq.BitNetQuantError)


def out_of_memory(tmp_path):
    """With an allocator that has nothing."""
    allocator = _abi.bnq_allocator(
        _abi._alloc_fn(lambda opaque, size: None), _abi._free_fn(lambda opaque, p: None), None)
    context = object.__new__(bq.Context)
    context._handle = create(_abi.bnq_context, library().bnq_context_create,
                             ctypes.byref(allocator), destroy="bnq_context_destroy",
                             keep=allocator)
    bq.quantize(VALUES, context=context)


def internal(tmp_path):
    """With a runner that does not run."""
    runner = _abi.bnq_runner(_abi._run_fn(lambda *arguments: 1), None, 2)
    context = bq.Context()
    library().bnq_context_set_runner(context._handle, ctypes.byref(runner))
    bq.quantize(np.ones((512, 4096), np.float32), context=context)


def exists(tmp_path):
    (tmp_path / "old.bnq").write_bytes(b"old")
    bq.Writer(tmp_path / "old.bnq")


def cancelled(tmp_path):
    with bq.Writer(tmp_path / "in.safetensors") as writer:
        writer.add("w", VALUES)
    bq.quantize_file(tmp_path / "in.safetensors", tmp_path / "out.bnq",
                     progress=lambda *_: False)


@pytest.mark.parametrize("error, message, provoke", [
    (bq.InvalidArgumentError, "group_size", lambda _: bq.Config(group_size=0)),
    (bq.UnsupportedError, "ternary",
     lambda _: bq.quantize(VALUES, format="ternary", scheme="asymmetric")),
    (bq.OutOfMemoryError, "", out_of_memory),
    (bq.CorruptFileError, "", lambda _: bq.open_file(b"\xff" * 100)),
    (bq.InputOutputError, "", lambda tmp_path: bq.Writer(tmp_path / "none" / "a.bnq").close()),
    (bq.NoDataError, "", lambda _: bq.compare(VALUES[:0], VALUES[:0])),
    (bq.CancelledError, "", cancelled),
    (bq.InternalError, "runner", internal),
    (bq.NonFiniteError, "3", lambda _: bq.quantize(np.float32([0, 1, 2, np.nan]))),
    (bq.NotFoundError, "group_sise", lambda _: bq.Config(group_sise=1)),
    (bq.MissingFileError, "nowhere", lambda tmp_path: bq.open_file(tmp_path / "nowhere")),
    (bq.ExistsError, "old.bnq", exists),
], ids=lambda value: getattr(value, "__name__", None))
def test_provoked(error, message, provoke, tmp_path):
    with pytest.raises(bq.BitNetQuantError) as caught:
        provoke(tmp_path)
    assert type(caught.value) is error
    assert str(caught.value) and message in str(caught.value)
