//! The constants of the header: versions, statuses, ids, flags.

use crate::bnq_status;

// 2. Version, status ---------------------------------------------------------

/// Major version of the header these declarations follow.
pub const BNQ_VERSION_MAJOR: u32 = 0;
/// Minor version of the header these declarations follow.
pub const BNQ_VERSION_MINOR: u32 = 1;
/// Patch version of the header these declarations follow.
pub const BNQ_VERSION_PATCH: u32 = 0;
/// `major * 1000000 + minor * 1000 + patch`.
pub const BNQ_VERSION: u32 =
    BNQ_VERSION_MAJOR * 1_000_000 + BNQ_VERSION_MINOR * 1_000 + BNQ_VERSION_PATCH;
/// The ABI these declarations follow.
pub const BNQ_ABI_VERSION: u32 = 1;

/// Success.
pub const BNQ_OK: bnq_status = 0;
/// A parameter is NULL, out of its range or contradicts another.
pub const BNQ_ERROR_INVALID_ARGUMENT: bnq_status = 1;
/// Legal, but this library or this format cannot do it.
pub const BNQ_ERROR_UNSUPPORTED: bnq_status = 2;
/// An allocation failed.
pub const BNQ_ERROR_OUT_OF_MEMORY: bnq_status = 3;
/// A file is truncated, damaged, or says what cannot be.
pub const BNQ_ERROR_CORRUPT_FILE: bnq_status = 4;
/// The system could not open, read, write or rename a file.
pub const BNQ_ERROR_IO: bnq_status = 5;
/// A result was asked for before there was any data.
pub const BNQ_ERROR_NO_DATA: bnq_status = 6;
/// A callback asked to stop.
pub const BNQ_ERROR_CANCELLED: bnq_status = 7;
/// A defect of the library.
pub const BNQ_ERROR_INTERNAL: bnq_status = 8;
/// NaN or infinity in values to be quantized.
pub const BNQ_ERROR_NON_FINITE: bnq_status = 9;
/// No file, tensor, format, option or data type of that name.
pub const BNQ_ERROR_NOT_FOUND: bnq_status = 10;
/// The output exists and may not be overwritten, or is also the input.
pub const BNQ_ERROR_EXISTS: bnq_status = 11;

// 3. Registry ----------------------------------------------------------------

/// 32-bit float.
pub const BNQ_DTYPE_F32: i32 = 1;
/// IEEE half.
pub const BNQ_DTYPE_F16: i32 = 2;
/// bfloat16.
pub const BNQ_DTYPE_BF16: i32 = 3;
/// 64-bit float.
pub const BNQ_DTYPE_F64: i32 = 4;
/// 8-bit signed integer.
pub const BNQ_DTYPE_I8: i32 = 5;
/// 8-bit unsigned integer.
pub const BNQ_DTYPE_U8: i32 = 6;
/// 16-bit signed integer.
pub const BNQ_DTYPE_I16: i32 = 7;
/// 16-bit unsigned integer.
pub const BNQ_DTYPE_U16: i32 = 8;
/// 32-bit signed integer.
pub const BNQ_DTYPE_I32: i32 = 9;
/// 32-bit unsigned integer.
pub const BNQ_DTYPE_U32: i32 = 10;
/// 64-bit signed integer.
pub const BNQ_DTYPE_I64: i32 = 11;
/// 64-bit unsigned integer.
pub const BNQ_DTYPE_U64: i32 = 12;
/// One byte, 0 or 1.
pub const BNQ_DTYPE_BOOL: i32 = 13;
/// Complex of two 32-bit floats.
pub const BNQ_DTYPE_C64: i32 = 14;
/// 8-bit float.
pub const BNQ_DTYPE_F8_E4M3: i32 = 15;
/// 8-bit float.
pub const BNQ_DTYPE_F8_E5M2: i32 = 16;
/// 8-bit exponent.
pub const BNQ_DTYPE_F8_E8M0: i32 = 17;
/// 8-bit float.
pub const BNQ_DTYPE_F8_E4M3FNUZ: i32 = 18;
/// 8-bit float.
pub const BNQ_DTYPE_F8_E5M2FNUZ: i32 = 19;
/// 6-bit float.
pub const BNQ_DTYPE_F6_E2M3: i32 = 20;
/// 6-bit float.
pub const BNQ_DTYPE_F6_E3M2: i32 = 21;
/// 4-bit float.
pub const BNQ_DTYPE_F4: i32 = 22;

