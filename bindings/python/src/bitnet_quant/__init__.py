"""Low-bit quantization of neural-network weights, by libbnq.

    import bitnet_quant as bq

    tensor = bq.quantize(weights, "nf4_double_quant")
    print(tensor.bits_per_weight, bq.compare(weights, tensor).sqnr_db)
    restored = tensor.dequantize()

    bq.quantize_file("model.safetensors", "model.bnq", format="int4", group_size=64)

    calibrator = bq.Calibrator(method="kl")
    calibrator.observe(activations)
    codes, clamped = bq.quantize_calibrated(activations, calibrator)

Everything here may be used from several threads at once, except a Plan, Writer,
Calibrator or Calibration that is being changed. Long calls release the
interpreter's lock.
"""
from ._arrays import bfloat16_to_float32
from ._loader import library_path
from .activations import (ActivationFunction, activate, activation_functions, layer_norm, rms_norm,
                          softmax)
from .batch import dequantize_batch, quantize_batch
from .cache import Cache, CachedTensor, CacheEntry, CacheStatistics
from .calibration import (Calibration, CalibrationMethod, Calibrator, Histogram,
                          QuantizationParams, Range, Statistics)
from .comparison import (ErrorHistogram, Metrics, QuantizationMetrics, compare,
                         compare_histogram)
from .config import Config
from .context import Context
from .conversion import (Plan, PlanMatch, Report, ReportRow, compare_files, dequantize_file,
                         quantize_file)
from .convolution import QuantConvolution
from .dataset import Batch, CalibrationDataset
from .engine import (BatchQuantizer, CompressionStats, QuantConfig, QuantizationConfig,
                     QuantizationEngine, QuantizedActivation, TernaryWeight, WeightLoader,
                     WeightLoaderConfig, compute_quantization_error, create_aggressive_config,
                     create_default_config, dequantize_activations, dequantize_weights,
                     estimate_model_size, load_and_quantize, load_weights,
                     quantize_activations_int8, quantize_weights_ternary)
from .errors import (BitNetQuantError, CancelledError, CorruptFileError, ExistsError,
                     InputOutputError, InternalError, InvalidArgumentError, LibraryLoadError,
                     MissingFileError, NoDataError, NonFiniteError, NotFoundError,
                     OutOfMemoryError, UnsupportedError)
from .files import File, TensorInfo, Writer, open_file
from .interchange import Layout, export_file, import_file, interchange_options, layouts
from .layers import Layer, Layers, LayerStatistics
from .linear import Operator, QuantLinear, embedding, new_workspace, run_many
from .memory import Allocator, BufferAllocator
from .optimization import Figures, Optimization, OptimizationMethod, Optimizer
from .post_training import (AdaptiveActivationQuantizer, PostTrainingQuantization,
                            StaticQuantization, post_training_quantization,
                            post_training_quantize_file, quantize_calibrated, quantize_static,
                            quantize_tensor_auto, quantize_tensor_percentile)
from .progress import Progress
from .recipes import Recipes
from .registry import (Format, Option, Preset, Target, cache_options, calibration_options,
                       figures, formats, metrics, operator_options, optimization_options, options,
                       phase_options, presets, statistics, targets, training_options, version)
from .sensitivity import (AllocatedTensor, Allocation, Measurement, Sensitivity, SizeEstimate,
                          analyze_file, candidates, estimate_file, layer_kind)
from .tensor import (QuantizedTensor, Sizes, dynamic_map, pack, quantize, quantize_into,
                     quantized_sizes)
from .training import (FakeQuantized, Gradients, LayerTraining, Phase, Schedule, ScheduleState,
                       Training, fake_quantize, fake_quantize_gradient, param_count, range_params)
from .training_statistics import TrainingStatistics, TrainingSummary

__version__ = "0.1.0"

__all__ = [
    "BatchQuantizer", "CompressionStats", "QuantConfig", "QuantizationConfig",
    "QuantizationEngine", "QuantizedActivation", "TernaryWeight", "WeightLoader",
    "WeightLoaderConfig", "compute_quantization_error", "create_aggressive_config",
    "create_default_config", "dequantize_activations", "dequantize_weights",
    "estimate_model_size", "load_and_quantize", "load_weights", "quantize_activations_int8",
    "quantize_weights_ternary",
    "FakeQuantized", "Gradients", "LayerTraining", "Phase", "Schedule", "ScheduleState", "Training",
    "TrainingStatistics", "TrainingSummary",
    "fake_quantize", "fake_quantize_gradient", "param_count", "phase_options", "range_params",
    "training_options",
    "Layout", "export_file", "import_file", "interchange_options", "layouts",
    "AllocatedTensor", "Allocation", "Measurement", "Recipes", "Sensitivity", "SizeEstimate",
    "analyze_file", "candidates", "estimate_file", "layer_kind",
    "Allocator", "BufferAllocator",
    "ActivationFunction", "activate", "activation_functions", "layer_norm", "rms_norm",
    "softmax", "AdaptiveActivationQuantizer", "Batch", "BitNetQuantError", "Cache", "CacheEntry",
    "CacheStatistics", "CachedTensor", "Calibration", "CalibrationDataset", "CalibrationMethod",
    "Calibrator", "CancelledError", "Config", "Context", "CorruptFileError", "ErrorHistogram",
    "ExistsError", "Figures", "File", "Format", "Histogram", "InputOutputError", "InternalError",
    "InvalidArgumentError", "Layer", "LayerStatistics", "Layers", "LibraryLoadError", "Metrics",
    "MissingFileError", "NoDataError", "NonFiniteError", "NotFoundError", "Operator",
    "Optimization", "OptimizationMethod", "Optimizer", "Option", "OutOfMemoryError", "Plan",
    "PlanMatch", "PostTrainingQuantization", "Preset", "Progress", "QuantConvolution",
    "QuantLinear", "QuantizationMetrics", "QuantizationParams", "QuantizedTensor", "Range",
    "Report", "ReportRow", "Sizes", "StaticQuantization", "Statistics", "Target", "TensorInfo",
    "UnsupportedError", "Writer", "bfloat16_to_float32", "cache_options", "calibration_options",
    "compare", "compare_files", "compare_histogram", "dequantize_batch", "dequantize_file",
    "dynamic_map", "embedding", "figures", "formats", "library_path", "metrics", "new_workspace",
    "open_file", "operator_options", "optimization_options", "options", "pack",
    "post_training_quantization", "post_training_quantize_file", "presets", "quantize",
    "quantize_batch", "quantize_calibrated", "quantize_file", "quantize_into", "quantize_static",
    "quantize_tensor_auto", "quantize_tensor_percentile", "quantized_sizes", "run_many",
    "statistics", "targets", "version",
]
