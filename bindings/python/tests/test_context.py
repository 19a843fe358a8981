"""Contexts, and what becomes of them in the child of a fork."""
import multiprocessing
import os
import signal

import numpy as np
import pytest

import bitnet_quant as bq

WEIGHTS = np.random.default_rng(5).standard_normal((512, 1024)).astype(np.float32)

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")


def in_child(work):
    """Whether work() returned, and nothing hung, in a child of this process."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


@forks
def test_a_forked_child_drops_and_uses_what_its_parent_made():
    context = bq.Context(threads=2)
    tensor = bq.quantize(WEIGHTS, "int8_symmetric", context=context)
    codes = bytes(tensor.codes)
    calibrator = bq.Calibrator()
    calibrator.observe(WEIGHTS, context=context)

    def drop():
        nonlocal context
        context = None

    def use():
        again = bq.quantize(WEIGHTS, tensor.config, context=context)
        assert bytes(again.codes) == codes
        np.testing.assert_array_equal(tensor.dequantize(context=context), again.dequantize())
        calibrator.observe(2 * WEIGHTS, context=context)
        assert calibrator.range().hi[0] == 2 * np.abs(WEIGHTS).max()
        assert in_child(lambda: bq.quantize(WEIGHTS, tensor.config, context=context))

    assert in_child(drop)
    assert in_child(use)
    assert bytes(bq.quantize(WEIGHTS, tensor.config, context=context).codes) == codes


shared = None


def mean_code(scale):
    return float(bq.quantize(scale * WEIGHTS, "int8_symmetric", context=shared).unpack().mean())


@forks
# The interpreter's own threads would make a fork unsafe; a pool's are another matter.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_multiprocessing_works_with_a_context_that_was_in_use():
    global shared
    shared = bq.Context(threads=2)
    expected = [mean_code(scale) for scale in (1, 2, 3, 4)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(mean_code, (1, 2, 3, 4)).get(timeout=60) == expected
    shared = None
