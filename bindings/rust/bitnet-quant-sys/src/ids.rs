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
/// 2-bit integers.
pub const BNQ_FORMAT_INT2: i32 = 8;
/// 3-bit integers.
pub const BNQ_FORMAT_INT3: i32 = 9;
/// 5-bit integers.
pub const BNQ_FORMAT_INT5: i32 = 10;
/// 6-bit integers.
pub const BNQ_FORMAT_INT6: i32 = 11;
/// One bit: the sign.
pub const BNQ_FORMAT_BINARY: i32 = 12;
/// 4-bit floating point of OCP.
pub const BNQ_FORMAT_E2M1: i32 = 13;
/// 8-bit floating point of OCP, 3 mantissa bits.
pub const BNQ_FORMAT_E4M3: i32 = 14;
/// 8-bit floating point of OCP, 2 mantissa bits.
pub const BNQ_FORMAT_E5M2: i32 = 15;
/// 4, 8 and 16 values fitted to the tensor, times signed scales.
pub const BNQ_FORMAT_CODEBOOK2: i32 = 16;
/// 8 values.
pub const BNQ_FORMAT_CODEBOOK3: i32 = 17;
/// 16 values.
pub const BNQ_FORMAT_CODEBOOK4: i32 = 18;

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
pub const BNQ_NUM_METRICS: usize = 5;

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
/// int: of e4m3 and e5m2, 1 takes what is beyond their greatest value for it.
pub const BNQ_OPT_SATURATE: i32 = 17;

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
/// One scale for each square tile of the last two dimensions.
pub const BNQ_GRANULARITY_TILE: i32 = 5;
/// value = code * scale.
pub const BNQ_SCHEME_SYMMETRIC: i32 = 0;
/// value = (code - zero point) * scale.
pub const BNQ_SCHEME_ASYMMETRIC: i32 = 1;
/// value = code * scale + offset, codes from 0 on.
pub const BNQ_SCHEME_OFFSET: i32 = 2;
/// Refuse NaN and infinity.
pub const BNQ_NON_FINITE_ERROR: i32 = 0;
/// Count NaN and infinity as 0.
pub const BNQ_NON_FINITE_ZERO: i32 = 1;
/// Keep NaN and infinity, and let finite values overflow (f16 and bf16 only).
pub const BNQ_NON_FINITE_KEEP: i32 = 2;
/// Packed codes, U8.
pub const BNQ_PART_CODES: i32 = 1;
/// Scales: F32, F16, BF16, F8_E8M0 or F8_E4M3; U8 where they are double quantized.
pub const BNQ_PART_SCALES: i32 = 2;
/// Zero points, I8.
pub const BNQ_PART_ZERO_POINTS: i32 = 3;
/// Indices of outlier columns, U32, ascending.
pub const BNQ_PART_OUTLIER_COLUMNS: i32 = 4;
/// Values of the outlier columns, F16 or BF16.
pub const BNQ_PART_OUTLIER_VALUES: i32 = 5;
/// Offsets, as the scales.
pub const BNQ_PART_OFFSETS: i32 = 6;
/// What scales of E4M3 are multiples of, one F32.
pub const BNQ_PART_TENSOR_SCALE: i32 = 7;
/// F32: the values that codes stand for, of codebook2, 3 and 4.
pub const BNQ_PART_CODEBOOK: i32 = 8;
/// F32: what a layer's inputs are divided by, for each column of a row.
pub const BNQ_PART_INPUT_SCALES: i32 = 9;
/// The number of parts.
pub const BNQ_NUM_PARTS: i32 = 9;
/// Fail where a dequantized value overflows the output's type.
pub const BNQ_OVERFLOW_ERROR: i32 = 0;
/// Write the type's greatest number instead.
pub const BNQ_OVERFLOW_SATURATE: i32 = 1;
/// Write infinity.
pub const BNQ_OVERFLOW_KEEP: i32 = 2;
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
/// To nearest, ties toward zero; also of small floats.
pub const BNQ_ROUNDING_HALF_TOWARD_ZERO: i32 = 7;
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
/// Scales stored as powers of two, 8 bits.
pub const BNQ_SCALE_DTYPE_E8M0: i32 = 3;
/// Scales stored as OCP FP8, times a float32 for the tensor.
pub const BNQ_SCALE_DTYPE_E4M3: i32 = 4;
/// The format's own packing.
pub const BNQ_PACKING_DEFAULT: i32 = 0;
/// Ternary at 1.6 bits: five codes to a byte.
pub const BNQ_PACKING_BASE3: i32 = 1;
/// The options of a `bnq_config`.
pub const BNQ_OPTIONS_CONFIG: i32 = 1;
/// Those of a `bnq_calibrator`.
pub const BNQ_OPTIONS_CALIBRATOR: i32 = 2;
/// Those of a `bnq_optimizer`.
pub const BNQ_OPTIONS_OPTIMIZER: i32 = 3;
/// Those of a `bnq_operator`.
pub const BNQ_OPTIONS_OPERATOR: i32 = 4;
/// Those of a `bnq_cache`.
pub const BNQ_OPTIONS_CACHE: i32 = 6;
/// Those of a `bnq_training`.
pub const BNQ_OPTIONS_TRAINING: i32 = 7;
/// Those of a `bnq_phase`.
pub const BNQ_OPTIONS_PHASE: i32 = 8;
/// Those of a `bnq_interchange`.
pub const BNQ_OPTIONS_INTERCHANGE: i32 = 9;
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
/// A NumPy `.npy` file: one array of its name; read only.
pub const BNQ_FILE_NPY: i32 = 4;
/// The index of a sharded `.bnq` model.
pub const BNQ_FILE_BNQ_INDEX: i32 = 5;
/// A GGUF file, or several of one model.
pub const BNQ_FILE_GGUF: i32 = 6;
/// The file is read into memory, not mapped.
pub const BNQ_OPEN_READ: i32 = 1;
/// Experts as matrices, a tensor of two names as one.
pub const BNQ_OPEN_SOURCE: i32 = 2;
/// The arrays of the file as they are.
pub const BNQ_OPEN_RAW: i32 = 4;
/// Replace an existing output.
pub const BNQ_WRITE_OVERWRITE: i32 = 1;
/// DEFLATE the chunks of a `.bnq` file.
pub const BNQ_WRITE_COMPRESS: i32 = 2;
/// Do everything but write.
pub const BNQ_WRITE_DRY_RUN: i32 = 4;
/// (`bnq_write_file`) Where the output is a symbolic link, take its place instead of that of
/// the file it leads to.
pub const BNQ_WRITE_REPLACE_LINK: i32 = 8;
/// (Conversions) Go on with an output that was interrupted, and leave one that can be gone on
/// with.
pub const BNQ_WRITE_RESUME: i32 = 16;
/// (Conversions) As [`BNQ_WRITE_RESUME`], but begin anew.
pub const BNQ_WRITE_RESTART: i32 = 32;
/// (Quantization) Also of a model that is quantized already.
pub const BNQ_WRITE_REQUANTIZE: i32 = 64;

