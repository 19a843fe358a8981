"""Several models in one run: bnq quantize A B C -o DIR --jobs N."""

import json

import numpy as np
import pytest
from conftest import model_tensors, run, run_json, write_safetensors


@pytest.fixture
def inputs(tmp_path):
    """Two files, a model's folder, and an array."""
    folder = tmp_path / "in"
    (folder / "llm").mkdir(parents=True)
    write_safetensors(folder / "a.safetensors", model_tensors())
    write_safetensors(folder / "b.v2.safetensors", model_tensors())
    (folder / "llm" / "config.json").write_text("{}")
    write_safetensors(folder / "llm" / "model.safetensors", model_tensors())
    np.save(folder / "c.npy", np.linspace(-1, 1, 256, dtype=np.float32).reshape(4, 64))
    return [folder / name for name in ("a.safetensors", "b.v2.safetensors", "llm", "c.npy")]


NAMES = ["a.bnq", "b.v2.bnq", "llm", "c.bnq"]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_the_same_files_as_one_by_one(inputs, tmp_path, jobs):
    apart, together = tmp_path / "apart", tmp_path / "together"
    apart.mkdir()
    for path, name in zip(inputs, NAMES):
        run("quantize", path, "-o", apart / name, "--preset", "int8_per_channel")
    result = run("quantize", *inputs, "-o", together, "--jobs", jobs, "--threads", 3,
                 "--preset", "int8_per_channel")
    assert contents(together) == contents(apart)
    objects = json.loads(run("quantize", *inputs, "--dry-run", "--jobs", jobs, "--json",
                             "--preset", "int8_per_channel").stdout)
    for path, value in zip(inputs, objects):  # what each has alone
        alone = run_json("quantize", path, "--dry-run", "--preset", "int8_per_channel")
        assert value == alone
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[-len(inputs):]] == [str(path) for path in inputs]


def test_one_that_fails_leaves_the_others(inputs, tmp_path):
    inputs[1].write_bytes(b"no model")
    out = tmp_path / "out"
    result = run("quantize", *inputs, "-o", out, "--jobs", 2, "--json", code=3)
    first, bad, folder, array = json.loads(result.stdout)
    assert (bad["input"], bad["exit_code"]) == (str(inputs[1]), 3)
    assert "b.v2.safetensors" in bad["error"]
    assert "1 of 4 failed" in result.stderr
    for good, name in ((first, "a.bnq"), (folder, "llm"), (array, "c.bnq")):
        assert good["written"] == str(out / name)
        run("verify", out / name)
    assert not (out / "b.v2.bnq").exists()


def test_names_that_would_be_one_are_refused(inputs, tmp_path):
    other = tmp_path / "a.npy"
    np.save(other, np.zeros((4, 64), np.float32))
    out = tmp_path / "out"
    result = run("quantize", inputs[0], other, "-o", out, code=2)
    assert "would both be 'a.bnq'" in result.stderr
    assert not out.exists()


def test_existing_outputs_stay_unless_forced(inputs, tmp_path):
    out = tmp_path / "out"
    run("quantize", *inputs[:2], "-o", out, "--preset", "nf4")
    before = contents(out)
    result = run("quantize", *inputs[:2], "-o", out, "--preset", "int8_per_channel", code=4)
    assert "2 of 2 failed" in result.stderr
    assert contents(out) == before
    run("quantize", *inputs[:2], "-o", out, "--preset", "int8_per_channel", "--force")
    assert contents(out) != before


def test_what_is_for_one_model_is_refused(inputs, tmp_path):
    out = tmp_path / "out"
    for options in (["--target-bits", "4"], ["--report", tmp_path / "r.html"],
                    ["--importance", inputs[3]], ["--calibration", inputs[3]]):
        result = run("quantize", *inputs[:2], "-o", out, *options, code=2)
        assert "is for one model" in result.stderr
    assert "--output" in run("quantize", *inputs[:2], code=2).stderr
    assert "--jobs" in run("quantize", *inputs, "-o", out, "--jobs", 0, code=2).stderr
    plain = tmp_path / "file"
    plain.write_text("")
    run("quantize", *inputs[:2], "-o", plain, code=4)
    assert not out.exists()
    run("quantize", *inputs, "--dry-run", "--preset", "nf4", "--jobs", 2)
