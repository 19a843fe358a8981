"""Calibrating from files, directories and mixtures of sources."""
import ctypes
import pathlib
import signal

import bitnet_quant as bq
import numpy as np
import pytest
from bitnet_quant import _abi
from bitnet_quant._loader import library

RNG = np.random.default_rng(12)
ARRAYS = {name: RNG.standard_normal((40, 8)).astype(np.float32) * scale
          for name, scale in (("layer.0", 1), ("layer.1", 4), ("out", 2))}
HALVES = (ARRAYS["out"].view(np.uint32) >> 16).astype(np.uint16)


def write(path, **others):
    with bq.Writer(path) as writer:
        for name, array in {**ARRAYS, **others}.items():
            writer.add(name, array)
        writer.add("half", HALVES, dtype="bf16")
        writer.add("steps", np.arange(4))
    return path


@pytest.fixture
def folder(tmp_path):
    """A model file and two .npy files, beside something else."""
    path = tmp_path / "activations"
    path.mkdir()
    write(path / "m.safetensors")
    np.save(path / "z.npy", ARRAYS["layer.0"].astype(np.float64) * 7)
    np.save(path / "a.npy", ARRAYS["layer.0"].astype(np.float16))
    (path / "notes.txt").write_text("not data")
    return path


NAMES = ["a", "half", "layer.0", "layer.1", "out", "z"]  # of the folder, in order


def by_hand(batches, **options):
    calibrator = bq.Calibrator(**options)
    for batch in batches:
        calibrator.observe(batch.values, dtype=batch.dtype)
    return calibrator


@pytest.mark.parametrize("method", ["minmax", "moving_average", "kl"])
def test_observe_file(folder, method):
    """The moving average shows the order of batches."""
    calibrator = bq.Calibrator(method=method)
    calibrator.observe_file(folder, context=bq.Context(threads=2))
    batches = list(bq.CalibrationDataset(folder))
    assert [batch.name for batch in batches] == NAMES
    assert [batch.dtype for batch in batches] == ["F16", "BF16", "F32", "F32", "F32", "F64"]
    assert calibrator.to_bytes() == by_hand(batches, method=method).to_bytes()
    named = bq.Calibrator(method=method)
    named.observe_file(folder / "m.safetensors", "layer.1")
    assert named.range().hi == np.abs(ARRAYS["layer.1"]).max() and named.batches == 1


def test_observe_file_into_a_set(folder):
    calibration = bq.Calibration(scheme="asymmetric")
    calibration.observe_file(folder)
    assert list(calibration) == NAMES
    for name, array in ARRAYS.items():
        lo, hi = calibration[name].range()
        assert (lo[0], hi[0]) == (array.min(), array.max())


def test_hidden_files_are_no_data(folder):
    """macOS leaves ._x.npy beside x.npy; the log hears of it."""
    expected = by_hand(bq.CalibrationDataset(folder)).to_bytes()
    (folder / "._a.npy").write_bytes(b"\0\5\x16\7 not an array")
    (folder / ".safetensors").write_bytes(b"")
    assert [batch.name for batch in bq.CalibrationDataset(folder)] == NAMES
    told = []
    calibrator = bq.Calibrator()
    calibrator.observe_file(folder, context=bq.Context(log=lambda *line: told.append(line)))
    assert calibrator.to_bytes() == expected
    (level, message), = told
    assert level == 30 and "._a.npy" in message
    for path in folder.glob("[!.]*"):
        path.unlink()
    with pytest.raises(bq.MissingFileError, match="that is not hidden"):
        calibrator.observe_file(folder)


def test_observe_files_under_one_name(folder):
    """Batches of one activation that lie in files of different names."""
    calibration = bq.Calibration()
    calibration.observe_file(folder, as_name="layer")
    whole = bq.Calibrator()
    whole.observe_file(folder)
    assert list(calibration) == ["layer"]
    assert calibration["layer"].to_bytes() == whole.to_bytes()
    with pytest.raises(ValueError, match="as_name"):
        calibration.observe_file(folder, as_name="")