// 9. Plans, conversion, comparison --------------------------------------------

/// The rank that suits a plan's rule for all tensors.
pub const BNQ_MIN_RANK_ALL: i32 = -1;
/// The rank that suits a plan's rule for tensors that are named.
pub const BNQ_MIN_RANK_NAMED: i32 = -2;
/// No other kind.
pub const BNQ_LAYER_OTHER: i32 = 0;
/// Embeddings.
pub const BNQ_LAYER_EMBEDDING: i32 = 1;
/// Attention.
pub const BNQ_LAYER_ATTENTION: i32 = 2;
/// Feed-forward networks, experts.
pub const BNQ_LAYER_FFN: i32 = 3;
/// Norms.
pub const BNQ_LAYER_NORM: i32 = 4;
/// The output head.
pub const BNQ_LAYER_HEAD: i32 = 5;
/// Routers of experts.
pub const BNQ_LAYER_ROUTER: i32 = 6;
/// State spaces: convolutions and small matrices.
pub const BNQ_LAYER_STATE_SPACE: i32 = 7;
/// Vision towers.
pub const BNQ_LAYER_VISION: i32 = 8;
/// Number of kinds of layers.
pub const BNQ_NUM_LAYERS: i32 = 9;

// 10. Calibration ------------------------------------------------------------

