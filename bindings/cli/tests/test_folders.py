"""Folders of models in, folders of models out."""

import json
import os
import pathlib

import numpy as np
import pytest
from conftest import by_name, read_safetensors, run, run_json, write_safetensors

SIDE = {
    "config.json": b'{"model_type": "llama", "tie_word_embeddings": false}',
    "generation_config.json": b"{}",
    "tokenizer.json": b'{"a": "\xc3\xa9"}',
    "tokenizer.model": b"\x00\x01",
    "modeling.py": b"pass\n",
    "1_Pooling/config.json": b"{}",
}
WEIGHTS = ["pytorch_model.bin", "onnx/model.onnx", "old.gguf", "pytorch_model.bin.index.json"]


def weights():
    generator = np.random.default_rng(3)
    return {
        "embed.weight": generator.standard_normal((16, 32), dtype=np.float32),
        "layer.0.weight": generator.standard_normal((32, 32), dtype=np.float32),
        "layer.0.norm": generator.standard_normal(32, dtype=np.float32),
        "ids": np.arange(4, dtype=np.int32),
    }


def make_folder(path, tensors):
    for name, data in SIDE.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    for name in WEIGHTS:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"weights")
    (path / ".git").mkdir()
    (path / ".git" / "config.json").write_bytes(b"hidden")
    (path / "loop").symlink_to(".")
    write_safetensors(path / "model.safetensors", tensors)
    return path


def tree(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "in", weights())


def test_folder(folder, tmp_path):
    out = tmp_path / "out"
    result = run("quantize", folder, "-o", f"{out}/", "--preset", "int8_per_channel")
    assert f"wrote {out}/" in result.stdout
    # The norm; the integers are no parameters.
    assert "2.04 % of the parameters are not quantized" in result.stdout
    assert result.stderr.startswith("bnq: warning: other weights in")
    assert all(name in result.stderr for name in WEIGHTS)
    files = tree(out)
    model = files.pop("model.bnq")
    assert files == SIDE
    run("quantize", folder / "model.safetensors", "-o", tmp_path / "alone.bnq", "--preset",
        "int8_per_channel")
    assert model == (tmp_path / "alone.bnq").read_bytes()
    # And back: the same folder, but for what was lost in quantizing.
    back = run_json("dequantize", out, "-o", tmp_path / "back")
    assert back["written"] == str(tmp_path / "back")
    files = tree(tmp_path / "back")
    assert files.pop("model.safetensors")
    assert files == SIDE
    run("dequantize", tmp_path / "alone.bnq", "-o", tmp_path / "alone.safetensors")
    restored = read_safetensors(tmp_path / "back" / "model.safetensors")
    expected = read_safetensors(tmp_path / "alone.safetensors")
    assert restored.keys() == expected.keys()
    assert sorted(os.listdir(tmp_path)) == ["alone.bnq", "alone.safetensors", "back", "in", "out"]


def test_shards_in_and_out(tmp_path):
    folder = make_folder(tmp_path / "in", {})
    (folder / "model.safetensors").unlink()
    tensors = weights()
    names = [f"model-{i + 1:05}-of-{len(tensors):05}.safetensors" for i in range(len(tensors))]
    for name, (tensor, values) in zip(names, tensors.items()):
        write_safetensors(folder / name, {tensor: values})
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict(zip(tensors, names))}))
    report = run("quantize", folder, "-o", tmp_path / "out", "--preset", "nf4",
                 "--max-shard-size", "700")
    assert not any(name in report.stderr for name in names)
    files = set(tree(tmp_path / "out")) - set(SIDE)
    assert "model.bnq.index.json" in files and "model-00001-of-00002.bnq" in files
    assert set(by_name(run_json("inspect", tmp_path / "out"))) == set(tensors)


def test_a_file_where_its_name_says_so(folder, tmp_path):
    for name in ("out.bnq", "out.safetensors"):
        run("quantize", folder, "-o", tmp_path / name, "--preset", "nf4")
        assert (tmp_path / name).is_file()
    (folder / "config.json").unlink()
    run("quantize", folder, "-o", tmp_path / "out", "--preset", "nf4")
    assert (tmp_path / "out").is_file()


def test_what_may_be_replaced(folder, tmp_path):
    out = tmp_path / "out"
    command = ["quantize", folder, "--preset", "nf4", "--quiet", "-o"]
    out.mkdir()
    run(*command, out)  # an empty one
    first = tree(out)
    (out / "more").write_text("gone")
    assert "overwriting was not asked for" in run(*command, out, code=4).stderr
    assert (out / "more").exists()
    run(*command, out, "--force")
    assert tree(out) == first
    # Not the home directory, say.
    (out / "config.json").unlink()
    assert "not the folder of a model" in run(*command, out, "--force", code=4).stderr
    assert "config.json" not in tree(out)
    for other in (folder, folder / "below", tmp_path, f"{folder}/../in/./x"):
        error = run(*command, other, "--force", code=4).stderr
        assert "input" in error
    before = tree(folder)
    (tmp_path / "link").symlink_to("elsewhere")
    run(*command, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "elsewhere/model.bnq").exists()
    assert tree(folder) == before
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "in", "link", "out"]


