"""bnq calibrate, and bnq quantize --calibration."""

import os
import re
import resource
import signal

import numpy as np
import pytest
from conftest import (
    DEMO,
    by_name,
    read_safetensors,
    run,
    run_json,
    write_safetensors,
    write_sparse_model,
)
from test_failures import Terminal, listing, screen


@pytest.fixture(scope="session")
def activations():
    """Inputs of the demo model's layers for the images it was not trained on."""
    import digits

    model = digits.read_safetensors(digits.MODEL)
    x = digits.held_out()[0].astype(np.float32)
    inputs = {}
    for layer in range(3):
        inputs[f"layers.{layer}"] = x
        x = x @ model[f"layers.{layer}.weight"].T + model[f"layers.{layer}.bias"]
        x = np.maximum(x, 0).astype(np.float32)
    return inputs


@pytest.fixture
def data(activations, tmp_path):
    return write_safetensors(tmp_path / "data.safetensors", activations)


def range_of(value, name):
    tensor = by_name(value)[name]
    return tensor["low"], tensor["high"]


def scales_of(quantized, tmp_path):
    """The arrays that --calibration added, by name."""
    restored = tmp_path / "restored.safetensors"
    run("dequantize", quantized, "-o", restored, "--force")
    types = {"F32": "<f4", "I8": "i1"}
    return {
        name: np.frombuffer(raw, types[dtype])
        for name, (dtype, _, raw) in read_safetensors(restored).items()
        if ".input_" in name
    }


def test_ranges_and_statistics(activations, data, tmp_path):
    out = tmp_path / "c.bnq"
    value = run_json("calibrate", data, "-o", out)
    assert value["inputs"] == [str(data)] and value["output"] == str(out)
    assert value["dry_run"] is False and value["pictures"] == []
    assert [t["name"] for t in value["tensors"]] == sorted(activations)
    for tensor in value["tensors"]:
        x = activations[tensor["name"]].astype(np.float64)
        assert tensor["batches"] == 1 and tensor["channels"] == 1
        assert tensor["high"] == [x.max()] and tensor["low"] == [-x.max()]
        deviations = (x - x.mean()) / x.std()
        assert tensor["statistics"] == pytest.approx({
            "count": x.size, "min": x.min(), "max": x.max(), "mean": x.mean(),
            "variance": x.var(), "absmax": x.max(), "absmean": x.mean(),
            "skewness": (deviations**3).mean(), "kurtosis": (deviations**4).mean(),
            "zero_share": (x == 0).mean(), "non_finite": 0, "outliers": 0}, rel=1e-9)
    text = run("calibrate", data, "-o", out, "--force").stdout
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["name", "batches", "low", "high"]
    for title in ("variance", "kurtosis", "zero share"):
        assert title in lines[0]
    assert "non finite" not in lines[0] and "channels" not in lines[0]
    for line, tensor in zip(lines[1:], value["tensors"]):
        assert line.split()[:3] == [tensor["name"], "1", f"{tensor['low'][0]:.6g}"]
    assert lines[-1] == f"wrote {out}"
    run("verify", out)


def test_every_option_of_the_library_is_a_flag(data):
    """With its name, its values and its default, but for two of bnq's own."""
    defaults = run_json("calibrate", data, "--dry-run")["options"]
    options = run_json("info")["options"]["calibrator"]
    assert list(defaults) == [option["name"] for option in options]
    for option in options:
        flag = "--" + option["name"].replace("_", "-")
        ours = {"moments": "on", "histogram": "on"}.get(option["name"], option["default"])
        assert str(defaults[option["name"]]) in (ours, f"{ours}.0")
        last = option["values"][-1] if option["values"] else option["max"]
        if isinstance(last, float) and last == int(last):
            last = int(last)
        shown = run_json("calibrate", data, "--dry-run", f"{flag}={last}")
        assert shown["options"][option["name"]] == last
        assert flag in run("calibrate", data, "--dry-run", f"{flag}=nonsense", code=2).stderr


