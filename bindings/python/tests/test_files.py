"""Reading and writing model files."""
import gc
import json
import logging
import os
import weakref

import bitnet_quant as bq
import numpy as np
import pytest

RNG = np.random.default_rng(2)
WEIGHT = RNG.standard_normal((8, 33)).astype(np.float32)
ARRAYS = {
    "F64": RNG.standard_normal((3, 2)), "F32": WEIGHT, "F16": WEIGHT.astype(np.float16),
    "C64": WEIGHT.astype(np.complex64), "BOOL": WEIGHT > 0, "I8": np.arange(-3, 3, dtype=np.int8),
    "I16": np.arange(7, dtype=np.int16), "I32": np.arange(7, dtype=np.int32),
    "I64": np.array(-5), "U8": np.arange(5, dtype=np.uint8), "U16": np.arange(5, dtype=np.uint16),
    "U32": np.arange(5, dtype=np.uint32), "U64": np.array([[2**64 - 1]], np.uint64),
}
KINDS = ("safetensors", "bnq")


def write(path, tensors, **options):
    with bq.Writer(path, **options) as writer:
        for name, value in tensors.items():
            writer.add(name, value)
    return path


@pytest.mark.parametrize("kind, compress", [
    ("safetensors", False), ("bnq", False), ("bnq", True)])
def test_arrays_of_every_type(tmp_path, kind, compress):
    path = write(tmp_path / f"a.{kind}", ARRAYS, compress=compress)
    with bq.open_file(path) as file:
        assert file.kind == kind
        assert list(file) == sorted(ARRAYS) and len(file) == len(ARRAYS)
        for name, array in ARRAYS.items():
            info = file.info(name)
            assert (info.name, info.shape, info.format, info.dtype, info.nbytes) == (
                name, array.shape, None, name, array.nbytes)
            for found in (file[name], file.read(name)):
                assert found.dtype == array.dtype
                assert np.array_equal(found, array) and found.shape == array.shape
            assert not file[name].flags.writeable
            assert file.read(name).flags.writeable


@pytest.mark.parametrize("kind", KINDS)
def test_types_that_numpy_lacks(tmp_path, kind):
    bf16, f8, f4 = WEIGHT.astype(np.float16).view(np.uint16), RNG.bytes(6), RNG.bytes(3)
    with bq.Writer(tmp_path / f"a.{kind}") as writer:
        writer.add("bf16", bf16, dtype="bf16")
        writer.add("f8", np.frombuffer(f8, np.uint8).reshape(2, 3), dtype="F8_E4M3")
        writer.add("f4", np.frombuffer(f4, np.uint8), dtype="F4", shape=(2, 3))
        with pytest.raises(ValueError, match=r"'bad' holds 3 bytes, but F4 elements of shape "
                                             r"\(2, 4\) take 4"):
            writer.add("bad", np.frombuffer(f4, np.uint8), dtype="F4", shape=(2, 4))
    file = bq.open_file(tmp_path / f"a.{kind}")
    assert file.info("bf16").dtype == "BF16" and np.array_equal(file["bf16"], bf16)
    assert file.info("f8").dtype == "F8_E4M3" and file["f8"].tobytes() == f8
    assert file["f8"].shape == (2, 3)
    assert file.info("f4").shape == (2, 3) and file.info("f4").dtype == "F4"
    assert file["f4"].shape == (3,) and file["f4"].tobytes() == f4
    assert np.array_equal(file.read("f4"), file["f4"])


