"""Man page and completions do not lag behind --help."""

import os
import pathlib
import re
import runpy
import shutil
import subprocess

import pytest
from conftest import BNQ, run, run_json

CLI = pathlib.Path(__file__).resolve().parent.parent
GENERATE = runpy.run_path(str(CLI / "completions" / "generate.py"))


@pytest.fixture(scope="module")
def commands():
    return GENERATE["read_commands"](BNQ)


def test_the_help_is_understood(commands):
    """The generator sees what is there: else the tests below prove nothing."""
    found = {command.name: command for command in commands}
    assert list(found) == ["quantize", "analyze", "estimate", "calibrate", "dequantize",
                           "export", "import", "inspect", "verify", "diff", "presets",
                           "info", "cache"]
    assert all(command.text for command in commands)
    assert not found["info"].takes_files and found["diff"].takes_files
    assert found["cache"].words == ["list", "stat", "verify", "trim", "clear"]
    assert not found["cache"].takes_files
    options = {option.names[-1]: option for option in found["quantize"].options}
    assert options["--output"].names == ["-o", "--output"]
    assert options["--output"].value == "FILE"
    formats = [f["name"] for f in run_json("info")["formats"]]
    assert options["--format"].choices == [*formats, "none"]
    presets = [p["name"] for p in run_json("presets")["presets"]]
    assert options["--preset"].choices == presets and "nf4" in presets
    assert options["--tensor"].value == "GLOB=CONFIG" and options["--tensor"].repeatable
    assert options["--json"].value == "" and options["--json"].text
    assert options["--include"].repeatable and not options["--format"].repeatable
    for command in commands:
        text = run(command.name, "--help").stdout
        expected = re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.MULTILINE)
        assert [option.names[-1] for option in command.options] == expected


@pytest.mark.parametrize("name", ["bnq.bash", "_bnq", "bnq.fish"])
def test_completions_are_up_to_date(name):
    """If this fails, run completions/generate.py."""
    expected = GENERATE["generate"](BNQ)[name]
    assert (CLI / "completions" / name).read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    "shell, name", [("bash", "bnq.bash"), ("zsh", "_bnq"), ("fish", "bnq.fish")]
)
def test_completions_are_valid(shell, name):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    subprocess.run([shell, "-n", CLI / "completions" / name], check=True)


def complete_in_bash(*words, directory):
    """What <Tab> offers after these words."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""source '{CLI}/completions/bnq.bash'
COMP_WORDS=({quoted}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_bnq; printf '%s\\n' "${{COMPREPLY[@]}}" """
    result = subprocess.run(["bash", "-c", script], cwd=directory, check=True,
                            capture_output=True, text=True)
    return result.stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_completion_in_bash(tmp_path):
    (tmp_path / "model.safetensors").touch()

    def complete(*words):
        return complete_in_bash("bnq", *words, directory=tmp_path)

    assert complete("") == ["quantize", "analyze", "estimate", "calibrate", "dequantize",
                            "export", "import", "inspect", "verify", "diff",
                            "presets", "info", "cache", "-h", "--help", "--version"]
    assert complete("ver") == ["verify"]
    assert complete("quantize", "mod") == ["model.safetensors"]
    assert complete("quantize", "--gr") == ["--granularity", "--group-size"]
    formats = [*(f["name"] for f in run_json("info")["formats"]), "none"]
    assert complete("quantize", "x", "--format", "") == formats
    assert complete("quantize", "x", "--format", "=", "int") == [
        "int8", "int6", "int5", "int4", "int3", "int2"]
    assert complete("quantize", "x", "--format", "=") == formats
    assert complete("quantize", "x", "--preset", "nf4") == ["nf4", "nf4_double_quant"]
    assert complete("quantize", "x", "--double-quant", "") == ["off", "on"]
    assert complete("calibrate", "m", "--svg", "m") == ["model.safetensors"]
    assert complete("calibrate", "m", "--kl-variant", "o") == ["onnxruntime"]
    assert complete("quantize", "x", "--method", "k") == ["kl"]
    assert complete("presets", "--j") == ["--json"]
    assert complete("quantize", "x", "-o", "m") == ["model.safetensors"]
    assert complete("quantize", "x", "--group-size", "") == []
    assert complete("dequantize", "--dtype", "b") == ["bf16"]
    assert complete("info", "") == []
    assert complete("info", "--j") == ["--json"]
    assert complete("cache", "") == ["list", "stat", "verify", "trim", "clear"]
    assert complete("cache", "list", "--folder", "mod") == ["model.safetensors"]


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_completion_in_fish(tmp_path):
    (tmp_path / "model.safetensors").touch()

    def complete(line):
        script = f"source '{CLI}/completions/bnq.fish'; complete --do-complete '{line}'"
        result = subprocess.run(["fish", "--no-config", "-c", script], cwd=tmp_path, check=True,
                                capture_output=True, text=True,
                                env={**os.environ, "HOME": str(tmp_path)})
        return [entry.split("\t")[0] for entry in result.stdout.splitlines()]

    assert complete("bnq ver") == ["verify"]
    assert set(complete("bnq quantize x --format int")) == {"int8", "int4"}
    assert set(complete("bnq quantize x --preset nf4")) == {"nf4", "nf4_double_quant"}
    assert complete("bnq quantize x -o mod") == ["model.safetensors"]
    assert complete("bnq dequantize --dt") == ["--dtype"]
    assert complete("bnq info ") == []
    assert complete("bnq cache v") == ["verify"]


def man_text():
    text = (CLI / "man" / "bnq.1").read_text(encoding="utf-8")
    return text.replace("\\-", "-")


def test_the_man_page_is_complete(commands):
    text = man_text()
    sections = dict(re.findall(r'^\.SS "?bnq (\w+).*\n((?:(?!\.S[SH]).*\n)+)', text, re.MULTILINE))
    assert list(sections) == [command.name for command in commands]
    for command in commands:
        for option in command.options:
            *short, long = option.names
            # What all commands have, or several, is described once.
            where = text if long == "--help" else sections[command.name]
            assert re.search(rf"{long}\b", where), (command.name, long)
            assert all(re.search(rf"(?<![\w-]){name}\b", text) for name in short)
    # And it knows nothing that does not exist.
    known = {name for command in commands for option in command.options for name in option.names}
    for name in re.findall(r"(?<![\w-])--[a-z][\w-]*", text):
        assert name in known | {"--version"}, name
    info = run_json("info")
    assert all(format_["name"] in text for format_ in info["formats"])
    for command, options in ("quantize", "config"), ("calibrate", "calibrator"):
        for option in info["options"][options]:
            for value in option["values"]:
                assert re.search(rf"\b{value}\b", sections[command]), (option["name"], value)
    for code in range(6):
        assert re.search(rf"^\.B {code}$", text.split("EXIT STATUS")[1], re.MULTILINE)


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff")
def test_the_man_page_has_no_warnings():
    result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", CLI / "man" / "bnq.1"],
                            check=True, capture_output=True, text=True)
    assert result.stderr == ""