def test_failure_leaves_nothing(tmp_path):
    tensors = weights()
    tensors["layer.0.weight"][3, 4] = np.nan
    folder = make_folder(tmp_path / "in", tensors)
    run("quantize", folder, "-o", tmp_path / "out", "--preset", "nf4", code=3)
    with open("/dev/full", "wb") as full:
        run("quantize", folder, "-o", tmp_path / "out", "--exclude", "layer*", code=4, stdout=full)
    run("quantize", folder, "-o", tmp_path / "none" / "out", "--preset", "nf4", code=4)
    run("quantize", folder, "-o", tmp_path / "out", "--exclude", "layer*", "--dry-run")
    assert os.listdir(tmp_path) == ["in"]


def test_a_hub_cache(folder, tmp_path):
    """Its snapshots are links to files elsewhere."""
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (snapshot / name).symlink_to(pathlib.Path("..") / "in" / name)
    run("quantize", snapshot, "-o", tmp_path / "out", "--preset", "nf4")
    assert sorted(tree(tmp_path / "out")) == ["config.json", "model.bnq", "tokenizer.json"]
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_experts_and_tied_weights(tmp_path):
    """[E, 2I, H] and [E, H, I] of a Qwen3 MoE, and a head that is the embedding."""
    generator = np.random.default_rng(5)
    embedding = generator.standard_normal((16, 32), dtype=np.float32)
    layer = "model.layers.0.mlp"
    tensors = {
        "model.embed_tokens.weight": embedding,
        "lm_head.weight": embedding.copy(),
        f"{layer}.gate.weight": generator.standard_normal((2, 32), dtype=np.float32),
        f"{layer}.experts.gate_up_proj": generator.standard_normal((2, 96, 32), dtype=np.float32),
        f"{layer}.experts.down_proj": generator.standard_normal((2, 32, 48), dtype=np.float32),
    }
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "config.json").write_text(
        '{"model_type": "qwen3_moe", "hidden_size": 32, "tie_word_embeddings": true}')
    write_safetensors(tmp_path / "in" / "model.safetensors", tensors)
    out, back = tmp_path / "out", tmp_path / "back"
    report = run_json("quantize", tmp_path / "in", "-o", out, "--preset", "int8_per_channel",
                      "--model-defaults", "--json")
    rows = by_name(report)
    assert rows[f"{layer}.experts.1.up_proj.weight"]["shape"] == [48, 32]
    assert rows["lm_head.weight"]["note"] == "the same as \"model.embed_tokens.weight\""
    assert report["dense_share"] == pytest.approx(
        (16 * 32 + 2 * 32) / (16 * 32 + 2 * 32 + 2 * 3 * 48 * 32))
    # The weights of a tensor's other name are not more.
    elements = 16 * 32 + 2 * 32 + 2 * 3 * 48 * 32
    assert report["totals"]["elements"] == elements
    whole = run_json("inspect", out)
    assert whole["totals"]["elements"] == elements
    inspected = by_name(whole)
    assert inspected["lm_head.weight"]["bytes"] == 0
    assert inspected["lm_head.weight"]["note"] == "the same as model.embed_tokens.weight"
    run("dequantize", out, "-o", back, "--dtype", "F32")
    restored = read_safetensors(back / "model.safetensors")
    assert set(restored) == set(tensors)
    for name, tensor in tensors.items():
        _, shape, data = restored[name]
        assert tuple(shape) == tensor.shape
        assert np.abs(np.frombuffer(data, np.float32).reshape(shape) - tensor).max() < 0.03
    diff = by_name(run_json("diff", tmp_path / "in", out, "--json"))
    assert diff["lm_head.weight"]["mse"] == 0
    assert set(diff) == set(rows)


def test_experts_and_tied_weights_in_options(tmp_path):
    """Patterns are those of the matrices; budgets, saved plans and reports know them."""
    generator = np.random.default_rng(6)
    embedding = generator.standard_normal((16, 32), dtype=np.float32)
    experts = "l.0.mlp.experts"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "config.json").write_text('{"model_type": "llama4_text"}')
    write_safetensors(tmp_path / "in" / "model.safetensors", {
        "embed_tokens.weight": embedding, "lm_head.weight": embedding.copy(),
        f"{experts}.gate_up_proj": generator.standard_normal((2, 32, 96), dtype=np.float32),
        f"{experts}.down_proj": generator.standard_normal((2, 48, 32), dtype=np.float32)})
    out, plan, page = tmp_path / "o.bnq", tmp_path / "plan.txt", tmp_path / "r.html"
    run("analyze", tmp_path / "in", "--target-bits", "7", "--save-plan", plan)
    for options in (["--target-bits", "7"], ["--plan", plan],
                    ["--preset", "int8_per_channel", "--tensor", "*experts.1.up_proj*=bf16"]):
        report = by_name(run_json("quantize", tmp_path / "in", "-o", out, "--force",
                                  "--report", page, *options))
        assert len(report) == 8
        assert f"{experts}.0.gate_proj.weight" in page.read_text()
    assert "lm_head.weight" in run("quantize", tmp_path / "in", "-o", out, "--force", "--preset",
                                   "int8_per_channel", "--exclude", "lm_head*").stderr
    rows = by_name(run_json("diff", tmp_path / "in", out, "--report", page, "--force",
                            "--histogram", "3"))
    assert len(rows) == 8
    refused = run("quantize", tmp_path / "in", "-o", out, "--force", "--include", "*gate_up_proj",
                  code=3)
    assert "matches no tensor" in refused.stderr