/// int: `BNQ_METHOD_*`.
pub const BNQ_CALIBRATION_METHOD: i32 = 1;
/// int: [`BNQ_GRANULARITY_TENSOR`] or [`BNQ_GRANULARITY_CHANNEL`].
pub const BNQ_CALIBRATION_GRANULARITY: i32 = 2;
/// int: the dimension of channels, -8..7.
pub const BNQ_CALIBRATION_AXIS: i32 = 3;
/// int: `BNQ_SCHEME_*`.
pub const BNQ_CALIBRATION_SCHEME: i32 = 4;
/// int: at least this many bins cover a histogram's range.
pub const BNQ_CALIBRATION_BINS: i32 = 5;
/// int: of the codes to come, for kl and mse.
pub const BNQ_CALIBRATION_BITS: i32 = 6;
/// int: their number in place of bits; 0 for as bits say.
pub const BNQ_CALIBRATION_LEVELS: i32 = 7;
/// float: the weight of a new batch, for the moving averages.
pub const BNQ_CALIBRATION_AVERAGING: i32 = 8;
/// float: for adaptive, the most an end moves outwards in a step, in widths.
pub const BNQ_CALIBRATION_MAX_GROWTH: i32 = 9;
/// float: for adaptive, the most of its width the range loses in a step.
pub const BNQ_CALIBRATION_MAX_SHRINK: i32 = 10;
/// float: for percentile, 50..100.
pub const BNQ_CALIBRATION_PERCENTILE: i32 = 11;
/// int: `BNQ_KL_*`.
pub const BNQ_CALIBRATION_KL_VARIANT: i32 = 12;
/// int: `BNQ_MSE_*`, for mse.
pub const BNQ_CALIBRATION_MSE_VARIANT: i32 = 13;
/// int: `BNQ_OBSERVE_*`.
pub const BNQ_CALIBRATION_NON_FINITE: i32 = 14;
/// int: `BNQ_OUTLIERS_*`.
pub const BNQ_CALIBRATION_OUTLIERS: i32 = 15;
/// float: percent of the values that are not outliers.
pub const BNQ_CALIBRATION_OUTLIER_PERCENTILE: i32 = 16;
/// float: standard deviations from the mean from which on values are outliers.
pub const BNQ_CALIBRATION_OUTLIER_DEVIATIONS: i32 = 17;
/// int: 1 keeps what mean, variance and higher moments are made of, else 0.
pub const BNQ_CALIBRATION_MOMENTS: i32 = 18;
/// int: 1 keeps a histogram even where the method needs none, else 0.
pub const BNQ_CALIBRATION_HISTOGRAM: i32 = 19;

/// Minimum and maximum.
pub const BNQ_METHOD_MINMAX: i32 = 0;
/// Those of each batch, averaged.
pub const BNQ_METHOD_MOVING_AVERAGE: i32 = 1;
/// The range of a percentile of the values.
pub const BNQ_METHOD_PERCENTILE: i32 = 2;
/// The least Kullback-Leibler divergence.
pub const BNQ_METHOD_KL: i32 = 3;
/// The least mean squared error.
pub const BNQ_METHOD_MSE: i32 = 4;
/// An online follower whose steps are bounded.
pub const BNQ_METHOD_ADAPTIVE: i32 = 5;
/// TensorRT's search.
pub const BNQ_KL_TENSORRT: i32 = 0;
/// ONNX Runtime's search.
pub const BNQ_KL_ONNXRUNTIME: i32 = 1;
/// Ends of the range in all bins.
pub const BNQ_MSE_EXHAUSTIVE: i32 = 0;
/// PyTorch's search, step by step.
pub const BNQ_MSE_PYTORCH: i32 = 1;
/// No limits.
pub const BNQ_OUTLIERS_NONE: i32 = 0;
/// Limits by [`BNQ_CALIBRATION_OUTLIER_PERCENTILE`].
pub const BNQ_OUTLIERS_PERCENTILE: i32 = 1;
/// Limits by [`BNQ_CALIBRATION_OUTLIER_DEVIATIONS`].
pub const BNQ_OUTLIERS_DEVIATIONS: i32 = 2;
/// Refuse a batch with NaN or infinity.
pub const BNQ_OBSERVE_ERROR: i32 = 0;
/// Count NaN and infinity and leave them out.
pub const BNQ_OBSERVE_SKIP: i32 = 1;

