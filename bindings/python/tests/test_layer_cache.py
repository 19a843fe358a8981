"""SLI's LayerCache: its documented calls, and what its own implementation gets wrong."""
import os
import pickle
import threading

import numpy as np
import pytest

import bitnet_quant as bq
from bitnet_quant.layers import LayerCache, LayerCacheManager, get_layer_cache

GB = 1024**3


def layer(seed=0, rows=64):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((rows, 96), dtype=np.float32)
    return {"q.weight": bq.quantize(weights, "nf4_double_quant"),
            "k.weight": bq.quantize(weights, "int8_per_channel"),
            "q.bias": rng.standard_normal(rows, dtype=np.float32), "": np.arange(3),
            "mask": np.array([[True], [False]]), "scalar": np.float64(2.5).reshape(())}


def assert_same(found, expected):
    assert found is not None and list(sorted(found)) == sorted(expected)
    for name, value in expected.items():
        if isinstance(value, bq.QuantizedTensor):
            assert found[name].config == value.config
            assert np.array_equal(found[name].unpack(), value.unpack())
        else:
            assert found[name].dtype == value.dtype and np.array_equal(found[name], value)


def files(folder):
    return sorted(path for path in folder.rglob("*.bnq"))


def test_a_layer_comes_back_from_memory_and_by_another_process_from_disk(tmp_path):
    cache, stored = LayerCache(cache_dir=tmp_path, max_cache_size_gb=50.0), layer()
    assert cache.cache_layer(model_id="meta-llama/Llama-2-7b", layer_index=0, layer=stored,
                             quantization_mode="nf4")
    assert_same(cache.get_layer("meta-llama/Llama-2-7b", 0, "nf4"), stored)
    other = LayerCache(tmp_path)
    assert_same(other.get_layer("meta-llama/Llama-2-7b", 0, quantization_mode="nf4"), stored)
    # Number and mode are of the key, too.
    assert other.get_layer("meta-llama/Llama-2-7b", 0) is None
    assert other.get_layer("meta-llama/Llama-2-7b", 1, "nf4") is None
    first, second = cache.get_stats()["performance"], other.get_stats()["performance"]
    assert (first["memory_hits"], first["disk_hits"], first["total_misses"]) == (1, 0, 0)
    assert (second["memory_hits"], second["disk_hits"], second["total_misses"]) == (0, 1, 2)
    assert second["cache_hit_ratio"] == pytest.approx(1 / 3)
    assert second["average_load_time_ms"] > 0
    assert second["total_bytes_served_from_cache"] == sum(
        value.nbytes for value in stored.values())


def test_a_tensor_is_a_layer_and_an_array_is_none(tmp_path):
    cache, tensor = LayerCache(tmp_path), layer()["q.weight"]
    cache.cache_layer("m", 0, tensor)
    assert np.array_equal(LayerCache(tmp_path).get_layer("m", 0).unpack(), tensor.unpack())
    for wrong in (np.ones(3), [1], {"a": [1.0]}):
        with pytest.raises(TypeError, match="list|ndarray"):
            cache.cache_layer("m", 1, wrong)
    with pytest.raises(ValueError, match="layer_index is -1"):
        cache.cache_layer("m", -1, tensor)
    with pytest.raises(ValueError, match="cuda"):
        cache.get_layer("m", 0, device="cuda")


def test_what_is_cached_does_not_change_with_the_callers_arrays(tmp_path):
    for disk in (50, 0):
        cache, values = LayerCache(tmp_path / str(disk), max_cache_size_gb=disk), np.zeros(4)
        assert cache.cache_layer("m", 0, {"a": values}) == bool(disk)
        values[:] = 7
        assert not cache.get_layer("m", 0)["a"].any()


def test_ids_that_look_alike_do_not_collide(tmp_path):
    folder = tmp_path / "deep" / "cache"
    cache = LayerCache(folder, max_memory_cache_size_gb=0)
    ids = ["a/b", "a_b", "a-b", "a%2Fb", "..", "../x", "", "a.b", "A" * 300, "A" * 299 + "B",
           "\u00e9", "con", "*"]
    for number, each in enumerate(ids):
        cache.cache_layer(each, 0, {"n": np.array([number])})
        cache.cache_layer("m", 0, {"n": np.array([number])}, each)
    for number, each in enumerate(ids):
        assert cache.get_layer(each, 0)["n"][0] == number
        assert cache.get_layer("m", 0, each)["n"][0] == number
    assert files(tmp_path) == files(folder) and len(files(folder)) == 2 * len(ids)


