using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>How a call of the library ended.</summary>
public enum Status
{
    /// <summary>It succeeded.</summary>
    Ok = NativeMethods.BNQ_OK,

    /// <summary>A parameter is out of its range or contradicts another.</summary>
    InvalidArgument = NativeMethods.BNQ_ERROR_INVALID_ARGUMENT,

    /// <summary>Legal, but this library or this format cannot do it.</summary>
    Unsupported = NativeMethods.BNQ_ERROR_UNSUPPORTED,

    /// <summary>There was no memory for it.</summary>
    OutOfMemory = NativeMethods.BNQ_ERROR_OUT_OF_MEMORY,

    /// <summary>A file is truncated, damaged, or says what cannot be.</summary>
    CorruptFile = NativeMethods.BNQ_ERROR_CORRUPT_FILE,

    /// <summary>The system could not open, read, write or rename a file.</summary>
    InputOutput = NativeMethods.BNQ_ERROR_IO,

    /// <summary>A result was asked for before there was any data.</summary>
    NoData = NativeMethods.BNQ_ERROR_NO_DATA,

    /// <summary>A callback asked to stop.</summary>
    Cancelled = NativeMethods.BNQ_ERROR_CANCELLED,

    /// <summary>A defect of the library.</summary>
    Internal = NativeMethods.BNQ_ERROR_INTERNAL,

    /// <summary>NaN or infinity in values to be quantized or compared.</summary>
    NonFinite = NativeMethods.BNQ_ERROR_NON_FINITE,

    /// <summary>No file, tensor, format, option or data type of that name.</summary>
    NotFound = NativeMethods.BNQ_ERROR_NOT_FOUND,

    /// <summary>The output exists and may not be overwritten, or is also the input.</summary>
    AlreadyExists = NativeMethods.BNQ_ERROR_EXISTS,
}

/// <summary>
/// How a quantized tensor is coded. <see cref="Library.Formats"/> lists the formats of the loaded library,
/// which may have more than are named here.
/// </summary>
public enum Format
{
    /// <summary>Not quantized: a plan carries such tensors through as they are.</summary>
    None = NativeMethods.BNQ_FORMAT_NONE,

    /// <summary>BitNet b1.58: codes -1, 0, +1, scale = mean of |x|; 2 or 1.6 bits a weight
    /// (<see cref="Packing"/>).</summary>
    Ternary = NativeMethods.BNQ_FORMAT_TERNARY,

    /// <summary>8-bit integers, symmetric (-127..127) or asymmetric (-128..127).</summary>
    Int8 = NativeMethods.BNQ_FORMAT_INT8,

    /// <summary>4-bit integers, symmetric (-7..7) or asymmetric (-8..7).</summary>
    Int4 = NativeMethods.BNQ_FORMAT_INT4,

    /// <summary>4-bit NormalFloat (QLoRA), as bitsandbytes: codes 0..15.</summary>
    NF4 = NativeMethods.BNQ_FORMAT_NF4,

    /// <summary>4-bit floating point as bitsandbytes (not OCP E2M1): codes 0..15.</summary>
    FP4 = NativeMethods.BNQ_FORMAT_FP4,

    /// <summary>IEEE half precision: no scales, 16 bits a weight.</summary>
    Float16 = NativeMethods.BNQ_FORMAT_F16,

    /// <summary>The upper half of a single: no scales, 16 bits a weight.</summary>
    BFloat16 = NativeMethods.BNQ_FORMAT_BF16,

    /// <summary>2-bit integers, symmetric (-1..1) or asymmetric (-2..1).</summary>
    Int2 = NativeMethods.BNQ_FORMAT_INT2,

    /// <summary>3-bit integers, symmetric (-3..3) or asymmetric (-4..3).</summary>
    Int3 = NativeMethods.BNQ_FORMAT_INT3,

    /// <summary>5-bit integers, symmetric (-15..15) or asymmetric (-16..15).</summary>
    Int5 = NativeMethods.BNQ_FORMAT_INT5,