/// Position of the number of finite values.
pub const BNQ_STATISTIC_COUNT: usize = 0;
/// Position of the minimum.
pub const BNQ_STATISTIC_MIN: usize = 1;
/// Position of the maximum.
pub const BNQ_STATISTIC_MAX: usize = 2;
/// Position of the mean.
pub const BNQ_STATISTIC_MEAN: usize = 3;
/// Position of the variance of the whole population.
pub const BNQ_STATISTIC_VARIANCE: usize = 4;
/// Position of the greatest |x|.
pub const BNQ_STATISTIC_ABSMAX: usize = 5;
/// Position of the mean of |x|.
pub const BNQ_STATISTIC_ABSMEAN: usize = 6;
/// Position of the skewness.
pub const BNQ_STATISTIC_SKEWNESS: usize = 7;
/// Position of the kurtosis.
pub const BNQ_STATISTIC_KURTOSIS: usize = 8;
/// Position of the share of the values that are 0.
pub const BNQ_STATISTIC_ZERO_SHARE: usize = 9;
/// Position of the number of values that were skipped.
pub const BNQ_STATISTIC_NON_FINITE: usize = 10;
/// Position of the number of outliers.
pub const BNQ_STATISTIC_OUTLIERS: usize = 11;
/// Number of statistics listed here.
pub const BNQ_NUM_STATISTICS: usize = 12;
/// In place of a channel: all of them together.
pub const BNQ_ALL_CHANNELS: u64 = u64::MAX;

// 11. Parameter optimisation -------------------------------------------------

/// int: `BNQ_OPTIMIZE_*`.
pub const BNQ_OPTIMIZATION_METHOD: i32 = 1;
/// int: `BNQ_OBJECTIVE_*`, of grid and hqq.
pub const BNQ_OPTIMIZATION_OBJECTIVE: i32 = 2;
/// int: `BNQ_SCOPE_*`, of grid.
pub const BNQ_OPTIMIZATION_SCOPE: i32 = 3;
/// int: steps of grid from the whole range down.
pub const BNQ_OPTIMIZATION_STEPS: i32 = 4;
/// float: the least part of the range that grid tries.
pub const BNQ_OPTIMIZATION_MIN_RATIO: i32 = 5;
/// int: how often grid searches the neighbourhood of the best in half steps.
pub const BNQ_OPTIMIZATION_REFINEMENTS: i32 = 6;
/// int: how far grid moves zero points.
pub const BNQ_OPTIMIZATION_ZERO_POINT_STEPS: i32 = 7;
/// int: of the histograms of [`BNQ_OBJECTIVE_KL`].
pub const BNQ_OPTIMIZATION_BINS: i32 = 8;
/// int: at most so many, of gradient and hqq; 0 for the method's own.
pub const BNQ_OPTIMIZATION_ITERATIONS: i32 = 9;
/// float: of gradient, in parts of a scale.
pub const BNQ_OPTIMIZATION_LEARNING_RATE: i32 = 10;
/// float: the weight of hqq's penalty.
pub const BNQ_OPTIMIZATION_BETA: i32 = 11;
/// float: the norm p of hqq's error.
pub const BNQ_OPTIMIZATION_NORM: i32 = 12;
/// float: what hqq's beta is multiplied by each iteration.
pub const BNQ_OPTIMIZATION_KAPPA: i32 = 13;
/// float: added to gptq's diagonal, in parts of its mean.
pub const BNQ_OPTIMIZATION_DAMPING: i32 = 14;
/// int: columns whose errors gptq passes on at once.
pub const BNQ_OPTIMIZATION_BLOCK: i32 = 15;
/// int: 1 for gptq to take columns by descending diagonal, else 0.
pub const BNQ_OPTIMIZATION_ACT_ORDER: i32 = 16;
/// int: how many exponents awq tries.
pub const BNQ_OPTIMIZATION_RATIOS: i32 = 17;
/// int: 1 for awq's input scales to be a part of the tensor, else 0.
pub const BNQ_OPTIMIZATION_ATTACH_INPUT_SCALES: i32 = 18;

