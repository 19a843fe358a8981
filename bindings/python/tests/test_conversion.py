"""Converting and comparing whole files; progress and cancelling."""
import copy
import ctypes
import pickle
import signal
import threading
import traceback

import bitnet_quant as bq
import numpy as np
import pytest
from bitnet_quant import _abi
from bitnet_quant._loader import library

RNG = np.random.default_rng(3)
MODEL = {
    "head.weight": RNG.standard_normal((10, 64)).astype(np.float32),
    "layer.bias": RNG.standard_normal(64).astype(np.float32),
    "layer.weight": RNG.standard_normal((64, 3000)).astype(np.float32),
    "steps": np.arange(6).reshape(2, 3),
}
INT8 = bq.Config(format="int8", granularity="channel")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    with bq.Writer(path) as writer:
        for name, value in MODEL.items():
            writer.add(name, value)
    return path


@pytest.fixture
def output(tmp_path):
    return tmp_path / "model.bnq"


def test_quantize_file(model, output):
    report = bq.quantize_file(model, output, INT8, context=bq.Context(threads=2))
    assert [row.name for row in report] == sorted(MODEL) and len(report) == 4
    file = bq.open_file(output)
    for row in report:
        array = MODEL[row.name]
        assert (row.shape, row.bytes_before) == (array.shape, array.nbytes)
        assert row.bytes_after == file.info(row.name).stored_nbytes
        assert row.bits_per_weight == pytest.approx(row.bytes_after * 8 / array.size)
        if row.name.endswith(".weight"):
            assert (row.format, row.dtype) == ("int8", None)
            expected = bq.quantize(array, INT8)
            assert np.array_equal(file[row.name].codes, expected.codes)
            assert np.array_equal(file[row.name].scales, expected.scales)
            assert row.metrics == bq.compare(array, expected)
        else:
            assert (row.format, row.dtype) == (None, file.info(row.name).dtype)
            assert np.array_equal(file[row.name], array)
            assert all(np.isnan(value) for value in row.metrics.values())
    assert report.bytes_before == sum(a.nbytes for a in MODEL.values())
    assert report.bytes_after == sum(row.bytes_after for row in report)
    assert [row.name for row in report[1:3]] == ["layer.bias", "layer.weight"]
    assert repr(report) == (f"Report(4 tensors, {report.bytes_before} bytes -> "
                            f"{report.bytes_after} bytes)")


def test_options_as_keywords(model, output):
    bq.quantize_file(model, output, format="int8", group_size=32)
    assert bq.open_file(output)["layer.weight"].config.group_size == 32
    bq.quantize_file(model, output, INT8, scheme="asymmetric", overwrite=True)
    assert bq.open_file(output)["layer.weight"].config == INT8.replace(scheme="asymmetric")
    with pytest.raises(TypeError, match="group_size.*Plan"):
        bq.quantize_file(model, output, bq.Plan(), group_size=32)


def test_plan(model, output):
    plan = bq.Plan()
    plan.add("head.*", None)
    plan.add("*.weight", bq.Config(format="ternary"), min_rank=2)
    plan.add("*", INT8, min_rank=1)
    bq.quantize_file(model, output, plan)
    file = bq.open_file(output)
    assert {name: file.info(name).format for name in file} == {
        "head.weight": None, "layer.bias": "int8", "layer.weight": "ternary", "steps": None}
    with pytest.raises(bq.InvalidArgumentError, match="min_rank"):
        plan.add("*", INT8, min_rank=9)
    with pytest.raises(ValueError, match="min_rank"):
        plan.add("*", INT8, min_rank=2**32)
    with pytest.raises(TypeError, match="config must be a Config.*got int"):
        plan.add("*", 8)
    with pytest.raises(bq.NotFoundError, match="int9"):
        plan.add("*", "int9")


