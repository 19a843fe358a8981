"""Presets, config texts, rules for single tensors, and what inspect says of them."""

import re

import numpy as np
import pytest
from conftest import (
    LONG_NAME,
    by_name,
    read_safetensors,
    run,
    run_json,
    write_safetensors,
)

PRESETS = {preset["name"]: preset for preset in run_json("presets")["presets"]}


def quantize(path, out, *options):
    """The report by names; the output is checked."""
    value = run_json("quantize", path, "-o", out, "--force", *options)
    run("verify", out)
    return by_name(value)


def formats(tensors):
    return {name: t["format"] for name, t in tensors.items() if "format" in t}


def configs(tensors):
    return {name: t["config"] for name, t in tensors.items() if "config" in t}


def round_trip(tmp_path, array, *options):
    """What an array is after quantize and dequantize."""
    model = write_safetensors(tmp_path / "trip.safetensors", {"w": array})
    packed, back = tmp_path / "trip.bnq", tmp_path / "back.safetensors"
    quantize(model, packed, *options)
    run("dequantize", packed, "-o", back, "--force", "--quiet")
    _, shape, data = read_safetensors(back)["w"]
    return np.frombuffer(data, "<f4").reshape(shape)


# The presets.


def test_presets():
    assert len(PRESETS) >= 20
    text = run("presets").stdout
    heading, *groups = text.split("\n\n")
    assert heading.split() == ["name", "bits", "config", "description"]
    lines, least = {}, 0
    for group in groups:
        title, *rows = group.splitlines()
        assert re.fullmatch(r"\d+ to \d+ bits a weight:", title)
        low, high = (int(number) for number in re.findall(r"\d+", title))
        assert low >= least and high == low + 1
        least = high
        for row in rows:
            lines[row.split()[0]] = row
            assert low <= PRESETS[row.split()[0]]["bits_per_weight"] < high
    bits = {name: preset["bits_per_weight"] for name, preset in PRESETS.items()}
    assert list(lines) == sorted(PRESETS, key=bits.get)
    for name, preset in PRESETS.items():
        assert preset["description"]
        assert re.match(r"format=\w+(,\w+=[\w.]+)*$", preset["config"])
        assert lines[name].split()[1:3] == [f"{preset['bits_per_weight']:.2f}", preset["config"]]
        assert lines[name].endswith(preset["description"])
    assert bits["nf4"] == 4.5
    assert PRESETS["int8_per_channel"]["config"] == "format=int8,granularity=channel"
    assert PRESETS["nf4"]["config"] == "format=nf4,granularity=block,group_size=64"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(model, tmp_path, name):
    config = PRESETS[name]["config"]
    by_preset, by_text = tmp_path / "preset.bnq", tmp_path / "text.bnq"
    report = quantize(model, by_preset, "--preset", name)
    format_ = config.split(",")[0].removeprefix("format=")
    assert formats(report) == dict.fromkeys(["conv.weight", "fc.weight", LONG_NAME], format_)
    assert set(configs(report).values()) == {config}
    quantize(model, by_text, "--config", config)
    assert by_preset.read_bytes() == by_text.read_bytes()
    # What is stored are those options that say what the tensor is.
    for stored in configs(by_name(run_json("inspect", by_preset))).values():
        assert set(stored.split(",")) <= set(config.split(","))


def test_the_order_of_preset_config_and_options(model, tmp_path):
    spellings = [
        ["--config", "format=nf4,granularity=block,group_size=256"],
        ["--config", "nf4,group_size=256"],
        ["--config", " nf4 , group_size = 256 "],
        ["--preset", "nf4", "--config", "group_size=256"],
        ["--config", "group_size=256", "--preset", "nf4"],
        ["--preset", "nf4", "--group-size", "256"],
        ["--group-size=256", "--config=nf4,group_size=32"],
        ["--group-size", "32", "--preset", "nf4", "--option", "group_size=256"],
    ]
    outputs = set()
    for i, options in enumerate(spellings):
        out = tmp_path / f"{i}.bnq"
        report = quantize(model, out, *options)
        assert report["fc.weight"]["config"] == spellings[0][1]
        outputs.add(out.read_bytes())
    assert len(outputs) == 1
    # A preset decides every option: --format alone does not go back to its
    # own defaults.
    report = quantize(model, tmp_path / "x.bnq", "--preset", "nf4", "--format", "int8")
    assert report["fc.weight"]["config"] == "format=int8,granularity=block,group_size=64"