def test_histograms_of_channels_are_kept_only_for_pictures(data, tmp_path):
    channels = ["--granularity", "channel", "--axis", "1"]
    assert run_json("calibrate", data, "--dry-run", *channels)["options"]["histogram"] == "off"
    shown = run_json("calibrate", data, "--dry-run", *channels, "--svg", tmp_path / "svg")
    assert shown["options"]["histogram"] == "on"
    run("calibrate", data, "--dry-run", "--histogram", "off", "--svg", tmp_path / "no", code=2)
    assert not (tmp_path / "no").exists()


def test_channels(activations, data):
    value = run_json("calibrate", data, "--dry-run", "--granularity", "channel",
                     "--scheme", "asymmetric")
    for name, x in activations.items():
        assert by_name(value)[name]["channels"] == x.shape[1]
        low, high = range_of(value, name)
        assert low == x.min(axis=0).tolist() and high == x.max(axis=0).tolist()
    text = run("calibrate", data, "--dry-run", "--granularity", "channel", "--axis", "1").stdout
    assert re.search(r"^layers\.0 +1 +64 ", text, re.MULTILINE)
    assert "wrote" not in text


def test_percentile(activations, data):
    value = run_json("calibrate", data, "--dry-run", "--method", "percentile", "--percentile",
                     "99", "--scheme", "asymmetric", "--bins", "16384")
    x = activations["layers.1"]
    low, high = range_of(value, "layers.1")
    assert low == [0]
    # Half of the rest is cut at each end.
    assert high[0] == pytest.approx(np.percentile(x, 99.5), abs=2 * x.max() / 16384)


def test_pieces_in_any_order_give_the_same_bytes(activations, data, tmp_path):
    """Of .npy files in a directory, and of merged calibrations."""
    options = ["--method", "kl", "--quiet"]
    x = activations["layers.1"]
    parts = {}
    for i, part in enumerate(np.array_split(x, 3)):
        parts[i] = tmp_path / f"part{i}" / "layers.1.npy"
        parts[i].parent.mkdir()
        np.save(parts[i], part)
        run("calibrate", parts[i].parent if i else parts[i], "-o", tmp_path / f"{i}.bnq", *options)
    whole, merged = tmp_path / "whole.bnq", tmp_path / "merged.bnq"
    run("calibrate", parts[2], parts[0].parent, parts[1], "-o", whole, *options)
    run("calibrate", "--merge", *(tmp_path / f"{i}.bnq" for i in (1, 0, 2)), "-o", merged,
        "--quiet")
    assert merged.read_bytes() == whole.read_bytes()
    value = run_json("calibrate", "--merge", merged, "--dry-run")
    assert by_name(value)["layers.1"]["batches"] == 3
    assert by_name(value)["layers.1"]["statistics"]["count"] == x.size
    run("calibrate", data, "-o", tmp_path / "data.bnq", *options)
    assert range_of(value, "layers.1") == range_of(
        run_json("calibrate", "--merge", tmp_path / "data.bnq", "--dry-run"), "layers.1")


def test_batches_of_one_name(activations, data, tmp_path):
    """--name: files need not be named as what they are batches of."""
    x = activations["layers.1"]
    paths = []
    for i, part in enumerate(np.array_split(x, 3)):
        paths.append(tmp_path / f"batch{i}.npy")
        np.save(paths[-1], part)
    value = run_json("calibrate", *paths, "--dry-run", "--name", "layers.1")
    assert [(t["name"], t["batches"]) for t in value["tensors"]] == [("layers.1", 3)]
    whole = run_json("calibrate", data, "--dry-run")
    assert range_of(value, "layers.1") == range_of(whole, "layers.1")
    averaged = run_json("calibrate", *paths, "--dry-run", "--name", "x", "--method",
                        "moving_average")
    assert by_name(averaged)["x"]["batches"] == 3
    assert "--name" in run("calibrate", *paths, "--dry-run", "--name", "", code=2).stderr
    run("calibrate", data, "-o", tmp_path / "c.bnq")
    assert "--name" in run("calibrate", "--merge", tmp_path / "c.bnq", "--dry-run", "--name", "x",
                           code=2).stderr


