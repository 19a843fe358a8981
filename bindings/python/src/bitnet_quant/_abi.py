"""The C ABI of libbnq as declared by bnq.h: the one place that repeats it.

A test compares capi/abi.json, the header's description, with this file, name by name
and type by type, so a function added there is a line added here.
"""
from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER
from ctypes import c_char_p as text
from ctypes import c_double as f64
from ctypes import c_float as f32
from ctypes import c_int8 as i8
from ctypes import c_int32 as i32
from ctypes import c_int64 as i64
from ctypes import c_uint8 as u8
from ctypes import c_uint32 as u32
from ctypes import c_uint64 as u64
from ctypes import c_void_p as address
from typing import Any, Callable, Optional

#: The BNQ_ABI_VERSION this file was written for.
ABI_VERSION = 1

MAX_RANK = 8
MIN_RANK_ALL = -1
MIN_RANK_NAMED = -2
BUDGET_BYTES = 1
BUDGET_BITS = 2
BUDGET_RATIO = 3
ALLOCATE_FUSED_APART = 1
ALLOCATE_EXPERTS_APART = 2
ALLOCATION_BUDGET_BYTES = 0
ALLOCATION_BYTES = 1
ALLOCATION_FIXED_BYTES = 2
ALLOCATION_MIN_BYTES = 3
ALLOCATION_MAX_BYTES = 4
ALLOCATION_BITS = 6
ALLOCATION_RATIO = 7
ALLOCATION_LOSS = 8
ALLOCATION_BOUND = 9
ALLOCATION_GAP = 10
ALLOCATION_LAMBDA = 11
ALLOCATION_PROVEN = 12
NUM_ALLOCATION_VALUES = 13
NUM_ALLOCATION_ROW_VALUES = 14
NUM_SENSITIVITY_VALUES = 6

# Statuses
OK = 0
ERROR_INVALID_ARGUMENT = 1
ERROR_UNSUPPORTED = 2
ERROR_OUT_OF_MEMORY = 3
ERROR_CORRUPT_FILE = 4
ERROR_IO = 5
ERROR_NO_DATA = 6
ERROR_CANCELLED = 7
ERROR_INTERNAL = 8
ERROR_NON_FINITE = 9
ERROR_NOT_FOUND = 10
ERROR_EXISTS = 11

# Only those ids are repeated that the registry cannot be asked for by name.
FORMAT_NONE = 0
FORMAT_CODE_BITS = 1
FORMAT_MIN_GROUP = 2
FORMAT_ASYMMETRIC = 3
FORMAT_MIN_CODE = 4
FORMAT_MAX_CODE = 5
FORMAT_INTEGER = 6
FORMAT_SCALED = 7
OPTIONS_CONFIG = 1
OPTIONS_CALIBRATOR = 2
OPTIONS_OPTIMIZER = 3
OPTIONS_OPERATOR = 4
OPTIONS_CACHE = 6
OPTIONS_TRAINING = 7
OPTIONS_PHASE = 8
OPTIONS_INTERCHANGE = 9
NUM_SCHEDULE_VALUES = 10
OPTION_INT = 0
OPTION_FLOAT = 1
LOG_WARNING = 1
LOG_INFO = 2
TENSOR_BORROW = 1
PART_CODES = 1
PART_SCALES = 2
PART_ZERO_POINTS = 3
PART_OUTLIER_COLUMNS = 4
PART_OUTLIER_VALUES = 5
PART_OFFSETS = 6
PART_TENSOR_SCALE = 7
PART_CODEBOOK = 8
PART_INPUT_SCALES = 9
NUM_PARTS = 9
OVERFLOW_ERROR = 0
OVERFLOW_SATURATE = 1
OVERFLOW_KEEP = 2
FILE_SAFETENSORS = 1
FILE_BNQ = 2
FILE_SAFETENSORS_INDEX = 3
FILE_NPY = 4
FILE_BNQ_INDEX = 5
FILE_GGUF = 6
OPEN_READ = 1
OPEN_SOURCE = 2
OPEN_RAW = 4
LAYOUT_READ = 1
LAYOUT_WRITTEN = 2
WRITE_OVERWRITE = 1
WRITE_COMPRESS = 2
WRITE_DRY_RUN = 4
WRITE_REPLACE_LINK = 8
WRITE_RESUME = 16
WRITE_RESTART = 32
WRITE_REQUANTIZE = 64
ALL_CHANNELS = 2**64 - 1
ROLE_WEIGHTS = 0
ROLE_ACTIVATIONS = 1


class status(ctypes.c_int32):
    """bnq_status as a return type: apart from int32_t, so that every function
    returning one can be given the check that raises."""


# Opaque handles. A type for each makes ctypes refuse one in place of another.
class bnq_context(ctypes.Structure):
    pass


class bnq_options(ctypes.Structure):
    pass


class bnq_config(ctypes.Structure):
    pass


class bnq_tensor(ctypes.Structure):
    pass


class bnq_file(ctypes.Structure):
    pass


class bnq_writer(ctypes.Structure):
    pass


class bnq_plan(ctypes.Structure):
    pass