def test_compressed_bnq(tmp_path):
    with bq.Writer(tmp_path / "a.bnq", compress=True) as writer:
        writer.add("zeros", np.zeros(4000, np.float32))
        writer.add("quantized", bq.quantize(ARRAYS["out"], "int8_symmetric"))
    dataset = bq.CalibrationDataset(tmp_path / "a.bnq")
    assert [(batch.name, batch.values.size) for batch in dataset] == [("zeros", 4000)]
    calibrator = bq.Calibrator()
    dataset.feed(calibrator)
    assert calibrator.statistics().count == 4000 and dataset.nbytes == 16000


def test_what_is_not_there(folder, tmp_path):
    calibrator, empty = bq.Calibrator(), tmp_path / "empty"
    empty.mkdir()
    for path in (tmp_path / "nowhere", empty):
        for attempt in (calibrator.observe_file, bq.Calibration().observe_file,
                        lambda path: list(bq.CalibrationDataset(path)),
                        lambda path: bq.CalibrationDataset(path).feed(calibrator)):
            with pytest.raises(bq.MissingFileError, match=path.name):
                attempt(path)
    with pytest.raises(bq.NotFoundError, match="layer.9"):
        calibrator.observe_file(folder, "layer.9")
    with pytest.raises(TypeError, match="path"):
        calibrator.observe_file(b"bytes")
    assert calibrator.batches == 0


@pytest.mark.parametrize("array", [np.arange(4), np.ones((4, 3), np.float32).T,
                                   np.ones(4, ">f4")], ids=["integers", "fortran", "foreign"])
