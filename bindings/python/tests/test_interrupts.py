"""Ctrl-C in the middle of native work that has no progress callback."""
import ctypes
import signal

import numpy as np
import pytest

import bitnet_quant as bq
from bitnet_quant import _abi
from bitnet_quant._loader import library

VALUES = np.sin(np.arange(1 << 20, dtype=np.float32)).reshape(1024, 1024)


def interrupting():
    """A context whose runner raises SIGINT as it begins: a moment that does not depend
    on luck. The library asks behind each task."""
    @_abi._run_fn
    def run(_, count, task, task_opaque):
        signal.raise_signal(signal.SIGINT)
        for index in range(count):
            task(task_opaque, index, 0)
        return 0

    runner, context = _abi.bnq_runner(run, None, 2), bq.Context()
    library().bnq_context_set_runner(context._handle, ctypes.byref(runner))
    context.keep = run
    return context


def test_operations_without_progress():
    calibrator = bq.Calibrator(method="kl", granularity="channel")
    calibrator.observe(VALUES)
    tensor = bq.quantize(VALUES, "int8_symmetric")
    handler = signal.getsignal(signal.SIGINT)
    for work in (lambda context: calibrator.observe(VALUES, context=context),
                 lambda context: calibrator.range(context=context),
                 lambda context: bq.quantize(VALUES, "int8_symmetric", context=context),
                 lambda context: tensor.dequantize(context=context),
                 lambda context: bq.compare(VALUES, tensor, context=context)):
        with pytest.raises(KeyboardInterrupt) as caught:
            work(interrupting())
        assert caught.value.__context__ is None
        assert signal.getsignal(signal.SIGINT) is handler
    calibrator.observe(VALUES)  # and it is none the worse


def test_the_default_context_is_asked_too():
    """A handler of the caller's that does not raise goes on."""
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    assert bq.quantize(VALUES, "int8_symmetric", context=interrupting()).shape == VALUES.shape
    assert seen
