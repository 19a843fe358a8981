"""Models of other ecosystems: export, import, and commands that take their files."""
import json
import pathlib
import shutil

import pytest
from conftest import run, run_json

GOLDEN = pathlib.Path(__file__).parents[3] / "tests" / "golden" / "interchange"


def by_name(report):
    return {tensor["name"]: tensor for tensor in report["tensors"]}


def weights(report):
    return {name: row for name, row in by_name(report).items() if "proj" in name}


def test_inspect_shows_what_others_have_quantized():
    shown = weights(run_json("inspect", GOLDEN / "gptq-v2"))
    assert shown and all(row["format"] == "int4" for row in shown.values())
    assert all(row["layout"].startswith("GPTQ") for row in shown.values())
    raw = run_json("inspect", "--raw", GOLDEN / "gptq-v2")
    assert any(name.endswith(".qweight") for name in by_name(raw))
    assert not any("layout" in row for row in raw["tensors"])
    assert run_json("inspect", GOLDEN / "gguf" / "blocks.gguf")["kind"] == "gguf"


def test_there_and_back(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    imported = run_json("import", GOLDEN / "gptq-v2", "-o", ours)
    assert all("GPTQ" in row["note"] for row in weights(imported).values())
    planned = run_json("export", ours, "--to", "compressed-tensors", "--dry-run")
    assert planned["dry_run"] and not theirs.exists()
    exported = run_json("export", ours, "--to", "compressed-tensors", "-o", theirs)
    assert {row["verdict"] for row in weights(exported).values()} == {"exact"}
    assert not any("verdict" in row for row in exported["tensors"] if "proj" not in row["name"])
    assert planned["totals"]["bytes"] == exported["totals"]["bytes"]
    config = json.loads((theirs / "config.json").read_text("utf-8"))
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"
    original = json.loads((GOLDEN / "gptq-v2" / "config.json").read_text("utf-8"))
    assert config["model_type"] == original["model_type"]
    difference = run_json("diff", GOLDEN / "gptq-v2", theirs)
    assert all(row["mse"] == 0 for row in weights(difference).values())
    text = run("export", ours, "--to", "mlx", "--dry-run").stdout
    assert "2 exact" in text or "2 scales rounded" in text


def test_what_a_layout_cannot_hold(tmp_path):
    source, out = GOLDEN / "mlx-int6", tmp_path / "out"
    refused = run("export", source, "--to", "bitnet", "-o", out, code=3)
    assert "cannot be written as bitnet" in refused.stderr and "proj" in refused.stderr
    assert not out.exists()
    rows = weights(run_json("export", source, "--to", "bitnet", "--dry-run"))
    assert {row["verdict"] for row in rows.values()} == {"not representable"}
    assert all(row["note"] for row in rows.values())
    anew = weights(run_json("export", source, "--to", "ort", "--requantize", "-o", out))
    assert {row["verdict"] for row in anew.values()} <= {"exact", "requantized"}
    assert "gguf" in run("export", source, "--to", "none", "-o", out, code=2).stderr


def test_quantized_models_are_quantized_again_only_where_asked(tmp_path):
    source = GOLDEN / "mlx-int4"
    refused = run("quantize", source, "-o", tmp_path / "q", code=3)
    assert "is quantized already" in refused.stderr
    rows = weights(run_json("quantize", source, "-o", tmp_path / "q", "--format", "int8",
                            "--requantize"))
    assert {row["format"] for row in rows.values()} == {"int8"}


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: data[:60],
                                    lambda data: data[:4] + b"\x09" + data[5:]])
def test_damaged_files_are_errors(tmp_path, damage):
    path = tmp_path / "model.gguf"
    path.write_bytes(damage((GOLDEN / "gguf" / "blocks.gguf").read_bytes()))
    for command in ("inspect", "verify"):
        assert "model.gguf" in run(command, path, code=3).stderr
    run("import", path, "-o", tmp_path / "out.bnq", code=3)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.gguf"]


def test_a_file_alone_says_what_it_lacks(tmp_path):
    shutil.copytree(GOLDEN / "gptq-v2", tmp_path / "in")
    alone = run("export", tmp_path / "in", "--to", "gptq", "-o", tmp_path / "out.safetensors")
    assert "config.json" in alone.stderr and (tmp_path / "out.safetensors").exists()