def test_a_percentile_that_looks_like_a_share(data, tmp_path):
    saved = tmp_path / "c.bnq"
    run("calibrate", data, "-o", saved)
    hint = ", did you mean 99.9?"
    for arguments in (["calibrate", data, "--method", "percentile", "--percentile", "0.999"],
                      ["calibrate", data, "--outliers=percentile", "--outlier-percentile=0.999"],
                      ["calibrate", "--merge", saved, "--percentile", ".999"]):
        assert run(*arguments, "--dry-run", code=2).stderr.endswith(hint + "\n")
    for arguments in (["--scale-rule", "percentile", "--percentile", ".999"],
                      ["--config", "percentile=0.999"],
                      ["--tensor", "layers.0.weight=int8_symmetric,percentile=0.999"]):
        warning = run("quantize", DEMO, *arguments, "--dry-run").stderr
        assert warning.startswith("bnq: warning: ") and warning.endswith(hint + "\n")
        assert warning.count("\n") == 1
        assert run("quantize", DEMO, *arguments, "--dry-run", "--quiet").stderr == ""
    assert "mean" not in run("calibrate", data, "--dry-run", "--percentile=9", code=2).stderr
    assert run("quantize", DEMO, "--dry-run", "--percentile", "1.5").stderr == ""


def test_hidden_files_are_skipped_aloud(activations, tmp_path):
    """macOS leaves ._x.npy beside x.npy. What the library logs is seen."""
    folder = tmp_path / "folder"
    folder.mkdir()
    np.save(folder / "x.npy", activations["layers.0"])
    (folder / "._x.npy").write_bytes(b"\0\5\x16\7 not an array")
    result = run("calibrate", folder, "--dry-run")
    assert result.stderr.startswith("bnq: ") and "._x.npy" in result.stderr
    assert result.stderr.count("\n") == 1 and re.search(r"^x +1 ", result.stdout, re.MULTILINE)
    assert run("calibrate", folder, "--dry-run", "--quiet").stderr == ""


def test_zeros_have_a_note(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        "some": np.eye(3, 4, dtype=np.float32), "x": np.ones(3, np.float32),
        "zeros": np.zeros((3, 4), np.float32)})
    tensors = by_name(run_json("calibrate", path, "--dry-run"))
    assert "zero" in tensors["zeros"]["note"] and tensors["zeros"]["high"] == [0]
    assert "note" not in tensors["some"] and "note" not in tensors["x"]
    channels = by_name(run_json("calibrate", path, "--dry-run", "--granularity", "channel",
                                "--axis", "-1"))
    assert "1 of 4 channels" in channels["some"]["note"]
    assert "note" not in channels["x"]
    run("calibrate", path, "-o", tmp_path / "c.bnq")
    value = by_name(run_json("quantize", DEMO, "--dry-run", "--calibration", tmp_path / "c.bnq"))
    assert "zeros" in value["zeros.input_scale"]["note"]
    assert value["x.input_scale"]["note"] == "added"


def test_what_cannot_be_merged(data, tmp_path):
    a, b, average = (tmp_path / f"{name}.bnq" for name in ("a", "b", "average"))
    run("calibrate", data, "-o", a)
    run("calibrate", data, "-o", b, "--bins", "512")
    run("calibrate", data, "-o", average, "--method", "moving_average")
    out = tmp_path / "out.bnq"
    error = run("calibrate", "--merge", a, b, "-o", out, code=3).stderr
    assert str(b) in error and "bins" in error
    assert "order" in run("calibrate", "--merge", average, average, "-o", out, code=3).stderr
    run("calibrate", "--merge", a, data, "-o", out, code=3)
    assert not out.exists()


