"""Memory of the caller's: a pool over a buffer is used, gets everything back, and lives
as long as it is needed."""
import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import bitnet_quant as bq
from bitnet_quant import memory
from conftest import DIGITS

WEIGHTS = np.random.default_rng(0).standard_normal((256, 512), dtype=np.float32)


def lies_in(array, buffer):
    begin, end = array.ctypes.data, array.ctypes.data + array.nbytes
    start = np.frombuffer(buffer, np.uint8).ctypes.data
    return start <= begin and end <= start + len(buffer)


def test_a_tensor_lies_in_the_buffer_and_is_the_same():
    buffer = bytearray(1 << 20)
    pool = bq.BufferAllocator(buffer)
    context = bq.Context(threads=2, allocator=pool)
    tensor = bq.quantize(WEIGHTS, "nf4_double_quant", context=context)
    plain = bq.quantize(WEIGHTS, "nf4_double_quant")
    for name, part in tensor.parts.items():
        assert lies_in(part, buffer), name
        assert np.array_equal(part, plain.parts[name])
    assert pool.capacity == 1 << 20
    assert tensor.nbytes <= pool.used <= tensor.nbytes + 64 * 10
    assert pool.peak >= pool.used and pool.allocations > 0
    codes = tensor.codes
    del tensor, context, part
    assert pool.used > 0 and np.array_equal(codes, plain.codes)  # a view keeps it
    del codes
    gc.collect()
    assert pool.used == 0


def test_all_of_the_library_takes_from_it_and_gives_back(tmp_path):
    pool = bq.BufferAllocator(np.empty(16 << 20, np.uint8))
    context = bq.Context(allocator=pool, mmap=False)

    def work():
        before = pool.allocations
        bq.quantize_file(DIGITS, tmp_path / "m.bnq", "int4_per_group_32", overwrite=True,
                         context=context)
        with bq.open_file(tmp_path / "m.bnq", context=context) as file:
            linear = bq.QuantLinear(file["layers.0.weight"], input="int8", context=context)
            linear(np.ones((4, 64), np.float32), context=context)
        assert pool.allocations > before + 3

    for _ in range(3):
        work()
        gc.collect()
        assert pool.used == 0
    assert pool._begins and len(pool._begins) == 1  # it has joined again


def test_what_does_not_fit_is_an_error_that_leaves_nothing():
    pool = bq.BufferAllocator(bytearray(64_000))
    context = bq.Context(allocator=pool)
    small = bq.quantize(WEIGHTS[:16], "int8_per_channel", context=context)
    used = pool.used
    for _ in range(3):
        with pytest.raises(bq.OutOfMemoryError):
            bq.quantize(WEIGHTS, "int8_per_channel", context=context)
        assert pool.used == used
    assert small.dequantize().shape == (16, 512)
    assert bq.BufferAllocator(bytearray(1)).allocate(1) is None


def test_blocks_do_not_overlap_and_join_again():
    pool = bq.BufferAllocator(np.empty(1 << 16, np.uint8))
    rng, blocks, lowest = np.random.default_rng(1), {}, pool._begins[0]
    for _ in range(3000):
        if blocks and rng.random() < 0.5:
            address = list(blocks)[rng.integers(len(blocks))]
            pool.free(address)
            del blocks[address]
        else:
            size = int(rng.integers(0, 5000))
            address = pool.allocate(size)
            if address is not None:
                assert address % 64 == 0
                assert all(address + size <= other or other + length <= address
                           for other, length in blocks.items())
                blocks[address] = max(size, 1)
    assert pool.used >= sum(blocks.values())
    for address in blocks:
        pool.free(address)
    assert pool.used == 0 and pool._begins == [lowest]


def test_threads_share_a_pool():
    pool = bq.BufferAllocator(np.empty(32 << 20, np.uint8))
    expected, wrong = bq.quantize(WEIGHTS, "int4").codes, []

    def work():
        context = bq.Context(threads=2, allocator=pool)
        for _ in range(20):
            if not np.array_equal(bq.quantize(WEIGHTS, "int4", context=context).codes, expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert not wrong and pool.used == 0


def test_a_buffer_lives_as_long_as_what_lies_in_it_and_no_longer():
    class Buffer(bytearray):
        pass

    buffer = Buffer(1 << 20)
    gone = weakref.ref(buffer)
    states = len(memory._states)
    tensor = bq.quantize(WEIGHTS, "int8_per_channel",
                         context=bq.Context(allocator=bq.BufferAllocator(buffer)))
    del buffer
    gc.collect()
    assert gone() is not None
    assert np.array_equal(tensor.codes, bq.quantize(WEIGHTS, "int8_per_channel").codes)
    del tensor
    gc.collect()
    assert gone() is None and len(memory._states) == states


def test_an_allocator_of_ones_own_is_asked_and_what_it_raises_is_no_memory(monkeypatch):
    class Counting:
        def __init__(self):
            self.blocks, self.fail = {}, False

        def allocate(self, nbytes):
            if self.fail:
                raise RuntimeError("no more")
            block = np.empty(nbytes + 64, np.uint8)
            address = block.ctypes.data + -block.ctypes.data % 64
            self.blocks[address] = block
            return address

        def free(self, address):
            del self.blocks[address]

    own, seen = Counting(), []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(
        unraisable.exc_value))
    context = bq.Context(allocator=own)
    tensor = bq.quantize(WEIGHTS, "nf4", context=context)
    assert own.blocks
    own.fail = True
    with pytest.raises(bq.OutOfMemoryError):
        bq.quantize(WEIGHTS, "nf4", context=context)
    assert str(seen[0]) == "no more"
    del tensor, context
    gc.collect()
    assert not own.blocks


@pytest.mark.parametrize("wrong", [b"read only", np.zeros(4).tolist(), object()])
def test_what_is_no_buffer_or_allocator_is_an_error(wrong):
    with pytest.raises((TypeError, ValueError)):
        bq.BufferAllocator(wrong)
    with pytest.raises(TypeError, match="allocate"):
        bq.Context(allocator=wrong)
