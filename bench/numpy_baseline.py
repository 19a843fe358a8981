"""What numpy needs for the same work as quantize/*/RAM/1: float32 input bytes per second.

    OMP_NUM_THREADS=1 python3 bench/numpy_baseline.py

Each function is how one would write the format in numpy, in groups of 128, with memory for
temporaries but nothing needless.
"""
import time

import numpy as np

GROUP = 128
FLOATS = 64 << 20  # 256 MiB, as tier RAM


def ternary(x):
    absmean = np.abs(x).mean(axis=1, keepdims=True, dtype=np.float64)
    scale = np.maximum(absmean, 1e-5).astype(np.float32)
    codes = np.clip(np.rint(x * (1 / scale)), -1, 1).astype(np.uint8) + np.uint8(1)
    c = codes.reshape(-1, 4)
    return c[:, 0] | c[:, 1] << 2 | c[:, 2] << 4 | c[:, 3] << 6, scale


def int8(x):
    scale = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
    return np.clip(np.rint(x * (1 / scale)), -127, 127).astype(np.int8), scale


def main():
    x = np.random.default_rng(0).standard_normal(FLOATS, dtype=np.float32).reshape(-1, GROUP)
    for function in ternary, int8:
        function(x[:1024])
        times = []
        for _ in range(3):
            start = time.perf_counter()
            function(x)
            times.append(time.perf_counter() - start)
        print(f"numpy {function.__name__}: {x.nbytes / sorted(times)[1] / 1e9:.2f} GB/s")


if __name__ == "__main__":
    main()