@pytest.mark.parametrize("compress", [False, True])
def test_quantized_tensors(tmp_path, compress):
    tensors = {
        "ternary": bq.quantize(WEIGHT, format="ternary", group_size=16),
        "int8": bq.quantize(WEIGHT, format="int8", granularity="channel", scheme="asymmetric"),
        "empty": bq.quantize(WEIGHT[:0], format="int8"),
        "base3": bq.quantize(WEIGHT, "ternary_base3", group_size=16),
        "int4": bq.quantize(WEIGHT, "int4_per_group_32", scale_dtype="bf16"),
        "nf4": bq.quantize(WEIGHT, "nf4_double_quant"),
        "bf16": bq.quantize(WEIGHT, "bf16"),
        "outliers": bq.quantize(WEIGHT, "int8_outliers", outlier_threshold=2),
    }
    assert tensors["outliers"].outlier_columns.size
    path = write(tmp_path / "a.bnq", {**tensors, "bias": WEIGHT[0]}, compress=compress,
                 metadata={"b": "2", "a": "grüße"})
    file = bq.open_file(path)
    assert file.metadata == {"a": "grüße", "b": "2"}
    for name, tensor in tensors.items():
        found = file[name]
        assert isinstance(found, bq.QuantizedTensor)
        assert found.config == file.config(name) == tensor.config and found.shape == tensor.shape
        for part in ("codes", "scales", "scale_data", "zero_points", "outlier_columns",
                     "outlier_values"):
            assert np.array_equal(getattr(found, part), getattr(tensor, part))
        assert np.array_equal(found.dequantize(), tensor.dequantize())
        info = file.info(name)
        assert (info.format, info.dtype, info.shape) == (tensor.format, None, tensor.shape)
    with pytest.raises(bq.UnsupportedError, match="int8"):
        file.read("int8")
    with pytest.raises(bq.UnsupportedError, match="bias"):
        file.config("bias")
    with pytest.raises(bq.NotFoundError, match="nothing"):
        file.config("nothing")
    file.verify()


def test_mapping(tmp_path):
    file = bq.open_file(write(tmp_path / "a.safetensors", {"a": WEIGHT, "b": WEIGHT}))
    assert "a" in file and "c" not in file and 3 not in file and "a\0" not in file
    assert file.get("c") is None
    assert [name for name, _ in file.items()] == ["a", "b"]
    for missing in ("c", "a\0"):
        with pytest.raises(KeyError, match="no tensor|c"):
            file[missing]
    with pytest.raises(bq.NotFoundError):
        file.info("c")
    assert repr(file) == "File(kind='safetensors', tensors=2)"
    assert file == file and file != bq.open_file(tmp_path / "a.safetensors")


def test_memory_is_not_copied(tmp_path):
    data = write(tmp_path / "a.bnq", {"w": WEIGHT, "q": bq.quantize(WEIGHT)}).read_bytes()
    file = bq.open_file(data)
    raw = np.frombuffer(data, np.uint8)
    assert np.shares_memory(file["w"], raw)
    assert np.shares_memory(file["q"].codes, raw)
    for source in (bytearray(data), memoryview(data)):
        assert np.array_equal(bq.open_file(source)["w"], WEIGHT)


def test_memory_is_kept_as_long_as_needed(tmp_path):
    data = bytearray(write(tmp_path / "a.bnq", {"w": WEIGHT, "q": bq.quantize(WEIGHT)})
                     .read_bytes())
    file = bq.open_file(data)
    array, codes = file["w"], file["q"].codes
    expected = codes.copy()
    file.close()
    del file
    gc.collect()
    with pytest.raises(BufferError):  # it is still lent to the library
        data.append(0)
    assert np.array_equal(array, WEIGHT) and np.array_equal(codes, expected)
    del array
    gc.collect()
    with pytest.raises(BufferError):
        data.append(0)
    del codes
    gc.collect()
    data.append(0)


def test_close(tmp_path):
    path = write(tmp_path / "a.safetensors", {"w": WEIGHT})
    with bq.open_file(path) as file:
        array = file["w"]
        handle = weakref.ref(file._handle)
    file.close()
    for use in (lambda: file["w"], lambda: len(file), lambda: list(file), lambda: file.kind,
                lambda: file.verify()):
        with pytest.raises(ValueError, match="the file is closed"):
            use()
    assert repr(file) == "File(closed)"
    path.unlink()
    gc.collect()
    assert handle() is not None and np.array_equal(array, WEIGHT)
    del array
    gc.collect()
    assert handle() is None