@pytest.mark.parametrize(
    "options, messages",
    [
        (["--preset", "nf5"], ["--preset", '"nf5"', "nf4_double_quant", "aggressive"]),
        (["--preset", ""], ["--preset", "nf4"]),
        (["--preset", "format=int8"], ["--preset", "nf4"]),
        (["--preset", "nf4", "--preset", "fp4"], ["--preset"]),
        (["--config", "nf5"], ["--config", "nf5", "nf4_double_quant"]),
        (["--config", ""], ["--config"]),
        (["--config", "format=int8,nf4"], ["--config", "nf4"]),
        (["--preset", "nf4", "--config", "fp4"], ["--config after --preset nf4", "fp4"]),
        (["--config", "no_such=1"], ["--config", "no_such", "group_size"]),
        (["--config", "group_size=0"], ["--config", "group_size"]),
        (["--config", "format=ternary,scheme=asymmetric"], ["asymmetric"]),
        (["--preset", "ternary_base3", "--format", "int8"], ["packing"]),
        (["--preset", "int8_outliers", "--granularity", "group"], ["outlier_threshold"]),
        (["--seed", "-1"], ["--seed"]),
        (["--seed", "9007199254740993"], ["--seed", "9007199254740992"]),
        (["--percentile", "101"], ["--percentile", "100"]),
        (["--double-quant", "2"], ["--double-quant"]),
        (["--double-quant", "maybe"], ["--double-quant", "off, on"]),
        (["--rounding", "up"], ["--rounding", "half_even", "stochastic"]),
        (["--non-finite", "keep"], ["keep"]),
        (["--tensor", "fc.weight"], ["--tensor", "GLOB=CONFIG", "'fc.weight'"]),
        (["--tensor", "fc.weight="], ["--tensor 'fc.weight='"]),
        (["--tensor", "fc.weight=nf5"], ["--tensor 'fc.weight=nf5'", "nf4_double_quant"]),
        (["--tensor", "fc.*=group_size=0"], ["--tensor 'fc.*=group_size=0'", "group_size"]),
        (["--tensor", "*=format=ternary,scheme=asymmetric"], ["--tensor", "asymmetric"]),
    ],
)
def test_wrong_usage(model, tmp_path, options, messages):
    out = tmp_path / "out.bnq"
    result = run("quantize", model, "-o", out, *options, code=2)
    for message in messages:
        assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not out.exists()


# The options reach the library: results by the definitions in bnq.h.


@pytest.mark.parametrize(
    "rounding, expected",
    [
        ("half_even", [0, 0, 2, 2]),
        ("half_away", [-1, 1, 2, 3]),
        ("half_up", [0, 1, 2, 3]),
        ("floor", [-1, 0, 1, 2]),
        ("ceil", [0, 1, 2, 3]),
        ("toward_zero", [0, 0, 1, 2]),
        ("half_toward_zero", [0, 0, 1, 2]),
    ],
)
def test_rounding(tmp_path, rounding, expected):
    # The greatest value is the greatest code: the scale is 1.
    for format_, greatest in (("int8", 127), ("int4", 7)):
        array = np.array([[-0.5, 0.5, 1.5, 2.5, greatest]], np.float32)
        back = round_trip(tmp_path, array, "--format", format_, "--rounding", rounding)
        np.testing.assert_array_equal(back, [[*expected, greatest]])


def test_stochastic_rounding(tmp_path):
    array = np.full((50, 100), 2.25, np.float32)
    array[:, 0] = 127
    options = ["--format", "int8", "--rounding", "stochastic"]

    def trip(*more):
        return round_trip(tmp_path, array, *options, *more)

    default, *seeds = trip(), *(trip("--seed", seed) for seed in (0, 1, 2**53))
    np.testing.assert_array_equal(default, seeds[0])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (seeds[a] != seeds[b]).any()
    for back in seeds:
        assert set(np.unique(back)) == {2, 3, 127}
        # Within six standard deviations of the expected share.
        share = (back == 3).sum() / 4950
        assert abs(share - 0.25) < 6 * np.sqrt(0.25 * 0.75 / 4950)


