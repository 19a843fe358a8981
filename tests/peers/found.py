#!/usr/bin/env python3
"""Says which peers are there, and which tests will be skipped for want of one."""
import find
import ggml
import libtorch
import llama
import onnx_runtime

for name, load in (("ggml", ggml.version), ("llama.cpp", llama.library),
                   ("ONNX Runtime", onnx_runtime.version), ("libtorch", libtorch.library)):
    try:
        found = load()
        print(name, found if isinstance(found, str) else "", "is there")
    except find.NotFound as error:
        print(f"*** SKIPPED: nothing is compared with {name}: {error}")
