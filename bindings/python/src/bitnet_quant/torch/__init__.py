"""Quantized modules for PyTorch, 1.13 or newer, on the CPU, and the names of SLI's
quantization module:

    from bitnet_quant.torch import LayerQuantizer, QuantizationConfig, QuantizationMode

    quantizer = LayerQuantizer(QuantizationConfig(mode=QuantizationMode.NF4))
    layer = quantizer.quantize_layer(layer, "model.layers.0.mlp.up_proj")

    quantize_model(model, "nf4_double_quant")       # any config, or a Plan

Linear, Conv1d, Conv2d and Embedding become modules that run on the packed codes: there is
no dequantized copy. They are in state_dict as tensors of bytes, are copied, pickled and
moved between types as modules are, and take float32, float16, bfloat16 and float64.
Gradients of inputs and biases are those of the dequantized weights, which do not change.
"""
try:
    import torch as _torch
except ImportError as error:
    raise ImportError("bitnet_quant.torch needs torch, PyTorch 1.13 or newer, which cannot be "
                      f"imported ({error}); bitnet_quant itself does not: quantize() and "
                      "QuantLinear work on numpy arrays") from error

from ._memory import from_numpy, to_numpy
from .modules import (QuantizedConv1d, QuantizedConv2d, QuantizedEmbedding, QuantizedLinear,
                      QuantizedModule, dequantize_module, quantize_model, quantize_module)
from .quantization import (BITSANDBYTES_AVAILABLE, AdaptiveQuantizer, LayerQuantizer,
                           QuantizationConfig, QuantizationMode, QuantizationRegistry,
                           dequantize_layer, get_fp4_config, get_int8_config,
                           get_mixed_precision_config, get_nf4_config, quantize_layer)
from .training import BitLinear, FakeQuantize, LSQLinear, QATScheduler, convert, prepare_qat

__all__ = [
    "AdaptiveQuantizer", "BITSANDBYTES_AVAILABLE", "BitLinear", "FakeQuantize", "LSQLinear",
    "LayerQuantizer", "QATScheduler", "QuantizationConfig", "QuantizationMode",
    "QuantizationRegistry", "QuantizedConv1d", "QuantizedConv2d", "QuantizedEmbedding",
    "QuantizedLinear", "QuantizedModule", "convert", "dequantize_layer", "dequantize_module",
    "from_numpy", "get_fp4_config", "get_int8_config", "get_mixed_precision_config",
    "get_nf4_config", "prepare_qat", "quantize_layer", "quantize_model", "quantize_module",
    "to_numpy",
]