/// Narrower ranges, one after another.
pub const BNQ_OPTIMIZE_GRID: i32 = 0;
/// Learned step size.
pub const BNQ_OPTIMIZE_GRADIENT: i32 = 1;
/// Half-quadratic refinement.
pub const BNQ_OPTIMIZE_HQQ: i32 = 2;
/// Errors made up for by the columns after. Needs activations.
pub const BNQ_OPTIMIZE_GPTQ: i32 = 3;
/// Weights of large inputs scaled up. Needs activations.
pub const BNQ_OPTIMIZE_AWQ: i32 = 4;
/// Mean squared error.
pub const BNQ_OBJECTIVE_MSE: i32 = 0;
/// Kullback-Leibler divergence.
pub const BNQ_OBJECTIVE_KL: i32 = 1;
/// 1 - cosine.
pub const BNQ_OBJECTIVE_COSINE: i32 = 2;
/// The optimizer's metric.
pub const BNQ_OBJECTIVE_CUSTOM: i32 = 3;
/// One ratio for each segment.
pub const BNQ_SCOPE_SEGMENT: i32 = 0;
/// The same ratio for all.
pub const BNQ_SCOPE_TENSOR: i32 = 1;

/// Position of the objective of the config's plain rule.
pub const BNQ_FIGURE_OBJECTIVE_BEFORE: usize = 0;
/// Position of the objective of the result.
pub const BNQ_FIGURE_OBJECTIVE_AFTER: usize = 1;
/// Position of the mean squared error of the config's plain rule.
pub const BNQ_FIGURE_MSE_BEFORE: usize = 2;
/// Position of the mean squared error of the result.
pub const BNQ_FIGURE_MSE_AFTER: usize = 3;
/// Position of the number of what was looked at.
pub const BNQ_FIGURE_SEGMENTS: usize = 4;
/// Position of the number of these that are other than at the start.
pub const BNQ_FIGURE_IMPROVED: usize = 5;
/// Number of figures listed here.
pub const BNQ_NUM_FIGURES: usize = 6;

// 12. Post-training quantization ---------------------------------------------

/// What weights get by default.
pub const BNQ_ROLE_WEIGHTS: i32 = 0;
/// What activations get by default.
pub const BNQ_ROLE_ACTIVATIONS: i32 = 1;

// 14. Operators --------------------------------------------------------------