def test_scale_rules(model, tmp_path):
    array = np.arange(1, 101, dtype=np.float32).reshape(1, 100)

    def greatest(*options):
        return round_trip(tmp_path, array, "--format", "int8", *options).max()

    assert greatest() == greatest("--scale-rule", "absmax") == 100
    rule = ["--scale-rule", "percentile"]
    assert greatest(*rule, "--percentile", "50") == pytest.approx(50, rel=1e-6)
    assert greatest(*rule, "--percentile", "12.5") == pytest.approx(13, rel=1e-6)
    assert greatest(*rule) == pytest.approx(100, rel=1e-6)
    for format_ in ("ternary", "int4", "nf4"):
        options = ["--dry-run", "--format", format_]
        plain = by_name(run_json("quantize", model, *options))
        best = by_name(run_json("quantize", model, *options, "--scale-rule", "mse"))
        for name in formats(plain):
            assert best[name]["mse"] < plain[name]["mse"]
            assert best[name]["bytes"] == plain[name]["bytes"]
    scale = 2 * array.mean() / np.sqrt(127)
    back = round_trip(tmp_path, array, "--format", "int8", "--scale-rule", "absmean")
    np.testing.assert_allclose(back, np.rint(array / scale) * scale, rtol=1e-6)


def test_symmetric_ranges(tmp_path):
    integers = np.array([[-8, *range(-7, 8)]], np.float32)
    option = "--symmetric-range"
    back = round_trip(tmp_path, integers, "--format", "int4", option, "extreme")
    np.testing.assert_array_equal(back, integers)
    back = round_trip(tmp_path, integers / 2, "--format", "int4", option, "narrow")
    np.testing.assert_array_equal(back[0, 0], -4)
    assert (back != integers / 2).any()
    halves = np.array([[-7.5, *range(-7, 8), 7.5]], np.float32)
    back = round_trip(tmp_path, halves, "--format", "int4", option, "full")
    np.testing.assert_array_equal(back, [[-8, *range(-7, 8), 7]])


def test_storage(model, tmp_path):
    """fc.weight is 10 x 300."""

    def size(*options):
        return quantize(model, tmp_path / "x.bnq", *options)["fc.weight"]["bytes"]

    assert size("--format", "int4") == 10 * (150 + 3 * 4)
    for dtype in ("f16", "bf16"):
        assert size("--format", "int4", "--scale-dtype", dtype) == 10 * (150 + 3 * 2)
        assert size("--format", dtype) == 10 * 600
    assert size("--packing", "base3") == 10 * (60 + 3 * 4)
    # 47 blocks: their codes up to 48 bytes, one greatest value, the offset.
    options = ["--format", "nf4", "--granularity", "block", "--group-size", "64"]
    assert size(*options) == 1500 + 47 * 4
    assert size(*options, "--double-quant", "on") == 1500 + 48 + 4 + 4
    assert size(*options, "--double-quant", "off") == 1500 + 47 * 4
    token = ["--format", "int8", "--granularity", "token"]
    assert size(*token) == 10 * (300 + 4)
    assert size(*token, "--scheme", "asymmetric") == 10 * (300 + 4 + 1)


def test_values_that_are_not_finite(tmp_path):
    array = np.array([[1, np.nan, np.inf, -np.inf, 1e6]], np.float32)
    model = write_safetensors(tmp_path / "a.safetensors", {"w": array})
    out = tmp_path / "a.bnq"
    for options in (["--format", "f16"], ["--format", "f16", "--non-finite", "zero"]):
        run("quantize", model, "-o", out, *options, code=3)  # 1e6 overflows
    run("quantize", model, "-o", out, "--format", "f16", "--non-finite", "keep")
    back = tmp_path / "back.safetensors"
    run("dequantize", out, "-o", back)
    values = np.frombuffer(read_safetensors(back)["w"][2], "<f4")
    np.testing.assert_array_equal(values, [1, np.nan, np.inf, -np.inf, np.inf])


# Rules for single tensors.