def test_another_method_later(data, tmp_path):
    """A file of minmax gives what calibrating with the method gives."""
    saved, without = tmp_path / "saved.bnq", tmp_path / "without.bnq"
    run("calibrate", data, "-o", saved)
    run("calibrate", data, "-o", without, "--histogram", "off")
    for method in ("percentile", "kl", "mse"):
        options = ["--method", method, "--scheme", "asymmetric"]
        expected = run_json("calibrate", data, "--dry-run", *options)
        again = run_json("calibrate", "--merge", saved, "--dry-run", *options)
        assert again["tensors"] == expected["tensors"]
        error = run("calibrate", "--merge", without, "--dry-run", *options, code=3).stderr
        assert str(without) in error and "histogram" in error
    run("calibrate", "--merge", saved, "--dry-run", "--method", "adaptive", code=3)
    run("calibrate", "--merge", saved, "--dry-run", "--axis", "1", code=3)
    run("calibrate", "--merge", saved, "--dry-run", "--method", "nonsense", code=2)


def test_quantize_with_calibration(activations, data, tmp_path):
    saved, out = tmp_path / "saved.bnq", tmp_path / "out.bnq"
    run("calibrate", data, "-o", saved, "--scheme", "asymmetric")
    plain = by_name(run_json("quantize", DEMO, "-o", tmp_path / "plain.bnq"))
    value = by_name(run_json("quantize", DEMO, "-o", out, "--calibration", saved))
    assert {name: value[name] for name in plain} == plain
    assert set(value) - set(plain) == {f"{name}.input_scale" for name in activations}
    scales = scales_of(out, tmp_path)
    for name, x in activations.items():
        assert scales[f"{name}.input_scale"] == pytest.approx([x.max() / 127], rel=1e-6)

    run("quantize", DEMO, "-o", out, "--calibration", saved, "--force", "--activations",
        "int8_asymmetric")
    scales = scales_of(out, tmp_path)
    for name, x in activations.items():
        assert scales[f"{name}.input_scale"] == pytest.approx([x.max() / 255], rel=1e-6)
        assert scales[f"{name}.input_zero_point"].tolist() == [-128]
    restored = read_safetensors(tmp_path / "restored.safetensors")
    assert set(plain) < set(restored)


@pytest.mark.parametrize("method", ["percentile", "kl", "mse"])
def test_quantize_with_another_method(data, tmp_path, method):
    saved, exact = tmp_path / "saved.bnq", tmp_path / "exact.bnq"
    run("calibrate", data, "-o", saved)
    run("calibrate", data, "-o", exact, "--method", method)
    found = []
    for extra in ([saved, "--method", method], [exact], [saved]):
        out = tmp_path / f"{len(found)}.bnq"
        run("quantize", DEMO, "-o", out, "--calibration", *extra)
        found.append(scales_of(out, tmp_path))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_quantize_refuses(data, tmp_path):
    saved, out = tmp_path / "saved.bnq", tmp_path / "out.bnq"
    run("calibrate", data, "-o", saved, "--histogram", "off")

    def refused(*options, code):
        error = run("quantize", DEMO, "-o", out, *options, code=code).stderr
        assert not out.exists()
        return error

    assert "--calibration" in refused("--method", "kl", code=2)
    assert "--calibration" in refused("--activations", "int8", code=2)
    error = refused("--calibration", saved, "--method", "kl", code=3)
    assert "histogram" in error and str(saved) in error
    assert "minmax" in refused("--calibration", saved, "--method", "nonsense", code=2)
    assert "--activations" in refused("--calibration", saved, "--activations", "x", code=2)
    refused("--calibration", saved, "--activations", "f16", code=3)
    refused("--calibration", tmp_path / "missing", code=4)
    refused("--calibration", data, code=3)
    before = saved.read_bytes()
    run("quantize", DEMO, "-o", saved, "--calibration", saved, "--force", code=4)
    assert saved.read_bytes() == before
    # A symmetric calibration wastes half of an asymmetric config's codes.
    warning = run("quantize", DEMO, "--dry-run", "--calibration", saved, "--activations",
                  "int8_asymmetric").stderr
    assert warning.startswith("bnq: warning: ") and "--scheme" in warning


