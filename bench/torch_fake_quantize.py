"""Fake quantization beside PyTorch's fake_quantize_per_tensor_affine, in one run.

    BNQ_LIBRARY=build/libbnq.so PYTHONPATH=bindings/python/src \\
        python3 bench/torch_fake_quantize.py

int8 with one given scale, forward (into memory that is there) and backward (the gradient of
the array). One thread each; the median of eleven rounds in turn. PyTorch's results are new
memory, which is counted: its interface has no other way.
"""
import statistics
import time

import numpy as np
import torch

import bitnet_quant as bq

ROUNDS = 11


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    torch.set_num_threads(1)
    scale = 0.03
    config = bq.Config.from_text("int8,granularity=tensor,scheme=asymmetric")
    params = bq.range_params(-128 * scale, 127 * scale, config)
    params.scales[:], params.zero_points[:] = scale, 0
    print(f"PyTorch {torch.__version__}, libbnq {bq.version()}: times PyTorch needs as long")
    for name, count in (("512 KiB", 1 << 17), ("256 MiB", 1 << 26)):
        x = np.random.default_rng(1).standard_normal(count, np.float32)
        out, dx = np.empty_like(x), np.empty_like(x)
        tensor = torch.from_numpy(x).requires_grad_()
        ours = bq.fake_quantize(x, config, params=params, out=out)
        forward, backward = [], []
        for _ in range(ROUNDS):
            made = []
            theirs = seconds(lambda: made.append(
                torch.fake_quantize_per_tensor_affine(tensor, scale, 0, -128, 127)))
            forward.append(theirs / seconds(
                lambda: bq.fake_quantize(x, config, params=params, out=out)))
            dy = torch.ones_like(tensor)
            theirs = seconds(lambda: torch.autograd.grad(made[0], tensor, dy))
            backward.append(theirs / seconds(
                lambda: bq.fake_quantize_gradient(x, dy.numpy(), ours, out=dx, of_params=False)))
            assert np.array_equal(made[0].detach().numpy(), out)
        print(f"{name:8} forward {statistics.median(forward):5.2f}  "
              f"backward {statistics.median(backward):5.2f}")


if __name__ == "__main__":
    main()