@pytest.mark.parametrize(
    "options, expected",
    [
        # The first that matches decides, of rank 1 and up; the rest as usual.
        (
            ["--tensor", "fc.*=int8_per_channel", "--tensor", "*.weight=f16"],
            {"fc.weight": "int8", "fc.bias": "int8", "conv.weight": "f16", LONG_NAME: "f16"},
        ),
        (
            ["--tensor", "fc.bias=bf16"],
            {"fc.bias": "bf16", "fc.weight": "ternary", "conv.weight": "ternary",
             LONG_NAME: "ternary"},
        ),
        # A scalar and integers stay as they are.
        (["--tensor", "*=format=int4", "--exclude", "*eight"], {"fc.bias": "int4"}),
        (
            ["--include", "conv*", "--tensor", "fc.weight=nf4"],
            {"conv.weight": "ternary", "fc.weight": "nf4"},
        ),
        (
            ["--include", "fc.*", "--tensor", "*.bias=fp4", "--format", "int8"],
            {"fc.weight": "int8", "fc.bias": "fp4"},
        ),
        (
            ["--tensor", "fc*=f16", "--tensor", "conv*=format=none", "--exclude", "fc.w*"],
            {"fc.bias": "f16", LONG_NAME: "ternary"},
        ),
        (["--format", "none", "--tensor", "[f]c.w*=nf4"], {"fc.weight": "nf4"}),
        (["--format", "none"], {}),
    ],
)
def test_tensor_rules(model, tmp_path, options, expected):
    out = tmp_path / "out.bnq"
    assert formats(quantize(model, out, *options)) == expected
    assert formats(by_name(run_json("inspect", out))) == expected
    original = read_safetensors(model)
    run("dequantize", out, "-o", tmp_path / "back.safetensors")
    back = read_safetensors(tmp_path / "back.safetensors")
    for name in set(original) - set(expected):
        assert back[name] == original[name]


def test_the_config_of_a_rule_is_complete(model, tmp_path):
    report = quantize(model, tmp_path / "x.bnq", "--format", "int4", "--group-size", "32",
                      "--scale-rule", "mse", "--tensor", "fc.*=group_size=64",
                      "--tensor", "conv*=int8_per_channel,axis=1,rounding=floor")
    assert configs(report) == {
        "fc.bias": "format=ternary,group_size=64",
        "fc.weight": "format=ternary,group_size=64",
        "conv.weight": "format=int8,granularity=channel,axis=1,rounding=floor",
        LONG_NAME: "format=int4,group_size=32,scale_rule=mse",
    }


def test_the_first_equals_sign_ends_the_glob(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        "a=b": np.ones((2, 8), np.float32), "c": np.ones((2, 8), np.float32)})
    report = quantize(path, tmp_path / "x.bnq", "--tensor", "a?b=format=int8")
    assert formats(report) == {"a=b": "int8", "c": "ternary"}


@pytest.mark.parametrize("glob", ["nothing*", "scale", ""])
def test_a_rule_without_match(model, tmp_path, glob):
    out = tmp_path / "out.bnq"
    result = run("quantize", model, "-o", out, "--tensor", "fc.*=nf4", "--tensor", f"{glob}=nf4",
                 code=3)
    assert f"--tensor '{glob}' matches no tensor of rank 1 or more" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "earlier", [["--tensor", "fc.*=int8_symmetric"], ["--exclude", "fc.*"],
                ["--exclude", "fc.weight", "--tensor", "*.bias=f16"]]
)
def test_a_rule_that_never_gets_its_turn(model, earlier):
    arguments = ["quantize", model, "--dry-run", *earlier, "--tensor", "fc.*=nf4"]
    result = run(*arguments)
    assert result.stderr.startswith("bnq: warning: --tensor 'fc.*' has no effect")
    assert result.stderr.count("\n") == 1
    assert run(*arguments, "--quiet").stderr == ""
    # One tensor that is left to it is enough, and patterns that only say the
    # same twice are no mistake.
    assert run(*arguments[:3], "--exclude", "fc.weight", "--tensor", "fc.*=nf4").stderr == ""
    assert run(*arguments[:3], "--include", "fc.*", "--include", "fc.w*").stderr == ""
    assert run(*arguments[:3], "--include", "fc.*", "--exclude", "fc.*").stderr == ""


# What inspect says.


def inspect_line(path, name):
    lines = run("inspect", path).stdout.splitlines()
    (title,) = [line for line in lines if line.startswith("name ")]
    (line,) = [line for line in lines if line.startswith(name + " ")]
    return title, line


def test_inspect_shows_the_stored_options(model, tmp_path):
    out = tmp_path / "out.bnq"
    run("quantize", model, "-o", out, "--quiet",
        "--config", "int4_mse_per_group_128,group_size=50,rounding=half_up",
        "--tensor", "conv*=nf4_double_quant")
    tensors = by_name(run_json("inspect", out))
    assert configs(tensors) == {
        "conv.weight": "format=nf4,granularity=block,group_size=64,double_quant=on",
        "fc.weight": "format=int4,group_size=50",
        LONG_NAME: "format=int4,group_size=50",
    }
    for name, tensor in tensors.items():
        counts = {tensor.get("outlier_columns"), tensor.get("saturated_scales")}
        assert counts == ({0} if "format" in tensor else {None})
    title, line = inspect_line(out, "fc.weight")
    assert title.endswith(" config") and line.endswith(" format=int4,group_size=50")
    assert "outlier" not in title and "saturated" not in title
    assert inspect_line(out, "fc.bias")[1].endswith(" B")
    # A stored text is one that quantize takes.
    again = tmp_path / "again.bnq"
    run("quantize", model, "-o", again, "--quiet", "--config",
        tensors["conv.weight"]["config"])
    assert by_name(run_json("inspect", again))["conv.weight"] == tensors["conv.weight"]


