"""bnq inspect, verify, diff, info, and what all commands share."""

import json
import os
import re
import subprocess

import numpy as np
import pytest
from conftest import (
    BNQ,
    LONG_NAME,
    MODELS,
    by_name,
    model_tensors,
    read_safetensors,
    run,
    run_json,
    write_safetensors,
)

COMMANDS = ["quantize", "calibrate", "dequantize", "inspect", "verify", "diff", "presets",
            "info", "estimate"]


def test_version():
    text = run("--version").stdout
    assert re.fullmatch(r"bnq \d+\.\d+\.\d+ \(libbnq \d+\.\d+\.\d+, ABI \d+\)\n", text)


def test_help():
    text = run("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.MULTILINE)
    for command in [[], *([c] for c in COMMANDS)]:
        text = run(*command, "--help").stdout
        for code in range(6):
            assert re.search(rf"^  {code}  \w", text, re.MULTILINE)
        if command:
            assert re.search(rf"\nExamples:\n  bnq {command[0]}\b", text)


def test_the_examples_of_the_help_work(model, quantized, tmp_path):
    """All but those with loops and pipes, on the files that they name."""
    rng = np.random.default_rng(3)
    files = {name: rng.standard_normal((4, 8)).astype(np.float32)
             for name in ("batch1.npy", "batch2.npy")}
    tried = 0
    for command in COMMANDS:
        lines = run(command, "--help").stdout.replace("\\\n", " ").splitlines()
        for line in lines:
            if not line.startswith("  bnq ") or "|" in line:
                continue
            place = tmp_path / str(tried)
            (place / "activations").mkdir(parents=True)
            for name, array in files.items():
                np.save(place / name, array)
                np.save(place / "activations" / name, array)
            write_safetensors(place / "model.safetensors", {
                **model_tensors(), "lm_head.weight": files["batch1.npy"],
                "embed.weight": files["batch2.npy"]})
            write_safetensors(place / "other.safetensors", model_tensors())
            (place / "plan.txt").write_text("*.weight -> nf4\n")
            words = line.split()[1:]
            if "-o model.bnq" not in line:
                run("quantize", "model.safetensors", "-o", "model.bnq", cwd=place)
            inputs = [word for word in words if word.endswith(".bnq")]
            if command == "calibrate":
                inputs.remove(words[words.index("-o") + 1])
            else:
                inputs = ["calibration.bnq"]
            for name in inputs:
                run("calibrate", "activations", "-o", name, cwd=place)
            shell = subprocess.run(["sh", "-c", f'"$0" {" ".join(words)}', BNQ], cwd=place,
                                   capture_output=True, text=True)
            assert (shell.returncode, shell.stderr) == (0, ""), line
            tried += 1
    assert tried > 10


@pytest.mark.parametrize("typed, meant", [
    (["quantise", "m"], "quantize"), (["calibrat"], "calibrate"), (["Verify", "x"], "verify"),
    (["preset"], "presets"), (["nonsense"], None), (["--versoin"], "--version"),
    (["quantize", "m", "--fromat", "int8"], "--format"), (["quantize", "--ouput=x"], "--output"),
    (["quantize", "m", "--group_size", "8"], "--group-size"), (["diff", "a", "b", "--hist"],
                                                               "--histogram"),
    (["calibrate", "x", "--methd=kl", "-o", "c"], "--method"), (["inspect", "m", "--zzz"], None)])
def test_a_mistyped_word_gets_a_suggestion(typed, meant):
    error = run(*typed, code=2).stderr
    options = [word.split("=")[0] for word in typed if word.startswith("--")]
    unknown = f"option '{options[0]}'" if options else f"command '{typed[0]}'"
    assert f"unknown {unknown}" in error
    assert ("did you mean" in error) == (meant is not None)
    assert meant is None or f"did you mean '{meant}'?" in error
    assert error.count("\n") == 1 and "--help'" in error


@pytest.mark.parametrize("arguments", [[], ["no-such"], ["inspect"], ["diff", "a"],
                                       ["verify", "a", "b"], ["info", "x", "y"], ["presets", "x"]])
def test_wrong_usage(arguments):
    result = run(*arguments, code=2)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "--help'" in result.stderr


def test_info():
    value = run_json("info")
    assert value["abi_version"] == 1
    assert value["version"] in run("--version").stdout
    assert value["threads"] == len(os.sched_getaffinity(0))
    names = [target["name"] for target in value["targets"]]
    (active,) = [t for t in value["targets"] if t["active"]]
    assert active["supported"] and active["name"] == value["active_target"]
    bits = {f["name"]: f["code_bits"] for f in value["formats"]}
    assert bits.items() >= {"ternary": 2, "int8": 8, "int4": 4, "nf4": 4, "f16": 16}.items()
    codes = {f["name"]: (f["min_code"], f["max_code"]) for f in value["formats"]}
    assert codes["ternary"] == (-1, 1)
    assert all(f["description"] for f in value["formats"])
    integer = {f["name"] for f in value["formats"] if f["integer"]}
    assert integer >= {"ternary", "int8", "int4"} and not integer & {"nf4", "fp4", "f16"}
    scaled = {f["name"] for f in value["formats"] if f["scaled"]}
    assert scaled >= integer | {"nf4", "fp4"} and not scaled & {"f16", "bf16"}
    methods = {o["name"]: o for o in value["options"]["calibrator"]}["method"]
    assert methods["default"] == "minmax" and {"kl", "mse", "percentile"} < set(methods["values"])
    assert value["statistics"][:3] == ["count", "min", "max"]
    assert value["metrics"][:5] == ["mse", "mae", "max_error", "sqnr_db", "cosine"]

    text = run("info").stdout
    assert run("--version").stdout in text
    assert f"threads: {value['threads']}\n" in text
    for name in names:
        (line,) = re.findall(rf"^{name}\b.*", text, re.MULTILINE)
        assert line.endswith(" active") == (name == active["name"])
    for format_ in value["formats"]:
        assert format_["description"] in text
    assert list(value["options"]) == ["config", "calibrator", "optimizer",
                                        "operator", "cache", "training", "phase",
                                        "interchange"]
    for option in sum(value["options"].values(), []):
        assert re.search(rf"^{option['name']} +{option['default']} .*"
                         + re.escape(option["description"]), text, re.MULTILINE)
        for name, meaning in zip(option["values"], option["value_descriptions"]):
            assert re.search(rf"^ +{name} +{re.escape(meaning)}$", text, re.MULTILINE)


def test_info_of_a_format():
    """Options and values that go with it, and why others do not."""
    for known in run_json("info")["formats"]:
        one = run_json("info", known["name"])
        assert one == known
        text = run("info", known["name"]).stdout
        assert known["description"] in text
        for option, values in one["options"].items():
            (line,) = re.findall(rf"^{option}  .*", text, re.MULTILINE)
            shown = line[len(option):].strip()
            assert shown == ", ".join(values) if isinstance(values, list) else shown
        for why in one["refusals"]:
            assert f"\n{why}\n" in text and f"not supported by format {known['name']}: " in why
    assert "did you mean \"nf4\"" in run("info", "nf5", code=2).stderr
    assert "none" in run("info", "none", code=2).stderr
    nf4, int8 = run_json("info", "nf4"), run_json("info", "INT8")
    assert nf4["options"]["scheme"] == ["symmetric"] and not nf4["options"]["outlier_threshold"]
    assert int8["options"]["outlier_threshold"] and "offset" in int8["options"]["scheme"]
    refused = run("quantize", "m", "-o", "x", "--config", "nf4,scheme=offset", code=2).stderr
    assert any(why in refused for why in nf4["refusals"])


def test_inspect_safetensors(model):
    value = run_json("inspect", model)
    assert value["kind"] == "safetensors"
    assert value["metadata"] == {"origin": "a test"}
    arrays = model_tensors()
    assert [t["name"] for t in value["tensors"]] == sorted(arrays)
    for tensor in value["tensors"]:
        array = arrays[tensor["name"]]
        assert tensor["shape"] == list(array.shape)
        assert tensor["dtype"] == {"float32": "F32", "int32": "I32"}[str(array.dtype)]
        assert tensor["bits_per_weight"] == 32
        assert tensor["bytes"] == tensor["uncompressed_bytes"] == array.nbytes
    text = run("inspect", model).stdout
    assert "origin = a test" in text
    for name in arrays:
        assert re.search(rf"^{re.escape(name)} ", text, re.MULTILINE)
    assert re.search(r"^fc\.weight +10x300 +F32 +32\.000 +11\.72 KiB$", text, re.MULTILINE)
    assert re.search(r"^total +0 of 6 ", text, re.MULTILINE)


def test_inspect_bnq(quantized):
    value = run_json("inspect", quantized)
    assert value["kind"] == "bnq"
    tensors = by_name(value)
    assert tensors["fc.weight"]["format"] == "ternary"
    assert tensors["fc.weight"]["bytes"] == 870
    assert tensors["fc.weight"]["bits_per_weight"] == 2.32
    assert tensors["fc.bias"]["dtype"] == "F32"
    assert value["totals"]["quantized"] == 3
    text = run("inspect", quantized).stdout
    assert re.search(rf"^{re.escape(LONG_NAME)} +4x256 +ternary ", text, re.MULTILINE)


@pytest.fixture
def sharded(tmp_path):
    arrays = model_tensors()
    names = sorted(arrays)
    weight_map = {}
    for shard, part in enumerate((names[:3], names[3:]), 1):
        file = f"model-0000{shard}-of-00002.safetensors"
        write_safetensors(tmp_path / file, {name: arrays[name] for name in part})
        weight_map.update(dict.fromkeys(part, file))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index


def test_sharded(sharded, model, tmp_path):
    value = run_json("inspect", sharded)
    assert value["kind"] == "safetensors-index"
    assert value["tensors"] == run_json("inspect", model)["tensors"]
    run("verify", sharded)
    whole = run_json("quantize", model, "-o", tmp_path / "a.bnq")
    shards = run_json("quantize", sharded, "-o", tmp_path / "b.bnq")
    assert whole["tensors"] == shards["tensors"]
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "00002-of-00002" in run("inspect", sharded, code=4).stderr


def test_npy(tmp_path):
    """A .npy file is a model of one tensor."""
    path, quantized = tmp_path / "fc.weight.npy", tmp_path / "q.bnq"
    array = np.linspace(-1, 1, 512, dtype=np.float32).reshape(4, 128)
    np.save(path, array)
    value = run_json("inspect", path)
    assert value["kind"] == "npy"
    assert [(t["name"], t["shape"]) for t in value["tensors"]] == [("fc.weight", [4, 128])]
    run("verify", path)
    run("quantize", path, "-o", quantized, "--preset", "int8_per_group_128")
    tensor = by_name(run_json("diff", path, quantized))["fc.weight"]
    assert tensor["format"] == "int8" and tensor["sqnr_db"] > 40
    np.save(path, array.astype(np.int32))
    assert "<i4" in run("inspect", path, code=3).stderr


def test_verify(model, quantized, tmp_path):
    for path in (model, quantized):
        result = run("verify", path)
        assert result.stdout.startswith(f"{path}: ok, 6 tensors, ")
        assert result.stdout.count("\n") == 1 and result.stderr == ""
        assert run("verify", path, "--quiet").stdout == ""


@pytest.mark.parametrize("position", [0, 9, 0.5, -1])
def test_verify_finds_damage(quantized, position):
    content = bytearray(quantized.read_bytes())
    at = int(position * len(content)) if isinstance(position, float) else position
    content[at] ^= 0x10
    quantized.write_bytes(content)
    result = run("verify", quantized, code=3)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_verify_finds_nan(tmp_path):
    array = np.zeros((3, 4), np.float32)
    array[1, 2] = np.nan
    path = write_safetensors(tmp_path / "a.safetensors", {"layer.w": array})
    error = run("verify", path, code=3).stderr
    assert "layer.w" in error and "6" in error


def test_diff(model, quantized, tmp_path):
    value = run_json("diff", model, quantized)
    tensors = by_name(value)
    assert list(tensors) == sorted(model_tensors())
    report = by_name(run_json("quantize", model, "-o", tmp_path / "x.bnq"))
    for name in ("conv.weight", "fc.weight", LONG_NAME):
        for key in ("format", "bytes", "bytes_before", "bits_per_weight", "mse", "mae",
                    "max_error", "sqnr_db", "cosine"):
            assert tensors[name][key] == report[name][key]
    for name in ("fc.bias", "scale"):
        assert tensors[name]["mse"] == 0
        assert tensors[name]["sqnr_db"] is None
        assert tensors[name]["cosine"] == pytest.approx(1)
    assert tensors["steps"]["mse"] == 0

    lines = run("diff", model, quantized).stdout.splitlines()
    for title in ("name", "MSE", "MAE", "max error", "SQNR dB", "cosine"):
        assert title in lines[0]
    shown = [line.split()[0] for line in lines[1:7]]
    quantized_ = ("conv.weight", "fc.weight", LONG_NAME)
    assert shown[:3] == sorted(quantized_, key=lambda name: tensors[name]["sqnr_db"])
    assert set(shown[3:]) == {"fc.bias", "scale", "steps"}
    assert lines[1].split()[6] == f"{tensors[shown[0]]['sqnr_db']:.2f}"


def test_diff_of_different_models(tmp_path):
    ones = np.ones((2, 3), np.float32)
    integers = np.arange(6, dtype=np.int32)
    a = write_safetensors(tmp_path / "a.safetensors", {
        "apart": ones, "changed": integers, "good": ones, "only_a": ones, "shape": ones})
    b = write_safetensors(tmp_path / "b.safetensors", {
        "apart": ones * 2, "changed": integers + 1, "good": ones * np.float32(1.001),
        "only_b": ones, "shape": ones.T})
    value = run_json("diff", a, b)
    tensors = by_name(value)
    assert list(tensors) == ["apart", "changed", "good", "only_a", "only_b", "shape"]
    assert tensors["apart"]["mse"] == 1 and tensors["apart"]["sqnr_db"] == 0
    assert tensors["good"]["sqnr_db"] > 50
    for name in ("only_a", "only_b", "shape"):
        assert tensors[name]["mse"] is None and tensors[name]["note"]
    assert tensors["changed"]["mse"] is None
    # All of them, whichever file they are in.
    assert value["totals"]["elements"] == 6 * 6
    lines = run("diff", a, b).stdout.splitlines()
    shown = [line.split()[0] for line in lines[1:7]]
    assert shown == ["changed", "only_a", "only_b", "shape", "apart", "good"]
    assert tensors["only_a"]["note"] in lines[2]
    # Numbers do not move because the note is there.
    assert "2 of 6" in lines[-1]


@pytest.mark.parametrize("preset", [None, "f16", "bf16"])
def test_diff_of_a_file_with_itself(tmp_path, preset):
    """Equal is equal, also where there are no errors to sum."""
    odd = np.array([[1, np.nan, np.inf], [-np.inf, 0, -2]], np.float32)
    path = write_safetensors(tmp_path / "a.safetensors", {
        "odd": odd, "fine": np.ones((2, 3), np.float32)})
    if preset:
        run("quantize", path, "-o", tmp_path / "a.bnq", "--format", preset, "--non-finite",
            "keep")
        path = tmp_path / "a.bnq"
    tensors = by_name(run_json("diff", path, path))
    for tensor in tensors.values():
        assert tensor["mse"] == tensor["mae"] == tensor["max_error"] == 0
        assert tensor["sqnr_db"] is None and tensor["cosine"] == 1
    assert "same in both" in tensors["odd"]["note"] and "note" not in tensors["fine"]
    assert "2 of 2" in run("diff", path, path).stdout
    odd[0, 0] = 2
    other = write_safetensors(tmp_path / "b.safetensors", {
        "odd": odd, "fine": np.ones((2, 3), np.float32)})
    tensor = by_name(run_json("diff", path, other))["odd"]
    assert tensor["mse"] is None and "not finite" in tensor["note"]


def error_histogram(original, other, bins):
    """By the definition in bnq.h: the counts of errors, and the KL divergence."""
    errors = (original - other).ravel()
    greatest = np.abs(errors).max()
    counts, _ = np.histogram(errors, bins, (-greatest, greatest))
    both = np.concatenate([original.ravel(), other.ravel()])
    span = both.min(), both.max()
    p, q = (np.histogram(x, bins, span)[0] / x.size + 1e-10 for x in (original, other))
    p, q = p / p.sum(), q / q.sum()
    return counts, greatest, (p * np.log(p / q)).sum()


@pytest.mark.parametrize("bins", [8, 15, 64])
@pytest.mark.parametrize("kind", ["bnq", "safetensors"])
def test_diff_histogram(model, quantized, tmp_path, kind, bins):
    restored = tmp_path / "restored.safetensors"
    run("dequantize", quantized, "-o", restored)
    other = quantized if kind == "bnq" else restored
    value = run_json("diff", model, other, "--histogram", 2, "--bins", bins)
    tensors = by_name(value)
    order = sorted((name for name in tensors if tensors[name]["sqnr_db"] is not None),
                   key=lambda name: tensors[name]["sqnr_db"])
    assert [h["name"] for h in value["histograms"]] == order[:2]
    for histogram in value["histograms"]:
        name = histogram["name"]
        a = model_tensors()[name].astype(np.float64)
        b = np.frombuffer(read_safetensors(restored)[name][2], "<f4").reshape(a.shape)
        counts, greatest, kl = error_histogram(a, b.astype(np.float64), bins)
        assert histogram["max_error"] == pytest.approx(greatest, rel=1e-6)
        assert histogram["kl_divergence"] == pytest.approx(kl, rel=1e-6)
        assert sum(histogram["counts"]) == a.size
        # A value on an edge may fall on either side of it.
        assert np.abs(np.subtract(histogram["counts"], counts)).sum() <= 4

    text = run("diff", model, other, "--histogram", 2, "--bins", bins).stdout
    table, *shown = text.split("\n\n")
    assert table + "\n" == run("diff", model, other).stdout
    assert len(shown) == 2
    for histogram, block in zip(value["histograms"], shown):
        title, _, *lines = block.splitlines()
        assert title.startswith(f"{histogram['name']}: KL divergence ")
        assert len(lines) == min(bins, 16)
        numbers = [int(line.split()[2]) for line in lines]
        assert sum(numbers) == sum(histogram["counts"])
        if bins <= 16:
            assert numbers == histogram["counts"]
        bars = [line.count("#") for line in lines]
        assert bars[int(np.argmax(numbers))] == max(bars) == 50
        assert all((bar > 0) == (number > 0) for bar, number in zip(bars, numbers))


def test_diff_histogram_of_what_has_none(model, quantized, tmp_path):
    value = run_json("diff", model, model, "--histogram", 100)
    names = [h["name"] for h in value["histograms"]]
    # All but the integers; where nothing differs there is nothing to draw.
    assert sorted(names) == sorted(set(model_tensors()) - {"steps"})
    assert all(h["max_error"] == 0 and h["kl_divergence"] == 0 for h in value["histograms"])
    assert "#" not in run("diff", model, model, "--histogram", 1).stdout
    assert len(run_json("diff", quantized, quantized, "--histogram", 1)["histograms"]) == 1
    assert "histograms" not in run_json("diff", model, model)
    other = write_safetensors(tmp_path / "b.safetensors", {"z": np.zeros((0, 3), np.float32)})
    assert run_json("diff", other, other, "--histogram", 3)["histograms"] == []
    for bins in (0, 1, 65537, -1):
        assert "--bins" in run("diff", model, model, f"--bins={bins}", code=2).stderr


def test_json_and_table_of_an_empty_model(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {})
    assert run_json("inspect", path)["tensors"] == []
    value = run_json("quantize", path, "-o", tmp_path / "a.bnq")
    assert value["tensors"] == [] and value["totals"]["bits_per_weight"] == 0
    assert "0 of 0" in run("inspect", tmp_path / "a.bnq").stdout


def test_empty_tensors(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        "empty": np.zeros((0, 4), np.float32), "w": np.ones((2, 4), np.float32)})
    out = tmp_path / "a.bnq"
    tensor = by_name(run_json("quantize", path, "-o", out))["empty"]
    assert tensor["shape"] == [0, 4]
    assert tensor["bytes"] == 0 and tensor["bits_per_weight"] == 0
    assert tensor["mse"] is None
    run("diff", path, out)
    run("inspect", out)


