"""bnq quantize and dequantize."""

import json
import re

import numpy as np
import pytest
from conftest import (
    LONG_NAME,
    by_name,
    model_tensors,
    read_safetensors,
    run,
    run_json,
    write_safetensors,
)

MATRICES = {"conv.weight", "fc.weight", LONG_NAME}
METRICS = {"mse", "mae", "max_error", "sqnr_db", "cosine"}


def formats(value):
    """Name -> format of the quantized tensors."""
    return {t["name"]: t["format"] for t in value["tensors"] if "format" in t}


def quantized_names(tmp_path, model, *options):
    value = run_json("quantize", model, "-o", tmp_path / "out.bnq", "--dry-run", *options)
    return set(formats(value))


def ternary(array, group):
    """The definition, in numpy: values after quantization."""
    rows = array.reshape(array.shape[0], -1)
    out = np.empty_like(rows)
    for begin in range(0, rows.shape[1], group):
        part = rows[:, begin : begin + group]
        mean = np.abs(part.astype(np.float64)).mean(axis=1).astype(np.float32)
        scale = np.maximum(mean, np.float32(1e-5))[:, None]
        codes = np.clip(np.rint(part * (np.float32(1) / scale)), -1, 1)
        out[:, begin : begin + group] = codes * scale
    return out.reshape(array.shape)


def test_table(model, tmp_path):
    out = tmp_path / "out.bnq"
    lines = run("quantize", model, "-o", out).stdout.splitlines()
    assert out.exists()
    for title in ("name", "shape", "format", "bits/weight", "before", "after", "SQNR"):
        assert title in lines[0]
    rows = {line.split()[0]: line for line in lines}
    assert set(model_tensors()) < set(rows)
    cells = rows["fc.weight"].split()
    # 300 columns are 75 bytes of codes and 3 scales in each of 10 rows.
    assert cells[1:7] == ["10x300", "ternary", "2.320", "11.72", "KiB", "870"]
    sqnr = by_name(run_json("diff", model, out))["fc.weight"]["sqnr_db"]
    assert cells[-1] == f"{sqnr:.2f}"
    assert rows["fc.bias"].split()[1:3] == ["10", "F32"]
    assert rows["fc.bias"].split()[-1] == "-"
    assert rows["scale"].split()[1] == "scalar"
    assert "3 of 6" in rows["total"]
    assert "KiB" in rows["total"]
    assert str(out) in lines[-1]
    # Aligned: the column of names is as wide as the longest.
    assert rows["fc.bias"].index("F32") == rows["fc.weight"].index("ternary")
    assert rows["fc.bias"].index("F32") > len(LONG_NAME)