    /// <summary>6-bit integers, symmetric (-31..31) or asymmetric (-32..31).</summary>
    Int6 = NativeMethods.BNQ_FORMAT_INT6,

    /// <summary>One bit: the sign, scale = mean of |x| (BitNet, XNOR-Net).</summary>
    Binary = NativeMethods.BNQ_FORMAT_BINARY,

    /// <summary>4-bit floating point of OCP (MXFP4, NVFP4): codes 0..15.</summary>
    E2M1 = NativeMethods.BNQ_FORMAT_E2M1,

    /// <summary>8-bit floating point of OCP with 3 mantissa bits (FP8); codes are its bits.</summary>
    E4M3 = NativeMethods.BNQ_FORMAT_E4M3,

    /// <summary>8-bit floating point of OCP with 2 mantissa bits (FP8); codes are its bits.</summary>
    E5M2 = NativeMethods.BNQ_FORMAT_E5M2,

    /// <summary>4 values fitted to the tensor, times signed scales: codes 0..3.</summary>
    Codebook2 = NativeMethods.BNQ_FORMAT_CODEBOOK2,

    /// <summary>8 values fitted to the tensor, times signed scales: codes 0..7.</summary>
    Codebook3 = NativeMethods.BNQ_FORMAT_CODEBOOK3,

    /// <summary>16 values fitted to the tensor, times signed scales: codes 0..15.</summary>
    Codebook4 = NativeMethods.BNQ_FORMAT_CODEBOOK4,
}

/// <summary>How many elements share a scale.</summary>
public enum Granularity
{
    /// <summary>The whole tensor.</summary>
    Tensor = NativeMethods.BNQ_GRANULARITY_TENSOR,

    /// <summary>One index along <see cref="Config.Axis"/>.</summary>
    Channel = NativeMethods.BNQ_GRANULARITY_CHANNEL,

    /// <summary><see cref="Config.GroupSize"/> neighbours in a row; the last group of a row may be short.</summary>
    Group = NativeMethods.BNQ_GRANULARITY_GROUP,

    /// <summary>The last dimension: a token of activations [..., tokens, features].</summary>
    Token = NativeMethods.BNQ_GRANULARITY_TOKEN,

    /// <summary><see cref="Config.GroupSize"/> elements of the flattened array, across rows, whose codes are then
    /// packed as one row: the layout of bitsandbytes.</summary>
    Block = NativeMethods.BNQ_GRANULARITY_BLOCK,

    /// <summary><see cref="Config.GroupSize"/> rows and as many columns of the last two dimensions, those at the
    /// right and lower edge may be short: the layout of DeepSeek-V3's block scales.</summary>
    Tile = NativeMethods.BNQ_GRANULARITY_TILE,
}

/// <summary>Whether codes have a zero point.</summary>
public enum Scheme
{
    /// <summary>value = code * scale.</summary>
    Symmetric = NativeMethods.BNQ_SCHEME_SYMMETRIC,

    /// <summary>value = (code - zero point) * scale, over the range of the values and 0.</summary>
    Asymmetric = NativeMethods.BNQ_SCHEME_ASYMMETRIC,

    /// <summary>value = code * scale + offset, stored codes from 0 on, over the range of the values alone: MLX's
    /// affine mode, ggml's Q4_1.</summary>
    Offset = NativeMethods.BNQ_SCHEME_OFFSET,
}

/// <summary>What NaN and infinity in the input do.</summary>
public enum NonFinitePolicy
{
    /// <summary>They are refused with a <see cref="NonFiniteException"/> that names the first index.</summary>
    Error = NativeMethods.BNQ_NON_FINITE_ERROR,

    /// <summary>They count as 0.</summary>
    Zero = NativeMethods.BNQ_NON_FINITE_ZERO,

    /// <summary>They are kept, and finite values may overflow to infinity; for <see cref="Format.Float16"/> and
    /// <see cref="Format.BFloat16"/> only.</summary>
    Keep = NativeMethods.BNQ_NON_FINITE_KEEP,
}