def test_control_characters_do_not_reach_the_terminal(tmp_path):
    name = "evil\x1b[2J\nname\u009b"
    path = write_safetensors(tmp_path / "a.safetensors", {
        name: np.full((2, 2), np.nan, np.float32)}, {"k\r": "v\x07"})
    text = run("inspect", path).stdout
    assert r"evil\x1b[2J\x0aname\xc2\x9b" in text
    assert r"k\x0d = v\x07" in text
    assert name in by_name(run_json("inspect", path))
    error = run("quantize", path, "-o", tmp_path / "a.bnq", code=3).stderr
    assert error.count("\n") == 1 and "\x1b" not in error and "\u009b" not in error


def test_names_are_aligned_by_characters(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        "gewichtsgröße": np.ones((2, 2), np.float32), "x": np.ones((2, 2), np.float32)})
    lines = run("inspect", path).stdout.splitlines()
    assert len({line.index("2x2") for line in lines if "2x2" in line}) == 1


def test_full_standard_output(model):
    with open("/dev/full", "w") as full:
        for arguments in (["inspect", model], ["inspect", model, "--json"], ["info"],
                          ["presets"]):
            assert "standard output" in run(*arguments, code=4, stdout=full).stderr


def test_reports_of_released_versions_keep_their_keys():
    """A script that reads what a release printed reads what this version prints."""
    for release in sorted((MODELS.parent / "golden").glob("*/report.json")):
        old = json.loads(release.read_text("utf-8"))
        new = run_json("inspect", release.parent / "model.bnq")
        assert set(old) <= set(new)
        tensors = by_name(new)
        for tensor in old["tensors"]:
            kept = {key: value for key, value in tensors[tensor["name"]].items()
                    if key in tensor}
            assert kept == tensor