/// x.
pub const BNQ_FUNCTION_NONE: i32 = 0;
/// max(x, 0).
pub const BNQ_FUNCTION_RELU: i32 = 1;
/// min(max(x, 0), 6).
pub const BNQ_FUNCTION_RELU6: i32 = 2;
/// x, or slope * x below 0.
pub const BNQ_FUNCTION_LEAKY_RELU: i32 = 3;
/// max(x, 0)^2.
pub const BNQ_FUNCTION_SQUARED_RELU: i32 = 4;
/// x / 2 * (1 + erf(x / sqrt 2)).
pub const BNQ_FUNCTION_GELU: i32 = 5;
/// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
pub const BNQ_FUNCTION_GELU_TANH: i32 = 6;
/// x / (1 + e^-x).
pub const BNQ_FUNCTION_SILU: i32 = 7;
/// 1 / (1 + e^-x).
pub const BNQ_FUNCTION_SIGMOID: i32 = 8;
/// tanh x.
pub const BNQ_FUNCTION_TANH: i32 = 9;
/// x * min(max(x + 3, 0), 6) / 6.
pub const BNQ_FUNCTION_HARD_SWISH: i32 = 10;
/// Number of functions listed here.
pub const BNQ_NUM_FUNCTIONS: usize = 11;
/// int: what inputs that are floats become.
pub const BNQ_OPERATOR_INPUT: i32 = 1;
/// float: scale of static inputs, and of codes without scales.
pub const BNQ_OPERATOR_INPUT_SCALE: i32 = 2;
/// int: the zero point that goes with it.
pub const BNQ_OPERATOR_INPUT_ZERO_POINT: i32 = 3;
/// int: a fused function.
pub const BNQ_OPERATOR_FUNCTION: i32 = 4;
/// float: of the leaky function.
pub const BNQ_OPERATOR_SLOPE: i32 = 5;
/// int: what outputs are.
pub const BNQ_OPERATOR_OUTPUT: i32 = 6;
/// float: scale of outputs of codes.
pub const BNQ_OPERATOR_OUTPUT_SCALE: i32 = 7;
/// int: their zero point.
pub const BNQ_OPERATOR_OUTPUT_ZERO_POINT: i32 = 8;
/// Whether AMX may be used, for which the process asks the system.
pub const BNQ_OPERATOR_AMX: i32 = 9;
/// int: rows between outputs of a convolution.
pub const BNQ_OPERATOR_STRIDE_HEIGHT: i32 = 10;
/// int: columns between its outputs.
pub const BNQ_OPERATOR_STRIDE_WIDTH: i32 = 11;
/// int: rows of 0 above images.
pub const BNQ_OPERATOR_PAD_TOP: i32 = 12;
/// int: columns of 0 left of them.
pub const BNQ_OPERATOR_PAD_LEFT: i32 = 13;
/// int: rows of 0 below them.
pub const BNQ_OPERATOR_PAD_BOTTOM: i32 = 14;
/// int: columns of 0 right of them.
pub const BNQ_OPERATOR_PAD_RIGHT: i32 = 15;
/// int: rows between weights.
pub const BNQ_OPERATOR_DILATION_HEIGHT: i32 = 16;
/// int: columns between weights.
pub const BNQ_OPERATOR_DILATION_WIDTH: i32 = 17;
/// int: groups of channels.
pub const BNQ_OPERATOR_GROUPS: i32 = 18;
/// int: the order of an image's dimensions.
pub const BNQ_OPERATOR_LAYOUT: i32 = 19;
/// Inputs stay floats.
pub const BNQ_INPUT_FLOAT: i32 = 0;
/// int8 codes of each row, symmetric.
pub const BNQ_INPUT_INT8: i32 = 1;
/// int8 codes of each row, asymmetric.
pub const BNQ_INPUT_INT8_ASYMMETRIC: i32 = 2;
/// int8 codes of each row, as BitNet's.
pub const BNQ_INPUT_BITNET: i32 = 3;
/// int8 codes by a given scale and zero point.
pub const BNQ_INPUT_STATIC: i32 = 4;
/// Outputs of float32, float16 or bfloat16.
pub const BNQ_OUTPUT_FLOAT: i32 = 0;
/// Outputs of int8 codes.
pub const BNQ_OUTPUT_INT8: i32 = 1;
/// Outputs of uint8 codes.
pub const BNQ_OUTPUT_UINT8: i32 = 2;
/// Images are channels, rows, columns.
pub const BNQ_LAYOUT_NCHW: i32 = 0;
/// Images are rows, columns, channels.
pub const BNQ_LAYOUT_NHWC: i32 = 1;

// 16. Sensitivity, budgets, estimates -----------------------------------------

