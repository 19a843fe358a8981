// The C ABI of libbnq as bnq.h declares it, in its order and under its names. This is
// the only file that knows it; a test compares every line here with the header.
// What the functions do is written there.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

using unsafe LogFn = delegate* unmanaged[Cdecl]<void*, int, byte*, void>;
using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

[assembly: DisableRuntimeMarshalling]

namespace BitNetQuant.Interop;

/// <summary><c>bnq_array</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BnqArray
{
    internal void* Data;
    internal ulong* Shape;
    internal int Dtype;
    internal int Rank;
}

/// <summary><c>bnq_allocator</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BnqAllocator
{
    internal delegate* unmanaged[Cdecl]<void*, ulong, void*> Alloc;
    internal delegate* unmanaged[Cdecl]<void*, void*, void> Free;
    internal void* Opaque;
}

/// <summary><c>bnq_runner</c>; the third parameter of Run is a <c>bnq_task_fn</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BnqRunner
{
    internal delegate* unmanaged[Cdecl]<
        void*, ulong, delegate* unmanaged[Cdecl]<void*, ulong, uint, void>, void*, int> Run;
    internal void* Opaque;
    internal uint Workers;
}

internal static unsafe partial class NativeMethods
{
    /// <summary>The name that <see cref="NativeLibraryResolver"/> turns into a file.</summary>
    internal const string LibraryName = "bnq";

    // 2. Version, status, the last error

    internal const int BNQ_OK = 0;
    internal const int BNQ_ERROR_INVALID_ARGUMENT = 1;
    internal const int BNQ_ERROR_UNSUPPORTED = 2;
    internal const int BNQ_ERROR_OUT_OF_MEMORY = 3;
    internal const int BNQ_ERROR_CORRUPT_FILE = 4;
    internal const int BNQ_ERROR_IO = 5;
    internal const int BNQ_ERROR_NO_DATA = 6;
    internal const int BNQ_ERROR_CANCELLED = 7;
    internal const int BNQ_ERROR_INTERNAL = 8;
    internal const int BNQ_ERROR_NON_FINITE = 9;
    internal const int BNQ_ERROR_NOT_FOUND = 10;
    internal const int BNQ_ERROR_EXISTS = 11;
    internal const int BNQ_ABI_VERSION = 1;

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_version();

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_abi_version();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_version_string();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_status_name(int status);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_last_error();

    // 3. Registry

    internal const int BNQ_DTYPE_F32 = 1;
    internal const int BNQ_DTYPE_F16 = 2;
    internal const int BNQ_DTYPE_BF16 = 3;
    internal const int BNQ_DTYPE_F64 = 4;
    internal const int BNQ_DTYPE_I8 = 5;
    internal const int BNQ_DTYPE_U8 = 6;
    internal const int BNQ_DTYPE_I16 = 7;
    internal const int BNQ_DTYPE_U16 = 8;
    internal const int BNQ_DTYPE_I32 = 9;
    internal const int BNQ_DTYPE_U32 = 10;
    internal const int BNQ_DTYPE_I64 = 11;
    internal const int BNQ_DTYPE_U64 = 12;
    internal const int BNQ_DTYPE_BOOL = 13;
    internal const int BNQ_DTYPE_C64 = 14;
    internal const int BNQ_DTYPE_F8_E4M3 = 15;
    internal const int BNQ_DTYPE_F8_E5M2 = 16;
    internal const int BNQ_DTYPE_F8_E8M0 = 17;
    internal const int BNQ_DTYPE_F8_E4M3FNUZ = 18;
    internal const int BNQ_DTYPE_F8_E5M2FNUZ = 19;
    internal const int BNQ_DTYPE_F6_E2M3 = 20;
    internal const int BNQ_DTYPE_F6_E3M2 = 21;
    internal const int BNQ_DTYPE_F4 = 22;
    internal const int BNQ_FORMAT_NONE = 0;
    internal const int BNQ_FORMAT_TERNARY = 1;
    internal const int BNQ_FORMAT_INT8 = 2;
    internal const int BNQ_FORMAT_INT4 = 3;
    internal const int BNQ_FORMAT_NF4 = 4;
    internal const int BNQ_FORMAT_FP4 = 5;
    internal const int BNQ_FORMAT_F16 = 6;
    internal const int BNQ_FORMAT_BF16 = 7;
    internal const int BNQ_FORMAT_CODE_BITS = 1;
    internal const int BNQ_FORMAT_MIN_GROUP = 2;
    internal const int BNQ_FORMAT_ASYMMETRIC = 3;
    internal const int BNQ_FORMAT_MIN_CODE = 4;
    internal const int BNQ_FORMAT_MAX_CODE = 5;
    internal const int BNQ_FORMAT_INTEGER = 6;
    internal const int BNQ_FORMAT_SCALED = 7;
    internal const int BNQ_METRIC_MSE = 0;
    internal const int BNQ_METRIC_MAE = 1;
    internal const int BNQ_METRIC_MAX_ERROR = 2;
    internal const int BNQ_METRIC_SQNR_DB = 3;
    internal const int BNQ_METRIC_COSINE = 4;
    internal const int BNQ_METRIC_COUNT = 5;

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_dtype_name(int dtype);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_dtype_id(string name, out int dtype);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_dtype_bits(int dtype);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_format_count();