/// Not quantized: carried through as it is.
pub const BNQ_FORMAT_NONE: i32 = 0;
/// BitNet b1.58: codes -1, 0, +1; 2 or 1.6 bits a weight.
pub const BNQ_FORMAT_TERNARY: i32 = 1;
/// 8-bit integers.
pub const BNQ_FORMAT_INT8: i32 = 2;
/// 4-bit integers.
pub const BNQ_FORMAT_INT4: i32 = 3;
/// 4-bit NormalFloat, as bitsandbytes.
pub const BNQ_FORMAT_NF4: i32 = 4;
/// 4-bit floating point, as bitsandbytes.
pub const BNQ_FORMAT_FP4: i32 = 5;
/// IEEE half; no scales.
pub const BNQ_FORMAT_F16: i32 = 6;
/// bfloat16; no scales.
pub const BNQ_FORMAT_BF16: i32 = 7;

/// Property: bits of one packed code, in the default packing.
pub const BNQ_FORMAT_CODE_BITS: i32 = 1;
/// Property: smallest legal group size.
pub const BNQ_FORMAT_MIN_GROUP: i32 = 2;
/// Property: 1 where [`BNQ_SCHEME_ASYMMETRIC`] is supported, else 0.
pub const BNQ_FORMAT_ASYMMETRIC: i32 = 3;
/// Property: the least code.
pub const BNQ_FORMAT_MIN_CODE: i32 = 4;
/// Property: the greatest code.
pub const BNQ_FORMAT_MAX_CODE: i32 = 5;
/// Property: 1 where codes are integers that value = code * scale stands for.
pub const BNQ_FORMAT_INTEGER: i32 = 6;
/// Property: 1 where values have scales.
pub const BNQ_FORMAT_SCALED: i32 = 7;

/// Position of the mean squared error.
pub const BNQ_METRIC_MSE: usize = 0;
/// Position of the mean absolute error.
pub const BNQ_METRIC_MAE: usize = 1;
/// Position of the greatest absolute error.
pub const BNQ_METRIC_MAX_ERROR: usize = 2;
/// Position of the signal to quantization noise ratio in dB.
pub const BNQ_METRIC_SQNR_DB: usize = 3;
/// Position of the cosine similarity.
pub const BNQ_METRIC_COSINE: usize = 4;
/// Number of metrics listed here.
pub const BNQ_METRIC_COUNT: usize = 5;

// 4. Context -----------------------------------------------------------------

/// Messages about what may not be meant so.
pub const BNQ_LOG_WARNING: i32 = 1;
/// Warnings, and messages about what is done.
pub const BNQ_LOG_INFO: i32 = 2;
// 5. Config ------------------------------------------------------------------

/// int: `BNQ_FORMAT_*`.
pub const BNQ_OPT_FORMAT: i32 = 1;
/// int: `BNQ_GRANULARITY_*`.
pub const BNQ_OPT_GRANULARITY: i32 = 2;
/// int: columns of a group, or elements of a block.
pub const BNQ_OPT_GROUP_SIZE: i32 = 3;
/// int: the dimension of per-channel parameters, -8..7.
pub const BNQ_OPT_AXIS: i32 = 4;
/// int: `BNQ_SCHEME_*`.
pub const BNQ_OPT_SCHEME: i32 = 5;
/// float: values beyond +-clip count as +-clip; 0 for none.
pub const BNQ_OPT_CLIP: i32 = 6;
/// int: `BNQ_NON_FINITE_*`.
pub const BNQ_OPT_NON_FINITE: i32 = 7;
/// int: `BNQ_ROUNDING_*`.
pub const BNQ_OPT_ROUNDING: i32 = 8;
/// int: seed of stochastic rounding, 0 to 2^53.
pub const BNQ_OPT_SEED: i32 = 9;
/// int: `BNQ_SCALE_RULE_*`.
pub const BNQ_OPT_SCALE_RULE: i32 = 10;
/// float: of [`BNQ_SCALE_RULE_PERCENTILE`], 0 to 100.
pub const BNQ_OPT_PERCENTILE: i32 = 11;
/// int: `BNQ_SYMMETRIC_RANGE_*`.
pub const BNQ_OPT_SYMMETRIC_RANGE: i32 = 12;
/// int: `BNQ_SCALE_DTYPE_*`.
pub const BNQ_OPT_SCALE_DTYPE: i32 = 13;
/// int: 1 for scales in 8 bits with scales of their own, else 0.
pub const BNQ_OPT_DOUBLE_QUANT: i32 = 14;
/// int: `BNQ_PACKING_*`.
pub const BNQ_OPT_PACKING: i32 = 15;
/// float: columns with some |x| at or above it are outliers; 0 for none.
pub const BNQ_OPT_OUTLIER_THRESHOLD: i32 = 16;