def test_plan_match():
    plan = bq.Plan()
    assert plan.match("any", 2) == (None, None)
    plan.add("head.*", None)
    plan.add("*.attn.*", "nf4_double_quant,group_size=128", min_rank=2)
    plan.add("*.norm.*", bq.Config(format="none"))
    plan.add("*.weight", INT8, min_rank=2)
    assert plan.match("head.weight", 2) == bq.PlanMatch(rule=0, config=None)
    assert plan.match("0.attn.weight", 2) == (
        1, bq.Config.preset("nf4_double_quant", group_size=128))
    assert plan.match("0.norm.weight", 1) == (2, None)
    assert plan.match("0.mlp.weight", 2) == (3, INT8)
    assert plan.match("0.mlp.weight", 1).rule is None
    with pytest.raises(ValueError, match="rank"):
        plan.match("a", 2**32 + 2)  # whose low 32 bits would be a legal 2
    with pytest.raises(TypeError, match="name must be a str, got int"):
        plan.match(3, 2)


@pytest.mark.parametrize("preset", bq.presets(), ids=lambda preset: preset.name)
def test_quantize_file_into_every_preset(model, output, preset):
    bq.quantize_file(model, output, preset.name)
    with bq.open_file(output) as file:
        file.verify()
        for name in ("layer.weight", "head.weight"):
            expected = bq.quantize(MODEL[name], preset.name)
            assert file.config(name) == expected.config
            assert file[name].codes.tobytes() == expected.codes.tobytes()
            assert np.array_equal(file[name].dequantize(), expected.dequantize())


def test_format_none_carries_tensors_through(model, output):
    bq.quantize_file(model, output, format="none")
    with bq.open_file(output) as file:
        for name, array in MODEL.items():
            assert file.info(name).format is None and np.array_equal(file[name], array)


def test_dry_run_writes_nothing(model, output):
    report = bq.quantize_file(model, output, INT8, dry_run=True)
    assert not output.exists()
    assert list(map(repr, report)) == list(map(repr, bq.quantize_file(
        model, None, INT8, dry_run=True)))
    with pytest.raises(bq.InvalidArgumentError, match="output"):
        bq.quantize_file(model, None, INT8)
    # As text, for NaN is not equal to itself.
    assert list(map(repr, report)) == list(map(repr, bq.quantize_file(model, output, INT8)))


def test_compress_and_overwrite(model, output):
    plain = bq.quantize_file(model, output, INT8)
    with pytest.raises(bq.ExistsError, match="model.bnq"):
        bq.quantize_file(model, output, INT8)
    with pytest.raises(bq.ExistsError):
        bq.quantize_file(model, model, INT8, overwrite=True)
    packed = bq.quantize_file(model, output, INT8, compress=True, overwrite=True)
    assert packed.bytes_after < plain.bytes_after
    file = bq.open_file(output)
    assert file.info("layer.weight").stored_nbytes < file.info("layer.weight").nbytes
    assert np.array_equal(file["layer.weight"].codes,
                          bq.quantize(MODEL["layer.weight"], INT8).codes)
    file.verify()


@pytest.mark.parametrize("dtype", ["F32", np.float16, "bf16"])
def test_dequantize_file(model, output, tmp_path, dtype):
    bq.quantize_file(model, output, INT8)
    back = tmp_path / "back.safetensors"
    assert len(bq.dequantize_file(output, None, dtype, dry_run=True)) == 4
    report = bq.dequantize_file(output, back, dtype)
    assert len(report) == 4
    file = bq.open_file(back)
    weight = bq.quantize(MODEL["layer.weight"], INT8).dequantize(dtype)
    assert np.array_equal(file["layer.weight"], weight)
    assert np.array_equal(file["layer.bias"], MODEL["layer.bias"])
    assert np.array_equal(file["steps"], MODEL["steps"])


def test_compare_files(model, output, tmp_path):
    bq.quantize_file(model, output, INT8)
    rows = {row.name: row for row in bq.compare_files(model, output)}
    weight = MODEL["layer.weight"]
    assert rows["layer.weight"].metrics == bq.compare(weight, bq.quantize(weight, INT8))
    assert rows["layer.bias"].metrics.mse == 0 and rows["steps"].metrics.mse == 0
    other = tmp_path / "other.safetensors"
    with bq.Writer(other) as writer:
        writer.add("head.weight", MODEL["head.weight"][:5])
    rows = {row.name: row for row in bq.compare_files(model, other)}
    assert rows["head.weight"].note and np.isnan(rows["head.weight"].metrics.mse)
    assert rows["steps"].note