    [LibraryImport(LibraryName)]
    internal static partial int bnq_format_at(uint index, out int format);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_format_name(int format);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_format_id(string name, out int format);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_format_description(int format);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_format_property(int format, int property, out long value);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_metric_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_metric_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_target_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_target_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_target_supported(uint index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_target_active();

    // 4. Context

    internal const int BNQ_LOG_WARNING = 1;
    internal const int BNQ_LOG_INFO = 2;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_create(BnqAllocator* allocator, out ContextHandle context);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_context_destroy(nint context);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_set_threads(ContextHandle context, int threads);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_threads(ContextHandle context);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_set_runner(ContextHandle context, BnqRunner* runner);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_set_log(
        ContextHandle context, LogFn log, void* opaque, int level);

    // 5. Config

    internal const int BNQ_OPT_FORMAT = 1;
    internal const int BNQ_OPT_GRANULARITY = 2;
    internal const int BNQ_OPT_GROUP_SIZE = 3;
    internal const int BNQ_OPT_AXIS = 4;
    internal const int BNQ_OPT_SCHEME = 5;
    internal const int BNQ_OPT_CLIP = 6;
    internal const int BNQ_OPT_NON_FINITE = 7;
    internal const int BNQ_OPT_ROUNDING = 8;
    internal const int BNQ_OPT_SEED = 9;
    internal const int BNQ_OPT_SCALE_RULE = 10;
    internal const int BNQ_OPT_PERCENTILE = 11;
    internal const int BNQ_OPT_SYMMETRIC_RANGE = 12;
    internal const int BNQ_OPT_SCALE_DTYPE = 13;
    internal const int BNQ_OPT_DOUBLE_QUANT = 14;
    internal const int BNQ_OPT_PACKING = 15;
    internal const int BNQ_OPT_OUTLIER_THRESHOLD = 16;
    internal const int BNQ_GRANULARITY_TENSOR = 0;
    internal const int BNQ_GRANULARITY_CHANNEL = 1;
    internal const int BNQ_GRANULARITY_GROUP = 2;
    internal const int BNQ_GRANULARITY_TOKEN = 3;
    internal const int BNQ_GRANULARITY_BLOCK = 4;
    internal const int BNQ_SCHEME_SYMMETRIC = 0;
    internal const int BNQ_SCHEME_ASYMMETRIC = 1;
    internal const int BNQ_NON_FINITE_ERROR = 0;
    internal const int BNQ_NON_FINITE_ZERO = 1;
    internal const int BNQ_NON_FINITE_KEEP = 2;
    internal const int BNQ_ROUNDING_HALF_EVEN = 0;
    internal const int BNQ_ROUNDING_HALF_AWAY = 1;
    internal const int BNQ_ROUNDING_HALF_UP = 2;
    internal const int BNQ_ROUNDING_FLOOR = 3;
    internal const int BNQ_ROUNDING_CEIL = 4;
    internal const int BNQ_ROUNDING_TOWARD_ZERO = 5;
    internal const int BNQ_ROUNDING_STOCHASTIC = 6;
    internal const int BNQ_SCALE_RULE_DEFAULT = 0;
    internal const int BNQ_SCALE_RULE_ABSMAX = 1;
    internal const int BNQ_SCALE_RULE_ABSMEAN = 2;
    internal const int BNQ_SCALE_RULE_PERCENTILE = 3;
    internal const int BNQ_SCALE_RULE_MSE = 4;
    internal const int BNQ_SYMMETRIC_RANGE_NARROW = 0;
    internal const int BNQ_SYMMETRIC_RANGE_FULL = 1;
    internal const int BNQ_SYMMETRIC_RANGE_EXTREME = 2;
    internal const int BNQ_SCALE_DTYPE_F32 = 0;
    internal const int BNQ_SCALE_DTYPE_F16 = 1;
    internal const int BNQ_SCALE_DTYPE_BF16 = 2;
    internal const int BNQ_PACKING_DEFAULT = 0;
    internal const int BNQ_PACKING_BASE3 = 1;
    internal const int BNQ_OPTION_INT = 0;
    internal const int BNQ_OPTION_FLOAT = 1;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_create(out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_clone(ConfigHandle config, out ConfigHandle clone);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_config_destroy(nint config);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_set_int(ConfigHandle config, int option, long value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_set_float(ConfigHandle config, int option, double value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_get_int(ConfigHandle config, int option, out long value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_get_float(ConfigHandle config, int option, out double value);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_config_set_text(ConfigHandle config, string option, string value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_equal(ConfigHandle a, ConfigHandle b, out int equal);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_to_text(ConfigHandle config, byte* text, ulong size, ulong* outSize);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_config_from_text(string text, out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_preset_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_preset_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_preset_description(uint index);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_option_count();

    [LibraryImport(LibraryName)]
    internal static partial int bnq_option_at(uint index, out int option);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_option_name(int option);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_option_id(string name, out int option);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_option_bounds(int option, int* type, double* min, double* max, double* defaultValue);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_option_value_name(int option, long value);

    // 6. Arrays and tensors

    internal const int BNQ_TENSOR_BORROW = 1;
    internal const int BNQ_MAX_RANK = 8;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_quantize(
        ContextHandle context, ConfigHandle config, BnqArray* source, out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantized_sizes(
        ConfigHandle config, int rank, ulong* shape, ulong* codeBytes, ulong* scaleBytes, ulong* zeroPoints);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantize(
        ContextHandle context, ConfigHandle config, BnqArray* source, byte* codes, ulong codeBytes,
        void* scales, ulong scaleBytes, sbyte* zeroPoints, ulong zeroPointCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_quantize_batch(
        ContextHandle context, ConfigHandle config, ulong count, BnqArray* sources, byte** codes, ulong* codeBytes,
        void** scales, ulong* scaleBytes, sbyte** zeroPoints, ulong* zeroPointCounts);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_create(
        ContextHandle context, ConfigHandle config, int rank, ulong* shape, byte* codes, ulong codeBytes,
        void* scales, ulong scaleBytes, sbyte* zeroPoints, ulong zeroPointCount, int flags,
        out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_tensor_destroy(nint tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_format(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_shape(TensorHandle tensor, ulong* shape);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_rows(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_columns(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_get_int(TensorHandle tensor, int option, out long value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_get_float(TensorHandle tensor, int option, out double value);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_config(TensorHandle tensor, out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_tensor_codes(TensorHandle tensor, out ulong count);

    [LibraryImport(LibraryName)]
    internal static partial void* bnq_tensor_scales(TensorHandle tensor, out ulong bytes);

    [LibraryImport(LibraryName)]
    internal static partial sbyte* bnq_tensor_zero_points(TensorHandle tensor, out ulong count);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_scale_count(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_read_scales(TensorHandle tensor, float* scales, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_saturated_scales(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial uint* bnq_tensor_outlier_columns(TensorHandle tensor, out ulong count);

    [LibraryImport(LibraryName)]
    internal static partial void* bnq_tensor_outlier_values(TensorHandle tensor, out int dtype);

    [LibraryImport(LibraryName)]
    internal static partial float* bnq_dynamic_map();

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_tensor_bytes(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial double bnq_tensor_bits_per_weight(TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_unpack(
        ContextHandle context, TensorHandle tensor, sbyte* codes, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_pack(
        ContextHandle context, ConfigHandle config, int rank, ulong* shape, sbyte* codes, ulong count,
        byte* packed, ulong packedBytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_repack(
        ContextHandle context, TensorHandle tensor, int packing, out TensorHandle repacked);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_dequantize(
        ContextHandle context, TensorHandle tensor, int dtype, void* output, ulong bytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_dequantize_rows(
        ContextHandle context, TensorHandle tensor, ulong rowBegin, ulong rowCount, int dtype, void* output,
        ulong bytes);

    /// <summary>Whoever calls it holds a reference to each tensor's <see cref="TensorHandle"/>.</summary>
    [LibraryImport(LibraryName)]
    internal static partial int bnq_dequantize_batch(
        ContextHandle context, ulong count, nint* tensors, int dtype, void** outputs, ulong* bytes);

    // 7. Metrics

    [LibraryImport(LibraryName)]
    internal static partial int bnq_compare(
        ContextHandle context, BnqArray* original, BnqArray* other, double* metrics, uint metricCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_tensor_compare(
        ContextHandle context, BnqArray* original, TensorHandle tensor, double* metrics, uint metricCount);

    // 8. Files

    internal const int BNQ_FILE_SAFETENSORS = 1;
    internal const int BNQ_FILE_BNQ = 2;
    internal const int BNQ_FILE_SAFETENSORS_INDEX = 3;
    internal const int BNQ_WRITE_OVERWRITE = 1;
    internal const int BNQ_WRITE_COMPRESS = 2;
    internal const int BNQ_WRITE_DRY_RUN = 4;

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_file_open(ContextHandle context, string path, out FileHandle file);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_open_memory(
        ContextHandle context, void* data, ulong bytes, out FileHandle file);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_file_close(nint file);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_kind(FileHandle file);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_file_count(FileHandle file);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_file_find(FileHandle file, string name, out ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_file_name(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_shape(FileHandle file, ulong index, ulong* shape);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_format(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_dtype(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_file_bytes(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_file_stored_bytes(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_config(FileHandle file, ulong index, out ConfigHandle config);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_file_metadata_count(FileHandle file);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_file_metadata_key(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_file_metadata_value(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_data(FileHandle file, ulong index, out void* data, out ulong bytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_read(
        ContextHandle context, FileHandle file, ulong index, void* output, ulong bytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_tensor(
        ContextHandle context, FileHandle file, ulong index, out TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_verify(
        ContextHandle context, FileHandle file, ProgressFn progress, void* opaque);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_writer_create(
        ContextHandle context, string path, int kind, int flags, out WriterHandle writer);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_writer_destroy(nint writer);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_writer_set_metadata(WriterHandle writer, string key, string value);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_writer_add_array(WriterHandle writer, string name, BnqArray* array);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_writer_add_tensor(WriterHandle writer, string name, TensorHandle tensor);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_writer_finish(WriterHandle writer);

    // 9. Plans, conversion, comparison

    [LibraryImport(LibraryName)]
    internal static partial int bnq_plan_create(out PlanHandle plan);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_plan_destroy(nint plan);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_add(PlanHandle plan, string glob, int minRank, ConfigHandle config);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_match(
        PlanHandle plan, string name, int rank, out long rule, out ConfigHandle config);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_quantize_file(
        ContextHandle context, PlanHandle plan, string input, string output, int flags, ProgressFn progress,
        void* opaque, out ReportHandle report);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_dequantize_file(
        ContextHandle context, string input, string output, int dtype, int flags, ProgressFn progress,
        void* opaque, out ReportHandle report);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_compare_files(
        ContextHandle context, string original, string other, ProgressFn progress, void* opaque,
        out ReportHandle report);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_report_destroy(nint report);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_report_count(ReportHandle report);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_report_name(ReportHandle report, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_report_shape(ReportHandle report, ulong index, ulong* shape);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_report_format(ReportHandle report, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_report_dtype(ReportHandle report, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_report_bytes_before(ReportHandle report, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_report_bytes_after(ReportHandle report, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial double bnq_report_bits_per_weight(ReportHandle report, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_report_metrics(
        ReportHandle report, ulong index, double* metrics, uint metricCount);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_report_note(ReportHandle report, ulong index);
}
