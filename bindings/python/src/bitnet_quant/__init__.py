"""Low-bit quantization of neural-network weights, by libbnq.

    import bitnet_quant as bq

    tensor = bq.quantize(weights, "nf4_double_quant")
    print(tensor.bits_per_weight, bq.compare(weights, tensor).sqnr_db)
    restored = tensor.dequantize()

    bq.quantize_file("model.safetensors", "model.bnq", format="int4", group_size=64)

Everything here may be used from several threads at once, except a Plan or a
Writer that is being changed. Long calls release the interpreter's lock.
"""
from ._loader import library_path
from .batch import dequantize_batch, quantize_batch
from .comparison import Metrics, compare
from .config import Config
from .context import Context
from .conversion import (Plan, PlanMatch, Report, ReportRow, compare_files, dequantize_file,
                         quantize_file)
from .errors import (BitNetQuantError, CancelledError, CorruptFileError, ExistsError,
                     InputOutputError, InternalError, InvalidArgumentError, LibraryLoadError,
                     MissingFileError, NoDataError, NonFiniteError, NotFoundError,
                     OutOfMemoryError, UnsupportedError)
from .files import File, TensorInfo, Writer, open_file
from .progress import Progress
from .registry import (Format, Option, Preset, Target, formats, metrics, options, presets,
                       targets, version)
from .tensor import (QuantizedTensor, Sizes, dynamic_map, pack, quantize, quantize_into,
                     quantized_sizes)

__version__ = "0.1.0"

__all__ = [
    "BitNetQuantError", "CancelledError", "Config", "Context", "CorruptFileError", "ExistsError",
    "File", "Format", "InputOutputError", "InternalError", "InvalidArgumentError",
    "LibraryLoadError", "Metrics", "MissingFileError", "NoDataError", "NonFiniteError",
    "NotFoundError", "Option", "OutOfMemoryError", "Plan", "PlanMatch", "Preset", "Progress",
    "QuantizedTensor", "Report", "ReportRow", "Sizes", "Target", "TensorInfo", "UnsupportedError",
    "Writer", "compare", "compare_files", "dequantize_batch", "dequantize_file", "dynamic_map",
    "formats", "library_path", "metrics", "open_file", "options", "pack", "presets", "quantize",
    "quantize_batch", "quantize_file", "quantize_into", "quantized_sizes", "targets", "version",
]