def test_errors_name_the_tensor(tmp_path, output):
    bad = np.ones((4, 4), np.float32)
    bad[2, 1] = np.inf
    with bq.Writer(tmp_path / "bad.safetensors") as writer:
        writer.add("the.tensor", bad)
    with pytest.raises(bq.NonFiniteError, match="the.tensor.*9"):
        bq.quantize_file(tmp_path / "bad.safetensors", output)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.safetensors"]
    for function in (bq.quantize_file, bq.dequantize_file):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            function(tmp_path / "nowhere", output)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        bq.compare_files(tmp_path / "bad.safetensors", tmp_path / "nowhere")


def test_progress(model, output):
    calls = []
    bq.quantize_file(model, output, INT8, progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    total = {call[1] for call in calls}
    assert len(total) == 1 and done[-1] == total.pop()
    assert {call[2] for call in calls} & set(MODEL)


@pytest.mark.parametrize("answer", [None, True, 0, "more"])
def test_only_false_cancels(model, output, answer):
    bq.quantize_file(model, output, INT8, progress=lambda *_: answer)
    assert output.exists()


def operations(model, output, tmp_path):
    bq.quantize_file(model, output, INT8)
    return {
        "quantize": lambda progress: bq.quantize_file(
            model, tmp_path / "new", progress=progress),
        "dequantize": lambda progress: bq.dequantize_file(
            output, tmp_path / "new", progress=progress),
        "compare": lambda progress: bq.compare_files(model, output, progress=progress),
        "verify": lambda progress: bq.open_file(output).verify(progress),
    }


@pytest.mark.parametrize("operation", ["quantize", "dequantize", "compare", "verify"])
def test_cancel(model, output, tmp_path, operation):
    run = operations(model, output, tmp_path)[operation]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(bq.CancelledError):
        run(lambda *_: False)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("operation", ["quantize", "dequantize", "compare", "verify"])
@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, bq.CancelledError])
def test_exception_in_the_callback_comes_back_unharmed(model, output, tmp_path, operation, kind):
    run = operations(model, output, tmp_path)[operation]
    cause, context, error = ValueError("cause"), ValueError("context"), kind("mine")
    error.__cause__, error.__context__ = cause, context

    def progress(*_):
        raise error

    before = sorted(tmp_path.iterdir())
    with pytest.raises(kind) as caught:
        run(progress)
    assert caught.value is error and error.args == ("mine",)
    assert error.__cause__ is cause and error.__context__ is context
    assert "in progress" in "".join(traceback.format_tb(error.__traceback__))
    assert sorted(tmp_path.iterdir()) == before
    run(None)  # and the next one is none the worse


@pytest.mark.parametrize("progress", [None, lambda *_: None], ids=["no_callback", "callback"])
def test_interrupt(model, output, progress):
    """Ctrl-C while the library works, at a moment that does not depend on luck:
    in a runner, which the library calls instead of its own threads."""
    @_abi._run_fn
    def run(_, count, task, task_opaque):
        signal.raise_signal(signal.SIGINT)
        for index in range(count):
            task(task_opaque, index, 0)
        return 0

    runner, context = _abi.bnq_runner(run, None, 2), bq.Context()
    library().bnq_context_set_runner(context._handle, ctypes.byref(runner))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        bq.quantize_file(model, output, INT8, progress=progress, context=context)
    assert not output.exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupt_in_the_callback(model, output):
    calls = []

    def progress(*call):
        calls.append(call)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        bq.quantize_file(model, output, INT8, progress=progress)
    assert len(calls) == 1 and not output.exists()


def test_progress_on_another_thread(model, output):
    calls = []
    thread = threading.Thread(target=lambda: bq.quantize_file(
        model, output, INT8, progress=lambda *call: calls.append(call)))
    thread.start()
    thread.join()
    assert calls and output.exists()


def test_plans_can_be_pickled_and_copied():
    plan = bq.Plan()
    plan.add("lm_head.*", None)
    plan.add("*.attn.*", "int8_per_channel", min_rank=2)
    plan.add("*", bq.Config(format="int4", group_size=64), min_rank=1)
    for other in (pickle.loads(pickle.dumps(plan)), copy.deepcopy(plan), copy.copy(plan)):
        for name in ("lm_head.weight", "a.attn.q", "b.weight"):
            for rank in range(4):
                assert other.match(name, rank) == plan.match(name, rank)
        other.add("*", None)
        assert plan.match("b.weight", 0).rule is None and other.match("b.weight", 0).rule == 3