def test_read_into_out(tmp_path):
    file = bq.open_file(write(tmp_path / "a.safetensors", {"w": WEIGHT}))
    out = np.empty_like(WEIGHT)
    assert file.read("w", out=out) is out and np.array_equal(out, WEIGHT)
    with pytest.raises(TypeError, match="out has dtype"):
        file.read("w", out=out.astype(float))


def test_sharded_model(tmp_path):
    write(tmp_path / "m-1.safetensors", {"a": WEIGHT})
    write(tmp_path / "m-2.safetensors", {"b": WEIGHT + 1})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 2 * WEIGHT.nbytes}, "weight_map": {
        "a": "m-1.safetensors", "b": "m-2.safetensors"}}))
    with bq.open_file(index) as file:
        assert file.kind == "safetensors-index" and list(file) == ["a", "b"]
        assert np.array_equal(file["b"], WEIGHT + 1)


def test_npy(tmp_path):
    np.save(tmp_path / "layer.w.npy", WEIGHT)
    with bq.open_file(tmp_path / "layer.w.npy") as file:
        assert file.kind == "npy" and list(file) == ["layer.w"] and not file.metadata
        assert np.array_equal(file["layer.w"], WEIGHT)


def test_log(tmp_path):
    write(tmp_path / "m.safetensors", {"a": WEIGHT, "forgotten": WEIGHT})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "m.safetensors"}}))
    messages = []
    context = bq.Context(log=lambda *message: messages.append(message))
    gc.collect()  # nothing else holds the callback
    file = bq.open_file(index, context=context)
    assert list(file) == ["a"]
    assert [level for level, _ in messages] == [logging.WARNING]
    assert "forgotten" in messages[0][1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_log_that_raises_does_no_harm(tmp_path):
    write(tmp_path / "m.safetensors", {"a": WEIGHT, "forgotten": WEIGHT})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "m.safetensors"}}))
    calls = []

    def log(*message):
        calls.append(message)
        raise RuntimeError("in the log")

    assert list(bq.open_file(index, context=bq.Context(log=log))) == ["a"]
    assert calls


def test_verify(tmp_path):
    path = write(tmp_path / "a.bnq", {"w": bq.quantize(WEIGHT, format="int8")})
    calls = []
    bq.open_file(path).verify(lambda *call: calls.append(call))
    assert calls and calls[-1][0] == calls[-1][1]
    data = bytearray(path.read_bytes())
    codes = bq.open_file(path)["w"].codes.tobytes()
    data[data.find(codes) + 5] ^= 1
    file = bq.open_file(bytes(data))
    with pytest.raises(bq.CorruptFileError, match="w"):
        file.verify()
    with pytest.raises(bq.CorruptFileError, match="w"):
        file["w"]
    bad = WEIGHT.copy()
    bad[1, 2] = np.nan
    with pytest.raises(bq.NonFiniteError, match="bad"):
        bq.open_file(write(tmp_path / "a.safetensors", {"bad": bad})).verify()