def test_a_layer_cached_twice_counts_once_and_is_the_second(tmp_path):
    cache = LayerCache(tmp_path)
    for seed in (1, 2):
        cache.cache_layer("m", 0, layer(seed))
    stats = cache.get_stats()
    assert (stats["disk_cache_entries"], stats["memory_cache_entries"]) == (1, 1)
    assert stats["disk_cache_size_gb"] * GB == pytest.approx(files(tmp_path)[0].stat().st_size)
    assert_same(cache.get_layer("m", 0), layer(2))
    assert_same(LayerCache(tmp_path).get_layer("m", 0), layer(2))


def test_a_damaged_file_is_a_miss_and_goes(tmp_path):
    stored = layer(rows=512)
    for damage in (lambda data: data[:len(data) // 2], lambda data: b"",
                   lambda data: bytes(len(data)), pickle.dumps,
                   lambda data: data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:]):
        cache = LayerCache(tmp_path, max_memory_cache_size_gb=0)
        cache.cache_layer("m", 0, stored)
        (path,) = files(tmp_path)
        path.write_bytes(damage(path.read_bytes()))
        assert cache.get_layer("m", 0) is None
        assert not path.exists() and cache.get_stats()["performance"]["damaged"] == 1
        cache.cache_layer("m", 0, stored)
        assert_same(cache.get_layer("m", 0), stored)
        path.write_bytes(damage(path.read_bytes()))
        cache.cache_layer("m", 1, stored)
        assert cache.verify_cache_integrity() == {"valid": 1, "corrupted": 1}
        cache.clear_cache()


def test_a_file_in_anothers_place_is_no_layer_of_that_place(tmp_path):
    cache = LayerCache(tmp_path, max_memory_cache_size_gb=0)
    cache.cache_layer("m", 0, layer(0))
    cache.cache_layer("m", 1, layer(1))
    first, second = files(tmp_path)
    second.write_bytes(first.read_bytes())
    assert cache.get_layer("m", 1) is None and cache.get_layer("m", 0) is not None


def test_files_used_longest_ago_go_first_and_hits_in_memory_count_as_use(tmp_path):
    probe = LayerCache(tmp_path / "probe")
    probe.cache_layer("m", 0, layer())
    size = files(tmp_path / "probe")[0].stat().st_size
    cache = LayerCache(tmp_path / "cache", max_cache_size_gb=3.5 * size / GB)
    for index in range(3):
        cache.cache_layer("m", index, layer())
        path = cache._path(type(next(iter(cache._memory)))("m", index, None))
        os.utime(path, ns=(index * 10**9, index * 10**9))
    assert cache.get_layer("m", 0) is not None  # from memory
    assert cache.get_stats()["performance"]["memory_hits"] == 1
    cache.cache_layer("m", 3, layer())
    assert [cache.get_layer("m", index) is not None for index in range(4)] == [
        True, False, True, True]
    assert cache.get_stats()["performance"]["total_evictions"] == 1


def test_a_layer_larger_than_the_limit_is_not_stored_and_removes_nothing(tmp_path):
    small = layer(rows=8)
    probe = LayerCache(tmp_path / "probe")
    probe.cache_layer("m", 0, small)
    limit = 2 * files(tmp_path / "probe")[0].stat().st_size / GB
    cache = LayerCache(tmp_path / "cache", limit, limit)
    assert cache.cache_layer("m", 0, small)
    assert not cache.cache_layer("m", 1, layer(rows=4096))
    assert cache.get_layer("m", 0) is not None and cache.get_layer("m", 1) is None
    stats = cache.get_stats()
    assert (stats["disk_cache_entries"], stats["performance"]["not_stored"]) == (1, 1)
    assert stats["disk_cache_size_gb"] <= limit and stats["memory_cache_size_gb"] <= limit
    # One that grew too large does not leave the old one behind.
    assert not cache.cache_layer("m", 0, layer(rows=4096))
    assert cache.get_layer("m", 0) is None


def test_memory_has_its_limit(tmp_path):
    size = sum(value.nbytes for value in layer().values())
    cache = LayerCache(tmp_path, max_memory_cache_size_gb=2.5 * size / GB)
    for index in range(4):
        cache.cache_layer("m", index, layer())
    stats = cache.get_stats()
    assert (stats["memory_cache_entries"], stats["disk_cache_entries"]) == (2, 4)