@pytest.mark.parametrize("compress", [[], ["--compress"]])
def test_inspect_shows_outliers(tmp_path, compress):
    array = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    array[2, 1], array[0, 4], array[3, 4] = 6, -7, 60
    model = write_safetensors(tmp_path / "a.safetensors", {"plain": array / 60, "w": array})
    out = tmp_path / "a.bnq"
    report = quantize(model, out, "--preset", "int8_outliers", *compress)
    tensors = by_name(run_json("inspect", out))
    assert tensors["w"]["outlier_columns"] == 2
    assert tensors["plain"]["outlier_columns"] == 0
    assert tensors["w"]["config"] == PRESETS["int8_outliers"]["config"]
    # Codes, scales, two indices and two columns of 16 bits.
    assert tensors["w"]["uncompressed_bytes"] == 24 + 4 * 4 + 2 * 4 + 2 * 4 * 2
    assert tensors["w"]["bytes"] == report["w"]["bytes"]
    assert tensors["w"]["bits_per_weight"] == tensors["w"]["bytes"] * 8 / 24
    assert report["w"]["bits_per_weight"] == tensors["w"]["bits_per_weight"]
    title, line = inspect_line(out, "w")
    assert "outlier columns" in title and "saturated" not in title
    assert line.split()[-2:] == ["2", PRESETS["int8_outliers"]["config"]]
    if not compress:
        assert tensors["w"]["bytes"] == 64 and " 21.333 " in line


def test_inspect_shows_saturated_scales(tmp_path):
    model = write_safetensors(tmp_path / "a.safetensors", {
        "large": np.full((3, 16), 1e8, np.float32),
        "mixed": np.repeat(np.array([[1], [1e8], [1e-9]], np.float32), 16, 1),
        "usual": np.ones((3, 16), np.float32)})
    out = tmp_path / "a.bnq"
    quantize(model, out, "--format", "int8", "--scale-dtype", "f16", "--group-size", "8")
    counts = {n: t["saturated_scales"] for n, t in by_name(run_json("inspect", out)).items()}
    assert counts == {"large": 6, "mixed": 4, "usual": 0}
    title, line = inspect_line(out, "mixed")
    assert "saturated scales" in title and "outlier" not in title
    assert line.split()[-2:] == ["4", "format=int8,group_size=8,scale_dtype=f16"]
    # bfloat16 holds all of them.
    quantize(model, out, "--format", "int8", "--scale-dtype", "bf16", "--group-size", "8")
    tensors = run_json("inspect", out)["tensors"]
    assert [t["saturated_scales"] for t in tensors] == [0, 0, 0]


def test_inspect_reads_no_data_without_need(model, tmp_path):
    """Damaged data is found where it has to be read, and else by verify."""
    for scale_dtype, code in (("f32", 0), ("f16", 3)):
        out = tmp_path / f"{scale_dtype}.bnq"
        run("quantize", model, "-o", out, "--quiet", "--format", "int8",
            "--scale-dtype", scale_dtype)
        content = bytearray(out.read_bytes())
        intact = by_name(run_json("inspect", out))
        first = read_first_codes(model, out)
        content[first] ^= 1
        out.write_bytes(content)
        run("verify", out, code=3)
        if code == 0:
            assert by_name(run_json("inspect", out)) == intact
        else:
            assert "conv.weight" in run("inspect", out, code=code).stderr


def read_first_codes(model, path):
    """Where the codes of conv.weight are in the file: 8 rows of 27."""
    _, _, data = read_safetensors(model)["conv.weight"]
    array = np.frombuffer(data, "<f4").reshape(8, 27)
    extreme = np.abs(array).argmax(axis=1)
    content = path.read_bytes()
    # In every row the value of greatest magnitude has the code 127 or -127.
    for at in range(len(content) - 216):
        codes = np.frombuffer(content, np.int8, 216, at).reshape(8, 27)
        if all(abs(int(row[i])) == 127 for row, i in zip(codes, extreme)):
            return at
    raise AssertionError("no codes in the file")