/// <summary>What becomes of a finite value that the type it is dequantized to, Float16 or BFloat16, would turn into
/// infinity.</summary>
public enum Overflow
{
    /// <summary>It is refused with a <see cref="NonFiniteException"/> that names the index.</summary>
    Error = NativeMethods.BNQ_OVERFLOW_ERROR,

    /// <summary>It becomes the type's greatest number, with its sign.</summary>
    Saturate = NativeMethods.BNQ_OVERFLOW_SATURATE,

    /// <summary>It becomes infinity.</summary>
    Keep = NativeMethods.BNQ_OVERFLOW_KEEP,
}

/// <summary>How x / scale becomes an integer, in formats whose codes are integers.</summary>
public enum Rounding
{
    /// <summary>To nearest, ties to even: -0.5, 0.5, 1.5, 2.5 become 0, 0, 2, 2.</summary>
    HalfEven = NativeMethods.BNQ_ROUNDING_HALF_EVEN,

    /// <summary>To nearest, ties away from zero: -1, 1, 2, 3.</summary>
    HalfAway = NativeMethods.BNQ_ROUNDING_HALF_AWAY,

    /// <summary>To nearest, ties up: 0, 1, 2, 3.</summary>
    HalfUp = NativeMethods.BNQ_ROUNDING_HALF_UP,

    /// <summary>Down: -1, 0, 1, 2.</summary>
    Floor = NativeMethods.BNQ_ROUNDING_FLOOR,

    /// <summary>Up: 0, 1, 2, 3.</summary>
    Ceiling = NativeMethods.BNQ_ROUNDING_CEIL,

    /// <summary>Toward zero: 0, 0, 1, 2.</summary>
    TowardZero = NativeMethods.BNQ_ROUNDING_TOWARD_ZERO,

    /// <summary>Up with the probability of the fraction, from <see cref="Config.Seed"/> and the element's index
    /// alone, so the same everywhere.</summary>
    Stochastic = NativeMethods.BNQ_ROUNDING_STOCHASTIC,

    /// <summary>To nearest, ties toward zero: 0, 0, 1, 2. Also of e2m1, e4m3 and e5m2, where nothing then becomes -0:
    /// ggml's MXFP4.</summary>
    HalfTowardZero = NativeMethods.BNQ_ROUNDING_HALF_TOWARD_ZERO,
}

/// <summary>What a scale is made from, for the elements that share it.</summary>
public enum ScaleRule
{
    /// <summary>The format's own: the mean of |x| for ternary, <see cref="AbsMax"/> for others.</summary>
    Default = NativeMethods.BNQ_SCALE_RULE_DEFAULT,

    /// <summary>The greatest |x|; asymmetric: minimum and maximum.</summary>
    AbsMax = NativeMethods.BNQ_SCALE_RULE_ABSMAX,

    /// <summary>The mean of |x|; for INT8 and INT4, 2 mean|x| / sqrt(greatest code), the start of LSQ. Of symmetric
    /// integer formats.</summary>
    AbsMean = NativeMethods.BNQ_SCALE_RULE_ABSMEAN,

    /// <summary>The value that <see cref="Config.Percentile"/> percent of |x| do not exceed; asymmetric: half of the
    /// rest is cut at each end.</summary>
    Percentile = NativeMethods.BNQ_SCALE_RULE_PERCENTILE,

    /// <summary>The least squared error found by a search; never worse than <see cref="AbsMax"/> and
    /// <see cref="Default"/>.</summary>
    Mse = NativeMethods.BNQ_SCALE_RULE_MSE,
}

/// <summary>The codes and scale of symmetric integers, where q is 127 (INT8) or 7 (INT4).</summary>
public enum SymmetricRange
{
    /// <summary>Codes -q..q, scale absmax / q: nothing is clipped.</summary>
    Narrow = NativeMethods.BNQ_SYMMETRIC_RANGE_NARROW,

    /// <summary>Codes -q-1..q, scale absmax / (q + 0.5), as PyTorch: +absmax is clipped.</summary>
    Full = NativeMethods.BNQ_SYMMETRIC_RANGE_FULL,

