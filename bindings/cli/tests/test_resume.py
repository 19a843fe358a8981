"""A conversion that is killed at any moment goes on, and nobody can tell."""

import random
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import BNQ, by_name, run, run_json, write_safetensors

# Enough work to be interrupted in the middle of.
QUANTIZE = ["--preset", "codebook4_per_group_20", "--threads", "1"]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    generator = np.random.default_rng(7)
    tensors = {f"layer.{i}.weight": generator.standard_normal((128, 512), dtype=np.float32)
               for i in range(40)}
    tensors |= {f"layer.{i}.bias": generator.standard_normal(64, dtype=np.float32)
                for i in range(40)}
    folder = tmp_path_factory.mktemp("large")
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    return write_safetensors(folder / "large.safetensors", tensors)


def tree(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def kill_and_resume(command, directory, moments, longest, chance):
    """Starts it, and kills it after a time, `moments` times; then lets it end."""
    kills = 0
    while True:
        process = subprocess.Popen([BNQ, *map(str, command), "--resume"], cwd=directory,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if kills < moments:
            time.sleep(chance.uniform(0, longest))
            process.kill()
            kills += 1
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        if process.returncode != -signal.SIGKILL:
            # It was killed when all was done, but for saying so.
            assert "exists and overwriting" in errors and kills > 0, errors
            break
    return kills


SHARDS = ["--max-shard-size", "100KB"]


@pytest.mark.parametrize("out, options", [
    pytest.param("out.bnq", [], id="one"),
    pytest.param("out.bnq", ["--compress"], id="compressed"),
    pytest.param("out.bnq", SHARDS, id="shards"),
    pytest.param("out.bnq", ["--compress", *SHARDS, "--force"], id="compressed-shards"),
    pytest.param("out", SHARDS, id="folder"),
])
def test_killed_at_any_moment(large, tmp_path, out, options):
    command = ["quantize", large.parent, "-o", out, *QUANTIZE, *options]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    begin = time.monotonic()
    run(*command, cwd=whole)
    longest = time.monotonic() - begin
    chance = random.Random(f"{out} {options}")
    kill_and_resume(command, killed, 4, longest, chance)
    assert tree(killed) == tree(whole)


def test_report_is_the_same(large, tmp_path):
    out = tmp_path / "out.bnq"
    command = ["quantize", large, *QUANTIZE, "-o", out]
    expected = run_json(*command)
    out.unlink()
    # A background process may be told to ignore it.
    process = subprocess.Popen([BNQ, *map(str, command), "--resume", "--quiet"],
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    part = tmp_path / "out.bnq.part"
    while not part.exists() or (part / "journal").stat().st_size < 10000:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)  # keeps what is finished, too
    assert process.wait() == 5
    assert part.stat().st_mode & 0o777 == 0o700
    result = run_json(*command, "--resume")
    assert by_name(result) == by_name(expected)
    assert not part.exists()


def test_refuses_another(large, tmp_path):
    out = tmp_path / "out.bnq"
    full = open("/dev/full", "wb")
    # All is written, but for the report.
    run("quantize", large, "-o", out, *QUANTIZE, "--resume", code=4, stdout=full)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.bnq.part"]
    error = run("quantize", large, "-o", out, "--preset", "nf4", "--resume", code=4).stderr
    assert "becomes format=codebook4" in error and "becomes format=nf4" in error
    run("quantize", large, "-o", out, "--preset", "nf4", "--restart")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.bnq"]
    # Nothing is kept unless that was asked for.
    run("quantize", large, "-o", out, "--force", *QUANTIZE, code=4, stdout=full)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.bnq"]