def test_compression_is_used(tmp_path):
    zeros = {"a": np.zeros(100_000, np.float32)}
    sizes = []
    for compress in (False, True):
        cache = LayerCache(tmp_path / str(compress), enable_compression=compress,
                           compression_level=6)
        cache.cache_layer("m", 0, zeros)
        sizes.append(files(tmp_path / str(compress))[0].stat().st_size)
        assert_same(LayerCache(tmp_path / str(compress)).get_layer("m", 0), zeros)
    assert sizes[0] > 400_000 and sizes[1] < 10_000
    with pytest.raises(ValueError, match="compression_level is 9"):
        LayerCache(tmp_path, compression_level=9)


def test_invalidation_of_layers_models_and_all(tmp_path):
    cache = LayerCache(tmp_path)

    def fill():
        for model in ("a", "b"):
            for index in (1, 11):
                for mode in (None, "nf4"):
                    cache.cache_layer(model, index, layer(), mode)

    fill()
    (tmp_path / "notes.txt").write_text("mine")
    assert cache.invalidate_cache("a", 1) == 2
    assert cache.get_layer("a", 1) is None and cache.get_layer("a", 11) is not None
    assert cache.invalidate_cache("a") == 2 and cache.get_layer("b", 1, "nf4") is not None
    assert cache.invalidate_cache() == 4 and cache.get_layer("b", 1) is None
    fill()
    cache.clear_cache()
    stats = cache.get_stats()
    assert (stats["disk_cache_entries"], stats["memory_cache_entries"]) == (0, 0)
    assert (tmp_path / "notes.txt").exists()
    with pytest.raises(ValueError, match="no model_id"):
        cache.invalidate_cache(layer_index=1)


def test_optimizing_keeps_limits_and_clears_what_was_left(tmp_path):
    cache = LayerCache(tmp_path)
    for index in range(3):
        cache.cache_layer("m", index, layer())
    left = files(tmp_path)[0].with_name("7-7.new.bnq")
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert cache.get_stats()["disk_cache_entries"] == 3
    cache.max_cache_size_gb = 1.5 * files(tmp_path)[0].stat().st_size / GB
    assert cache.optimize_cache() == 2
    assert len(files(tmp_path)) == 1
    cache.clear_cache()
    cache.optimize_cache()
    assert not list(tmp_path.iterdir())