    /// <summary>Codes -q-1..q, scale (the first x of the greatest |x|) / (-q - 1), as ggml: maybe negative.</summary>
    Extreme = NativeMethods.BNQ_SYMMETRIC_RANGE_EXTREME,
}

/// <summary>How scales are stored. Codes are made with the scale as stored.</summary>
public enum ScaleDataType
{
    /// <summary>Single precision.</summary>
    Float32 = NativeMethods.BNQ_SCALE_DTYPE_F32,

    /// <summary>Half precision; what it cannot hold becomes its greatest or least positive value
    /// (<see cref="QuantizedTensor.SaturatedScaleCount"/>).</summary>
    Float16 = NativeMethods.BNQ_SCALE_DTYPE_F16,

    /// <summary>The upper half of a single.</summary>
    BFloat16 = NativeMethods.BNQ_SCALE_DTYPE_BF16,

    /// <summary>A power of two, 8 bits (OCP MX).</summary>
    E8M0 = NativeMethods.BNQ_SCALE_DTYPE_E8M0,

    /// <summary>OCP FP8, times a single for the whole tensor (NVFP4;
    /// <see cref="QuantizedTensor.TensorScale"/>).</summary>
    E4M3 = NativeMethods.BNQ_SCALE_DTYPE_E4M3,
}

/// <summary>How codes become bytes; the layouts are those of <see cref="QuantizedTensor.Codes"/>.</summary>
public enum Packing
{
    /// <summary>The format's own.</summary>
    Default = NativeMethods.BNQ_PACKING_DEFAULT,

    /// <summary>Ternary at 1.6 bits: five codes to a byte.</summary>
    Base3 = NativeMethods.BNQ_PACKING_BASE3,
}

/// <summary>
/// Types of array elements: those of safetensors. Float64, Float32, Float16 and BFloat16 can be quantized;
/// every type can be carried through a file.
/// </summary>
public enum DataType
{
    /// <summary>IEEE single precision, "F32": <see cref="float"/>.</summary>
    Float32 = NativeMethods.BNQ_DTYPE_F32,

    /// <summary>IEEE half precision, "F16": <see cref="Half"/>.</summary>
    Float16 = NativeMethods.BNQ_DTYPE_F16,

    /// <summary>The upper half of a single, "BF16": its bits in a <see cref="ushort"/>.</summary>
    BFloat16 = NativeMethods.BNQ_DTYPE_BF16,

    /// <summary>IEEE double precision, "F64": <see cref="double"/>.</summary>
    Float64 = NativeMethods.BNQ_DTYPE_F64,

    /// <summary>"I8": <see cref="sbyte"/>.</summary>
    Int8 = NativeMethods.BNQ_DTYPE_I8,

    /// <summary>"U8": <see cref="byte"/>.</summary>
    UInt8 = NativeMethods.BNQ_DTYPE_U8,

    /// <summary>"I16": <see cref="short"/>.</summary>
    Int16 = NativeMethods.BNQ_DTYPE_I16,

    /// <summary>"U16": <see cref="ushort"/>.</summary>
    UInt16 = NativeMethods.BNQ_DTYPE_U16,

    /// <summary>"I32": <see cref="int"/>.</summary>
    Int32 = NativeMethods.BNQ_DTYPE_I32,

    /// <summary>"U32": <see cref="uint"/>.</summary>
    UInt32 = NativeMethods.BNQ_DTYPE_U32,

    /// <summary>"I64": <see cref="long"/>.</summary>
    Int64 = NativeMethods.BNQ_DTYPE_I64,

    /// <summary>"U64": <see cref="ulong"/>.</summary>
    UInt64 = NativeMethods.BNQ_DTYPE_U64,

    /// <summary>One byte, 0 or 1, "BOOL": <see cref="bool"/>.</summary>
    Boolean = NativeMethods.BNQ_DTYPE_BOOL,

    /// <summary>Two singles, real and imaginary, "C64".</summary>
    Complex64 = NativeMethods.BNQ_DTYPE_C64,