@pytest.mark.parametrize("no", [False, np.bool_(False), np.array(False), np.int64(0)], ids=repr)
def test_a_progress_that_returns_false_cancels(tmp_path, no):
    path = tmp_path / "m.safetensors"
    with bq.Writer(path) as writer:
        writer.add("w", np.ones((4, 8), np.float32))
    with pytest.raises(bq.CancelledError):
        bq.quantize_file(path, tmp_path / "out.bnq", progress=lambda *_: no)
    assert not (tmp_path / "out.bnq").exists()


@pytest.mark.parametrize("go_on", [None, True, np.bool_(True), 0, "", np.float32(1)], ids=repr)
def test_whatever_else_a_progress_returns_goes_on(tmp_path, go_on):
    path = tmp_path / "m.safetensors"
    with bq.Writer(path) as writer:
        writer.add("w", np.ones((4, 8), np.float32))
    bq.quantize_file(path, tmp_path / "out.bnq", progress=lambda *_: go_on)


def test_an_interrupted_one_is_gone_on_with(model, output, tmp_path):
    expected = bq.quantize_file(model, output, INT8)
    whole = output.read_bytes()
    output.unlink()

    def stop_at(name):
        def progress(done, total, item):
            if item == name:
                raise InterruptedError
        return progress

    def interrupted(**options):
        with pytest.raises(InterruptedError):
            bq.quantize_file(model, output, INT8, progress=stop_at("layer.weight"), **options)

    interrupted()
    assert list(tmp_path.iterdir()) == [model]
    interrupted(resume=True)
    part = tmp_path / "model.bnq.part"
    assert sorted(tmp_path.iterdir()) == [part, model]
    with pytest.raises(bq.ExistsError, match="becomes .*int8.* where"):
        bq.quantize_file(model, output, "nf4", resume=True)
    report = bq.quantize_file(model, output, INT8, resume=True)
    assert output.read_bytes() == whole and not part.exists()
    assert repr(list(report)) == repr(list(expected))  # NaN is not NaN
    output.unlink()
    interrupted(resume=True)
    bq.quantize_file(model, output, "nf4", restart=True)
    assert sorted(tmp_path.iterdir()) == [output, model]


def test_folders(model, tmp_path):
    folder, out, back = (tmp_path / name for name in ("folder", "out", "back"))
    folder.mkdir()
    model.rename(folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("[1]")
    report = bq.quantize_file(folder, out, INT8)
    assert report.output == str(out)
    dense = MODEL["layer.bias"].size
    assert report.dense_share == report[1:].dense_share == dense / sum(
        array.size for array in MODEL.values() if array.dtype == np.float32)
    assert sorted(p.name for p in out.iterdir()) == ["config.json", "model.bnq", "tokenizer.json"]
    with bq.open_file(out) as file:
        assert sorted(file) == sorted(MODEL)
    with pytest.raises(bq.ExistsError):
        bq.quantize_file(folder, out, INT8)
    assert bq.dequantize_file(out, back).dense_share == 1
    assert (back / "model.safetensors").exists() and (back / "tokenizer.json").exists()
    sharded = bq.quantize_file(folder, tmp_path / "x.bnq", INT8, max_shard_size=1000)
    assert sharded.output == str(tmp_path / "x.bnq.index.json")
    assert bq.quantize_file(folder, None, INT8, dry_run=True).output == ""


def test_quantized_already(tmp_path):
    path = tmp_path / "gptq.safetensors"
    with bq.Writer(path) as writer:
        writer.add("a.qweight", np.full((1, 8), 0x7654_3210, np.int32))
        writer.add("a.qzeros", np.full((1, 1), 0x7777_7777, np.int32))
        writer.add("a.scales", np.ones((1, 8), np.float16))
    with pytest.raises(bq.UnsupportedError, match="is GPTQ.* is quantized already"):
        bq.quantize_file(path, tmp_path / "out.bnq")
    report = bq.quantize_file(path, tmp_path / "out.bnq", "int8", requantize=True)
    assert [(row.name, row.shape, row.format) for row in report] == [("a.weight", (8, 8), "int8")]
    with bq.open_file(tmp_path / "out.bnq") as file:
        np.testing.assert_allclose(file["a.weight"].dequantize()[0], np.arange(8) - 8, atol=0.05)
