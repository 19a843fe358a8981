"""Ternary weights and int8 activations, in the classes and functions of Ryzanstein's
quantization API:

    engine = QuantizationEngine(QuantizationConfig(weight_group_size=128))
    ternary = engine.quantize_weights(weights)
    print(engine.quantize_and_measure(weights)["error"])
    model = load_and_quantize("model.safetensors")

They are other words for Config, QuantizedTensor, `compare` and File, which say more. Where
results differ: scales have the least squared error (Ryzanstein's rule, that of Ternary
Weight Networks, has more), sizes are exact instead of a fixed share, a cached result is
of the array and config that were given, whatever their name, and what fails raises.
"""
from .quantization import (BatchQuantizer, QuantConfig, QuantizationConfig, QuantizationEngine,
                           QuantizedActivation, TernaryWeight, compute_quantization_error,
                           create_aggressive_config, create_default_config,
                           dequantize_activations, dequantize_weights, estimate_model_size,
                           quantize_activations_int8, quantize_weights_ternary)
from .weight_loader import (CompressionStats, LayerStats, WeightLoader, WeightLoaderConfig,
                            load_and_quantize, load_weights)

__all__ = [
    "BatchQuantizer", "CompressionStats", "LayerStats", "QuantConfig", "QuantizationConfig",
    "QuantizationEngine", "QuantizedActivation", "TernaryWeight", "WeightLoader",
    "WeightLoaderConfig", "compute_quantization_error", "create_aggressive_config",
    "create_default_config", "dequantize_activations", "dequantize_weights",
    "estimate_model_size", "load_and_quantize", "load_weights", "quantize_activations_int8",
    "quantize_weights_ternary",
]