/// One scale for the tensor.
pub const BNQ_GRANULARITY_TENSOR: i32 = 0;
/// One scale for each index along the axis.
pub const BNQ_GRANULARITY_CHANNEL: i32 = 1;
/// One scale for each group of a row.
pub const BNQ_GRANULARITY_GROUP: i32 = 2;
/// One scale for each index of all dimensions but the last.
pub const BNQ_GRANULARITY_TOKEN: i32 = 3;
/// One scale for each block of the flattened array.
pub const BNQ_GRANULARITY_BLOCK: i32 = 4;
/// value = code * scale.
pub const BNQ_SCHEME_SYMMETRIC: i32 = 0;
/// value = (code - zero point) * scale.
pub const BNQ_SCHEME_ASYMMETRIC: i32 = 1;
/// Refuse NaN and infinity.
pub const BNQ_NON_FINITE_ERROR: i32 = 0;
/// Count NaN and infinity as 0.
pub const BNQ_NON_FINITE_ZERO: i32 = 1;
/// Keep NaN and infinity, and let finite values overflow (f16 and bf16 only).
pub const BNQ_NON_FINITE_KEEP: i32 = 2;
/// To nearest, ties to even.
pub const BNQ_ROUNDING_HALF_EVEN: i32 = 0;
/// To nearest, ties away from zero.
pub const BNQ_ROUNDING_HALF_AWAY: i32 = 1;
/// To nearest, ties up.
pub const BNQ_ROUNDING_HALF_UP: i32 = 2;
/// Down.
pub const BNQ_ROUNDING_FLOOR: i32 = 3;
/// Up.
pub const BNQ_ROUNDING_CEIL: i32 = 4;
/// Toward zero.
pub const BNQ_ROUNDING_TOWARD_ZERO: i32 = 5;
/// Up with the probability of the fraction, by [`BNQ_OPT_SEED`].
pub const BNQ_ROUNDING_STOCHASTIC: i32 = 6;
/// Absmean for ternary, absmax for others.
pub const BNQ_SCALE_RULE_DEFAULT: i32 = 0;
/// From the greatest |x|; asymmetric: minimum and maximum.
pub const BNQ_SCALE_RULE_ABSMAX: i32 = 1;
/// From the mean of |x|.
pub const BNQ_SCALE_RULE_ABSMEAN: i32 = 2;
/// From the value that [`BNQ_OPT_PERCENTILE`] percent of |x| do not exceed.
pub const BNQ_SCALE_RULE_PERCENTILE: i32 = 3;
/// The least squared error found by a search.
pub const BNQ_SCALE_RULE_MSE: i32 = 4;
/// Codes -q..q.
pub const BNQ_SYMMETRIC_RANGE_NARROW: i32 = 0;
/// Codes -q-1..q, scale = absmax / (q + 0.5).
pub const BNQ_SYMMETRIC_RANGE_FULL: i32 = 1;
/// Codes -q-1..q, the value of the greatest |x| at -q-1.
pub const BNQ_SYMMETRIC_RANGE_EXTREME: i32 = 2;
/// Scales stored as float32.
pub const BNQ_SCALE_DTYPE_F32: i32 = 0;
/// Scales stored as IEEE halves.
pub const BNQ_SCALE_DTYPE_F16: i32 = 1;
/// Scales stored as bfloat16.
pub const BNQ_SCALE_DTYPE_BF16: i32 = 2;
/// The format's own packing.
pub const BNQ_PACKING_DEFAULT: i32 = 0;
/// Ternary at 1.6 bits: five codes to a byte.
pub const BNQ_PACKING_BASE3: i32 = 1;
/// An integer option.
pub const BNQ_OPTION_INT: i32 = 0;
/// A float option.
pub const BNQ_OPTION_FLOAT: i32 = 1;

// 6. Arrays and tensors ------------------------------------------------------

/// The greatest rank.
pub const BNQ_MAX_RANK: usize = 8;
/// The tensor borrows the buffers instead of copying them.
pub const BNQ_TENSOR_BORROW: i32 = 1;

// 8. Files -------------------------------------------------------------------

/// A `.safetensors` file.
pub const BNQ_FILE_SAFETENSORS: i32 = 1;
/// A `.bnq` file.
pub const BNQ_FILE_BNQ: i32 = 2;
/// The index of a sharded safetensors model.
pub const BNQ_FILE_SAFETENSORS_INDEX: i32 = 3;
/// Replace an existing output.
pub const BNQ_WRITE_OVERWRITE: i32 = 1;
/// DEFLATE the chunks of a `.bnq` file.
pub const BNQ_WRITE_COMPRESS: i32 = 2;
/// Do everything but write.
pub const BNQ_WRITE_DRY_RUN: i32 = 4;