def test_truncated_file(tmp_path):
    for kind in KINDS:
        data = write(tmp_path / f"a.{kind}", {"w": WEIGHT}).read_bytes()
        for size in (0, 7, len(data) // 2, len(data) - 1):
            with pytest.raises(bq.CorruptFileError):
                bq.open_file(data[:size])


def test_writer_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(RuntimeError, match="stop"):
        with bq.Writer(path) as writer:
            writer.add("w", WEIGHT)
            raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []
    writer.abandon()
    with pytest.raises(ValueError, match="finished or abandoned"):
        writer.add("w", WEIGHT)
    writer = bq.Writer(path)
    writer.add("w", WEIGHT)
    del writer
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_writer_keeps_what_it_borrows(tmp_path):
    path = tmp_path / "a.bnq"
    writer = bq.Writer(path)
    writer.add("a", WEIGHT.copy())
    writer.add("list", [1.5, 2.5], copy=True)
    writer.add("q", bq.quantize(WEIGHT))
    gc.collect()
    writer.finish()
    with pytest.raises(ValueError, match="finished or abandoned"):
        writer.finish()
    file = bq.open_file(path)
    assert np.array_equal(file["a"], WEIGHT) and file["list"].tolist() == [1.5, 2.5]
    assert np.array_equal(file["q"].dequantize(), bq.quantize(WEIGHT).dequantize())


def test_overwrite(tmp_path):
    path = write(tmp_path / "a.safetensors", {"w": WEIGHT})
    with pytest.raises(bq.ExistsError, match="a.safetensors"):
        bq.Writer(path)
    with bq.Writer(path, overwrite=True) as writer:
        writer.add("v", WEIGHT)
        assert list(bq.open_file(path)) == ["w"]  # until it is finished
    assert list(bq.open_file(path)) == ["v"]


def test_writer_refuses(tmp_path):
    with pytest.raises(ValueError, match="kind is 'txt'; 'safetensors' and 'bnq'"):
        bq.Writer(tmp_path / "a.txt")
    with pytest.raises(bq.InputOutputError):
        with bq.Writer(tmp_path / "missing" / "a.bnq") as writer:
            writer.add("w", WEIGHT)
    with bq.Writer(tmp_path / "a", kind="safetensors") as writer:
        writer.add("w", WEIGHT)
        for name in ("", "w"):
            with pytest.raises(bq.InvalidArgumentError):
                writer.add(name, WEIGHT)
        with pytest.raises(ValueError, match="NUL"):
            writer.add("a\0b", WEIGHT)
        with pytest.raises(TypeError, match="name must be a str, got bytes"):
            writer.add(b"a", WEIGHT)
        with pytest.raises(bq.UnsupportedError):
            writer.add("q", bq.quantize(WEIGHT))
        with pytest.raises(ValueError, match="tensor 't' is not C-contiguous"):
            writer.add("t", WEIGHT.T)
    assert list(bq.open_file(tmp_path / "a")) == ["w"]


def test_paths(tmp_path):
    path = tmp_path / "größe 模型.safetensors"
    write(path, {"w": WEIGHT})
    assert list(bq.open_file(str(path))) == ["w"]
    with pytest.raises(ValueError, match="NUL"):
        bq.open_file("a\0b")
    with pytest.raises(TypeError):
        bq.open_file(3)


def test_a_name_is_text_and_a_path_is_any_bytes(tmp_path):
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    np.save(folder / "w.npy", np.ones(4, np.float32))
    assert list(bq.open_file(folder / "w.npy")) == ["w"]
    bad = folder / os.fsdecode(b"w\xff.npy")
    np.save(bad, np.ones(4, np.float32))
    with pytest.raises(bq.UnsupportedError, match="rename the file"):
        bq.open_file(bad)
    calibration = bq.Calibration()
    with pytest.raises(bq.UnsupportedError, match="rename the file"):
        calibration.observe_file(folder)


def test_a_model_in_several_files(tmp_path):
    path = tmp_path / "model.bnq"
    weights = np.arange(64, dtype=np.float32).reshape(4, 16)
    with bq.Writer(path, max_shard_size=1) as writer:
        writer.add("a", weights)
        writer.add("b", bq.quantize(weights, "int8_symmetric"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "model-00001-of-00002.bnq", "model-00002-of-00002.bnq", "model.bnq.index.json"]
    for source in (path, tmp_path):
        file = bq.open_file(source, mmap=False)
        assert file.kind == "bnq-index" and list(file) == ["a", "b"]
        np.testing.assert_array_equal(file["a"], weights)
        assert isinstance(file["b"], bq.QuantizedTensor)
    with pytest.raises(ValueError, match="max_shard_size"):
        bq.Writer(tmp_path / "other.bnq", max_shard_size=0)


def test_what_is_mapped_must_stay_and_what_is_read_need_not(tmp_path):
    path = tmp_path / "w.safetensors"
    for options in ({"mmap": False}, {"context": bq.Context(mmap=False)}):
        with bq.Writer(path, overwrite=True) as writer:
            writer.add("w", np.ones(100, np.float32))
        file = bq.open_file(path, **options)
        os.truncate(path, 0)
        assert file["w"].sum() == 100