class bnq_recipes(ctypes.Structure):
    pass


class bnq_report(ctypes.Structure):
    pass


class bnq_sensitivity(ctypes.Structure):
    pass


class bnq_allocation(ctypes.Structure):
    pass


class bnq_calibrator(ctypes.Structure):
    pass


class bnq_batches(ctypes.Structure):
    pass


class bnq_calibration(ctypes.Structure):
    pass


class bnq_optimizer(ctypes.Structure):
    pass


class bnq_operator(ctypes.Structure):
    pass


class bnq_linear(ctypes.Structure):
    pass


class bnq_convolution(ctypes.Structure):
    pass


class bnq_training(ctypes.Structure):
    pass


class bnq_training_statistics(ctypes.Structure):
    pass


class bnq_interchange(ctypes.Structure):
    pass


class bnq_phase(ctypes.Structure):
    pass


class bnq_schedule(ctypes.Structure):
    pass


class bnq_cache(ctypes.Structure):
    pass


class bnq_cache_list(ctypes.Structure):
    pass


class bnq_layers(ctypes.Structure):
    pass


class bnq_layer(ctypes.Structure):
    pass


class bnq_array(ctypes.Structure):
    _fields_ = [
        ("data", address),
        ("shape", POINTER(u64)),
        ("dtype", i32),
        ("rank", i32),
    ]


class bnq_part(ctypes.Structure):
    _fields_ = [
        ("data", address),
        ("bytes", u64),
        ("count", u64),
        ("part", i32),
        ("dtype", i32),
    ]


class bnq_matrix(ctypes.Structure):
    _fields_ = [
        ("data", address),
        ("scales", POINTER(f32)),
        ("zero_points", POINTER(i32)),
        ("rows", u64),
        ("columns", u64),
        ("row_stride", u64),
        ("dtype", i32),
        ("reserved", i32),
    ]


bnq_task_fn = CFUNCTYPE(None, address, u64, u32)
bnq_log_fn = CFUNCTYPE(None, address, i32, text)
bnq_progress_fn = CFUNCTYPE(i32, address, u64, u64, text)
bnq_interrupt_fn = CFUNCTYPE(i32, address)
bnq_sensitivity_fn = CFUNCTYPE(i32, address, text, POINTER(bnq_config), POINTER(f64))
bnq_metric_fn = CFUNCTYPE(i32, address, POINTER(f32), POINTER(f32), u64, POINTER(f64))
_alloc_fn = CFUNCTYPE(address, address, u64)
_free_fn = CFUNCTYPE(None, address, address)
_run_fn = CFUNCTYPE(i32, address, u64, bnq_task_fn, address)


class bnq_allocator(ctypes.Structure):
    _fields_ = [("alloc", _alloc_fn), ("free", _free_fn), ("opaque", address)]


class bnq_runner(ctypes.Structure):
    _fields_ = [("run", _run_fn), ("opaque", address), ("workers", u32)]


_context, _config, _tensor = POINTER(bnq_context), POINTER(bnq_config), POINTER(bnq_tensor)
_file, _writer, _plan = POINTER(bnq_file), POINTER(bnq_writer), POINTER(bnq_plan)
_recipes = POINTER(bnq_recipes)
_sensitivity, _allocation = POINTER(bnq_sensitivity), POINTER(bnq_allocation)
_configs = POINTER(_config)
_report, _array = POINTER(bnq_report), POINTER(bnq_array)
_matrix = POINTER(bnq_matrix)
_calibrator, _calibration = POINTER(bnq_calibrator), POINTER(bnq_calibration)
_batches = POINTER(bnq_batches)
_optimizer, _options = POINTER(bnq_optimizer), POINTER(bnq_options)
_operator, _linear = POINTER(bnq_operator), POINTER(bnq_linear)
_cache, _cache_list = POINTER(bnq_cache), POINTER(bnq_cache_list)
_training, _phase, _schedule = POINTER(bnq_training), POINTER(bnq_phase), POINTER(bnq_schedule)
_training_statistics = POINTER(bnq_training_statistics)
_layers, _layer = POINTER(bnq_layers), POINTER(bnq_layer)
_interchange = POINTER(bnq_interchange)
_i32p, _i64p, _u64p, _f64p = POINTER(i32), POINTER(i64), POINTER(u64), POINTER(f64)
_i8p, _u8p, _u32p, _f32p = POINTER(i8), POINTER(u8), POINTER(u32), POINTER(f32)
# Lists of pointers, for batches.
_linears, _convolution = POINTER(_linear), POINTER(bnq_convolution)
_tensors, _addresses = POINTER(_tensor), POINTER(address)
_i8pp, _u8pp = POINTER(_i8p), POINTER(_u8p)