def test_non_finite_values(tmp_path):
    x = np.linspace(-1, 2, 7, dtype=np.float32)
    x[3] = np.nan
    path = tmp_path / "x.npy"
    np.save(path, x)
    error = run("calibrate", path, "--dry-run", code=3).stderr
    assert "x.npy" in error and "3" in error
    tensor = by_name(run_json("calibrate", path, "--dry-run", "--non-finite", "skip"))["x"]
    assert tensor["statistics"]["non_finite"] == 1 and tensor["statistics"]["count"] == 6
    assert tensor["high"] == [2]
    text = run("calibrate", path, "--dry-run", "--non-finite", "skip").stdout
    assert "non finite" in text.splitlines()[0]


def test_names_without_data(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        "empty": np.zeros((0, 4), np.float32), "nan": np.full(3, np.nan, np.float32),
        "x": np.ones(3, np.float32)})
    out = tmp_path / "out.bnq"
    options = ["--non-finite", "skip"]
    tensors = by_name(run_json("calibrate", path, "-o", out, *options, "--svg", tmp_path / "svg"))
    for name in ("empty", "nan"):
        assert tensors[name]["low"] == [] and tensors[name]["note"]
    assert tensors["x"]["high"] == [1]
    assert [p.name for p in (tmp_path / "svg").iterdir()] == ["x.svg"]
    text = run("calibrate", path, "--dry-run", *options).stdout
    assert re.search(r"^nan +1 +- +- +0 ", text, re.MULTILINE)
    run("quantize", DEMO, "-o", tmp_path / "m.bnq", "--calibration", out, code=3)