def test_npy_files_of_another_kind(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    for attempt in (bq.Calibrator().observe_file, lambda p: list(bq.CalibrationDataset(p))):
        with pytest.raises(bq.UnsupportedError, match="a.npy"):
            attempt(tmp_path / "a.npy")


def test_arrays():
    arrays = list(ARRAYS.values())
    expected = by_hand(bq.Batch(None, array, "F32") for array in arrays).to_bytes()
    for sources in (arrays, tuple(arrays), iter(arrays)):
        calibrator = bq.Calibrator()
        dataset = bq.CalibrationDataset(sources)
        dataset.feed(calibrator)
        assert calibrator.to_bytes() == expected
        assert [batch.name for batch in dataset] == [None] * 3 == [b.name for b in dataset]
        assert all(batch.values is array for batch, array in zip(dataset, arrays))
        assert dataset.nbytes == 3 * arrays[0].nbytes
    assert len(list(bq.CalibrationDataset(np.stack(arrays)))) == 1  # an array is one batch


def test_dtype_and_copy():
    dataset = bq.CalibrationDataset([HALVES], dtype="bf16")
    assert [batch.dtype for batch in dataset] == ["BF16"]
    calibrator = bq.Calibrator()
    dataset.feed(calibrator)
    assert 0 < calibrator.range().hi <= np.abs(ARRAYS["out"]).max()
    with pytest.raises(ValueError, match="batch 1 is not C-contiguous"):
        bq.CalibrationDataset([HALVES, HALVES.T], dtype="bf16")
    bq.CalibrationDataset([ARRAYS["out"].T], copy=True).feed(calibrator)
    assert calibrator.batches == 2
    with pytest.raises(TypeError, match="batch 0 must be a numpy array, got list"):
        bq.CalibrationDataset([[1.0, 2.0]])
    with pytest.raises(TypeError, match="names of batches must be str, got int"):
        bq.CalibrationDataset({1: HALVES})


def test_a_mapping_gives_names(folder):
    dataset = bq.CalibrationDataset({
        "x": [ARRAYS["out"], ARRAYS["layer.0"]], "y": ARRAYS["layer.1"],
        "z": folder / "m.safetensors", "x y": [folder / "a.npy", ARRAYS["out"]]})
    assert [batch.name for batch in dataset] == ["x"] * 2 + ["y"] + ["z"] * 4 + ["x y"] * 2
    calibration = bq.Calibration(method="kl")
    dataset.feed(calibration)
    assert {name: c.batches for name, c in calibration.items()} == {
        "x": 2, "x y": 2, "y": 1, "z": 4}
    for name in calibration:
        batches = [batch for batch in dataset if batch.name == name]
        assert calibration[name].to_bytes() == by_hand(batches, method="kl").to_bytes()


def test_a_set_needs_names(folder):
    calibration = bq.Calibration()
    with pytest.raises(ValueError, match="batch 1 has no name"):
        bq.CalibrationDataset([folder, ARRAYS["out"]]).feed(calibration)
    assert len(calibration) == 0
    bq.CalibrationDataset([folder]).feed(calibration)
    assert list(calibration) == NAMES
    with pytest.raises(TypeError, match="got Config"):
        bq.CalibrationDataset(folder).feed(bq.Config())


def mixture(folder):
    return bq.CalibrationDataset({"x": [ARRAYS["out"], folder], "y": folder / "a.npy"})


@pytest.mark.parametrize("kind", [bq.Calibrator, bq.Calibration])
def test_progress(folder, kind):
    calls = []
    mixture(folder).feed(kind(), progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert {call[1] for call in calls} == {done[-1]} == {mixture(folder).nbytes}
    # A calibrator reads files by itself, under the names they have.
    names = {"x", "y"} if kind is bq.Calibration else {"x", *NAMES}
    assert {call[2] for call in calls} == names


def operations(folder):
    """Each with what it changes."""
    calibrator, calibration = bq.Calibrator(), bq.Calibration()
    return {
        "calibrator": (calibrator.observe_file, folder, lambda: calibrator.batches),
        "calibration": (calibration.observe_file, folder, lambda: len(calibration)),
        "arrays": (bq.CalibrationDataset([ARRAYS["out"]]).feed, calibrator,
                   lambda: calibrator.batches),
        "files": (bq.CalibrationDataset(folder).feed, calibration, lambda: len(calibration)),
    }


@pytest.mark.parametrize("operation", ["calibrator", "calibration", "arrays", "files"])
def test_cancelled_and_raising_callbacks(folder, operation):
    run, argument, changed = operations(folder)[operation]
    with pytest.raises(bq.CancelledError):
        run(argument, progress=lambda *_: False)
    error = KeyError("mine")

    def progress(*_):
        raise error

    with pytest.raises(KeyError) as caught:
        run(argument, progress=progress)
    assert caught.value is error and error.__cause__ is None and error.__context__ is None
    assert changed() == 0
    run(argument, progress=lambda *_: None)
    assert changed() > 0


def test_interrupt(folder):
    """Ctrl-C while the library observes, from a runner that it calls to work."""
    @_abi._run_fn
    def run(_, count, task, task_opaque):
        signal.raise_signal(signal.SIGINT)
        for index in range(count):
            task(task_opaque, index, 0)
        return 0

    np.save(folder / "large.npy", np.ones((1024, 2048), np.float32))
    runner, context = _abi.bnq_runner(run, None, 2), bq.Context()
    library().bnq_context_set_runner(context._handle, ctypes.byref(runner))
    calibrator = bq.Calibrator()
    with pytest.raises(KeyboardInterrupt):
        calibrator.observe_file(folder, context=context)
    assert calibrator.batches == 0


def test_errors_name_the_array(folder):
    bad = ARRAYS["out"].copy()
    bad[0, 3] = np.nan
    path = folder / "bad.npy"
    np.save(path, bad)
    calibrator = bq.Calibrator()
    with pytest.raises(bq.NonFiniteError, match="bad.*3"):
        calibrator.observe_file(folder)
    assert calibrator.batches == 0


def test_paths_as_text(folder):
    calibrators = [bq.Calibrator() for _ in range(2)]
    bq.CalibrationDataset(str(folder)).feed(calibrators[0])
    bq.CalibrationDataset([pathlib.Path(folder)]).feed(calibrators[1])
    assert calibrators[0].to_bytes() == calibrators[1].to_bytes()