/// Bytes that the tensor takes in a `.bnq` file.
pub const BNQ_SENSITIVITY_BYTES: usize = 0;
/// The same in bits a weight.
pub const BNQ_SENSITIVITY_BITS: usize = 1;
/// The sum of squared errors over the sum of squares.
pub const BNQ_SENSITIVITY_RELATIVE_ERROR: usize = 2;
/// The greatest absolute error.
pub const BNQ_SENSITIVITY_MAX_ERROR: usize = 3;
/// The cosine between values and restored ones.
pub const BNQ_SENSITIVITY_COSINE: usize = 4;
/// What counts in a budget: the metric that was set, or elements times relative error.
pub const BNQ_SENSITIVITY_LOSS: usize = 5;
/// Number of values of a tensor under a config.
pub const BNQ_NUM_SENSITIVITY_VALUES: usize = 6;
/// A budget in bytes of the `.bnq` file.
pub const BNQ_BUDGET_BYTES: i32 = 1;
/// A budget in bits of the file for each element of all tensors.
pub const BNQ_BUDGET_BITS: i32 = 2;
/// A budget in bytes of the input over bytes of the file.
pub const BNQ_BUDGET_RATIO: i32 = 3;
/// q, k and v, gate and up, embedding and head may have different configs.
pub const BNQ_ALLOCATE_FUSED_APART: i32 = 1;
/// Experts of a layer may have different configs.
pub const BNQ_ALLOCATE_EXPERTS_APART: i32 = 2;
/// The budget in bytes.
pub const BNQ_ALLOCATION_BUDGET_BYTES: usize = 0;
/// Bytes of the file, up to 63 more than it has.
pub const BNQ_ALLOCATION_BYTES: usize = 1;
/// Of what has no choice.
pub const BNQ_ALLOCATION_FIXED_BYTES: usize = 2;
/// Of the smallest file that the candidates allow.
pub const BNQ_ALLOCATION_MIN_BYTES: usize = 3;
/// Of the largest file that the candidates allow.
pub const BNQ_ALLOCATION_MAX_BYTES: usize = 4;
/// Elements of all tensors.
pub const BNQ_ALLOCATION_ELEMENTS: usize = 5;
/// Bits a weight, of all tensors.
pub const BNQ_ALLOCATION_BITS: usize = 6;
/// Bytes of the input over those of the file.
pub const BNQ_ALLOCATION_RATIO: usize = 7;
/// The loss of all tensors.
pub const BNQ_ALLOCATION_LOSS: usize = 8;
/// No choice has less loss.
pub const BNQ_ALLOCATION_BOUND: usize = 9;
/// (loss - bound) / loss; 0 where it is proven.
pub const BNQ_ALLOCATION_GAP: usize = 10;
/// What a byte more would take off the loss, about.
pub const BNQ_ALLOCATION_LAMBDA: usize = 11;
/// 1 where no choice is better, else 0.
pub const BNQ_ALLOCATION_PROVEN: usize = 12;
/// Number of values of an allocation.
pub const BNQ_NUM_ALLOCATION_VALUES: usize = 13;
/// Bytes that a tensor takes in the file.
pub const BNQ_ALLOCATION_ROW_BYTES: usize = 0;
/// Its elements.
pub const BNQ_ALLOCATION_ROW_ELEMENTS: usize = 1;
/// Its bits a weight.
pub const BNQ_ALLOCATION_ROW_BITS: usize = 2;
/// Its relative error.
pub const BNQ_ALLOCATION_ROW_RELATIVE_ERROR: usize = 3;
/// Its greatest absolute error.
pub const BNQ_ALLOCATION_ROW_MAX_ERROR: usize = 4;
/// The cosine between its values and restored ones.
pub const BNQ_ALLOCATION_ROW_COSINE: usize = 5;
/// Its loss.
pub const BNQ_ALLOCATION_ROW_LOSS: usize = 6;
/// Its share of the loss of all.
pub const BNQ_ALLOCATION_ROW_SHARE: usize = 7;
/// Its kind of layer (`BNQ_LAYER_*`).
pub const BNQ_ALLOCATION_ROW_KIND: usize = 8;
/// 1 where a rule of the plan decides, else 0.
pub const BNQ_ALLOCATION_ROW_PINNED: usize = 9;
/// 1 where its relative error is above 0.15, else 0.
pub const BNQ_ALLOCATION_ROW_COARSE: usize = 10;
/// The row whose config it shares, or its own index.
pub const BNQ_ALLOCATION_ROW_TIED_TO: usize = 11;
/// What the next better config takes more.
pub const BNQ_ALLOCATION_ROW_UPGRADE_BYTES: usize = 12;
/// What it loses less.
pub const BNQ_ALLOCATION_ROW_UPGRADE_LOSS: usize = 13;
/// Number of values of a row.
pub const BNQ_NUM_ALLOCATION_ROW_VALUES: usize = 14;