def test_missing_and_corrupt_data(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY nonsense")
    out = tmp_path / "out.bnq"
    for name, code in (("missing", 4), ("empty", 4), ("bad.npy", 3)):
        error = run("calibrate", tmp_path / name, "-o", out, code=code).stderr
        assert name in error and error.count("\n") == 1
    run("calibrate", "-o", out, code=2)
    run("calibrate", tmp_path / "bad.npy", code=2)
    assert not out.exists()


def test_existing_outputs(data, tmp_path):
    out, picture = tmp_path / "out.bnq", tmp_path / "svg" / "layers.1.svg"
    picture.parent.mkdir()
    out.write_bytes(b"precious")
    assert str(out) in run("calibrate", data, "-o", out, code=4).stderr
    assert out.read_bytes() == b"precious"
    run("calibrate", data, "-o", out, "--force")
    picture.write_bytes(b"precious")
    options = ["-o", tmp_path / "other.bnq", "--svg", picture.parent]
    assert str(picture) in run("calibrate", data, *options, code=4).stderr
    assert listing(picture.parent) == {"layers.1.svg": b"precious"}
    assert not (tmp_path / "other.bnq").exists()
    run("calibrate", data, *options, "--force")
    assert picture.read_bytes() != b"precious"


def test_pictures_do_not_go_through_other_files(data, tmp_path):
    """Nobody can put something in the way of a temporary file, or at its place."""
    folder, target = tmp_path / "svg", tmp_path / "target"
    folder.mkdir()
    (folder / "layers.0.svg.part").write_bytes(b"precious")
    (folder / "layers.1.svg.part").symlink_to(target)
    (folder / "layers.2.svg").symlink_to(target)  # which is not there
    before = listing(folder)
    out = tmp_path / "out.bnq"
    arguments = ["calibrate", data, "-o", out, "--svg", folder]
    assert "layers.2.svg' exists (--force" in run(*arguments, code=4).stderr
    assert listing(folder) == before and not out.exists() and not target.exists()
    target.write_bytes(b"precious")
    run(*arguments, "--force")
    assert not (folder / "layers.2.svg").is_symlink()
    assert (folder / "layers.2.svg").read_bytes().startswith(b"<?xml")
    assert target.read_bytes() == (folder / "layers.0.svg.part").read_bytes() == b"precious"
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_disk_full(data, tmp_path, handler):
    """A limit on the size of files stands for a full disk."""
    out = tmp_path / "out.bnq"
    picture = tmp_path / "svg" / "layers.0.svg"
    picture.parent.mkdir()
    out.write_bytes(b"precious")
    picture.write_bytes(b"precious")

    def limit():
        signal.signal(signal.SIGXFSZ, handler)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    limited = {"preexec_fn": limit, "restore_signals": False, "code": 4}
    assert str(out) in run("calibrate", data, "-o", out, "--force", **limited).stderr
    error = run("calibrate", data, "--dry-run", "--force", "--svg", picture.parent, **limited)
    assert 'layers.0.svg": File too large' in error.stderr
    # All or nothing: the picture is larger than the calibration.
    few = write_safetensors(data, {"layers.0": np.linspace(0, 1, 64, dtype=np.float32)})
    small = ["-o", out, "--histogram", "on", "--bins", "64", "--moments", "off"]
    limited["preexec_fn"] = lambda: (signal.signal(signal.SIGXFSZ, handler),
                                     resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500)))
    error = run("calibrate", few, *small, "--force", "--svg", picture.parent, **limited)
    assert 'layers.0.svg": File too large' in error.stderr
    assert listing(picture.parent) == {"layers.0.svg": b"precious"}
    assert listing(tmp_path) == {"data.safetensors": data.read_bytes(), "out.bnq": b"precious"}


def test_inputs_are_never_overwritten(data, tmp_path):
    saved = tmp_path / "saved.bnq"
    run("calibrate", data, "-o", saved)
    (tmp_path / "link").symlink_to(data)
    same = tmp_path / "same.svg"
    run("calibrate", data, "-o", same, "--svg", same, code=2)
    before = listing(tmp_path)
    for arguments in ([data, "-o", data], [data, "-o", tmp_path / "link"],
                      [tmp_path, "-o", data], ["--merge", saved, saved, "-o", saved],
                      ["--merge", saved, "--dry-run", "-o", saved]):
        run("calibrate", *arguments, "--force", code=4)
        assert listing(tmp_path) == before


# Progress, and signals.


@pytest.fixture(scope="module")
def large_data(tmp_path_factory):
    """Long enough to be interrupted."""
    return write_sparse_model(tmp_path_factory.mktemp("large") / "large.safetensors", 64)


def test_progress_bar(data, tmp_path):
    terminal = Terminal("calibrate", data, "-o", tmp_path / "out.bnq")
    assert "wrote" in terminal.finish(0)
    assert "100%" in terminal.stderr and screen(terminal.stderr) == ""
    quiet = Terminal("calibrate", data, "--dry-run", "--quiet")
    assert quiet.finish(0) == "" and quiet.stderr == ""


def test_a_signal_cancels(large_data, tmp_path):
    out = tmp_path / "out.bnq"
    out.write_bytes(b"precious")
    terminal = Terminal("calibrate", large_data, "-o", out, "--force", "--threads", "1",
                        "--svg", tmp_path / "svg")
    terminal.read_until("layer.")
    assert terminal.process.poll() is None
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.finish(5) == ""
    assert screen(terminal.stderr) == "bnq: error: cancelled by a signal"
    assert listing(tmp_path) == {"out.bnq": b"precious"}
    assert not (tmp_path / "svg").exists()