def test_json(model, tmp_path):
    out = tmp_path / "out.bnq"
    value = run_json("quantize", model, "-o", out)
    assert (value["input"], value["output"]) == (str(model), str(out))
    assert value["dry_run"] is False
    arrays = model_tensors()
    assert [t["name"] for t in value["tensors"]] == sorted(arrays)
    for tensor in value["tensors"]:
        array = arrays[tensor["name"]]
        assert tensor["shape"] == list(array.shape)
        assert ("format" in tensor) != ("dtype" in tensor)
        assert tensor["bytes_before"] == array.nbytes
        assert tensor["bits_per_weight"] == tensor["bytes"] * 8 / array.size
        assert METRICS <= set(tensor)
        if tensor["name"] not in MATRICES:
            assert tensor["dtype"] in ("F32", "I32")
            assert tensor["bytes"] == array.nbytes
            assert all(tensor[metric] is None for metric in METRICS)
            continue
        assert tensor["format"] == "ternary"
        rows, columns = array.shape[0], array.size // array.shape[0]
        groups = -(-columns // 128)
        assert tensor["bytes"] == rows * (-(-columns // 4) + 4 * groups)
        a = array.astype(np.float64).ravel()
        b = ternary(array, 128).astype(np.float64).ravel()
        e = a - b
        expected = {
            "mse": np.mean(e**2),
            "mae": np.mean(np.abs(e)),
            "max_error": np.max(np.abs(e)),
            "sqnr_db": 10 * np.log10(np.sum(a**2) / np.sum(e**2)),
            "cosine": np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2)),
        }
        for metric, number in expected.items():
            assert tensor[metric] == pytest.approx(number, rel=1e-9), metric
    totals = value["totals"]
    assert totals["tensors"] == 6
    assert totals["quantized"] == 3
    for key in ("bytes", "bytes_before"):
        assert totals[key] == sum(t[key] for t in value["tensors"])
    assert totals["elements"] == sum(a.size for a in arrays.values())
    assert totals["bits_per_weight"] == totals["bytes"] * 8 / totals["elements"]


def test_infinite_metrics_are_null(tmp_path):
    # Quantized without any loss: an infinite SQNR.
    path = write_safetensors(tmp_path / "a.safetensors", {"w": np.ones((2, 8), np.float32)})
    value = run_json("quantize", path, "-o", tmp_path / "a.bnq")
    assert value["tensors"][0]["mse"] == 0
    assert value["tensors"][0]["sqnr_db"] is None
    assert " inf\n" in run("quantize", path, "-o", tmp_path / "b.bnq").stdout


def test_default_quantizes_matrices_only(model, tmp_path):
    assert quantized_names(tmp_path, model) == MATRICES


@pytest.mark.parametrize(
    "options, expected",
    [
        (["--include", "fc.*"], {"fc.weight", "fc.bias"}),
        (["--include", "fc.w*", "--include", "conv*"], {"fc.weight", "conv.weight"}),
        (["--include", "?c.[!b]eight"], {"fc.weight"}),
        (["--include", "[a-f]*", "--exclude", "*.bias"], {"fc.weight", "conv.weight"}),
        (["--exclude", "fc.*", "--exclude", "conv*"], {LONG_NAME}),
        # A whole pattern in brackets, which CLI11 would take for a list.
        (["--include", "[cf]*[t]", "--exclude", "[f]*[t]"], {"conv.weight"}),
        # Scalars stay, and so do integers.
        (["--include", "s*"], set()),
    ],
)
def test_include_exclude(model, tmp_path, options, expected):
    assert quantized_names(tmp_path, model, *options) == expected


@pytest.mark.parametrize(
    "name, glob, matches",
    [
        ("[w]", r"\[w\]", True),
        ("[w]", "[w]", False),
        ("w", "[w]", True),
        ("a-b", "a[-]b", True),
        ("a]b", "a[]]b", True),
        ("abc", "a*b", False),
        ("aXbXb", "a*b", True),
        ("a*c", r"a\*c", True),
        ("abc", r"a\*c", False),
        ("a^b", "a[!x]b", True),
        ("axb", "a[^x]b", False),
        ("a-", "a[+-]", True),
        ("a\\", r"a[\-]", True),
        ("ab", "a[b", False),
        ("a[b", "a[b", True),
        ("a\\", "a\\", True),
        ("ä", "?", True),  # characters are counted, not bytes
        ("aaab", "*a*a*b", True),
        ("ab", "", False),
    ],
)
def test_the_check_of_globs_agrees_with_the_library(tmp_path, name, glob, matches):
    """What is said beforehand is what is then done."""
    path = write_safetensors(tmp_path / "a.safetensors", {name: np.ones((2, 8), np.float32)})
    excluded = run("quantize", path, "-o", tmp_path / "x", "--dry-run", "--json", "--exclude", glob)
    assert (formats(json.loads(excluded.stdout)) == {}) == matches
    assert ("matches no tensor" in excluded.stderr) != matches
    run("quantize", path, "-o", tmp_path / "x", "--dry-run", "--include", glob,
        code=0 if matches else 3)


def test_include_without_match(model, tmp_path):
    for glob in ("nothing*", "scale"):  # scale is a scalar
        out = tmp_path / "out.bnq"
        result = run("quantize", model, "-o", out, "--include", "fc.*", "--include", glob, code=3)
        assert f"--include '{glob}'" in result.stderr
        assert not out.exists()


def test_exclude_without_match_warns(model):
    arguments = ["quantize", model, "--dry-run", "--exclude", "nothing*"]
    result = run(*arguments)
    assert result.stderr.startswith("bnq: warning: --exclude 'nothing*'")
    assert result.stderr.count("\n") == 1
    assert run(*arguments, "--quiet").stderr == ""


def test_every_format_and_granularity(model, tmp_path):
    info = run_json("info")
    (granularities,) = [option["values"] for option in info["options"]["config"]
                        if option["name"] == "granularity"]
    assert set(granularities) == {"tensor", "channel", "group", "token", "block", "tile"}
    for format_ in info["formats"]:
        sizes = {}
        for granularity in granularities:
            out = tmp_path / f"{format_['name']}-{granularity}.bnq"
            value = run_json("quantize", model, "-o", out, "--format", format_["name"],
                             "--granularity", granularity, "--group-size", 16)
            assert formats(value) == dict.fromkeys(MATRICES, format_["name"])
            sizes[granularity] = value["totals"]["bytes"]
            run("verify", out)
        if format_["scaled"]:
            assert sizes["tensor"] < sizes["channel"] < sizes["token"] < sizes["group"]
            assert sizes["channel"] < sizes["block"] <= sizes["group"]
            assert sizes["tensor"] < sizes["tile"] < sizes["group"]
        else:
            assert len(set(sizes.values())) == 1


def test_options_reach_the_library(model, tmp_path):
    def tensor(*options):
        value = run_json("quantize", model, "-o", tmp_path / "x.bnq", "--dry-run",
                         "--format", "int8", *options)
        tensor = by_name(value)["fc.weight"]
        del tensor["config"]
        return tensor

    plain = tensor()
    assert tensor("--group-size", "10")["bytes"] == 10 * (300 + 30 * 4)
    assert tensor("--scheme", "asymmetric")["bytes"] > plain["bytes"]
    assert tensor("--clip", "0.5")["max_error"] > 1
    channels = tensor("--granularity", "channel", "--axis", "-1")
    assert channels["bytes"] == 3000 + 300 * 4
    assert channels == tensor("--granularity=channel", "--axis=1")
    # By the library's own names, after the named ones and in order.
    assert tensor("--group-size", "50", "--option", "group_size=20",
                  "--option", "group_size=10") == tensor("--group-size", "10")


def test_every_option_of_the_library_is_offered():
    text = run("quantize", "--help").stdout
    options = run_json("info")["options"]["config"]
    assert len(options) >= 16
    for option in options:
        (line,) = re.findall(rf"^  --{option['name'].replace('_', '-')} .*(?:\n {{30,}}.*)?",
                             text, re.MULTILINE)
        assert option["description"] in " ".join(line.split())
        if option["default"] == "default":
            assert "(default: the format's own)" in line
        else:
            assert f"default {option['default']})" in line
        if option["values"]:
            assert "|".join(option["values"]) in line
        else:
            assert re.search(rf"\({option['min']:.9g} (to [-\d^]+|or more); default ", line)
    # Switches and ranges read as people write them.
    assert "--double-quant off|on" in text
    assert re.search(r"--seed N +Seed of stochastic rounding \(0 to 2\^53; default 0\)", text)
    assert "0 for none (0 or more; default 0)" in text


def test_defaults():
    defaults = {o["name"]: o["default"] for o in run_json("info")["options"]["config"]}
    assert defaults["format"] == "ternary"
    assert defaults["granularity"] == "group"
    assert defaults["group_size"] == "128"
    assert defaults["scheme"] == "symmetric"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--format", "int9"], "ternary, binary"),
        (["--format", ""], "--format"),
        (["--group-size", "0"], "--group-size"),
        (["--group-size", "many"], "many"),
        (["--granularity", "row"], "channel"),
        (["--axis", "8"], "--axis"),
        (["--clip", "-1"], "--clip"),
        (["--format", "ternary", "--scheme", "asymmetric"], "asymmetric"),
        (["--option", "group_size"], "NAME=VALUE"),
        (["--option", "no_such=1"], "no_such"),
        (["--option", "group_size=x"], "group_size"),
        (["--threads", "-1"], "--threads"),
        (["--threads", "257"], "257"),
        (["--threads", "x"], "--threads"),
        (["--no-such-option"], "--no-such-option"),
        (["--format", "int8", "--format", "ternary"], "--format"),
    ],
)
def test_wrong_usage(model, tmp_path, options, message):
    out = tmp_path / "out.bnq"
    result = run("quantize", model, "-o", out, *options, code=2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not out.exists()


def test_output_is_required(model):
    assert "--output" in run("quantize", model, code=2).stderr
    assert "--output" in run("dequantize", model, code=2).stderr


def test_dry_run(model, tmp_path):
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out.bnq"
    dry = run_json("quantize", model, "-o", out, "--dry-run")
    assert "nothing was written" in run("quantize", model, "-o", out, "--dry-run").stdout
    without_output = run_json("quantize", model, "--dry-run")
    assert without_output["output"] is None
    assert without_output["tensors"] == dry["tensors"]
    assert sorted(tmp_path.iterdir()) == before
    real = run_json("quantize", model, "-o", out)
    assert dry.pop("dry_run") and not real.pop("dry_run")
    assert dry.pop("written") is None and real.pop("written") == str(out)
    assert dry == real


def test_compress(tmp_path):
    # Values in a narrow range around few levels: codes that repeat.
    rng = np.random.default_rng(3)
    array = rng.integers(-3, 4, (64, 512)).astype(np.float32)
    model = write_safetensors(tmp_path / "a.safetensors", {"w": array})
    plain, packed = tmp_path / "plain.bnq", tmp_path / "packed.bnq"
    options = ["--format", "int8"]
    before = run_json("quantize", model, "-o", plain, *options)
    after = run_json("quantize", model, "-o", packed, *options, "--compress")
    assert packed.stat().st_size < plain.stat().st_size * 0.7
    assert after["totals"]["bytes"] < before["totals"]["bytes"] * 0.7
    assert by_name(run_json("inspect", packed))["w"]["bytes"] == after["tensors"][0]["bytes"]
    (row,) = run_json("diff", plain, packed)["tensors"]
    assert row["mse"] == 0


def test_threads_do_not_change_the_output(tmp_path):
    rng = np.random.default_rng(2)
    array = rng.standard_normal((700, 900)).astype(np.float32)
    model = write_safetensors(tmp_path / "a.safetensors", {"w": array, "v": array[:9]})
    outputs = set()
    for threads in (0, 1, 3):
        out = tmp_path / f"{threads}.bnq"
        run("quantize", model, "-o", out, "--threads", threads)
        outputs.add(out.read_bytes())
    assert len(outputs) == 1


def test_quiet(model, tmp_path):
    result = run("quantize", model, "-o", tmp_path / "a.bnq", "--quiet")
    assert (result.stdout, result.stderr) == ("", "")
    assert (tmp_path / "a.bnq").exists()
    # --json is asked for explicitly, and stays.
    assert run_json("quantize", model, "-o", tmp_path / "b.bnq", "-q")["tensors"]


@pytest.mark.parametrize("dtype, numpy_type", [("f32", "<f4"), ("f16", "<f2"), ("bf16", None)])
def test_dequantize(model, quantized, tmp_path, dtype, numpy_type):
    out = tmp_path / "back.safetensors"
    text = run("dequantize", quantized, "-o", out, "--dtype", dtype).stdout
    assert LONG_NAME in text and str(out) in text
    original, back = read_safetensors(model), read_safetensors(out)
    assert set(back) == set(original)
    for name, (type_, shape, data) in back.items():
        assert shape == original[name][1]
        if name not in MATRICES:
            assert (type_, data) == (original[name][0], original[name][2])
            continue
        assert type_ == dtype.upper()
        expected = ternary(model_tensors()[name], 128)
        if numpy_type:
            values = np.frombuffer(data, numpy_type)
            expected = expected.astype(numpy_type)
        else:
            values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
            bits = expected.view(np.uint32).astype(np.uint64)
            bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16
            expected = bits.astype(np.uint32).view(np.float32)
        np.testing.assert_array_equal(values.reshape(shape), expected)


def test_dequantize_options(quantized, tmp_path):
    out = tmp_path / "back.safetensors"
    for dtype in ("f64", "i8", "single"):
        result = run("dequantize", quantized, "-o", out, "--dtype", dtype, code=2)
        assert "f32, f16, bf16" in result.stderr
    dry = run_json("dequantize", quantized, "-o", out, "--dry-run")
    assert not out.exists()
    assert {t["dtype"] for t in dry["tensors"]} == {"F32", "I32"}
    assert dry["totals"]["bytes"] > dry["totals"]["bytes_before"]
    run("dequantize", quantized, "-o", out)
    assert {e[0] for e in read_safetensors(out).values()} == {"F32", "I32"}
    content = out.read_bytes()
    run("dequantize", quantized, "-o", out, "--dtype", "f16", code=4)
    assert out.read_bytes() == content
    run("dequantize", quantized, "-o", out, "--dtype", "F16", "--force")
    assert len(out.read_bytes()) < len(content)
    assert run("dequantize", quantized, "-o", out, "--force", "--quiet").stdout == ""


def test_importance(model, tmp_path):
    """Of a model file, and of a calibration; what it is not for is refused."""
    original = model_tensors()["fc.weight"]
    importance = np.where(np.arange(300) % 4 == 0, 500, 1).astype(np.float32)
    write_safetensors(tmp_path / "importance.safetensors", {"fc.weight": importance})
    options = ("--format", "int4", "--group-size", "60", "--scale-rule", "mse")

    def loss(*more):
        run("quantize", model, "-o", tmp_path / "out.bnq", *options, *more, "--force")
        run("dequantize", tmp_path / "out.bnq", "-o", tmp_path / "back.safetensors", "--force")
        back = read_safetensors(tmp_path / "back.safetensors")["fc.weight"][2]
        back = np.frombuffer(back, np.float32).reshape(10, 300)
        return float((importance * (back - original) ** 2).sum())

    weighted = loss("--importance", tmp_path / "importance.safetensors")
    assert weighted < 0.99 * loss()
    inputs = np.sqrt(importance) * np.where(np.arange(50) % 2, 1, -1)[:, None]
    np.save(tmp_path / "fc.npy", inputs.astype(np.float32))
    run("calibrate", tmp_path / "fc.npy", "--granularity", "channel", "-o", tmp_path / "c.bnq")
    assert loss("--importance", tmp_path / "c.bnq") == pytest.approx(weighted, rel=1e-3)

    def refused(*more):
        return run("quantize", model, "-o", tmp_path / "no.bnq", *more, code=2).stderr

    text = refused("--format", "int4", "--importance", tmp_path / "importance.safetensors")
    assert "importance is that of no tensor" in text
    write_safetensors(tmp_path / "importance.safetensors", {"fc.weight": importance[1:]})
    assert "299 weights, must be 300" in refused(
        *options, "--importance", tmp_path / "importance.safetensors")
    assert not (tmp_path / "no.bnq").exists()