#: Name -> (type of the result, types of the parameters), in the header's order.
PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    # Version, status, the last error
    "bnq_version": (u32, []),
    "bnq_abi_version": (u32, []),
    "bnq_version_string": (text, []),
    "bnq_status_name": (text, [i32]),
    "bnq_last_error": (text, []),
    # Registry
    "bnq_dtype_name": (text, [i32]),
    "bnq_dtype_id": (status, [text, _i32p]),
    "bnq_dtype_bits": (u32, [i32]),
    "bnq_dtype_is_source": (i32, [i32]),
    "bnq_dtype_is_target": (i32, [i32]),
    "bnq_format_count": (u32, []),
    "bnq_format_at": (status, [u32, _i32p]),
    "bnq_format_name": (text, [i32]),
    "bnq_format_id": (status, [text, _i32p]),
    "bnq_format_description": (text, [i32]),
    "bnq_format_property": (status, [i32, i32, _i64p]),
    "bnq_format_supports": (status, [i32, text, text]),
    "bnq_metric_count": (u32, []),
    "bnq_metric_name": (text, [u32]),
    "bnq_suggest": (text, [text, POINTER(text), u64]),
    "bnq_target_count": (u32, []),
    "bnq_target_name": (text, [u32]),
    "bnq_target_supported": (i32, [u32]),
    "bnq_target_active": (text, []),
    # Context
    "bnq_context_create": (status, [POINTER(bnq_allocator), POINTER(_context)]),
    "bnq_context_destroy": (None, [_context]),
    "bnq_context_set_threads": (status, [_context, i32]),
    "bnq_context_threads": (i32, [_context]),
    "bnq_context_set_runner": (status, [_context, POINTER(bnq_runner)]),
    "bnq_context_set_log": (status, [_context, bnq_log_fn, address, i32]),
    "bnq_context_set_interrupt": (status, [_context, bnq_interrupt_fn, address]),
    "bnq_context_set_mapping": (status, [_context, i32]),
    "bnq_context_hold_outputs": (status, [_context]),
    "bnq_context_place_outputs": (status, [_context]),
    # Options and config
    "bnq_options_kind": (i32, [_options]),
    "bnq_options_set_int": (status, [_options, i32, i64]),
    "bnq_options_set_float": (status, [_options, i32, f64]),
    "bnq_options_set_text": (status, [_options, text, text]),
    "bnq_options_get_int": (status, [_options, i32, _i64p]),
    "bnq_options_get_float": (status, [_options, i32, _f64p]),
    "bnq_options_get_text": (status, [_options, text, text, u64, _u64p]),
    "bnq_options_advice": (status, [_options, text, u64, _u64p]),
    "bnq_option_kind_count": (u32, []),
    "bnq_option_kind_at": (status, [u32, _i32p]),
    "bnq_option_kind_name": (text, [i32]),
    "bnq_option_count": (u32, [i32]),
    "bnq_option_at": (status, [i32, u32, _i32p]),
    "bnq_option_name": (text, [i32, i32]),
    "bnq_option_description": (text, [i32, i32]),
    "bnq_option_id": (status, [i32, text, _i32p]),
    "bnq_option_bounds": (status, [i32, i32, _i32p, _f64p, _f64p, _f64p]),
    "bnq_option_value_name": (text, [i32, i32, i64]),
    "bnq_option_value_description": (text, [i32, i32, i64]),
    "bnq_config_create": (status, [POINTER(_config)]),
    "bnq_config_clone": (status, [_config, POINTER(_config)]),
    "bnq_config_destroy": (None, [_config]),
    "bnq_config_options": (_options, [_config]),
    "bnq_config_settings": (_options, [_config]),
    "bnq_config_equal": (status, [_config, _config, _i32p]),
    "bnq_config_check": (status, [_config]),
    "bnq_config_bits_per_weight": (status, [_config, POINTER(f64)]),
    "bnq_config_to_text": (status, [_config, text, u64, _u64p]),
    "bnq_config_from_text": (status, [text, POINTER(_config)]),
    "bnq_preset_count": (u32, []),
    "bnq_preset_name": (text, [u32]),
    "bnq_preset_description": (text, [u32]),
    "bnq_config_from_preset": (status, [text, POINTER(_config)]),
    # Arrays and tensors
    "bnq_tensor_quantize": (status, [_context, _config, _array, POINTER(_tensor)]),
    "bnq_tensor_quantize_weighted": (status, [_context, _config, _array,
                                              POINTER(ctypes.c_float), u64, POINTER(_tensor)]),
    "bnq_quantized_sizes": (status, [_config, i32, _u64p, _u64p, _u64p, _u64p]),
    "bnq_quantize": (status, [_context, _config, _array, _u8p, u64, address, u64, _i8p, u64,
                              POINTER(_tensor)]),
    "bnq_quantize_batch": (status, [_context, _config, u64, _array, _u8pp, _u64p, _addresses,
                                    _u64p, _i8pp, _u64p, POINTER(_tensor)]),
    "bnq_part_name": (text, [i32]),
    "bnq_tensor_create": (status, [_context, _config, i32, _u64p, POINTER(bnq_part), u32, i32,
                                   POINTER(_tensor)]),
    "bnq_tensor_destroy": (None, [_tensor]),
    "bnq_tensor_format": (i32, [_tensor]),
    "bnq_tensor_shape": (i32, [_tensor, _u64p]),
    "bnq_tensor_rows": (u64, [_tensor]),
    "bnq_tensor_columns": (u64, [_tensor]),
    "bnq_tensor_options": (_options, [_tensor]),
    "bnq_tensor_config": (status, [_tensor, POINTER(_config)]),
    "bnq_tensor_part": (status, [_tensor, i32, POINTER(bnq_part)]),
    "bnq_tensor_read_scales": (status, [_tensor, _f32p, u64]),
    "bnq_tensor_read_offsets": (status, [_tensor, _f32p, u64]),
    "bnq_tensor_saturated_scales": (u64, [_tensor]),
    "bnq_dynamic_map": (_f32p, []),
    "bnq_tensor_bytes": (u64, [_tensor]),
    "bnq_tensor_bits_per_weight": (f64, [_tensor]),
    "bnq_tensor_unpack": (status, [_context, _tensor, _i8p, u64]),
    "bnq_pack": (status, [_context, _config, i32, _u64p, _i8p, u64, _u8p, u64]),
    "bnq_tensor_repack": (status, [_context, _tensor, i32, POINTER(_tensor)]),
    "bnq_overflow_name": (text, [i32]),
    "bnq_overflow_description": (text, [i32]),
    "bnq_overflow_id": (status, [text, _i32p]),
    "bnq_tensor_dequantize": (status, [_context, _tensor, i32, i32, address, u64]),
    "bnq_tensor_dequantize_rows": (status, [_context, _tensor, u64, u64, i32, i32, address, u64]),
    "bnq_dequantize_batch": (status, [_context, u64, _tensors, i32, i32, _addresses, _u64p]),
    # Metrics
    "bnq_compare": (status, [_context, _array, _array, _f64p, u32]),
    "bnq_tensor_compare": (status, [_context, _array, _tensor, _f64p, u32]),
    # Files
    "bnq_file_open": (status, [_context, text, i32, POINTER(_file)]),
    "bnq_file_open_memory": (status, [_context, address, u64, POINTER(_file)]),
    "bnq_file_close": (None, [_file]),
    "bnq_file_kind": (i32, [_file]),
    "bnq_file_count": (u64, [_file]),
    "bnq_file_find": (status, [_file, text, _u64p]),
    "bnq_file_name": (text, [_file, u64]),
    "bnq_file_shape": (i32, [_file, u64, _u64p]),
    "bnq_file_format": (i32, [_file, u64]),
    "bnq_file_dtype": (i32, [_file, u64]),
    "bnq_file_bytes": (u64, [_file, u64]),
    "bnq_file_stored_bytes": (u64, [_file, u64]),
    "bnq_file_same_as": (text, [_file, u64]),
    "bnq_file_layout": (text, [_file, u64]),
    "bnq_file_config": (status, [_file, u64, POINTER(_config)]),
    "bnq_file_metadata_count": (u64, [_file]),
    "bnq_file_metadata_key": (text, [_file, u64]),
    "bnq_file_metadata_value": (text, [_file, u64]),
    "bnq_file_data": (status, [_file, u64, POINTER(address), _u64p]),
    "bnq_file_read": (status, [_context, _file, u64, address, u64]),
    "bnq_file_tensor": (status, [_context, _file, u64, POINTER(_tensor)]),
    "bnq_file_verify": (status, [_context, _file, bnq_progress_fn, address]),
    "bnq_writer_create": (status, [_context, text, i32, i32, u64, POINTER(_writer)]),
    "bnq_writer_create_memory": (status, [_context, i32, i32, POINTER(_writer)]),
    "bnq_writer_destroy": (None, [_writer]),
    "bnq_writer_set_metadata": (status, [_writer, text, text]),
    "bnq_writer_add_array": (status, [_writer, text, _array]),
    "bnq_writer_add_tensor": (status, [_writer, text, _tensor]),
    "bnq_writer_finish": (status, [_writer]),
    "bnq_writer_bytes": (status, [_writer, POINTER(address), _u64p]),
    "bnq_write_file": (status, [_context, text, address, u64, i32]),
    # Plans, conversion, comparison
    "bnq_plan_create": (status, [POINTER(_plan)]),
    "bnq_plan_destroy": (None, [_plan]),
    "bnq_plan_add": (status, [_plan, text, i32, _config]),
    "bnq_plan_set_importance": (status, [_plan, text, POINTER(ctypes.c_float), u64]),
    "bnq_plan_load_importance": (status, [_context, _plan, text]),
    "bnq_plan_match": (status, [_plan, text, _u64p, i32, _i64p, POINTER(_config)]),
    "bnq_layer_kind": (i32, [_plan, text]),
    "bnq_layer_kind_name": (text, [i32]),
    "bnq_plan_add_model_defaults": (status, [_plan]),
    "bnq_plan_add_adaptive": (status, [_plan, _config, _config, _config]),
    "bnq_config_step_up": (status, [_config, POINTER(_config)]),
    "bnq_plan_to_text": (status, [_plan, text, u64, _u64p]),
    "bnq_plan_add_text": (status, [_plan, _recipes, text]),
    "bnq_plan_load": (status, [_context, _plan, _recipes, text]),
    "bnq_plan_save": (status, [_context, _plan, text, i32]),
    "bnq_recipes_create": (status, [POINTER(_recipes)]),
    "bnq_recipes_destroy": (None, [_recipes]),
    "bnq_recipes_add_config": (status, [_recipes, text, _config]),
    "bnq_recipes_add_plan": (status, [_recipes, text, _plan]),
    "bnq_recipes_add_text": (status, [_recipes, text]),
    "bnq_recipes_to_text": (status, [_recipes, text, u64, _u64p]),
    "bnq_recipes_load": (status, [_context, _recipes, text]),
    "bnq_recipes_save": (status, [_context, _recipes, text, i32]),
    "bnq_recipes_config": (status, [_recipes, text, POINTER(_config)]),
    "bnq_recipes_plan": (status, [_recipes, text, POINTER(_plan)]),
    "bnq_recipes_config_count": (u64, [_recipes]),
    "bnq_recipes_config_name": (text, [_recipes, u64]),
    "bnq_recipes_plan_count": (u64, [_recipes]),
    "bnq_recipes_plan_name": (text, [_recipes, u64]),
    "bnq_quantize_file": (status, [_context, _plan, text, text, i32, u64, bnq_progress_fn,
                                   address, POINTER(_report)]),
    "bnq_dequantize_file": (status, [_context, text, text, i32, i32, i32, u64,
                                     bnq_progress_fn, address, POINTER(_report)]),
    "bnq_compare_files": (status, [_context, text, text, bnq_progress_fn, address,
                                   POINTER(_report)]),
    "bnq_report_destroy": (None, [_report]),
    "bnq_report_count": (u64, [_report]),
    "bnq_report_output": (text, [_report]),
    "bnq_report_dense_share": (f64, [_report]),
    "bnq_report_name": (text, [_report, u64]),
    "bnq_report_shape": (i32, [_report, u64, _u64p]),
    "bnq_report_format": (i32, [_report, u64]),
    "bnq_report_dtype": (i32, [_report, u64]),
    "bnq_report_bytes_before": (u64, [_report, u64]),
    "bnq_report_bytes_after": (u64, [_report, u64]),
    "bnq_report_bits_per_weight": (f64, [_report, u64]),
    "bnq_report_metrics": (status, [_report, u64, _f64p, u32]),
    "bnq_report_note": (text, [_report, u64]),
    "bnq_report_same_as": (text, [_report, u64]),
    # Calibration
    "bnq_calibrator_create": (status, [POINTER(_calibrator)]),
    "bnq_calibrator_destroy": (None, [_calibrator]),
    "bnq_calibrator_clone": (status, [_context, _calibrator, POINTER(_calibrator)]),
    "bnq_calibrator_options": (_options, [_calibrator]),
    "bnq_calibrator_settings": (_options, [_calibrator]),
    "bnq_calibrator_observe": (status, [_context, _calibrator, _array]),
    "bnq_batches_find": (status, [_context, text, text, POINTER(_batches)]),
    "bnq_batches_destroy": (None, [_batches]),
    "bnq_batches_count": (u64, [_batches]),
    "bnq_batches_path": (text, [_batches, u64]),
    "bnq_batches_name": (text, [_batches, u64]),
    "bnq_batches_bytes": (u64, [_batches, u64]),
    "bnq_calibrator_observe_file": (status, [_context, _calibrator, text, text, bnq_progress_fn,
                                             address]),
    "bnq_calibrator_channels": (u64, [_calibrator]),
    "bnq_calibrator_batches": (u64, [_calibrator]),
    "bnq_calibrator_range": (status, [_context, _calibrator, _f32p, _f32p, u64]),
    "bnq_statistic_count": (u32, []),
    "bnq_statistic_name": (text, [u32]),
    "bnq_calibrator_statistics": (status, [_context, _calibrator, u64, _f64p, u32]),
    "bnq_calibrator_histogram": (status, [_calibrator, u64, _u64p, u64, _u64p, _f64p, _f64p]),
    "bnq_calibrator_reset": (status, [_calibrator]),
    "bnq_calibrator_merge": (status, [_context, _calibrator, _calibrator]),
    "bnq_calibrator_serialize": (status, [_context, _calibrator, address, u64, _u64p]),
    "bnq_calibrator_deserialize": (status, [_context, address, u64, POINTER(_calibrator)]),
    # Parameter optimisation
    "bnq_optimizer_create": (status, [POINTER(_optimizer)]),
    "bnq_optimizer_clone": (status, [_optimizer, POINTER(_optimizer)]),
    "bnq_optimizer_destroy": (None, [_optimizer]),
    "bnq_optimizer_options": (_options, [_optimizer]),
    "bnq_optimizer_settings": (_options, [_optimizer]),
    "bnq_optimizer_set_importance": (status, [_optimizer, POINTER(ctypes.c_float), u64]),
    "bnq_optimizer_set_metric": (status, [_optimizer, bnq_metric_fn, address]),
    "bnq_figure_count": (u32, []),
    "bnq_figure_name": (text, [u32]),
    "bnq_optimize": (status, [_context, _optimizer, _config, _array, _array, bnq_progress_fn,
                              address, POINTER(_tensor), _f32p, u64, _f64p, u32]),
    # Post-training quantization
    "bnq_post_training_config": (status, [i32, POINTER(_config)]),
    "bnq_calibrator_create_for": (status, [_config, POINTER(_calibrator)]),
    "bnq_calibrator_params": (status, [_context, _calibrator, _config, _f32p, _i8p, _f32p,
                                       u64]),
    "bnq_tensor_quantize_static": (status, [_context, _config, _array, _f32p, u64, _i8p, u64,
                                            _f32p, u64, _u64p, POINTER(_tensor)]),
    "bnq_tensor_quantize_calibrated": (status, [_context, _config, _calibrator, _array, _u64p,
                                                POINTER(_tensor)]),
    "bnq_quantize_tensor_auto": (status, [_context, _config, i32, _array, POINTER(_tensor)]),
    "bnq_quantize_tensor_percentile": (status, [_context, _config, f64, _array,
                                                POINTER(_tensor)]),
    "bnq_calibration_create": (status, [_calibrator, POINTER(_calibration)]),
    "bnq_calibration_destroy": (None, [_calibration]),
    "bnq_calibration_set_text": (status, [_context, _calibration, text, text]),
    "bnq_calibration_observe": (status, [_context, _calibration, text, _array]),
    "bnq_calibration_observe_file": (status, [_context, _calibration, text, text,
                                              bnq_progress_fn, address]),
    "bnq_calibration_count": (u64, [_calibration]),
    "bnq_calibration_name": (text, [_calibration, u64]),
    "bnq_calibration_at": (_calibrator, [_calibration, u64]),
    "bnq_calibration_merge": (status, [_context, _calibration, _calibration]),
    "bnq_calibration_save": (status, [_context, _calibration, text, i32]),
    "bnq_calibration_load": (status, [_context, text, POINTER(_calibration)]),
    "bnq_calibration_serialize": (status, [_context, _calibration, address, u64, _u64p]),
    "bnq_calibration_deserialize": (status, [_context, address, u64, POINTER(_calibration)]),
    "bnq_post_training_quantize_file": (status, [_context, _plan, _calibration, _config, text,
                                                 text, i32, u64,
                                                 bnq_progress_fn, address,
                                                 POINTER(_report)]),
    # Validation
    "bnq_compare_histogram": (status, [_context, _array, _array, u32, _u64p, _f64p, _f64p]),
    "bnq_tensor_compare_histogram": (status, [_context, _array, _tensor, u32, _u64p, _f64p,
                                              _f64p]),
    # Operators
    "bnq_function_count": (u32, []),
    "bnq_function_name": (text, [i32]),
    "bnq_function_description": (text, [i32]),
    "bnq_function_id": (status, [text, _i32p]),
    "bnq_activate": (status, [_context, i32, f32, _matrix, _matrix]),
    "bnq_softmax": (status, [_context, _matrix, _matrix]),
    "bnq_rms_norm": (status, [_context, _matrix, _f32p, f64, _matrix]),
    "bnq_layer_norm": (status, [_context, _matrix, _f32p, _f32p, f64, _matrix]),
    "bnq_operator_create": (status, [POINTER(_operator)]),
    "bnq_operator_clone": (status, [_operator, POINTER(_operator)]),
    "bnq_operator_destroy": (None, [_operator]),
    "bnq_operator_options": (_options, [_operator]),
    "bnq_operator_settings": (_options, [_operator]),
    "bnq_operator_check": (status, [_operator, _config, _i32p]),
    "bnq_linear_create": (status, [_context, _operator, _tensor, _array, POINTER(_linear)]),
    "bnq_linear_destroy": (None, [_linear]),
    "bnq_linear_inputs": (u64, [_linear]),
    "bnq_linear_outputs": (u64, [_linear]),
    "bnq_linear_workspace": (status, [_linear, u64, _u64p]),
    "bnq_linear_run": (status, [_linear, _context, _matrix, _matrix, address, u64]),
    "bnq_linear_run_many": (status, [_linears, u64, _context, _matrix, _matrix, address, u64]),
    "bnq_embedding": (status, [_context, _tensor, _i64p, u64, _matrix]),
    "bnq_convolution_create": (status, [_context, _operator, _tensor, _array,
                                        POINTER(_convolution)]),
    "bnq_convolution_destroy": (None, [_convolution]),
    "bnq_convolution_output": (status, [_convolution, u64, u64, _u64p, _u64p, _u64p]),
    "bnq_convolution_workspace": (status, [_convolution, u64, u64, u64, _u64p]),
    "bnq_convolution_run": (status, [_convolution, _context, _matrix, u64, u64, _matrix, address,
                                     u64]),
    # Layer cache and layers
    "bnq_cache_create": (status, [text, POINTER(_cache)]),
    "bnq_cache_destroy": (None, [_cache]),
    "bnq_cache_options": (_options, [_cache]),
    "bnq_cache_settings": (_options, [_cache]),
    "bnq_cache_default_folder": (status, [text, u64, _u64p]),
    "bnq_cache_quantize": (status, [_context, _cache, _config, _array, _f32p, u64, text,
                                    POINTER(_tensor), _i32p]),
    "bnq_cache_key": (status, [_context, _config, _array, _f32p, u64, text, u64, _u64p]),
    "bnq_cache_find": (status, [_context, _cache, text, POINTER(_tensor)]),
    "bnq_cache_get": (status, [_context, _cache, text, POINTER(_tensor)]),
    "bnq_cache_put": (status, [_context, _cache, text, _tensor]),
    "bnq_cache_stat_count": (u32, []),
    "bnq_cache_stat_name": (text, [u32]),
    "bnq_cache_stats": (status, [_cache, _f64p, u32]),
    "bnq_cache_list_create": (status, [_context, _cache, text, POINTER(_cache_list)]),
    "bnq_cache_list_destroy": (None, [_cache_list]),
    "bnq_cache_list_count": (u64, [_cache_list]),
    "bnq_cache_list_key": (text, [_cache_list, u64]),
    "bnq_cache_list_name_count": (u64, [_cache_list, u64]),
    "bnq_cache_list_name": (text, [_cache_list, u64, u64]),
    "bnq_cache_list_bytes": (u64, [_cache_list, u64]),
    "bnq_cache_list_used": (f64, [_cache_list, u64]),
    "bnq_cache_list_damaged": (i32, [_cache_list, u64]),
    "bnq_cache_list_config": (text, [_cache_list, u64]),
    "bnq_cache_list_shape": (i32, [_cache_list, u64, _u64p]),
    "bnq_cache_verify": (status, [_context, _cache, bnq_progress_fn, address, _u64p]),
    "bnq_cache_trim": (status, [_context, _cache, u64, _u64p]),
    "bnq_cache_remove": (status, [_context, _cache, text, _u64p]),
    "bnq_cache_clear": (status, [_context, _cache]),
    "bnq_layers_open": (status, [_context, text, _plan, _cache, u32, POINTER(_layers)]),
    "bnq_layers_close": (None, [_layers]),
    "bnq_layers_count": (u64, [_layers]),
    "bnq_layers_name": (text, [_layers, u64]),
    "bnq_layers_bytes": (u64, [_layers, u64]),
    "bnq_layers_find": (status, [_layers, text, _u64p]),
    "bnq_layers_load": (status, [_context, _layers, u64, bnq_progress_fn, address,
                                 POINTER(_layer)]),
    "bnq_layers_prepare": (status, [_context, _layers, bnq_progress_fn, address]),
    "bnq_layers_stat_count": (u32, []),
    "bnq_layers_stat_name": (text, [u32]),
    "bnq_layers_stats": (status, [_layers, _f64p, u32]),
    "bnq_layer_destroy": (None, [_layer]),
    "bnq_layer_name": (text, [_layer]),
    "bnq_layer_count": (u64, [_layer]),
    "bnq_layer_tensor_name": (text, [_layer, u64]),
    "bnq_layer_bytes": (u64, [_layer]),
    "bnq_layer_format": (i32, [_layer, u64]),
    "bnq_layer_tensor": (status, [_layer, u64, POINTER(_tensor)]),
    "bnq_layer_array": (status, [_layer, u64, _array]),
    # Sensitivity, budgets, estimates
    "bnq_sensitivity_create": (status, [POINTER(_sensitivity)]),
    "bnq_sensitivity_destroy": (None, [_sensitivity]),
    "bnq_candidate_count": (u32, []),
    "bnq_candidate_at": (status, [u32, POINTER(_config)]),
    "bnq_analyze_file": (status, [_context, _plan, POINTER(_config), u64, text, text,
                                  bnq_progress_fn, address, _sensitivity]),
    "bnq_sensitivity_merge": (status, [_sensitivity, _sensitivity]),
    "bnq_sensitivity_to_json": (status, [_sensitivity, text, u64, _u64p]),
    "bnq_sensitivity_from_json": (status, [text, POINTER(_sensitivity)]),
    "bnq_sensitivity_load": (status, [_context, text, POINTER(_sensitivity)]),
    "bnq_sensitivity_save": (status, [_context, _sensitivity, text, i32]),
    "bnq_sensitivity_set_metric": (status, [_sensitivity, text, _config, f64]),
    "bnq_sensitivity_load_metrics": (status, [_context, _sensitivity, text]),
    "bnq_sensitivity_set_weight": (status, [_sensitivity, text, f64]),
    "bnq_sensitivity_measure": (status, [_sensitivity, bnq_sensitivity_fn, address]),
    "bnq_sensitivity_count": (u64, [_sensitivity]),
    "bnq_sensitivity_name": (text, [_sensitivity, u64]),
    "bnq_sensitivity_config_count": (u64, [_sensitivity, u64]),
    "bnq_sensitivity_config": (status, [_sensitivity, u64, u64, POINTER(_config)]),
    "bnq_sensitivity_values": (status, [_sensitivity, u64, u64, _f64p, u32]),
    "bnq_allocate": (status, [_sensitivity, _plan, i32, f64, i32, POINTER(_allocation)]),
    "bnq_allocation_destroy": (None, [_allocation]),
    "bnq_allocation_plan": (status, [_allocation, POINTER(_plan)]),
    "bnq_allocation_values": (status, [_allocation, _f64p, u32]),
    "bnq_allocation_count": (u64, [_allocation]),
    "bnq_allocation_name": (text, [_allocation, u64]),
    "bnq_allocation_config": (text, [_allocation, u64]),
    "bnq_allocation_upgrade": (text, [_allocation, u64]),
    "bnq_allocation_row": (status, [_allocation, u64, _f64p, u32]),
    "bnq_estimate_file": (status, [_context, _plan, text, u64, _u64p, POINTER(_report)]),
    # Training
    "bnq_training_create": (status, [POINTER(_training)]),
    "bnq_training_destroy": (None, [_training]),
    "bnq_training_options": (_options, [_training]),
    "bnq_training_settings": (_options, [_training]),
    "bnq_param_count": (status, [_config, i32, _u64p, _u64p]),
    "bnq_range_params": (status, [_config, f32, f32, _f32p, _i8p, _f32p]),
    "bnq_training_statistics_create": (status, [POINTER(_training_statistics)]),
    "bnq_training_statistics_destroy": (None, [_training_statistics]),
    "bnq_training_statistics_values": (status, [_training_statistics, _f64p, u32]),
    "bnq_training_statistics_merge": (status, [_training_statistics, _training_statistics]),
    "bnq_training_statistics_serialize": (status, [_training_statistics, address, u64, _u64p]),
    "bnq_training_statistics_deserialize": (status, [address, u64,
                                                     POINTER(_training_statistics)]),
    "bnq_fake_quantize": (status, [_context, _config, _training, _array, i32, _f32p, _i8p, _f32p,
                                   u64, i32, i32, address, u64, _u8p, u64, _u64p, _f64p, u32,
                                   _training_statistics]),
    "bnq_fake_quantize_gradient": (status, [_context, _config, _training, _array, _array, _f32p,
                                            _i8p, _f32p, u64, i32, address, u64, _f32p, _f32p,
                                            _f32p, _f32p]),
    "bnq_phase_create": (status, [POINTER(_phase)]),
    "bnq_phase_destroy": (None, [_phase]),
    "bnq_phase_options": (_options, [_phase]),
    "bnq_phase_settings": (_options, [_phase]),
    "bnq_schedule_create": (status, [POINTER(_phase), u64, POINTER(_schedule)]),
    "bnq_schedule_destroy": (None, [_schedule]),
    "bnq_schedule_step": (status, [_schedule, f64, f64, _i32p]),
    "bnq_schedule_values": (status, [_schedule, _f64p, u32]),
    "bnq_schedule_apply": (status, [_schedule, u64, u64, _config, _training, _i32p]),
    "bnq_schedule_serialize": (status, [_schedule, address, u64, _u64p]),
    "bnq_schedule_deserialize": (status, [address, u64, POINTER(_schedule)]),
    # Interchange
    "bnq_verdict_name": (text, [i32]),
    "bnq_report_verdict": (i32, [_report, u64]),
    "bnq_layout_count": (u32, []),
    "bnq_layout_name": (text, [u32]),
    "bnq_layout_description": (text, [u32]),
    "bnq_layout_flags": (i32, [u32]),
    "bnq_interchange_create": (status, [POINTER(_interchange)]),
    "bnq_interchange_destroy": (None, [_interchange]),
    "bnq_interchange_options": (_options, [_interchange]),
    "bnq_interchange_settings": (_options, [_interchange]),
    "bnq_interchange_set_metadata_from": (status, [_interchange, text]),
    "bnq_export_file": (status, [_context, _interchange, text, text, text, i32, u64,
                                 bnq_progress_fn, address, POINTER(_report)]),
    "bnq_import_file": (status, [_context, _interchange, text, text, i32, u64,
                                 bnq_progress_fn, address, POINTER(_report)]),

    # Parts
    "bnq_part_count": (status, [_context, text, _u64p]),
    "bnq_quantize_part": (status, [_context, _plan, text, text, u64, u64, i32, bnq_progress_fn,
                                   address, POINTER(_report)]),
    "bnq_join_parts": (status, [_context, _plan, text, text, u64, i32, bnq_progress_fn, address,
                                POINTER(_report)]),
    "bnq_analyze_part": (status, [_context, _plan, POINTER(_config), u64, text, u64, u64, text,
                                  bnq_progress_fn, address, _sensitivity]),
    "bnq_file_verify_part": (status, [_context, _file, u64, u64, bnq_progress_fn, address]),
}


def with_context() -> list[str]:
    """The functions that work with a context, their own or that of a writer, and may
    take long."""
    return ["bnq_writer_finish"] + [
        name for name, (_, parameters) in PROTOTYPES.items()
        if _context in parameters and not name.startswith("bnq_context_")]


def declare(library: ctypes.CDLL, on_status: Optional[Callable[..., Any]] = None) -> None:
    """Declares every function of `library`; `on_status` becomes the `errcheck`
    of those that return a status. AttributeError names a function it lacks."""
    for name, (result, parameters) in PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes = parameters
        function.restype = i32 if result is status else result
        if result is status and on_status is not None:
            function.errcheck = on_status