def test_without_persistence_nothing_is_found_again_and_nothing_left(tmp_path):
    cache = LayerCache(tmp_path, persist_metadata=False, max_memory_cache_size_gb=0)
    cache.cache_layer("m", 0, layer())
    assert_same(cache.get_layer("m", 0), layer())
    assert LayerCache(tmp_path).get_layer("m", 0) is None
    del cache
    assert not files(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_miss_that_changes_nothing(tmp_path):
    (tmp_path / "file").write_text("no folder")
    cache = LayerCache(tmp_path / "file")
    assert not cache.cache_layer("m", 0, layer())
    assert_same(cache.get_layer("m", 0), layer())  # in memory
    assert cache.get_stats()["performance"]["not_stored"] == 1


def test_threads_share_a_cache(tmp_path):
    cache, wrong = LayerCache(tmp_path, max_memory_cache_size_gb=1e-5), []

    def work(number):
        for index in range(20):
            cache.cache_layer("m", index % 3, {"a": np.full(50, index % 3)})
            found = cache.get_layer("m", number % 3)
            if found is not None and (found["a"] != number % 3).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and cache.verify_cache_integrity()["corrupted"] == 0


def test_the_documented_figures_and_their_print(tmp_path, capsys):
    cache = LayerCache(tmp_path)
    stats = cache.get_stats()
    assert set(stats) == {
        "disk_cache_entries", "memory_cache_entries", "disk_cache_size_gb",
        "memory_cache_size_gb", "max_disk_cache_size_gb", "max_memory_cache_size_gb",
        "performance"}
    assert (stats["max_disk_cache_size_gb"], stats["max_memory_cache_size_gb"]) == (50, 2)
    assert set(stats["performance"]) >= {
        "total_hits", "total_misses", "total_evictions", "total_bytes_served_from_cache",
        "average_load_time_ms", "cache_hit_ratio"}
    cache.print_stats()
    assert "disk_cache_entries: 0" in capsys.readouterr().out


def test_one_cache_is_shared(tmp_path):
    LayerCacheManager.reset()
    try:
        cache = get_layer_cache(tmp_path, max_cache_size_gb=1)
        assert get_layer_cache() is cache is LayerCacheManager.get_cache()
        with pytest.raises(ValueError, match="was made with"):
            get_layer_cache(tmp_path / "other")
    finally:
        LayerCacheManager.reset()


def test_the_default_folder_is_the_librarys(tmp_path, monkeypatch):
    monkeypatch.setenv("BNQ_CACHE", str(tmp_path))
    assert LayerCache().cache_dir == tmp_path / "layers"


def test_modules_of_torch_come_back_with_the_same_bits(tmp_path):
    torch = pytest.importorskip("torch")
    from torch import nn

    from bitnet_quant.torch import LayerQuantizer, get_nf4_config, quantize_layer

    torch.manual_seed(0)
    whole = nn.Sequential(nn.Linear(33, 20), nn.GELU(approximate="tanh"), nn.ModuleDict(
        {"norm": nn.LayerNorm(20, eps=1e-3)})["norm"], nn.Linear(20, 9, bias=False)).bfloat16()
    whole[3].weight.requires_grad_(False)
    LayerQuantizer(get_nf4_config()).quantize_layer(whole[0])
    cases = [(quantize_layer(nn.Linear(33, 20), "int8"), torch.randn(2, 33)),
             (quantize_layer(nn.Conv2d(3, 4, 3, padding="same", padding_mode="circular"),
                             "int8_dynamic"), torch.randn(1, 3, 8, 8)),
             (quantize_layer(nn.Embedding(9, 5), "int4"), torch.tensor([1, 8])),
             (nn.Linear(33, 2).half().double(), torch.randn(2, 33).double()),
             (whole.eval(), torch.randn(2, 33).bfloat16())]
    cache = LayerCache(tmp_path)
    for index, (module, x) in enumerate(cases):
        cache.cache_layer("m", index, module, "nf4")
        for found in (cache.get_layer("m", index, "nf4"),
                      LayerCache(tmp_path).get_layer("m", index, "nf4", device="cpu")):
            assert found is not module and type(found) is type(module)
            assert torch.equal(found(x), module(x)) and found.training == module.training
            assert [p.requires_grad for p in found.parameters()] == [
                p.requires_grad for p in module.parameters()]
    # Each is the caller's own.
    with torch.no_grad():
        cache.get_layer("m", 0, "nf4").bias.zero_()
    assert torch.equal(cache.get_layer("m", 0, "nf4")(cases[0][1]), cases[0][0](cases[0][1]))
    (path, *_) = files(tmp_path)
    with bq.open_file(path) as file:  # codes, not bytes that only Python reads
        assert file.info(":weight").format is not None


def test_a_module_of_a_class_that_nobody_knows_needs_one_of_it(tmp_path):
    torch = pytest.importorskip("torch")
    from torch import nn

    from bitnet_quant.torch import QuantizedLinear, quantize_model

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.gate = nn.Linear(8, 16), nn.Parameter(torch.randn(16))

        def forward(self, x):
            return self.up(x) * self.gate

    block, x = quantize_model(Block(), "nf4"), torch.randn(3, 8)
    cache = LayerCache(tmp_path)
    cache.cache_layer("m", 0, block)
    with pytest.raises(TypeError, match="Block.*into="):
        cache.get_layer("m", 0)
    found = cache.get_layer("m", 0, into=Block())
    assert isinstance(found.up, QuantizedLinear) and torch.equal(found(x), block(x))
    with pytest.raises((AttributeError, RuntimeError)):
        cache.get_layer("m", 0, into=nn.Linear(8, 16))


def test_tensors_of_torch_in_a_mapping(tmp_path):
    torch = pytest.importorskip("torch")
    cache = LayerCache(tmp_path)
    values = torch.randn(4)
    cache.cache_layer("m", 0, {"a": values, "b": values.bfloat16(), "n": torch.arange(3)})
    found = cache.get_layer("m", 0)
    assert np.array_equal(found["a"], values.numpy()) and list(found["n"]) == [0, 1, 2]
    assert np.array_equal(bq.bfloat16_to_float32(found["b"]),
                          values.bfloat16().float().numpy())
