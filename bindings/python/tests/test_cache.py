"""The layer cache: what it does is tested beside core/cache, here its idiom."""
import concurrent.futures
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import bitnet_quant as bq


@pytest.fixture
def weights():
    return np.random.default_rng(1).standard_normal((8, 64), dtype=np.float32)


@pytest.fixture
def cache(tmp_path):
    return bq.Cache(tmp_path / "cache")


def same(a, b):
    return (a.config.text == b.config.text and a.shape == b.shape
            and all(np.array_equal(a.parts[name], b.parts[name]) for name in a.parts))


def test_what_was_quantized_is_found(cache, weights, tmp_path):
    first = cache.quantize(weights, "int4_per_group_32", name="a")
    assert not first.hit
    other = bq.Cache(tmp_path / "cache")
    tensor, hit = other.quantize(weights, "int4_per_group_32")
    assert hit and same(tensor, bq.quantize(weights, "int4_per_group_32"))
    assert not other.quantize(weights, "int4_per_group_32", group_size=64).hit
    assert not other.quantize(weights, "int4", scale_rule="mse", importance=np.arange(64)).hit
    assert other.quantize(weights, "int4", scale_rule="mse", importance=np.arange(64)).hit
    assert same(other.find(other.key(weights, "int4_per_group_32")), tensor)
    assert other.statistics().disk_hits == 1 and other.statistics()["disk_entries"] == 3
    with pytest.raises(bq.NotFoundError, match="key"):
        other.find("0" * 64)


def test_names_are_a_mapping(cache, weights):
    cache["model/3/é"] = bq.quantize(weights, "nf4")
    assert same(cache["model/3/é"], bq.quantize(weights, "nf4"))
    assert cache.get("model/3/é") is not None
    with pytest.raises(KeyError, match="model/4"):
        cache["model/4"]
    assert cache.get("model/4") is None and cache.get("model/4", 7) == 7
    cache.put("model/3/é", bq.quantize(weights, "int8"))
    assert cache["model/3/é"].config.format == "int8"
    with pytest.raises(TypeError, match="QuantizedTensor"):
        cache["x"] = weights
    assert [entry.names for entry in cache.entries("model/*")] == [("model/3/é",)]
    assert cache.remove("model/*") == 1
    assert len(cache.entries()) == 1


def test_entries_are_listed_trimmed_and_cleared(cache, weights):
    for preset in ("int8", "nf4"):
        cache.quantize(weights, preset, name=preset)
    entry, _ = cache.entries()
    assert entry.names == ("nf4",) and entry.shape == (8, 64) and not entry.damaged
    assert bq.Config.from_text(entry.config).format == "nf4"
    assert entry.nbytes > 256 and entry.used > 1.5e9
    seen = []
    assert cache.verify(progress=lambda done, total, item: seen.append((done, total))) == 0
    assert seen[-1][0] == seen[-1][1] > 0
    with pytest.raises(bq.CancelledError):
        cache.verify(progress=lambda *_: False)
    path = os.path.join(cache.folder, entry.key[:2], entry.key + ".bnq")
    with open(path, "r+b") as file:
        file.truncate(100)
    assert cache.verify() == 1
    assert [e.damaged for e in cache.entries() if e.key == entry.key] == [True]
    assert cache.trim(0) == 1
    assert cache.entries() == []
    cache.quantize(weights, "int8")
    cache.clear()
    assert not cache.quantize(weights, "int8").hit


def test_options_are_keywords(tmp_path, weights):
    cache = bq.Cache(tmp_path, disk_limit=10**10, strict=True)
    assert cache.options["disk_limit"] == 10**10 and cache.options["strict"] is True
    assert repr(cache) == f"Cache({tmp_path!r}, disk_limit=10000000000, strict=True)"
    assert {option.name for option in bq.cache_options()} == set(cache.options)
    with pytest.raises(bq.NotFoundError, match="disk_limit"):
        bq.Cache(tmp_path, disk_limt=1)
    again = pickle.loads(pickle.dumps(cache))
    assert again.folder == tmp_path and again.options == cache.options
    memory = bq.Cache()
    assert memory.folder is None
    assert not memory.quantize(weights, "int8").hit and memory.quantize(weights, "int8").hit
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(bq.InputOutputError, match="cannot make the folder"):
        bq.Cache(tmp_path / "file" / "x", strict=True).quantize(weights, "int8")


def test_threads_and_processes_share_one(cache, weights):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        hits = list(pool.map(lambda _: cache.quantize(weights, "int8").hit, range(8)))
    assert sorted(hits) == [False] + [True] * 7
    program = ("import sys, numpy as np, bitnet_quant as bq\n"
               "w = np.random.default_rng(1).standard_normal((8, 64), dtype=np.float32)\n"
               "print(bq.Cache(sys.argv[1]).quantize(w, 'int8').hit)")
    result = subprocess.run([sys.executable, "-c", program, cache.folder], check=True,
                            capture_output=True, text=True)
    assert result.stdout == "True\n"


def test_the_default_folder_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("BNQ_CACHE", "/somewhere/layers")
    assert bq.Cache.default_folder() == "/somewhere/layers"