    /// <summary>"F8_E4M3".</summary>
    Float8E4M3 = NativeMethods.BNQ_DTYPE_F8_E4M3,

    /// <summary>"F8_E5M2".</summary>
    Float8E5M2 = NativeMethods.BNQ_DTYPE_F8_E5M2,

    /// <summary>"F8_E8M0".</summary>
    Float8E8M0 = NativeMethods.BNQ_DTYPE_F8_E8M0,

    /// <summary>"F8_E4M3FNUZ".</summary>
    Float8E4M3Fnuz = NativeMethods.BNQ_DTYPE_F8_E4M3FNUZ,

    /// <summary>"F8_E5M2FNUZ".</summary>
    Float8E5M2Fnuz = NativeMethods.BNQ_DTYPE_F8_E5M2FNUZ,

    /// <summary>6 bits an element, "F6_E2M3".</summary>
    Float6E2M3 = NativeMethods.BNQ_DTYPE_F6_E2M3,

    /// <summary>6 bits an element, "F6_E3M2".</summary>
    Float6E3M2 = NativeMethods.BNQ_DTYPE_F6_E3M2,

    /// <summary>4 bits an element, "F4".</summary>
    Float4 = NativeMethods.BNQ_DTYPE_F4,
}

/// <summary>What a model file is; told by its content, not by its name.</summary>
public enum ModelFileKind
{
    /// <summary>A .safetensors file.</summary>
    Safetensors = NativeMethods.BNQ_FILE_SAFETENSORS,

    /// <summary>A .bnq file, the container of quantized tensors.</summary>
    Bnq = NativeMethods.BNQ_FILE_BNQ,

    /// <summary>The index of a sharded model, *.safetensors.index.json.</summary>
    SafetensorsIndex = NativeMethods.BNQ_FILE_SAFETENSORS_INDEX,

    /// <summary>A NumPy .npy file: one array, with the file's name without its ending. It cannot be written.</summary>
    Npy = NativeMethods.BNQ_FILE_NPY,

    /// <summary>The index of a .bnq model in several files.</summary>
    BnqIndex = NativeMethods.BNQ_FILE_BNQ_INDEX,

    /// <summary>A GGUF file of llama.cpp, or several of one model.</summary>
    Gguf = NativeMethods.BNQ_FILE_GGUF,
}

/// <summary>How an output file is written.</summary>
[Flags]
public enum WriteOptions
{
    /// <summary>An existing output is an <see cref="AlreadyExistsException"/>; nothing is compressed.</summary>
    None = 0,

    /// <summary>Replaces an existing output, when the new one is complete.</summary>
    Overwrite = NativeMethods.BNQ_WRITE_OVERWRITE,

    /// <summary>Compresses the data of a .bnq file with DEFLATE.</summary>
    Compress = NativeMethods.BNQ_WRITE_COMPRESS,

    /// <summary>Does everything but write; for conversions only.</summary>
    DryRun = NativeMethods.BNQ_WRITE_DRY_RUN,

    /// <summary>Keeps what is finished in a directory of the output's name with ".part" behind it until all is, and
    /// goes on with what an interrupted call or a killed process left there: output and report are as if nothing had
    /// happened. What was of another input or plan is an <see cref="AlreadyExistsException"/>. For conversions
    /// only.</summary>
    Resume = NativeMethods.BNQ_WRITE_RESUME,

    /// <summary>As <see cref="Resume"/>, but what is there is forgotten.</summary>
    Restart = NativeMethods.BNQ_WRITE_RESTART,

    /// <summary>Quantizes a model that another program has quantized, too, which is otherwise an
    /// <see cref="UnsupportedException"/>. For quantization only.</summary>
    Requantize = NativeMethods.BNQ_WRITE_REQUANTIZE,
}

/// <summary>How much a context logs.</summary>
public enum LogLevel
{
    /// <summary>Only what may be a mistake.</summary>
    Warning = NativeMethods.BNQ_LOG_WARNING,

    /// <summary>Also what is being done.</summary>
    Info = NativeMethods.BNQ_LOG_INFO,
}
