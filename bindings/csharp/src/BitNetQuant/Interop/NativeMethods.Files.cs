// Sections 8 and 9 of bnq.h.

using System.Runtime.InteropServices;

using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 8. Files

    internal const int BNQ_FILE_SAFETENSORS = 1;
    internal const int BNQ_FILE_BNQ = 2;
    internal const int BNQ_FILE_SAFETENSORS_INDEX = 3;
    internal const int BNQ_FILE_NPY = 4;
    internal const int BNQ_FILE_BNQ_INDEX = 5;
    internal const int BNQ_FILE_GGUF = 6;
    internal const int BNQ_OPEN_READ = 1;
    internal const int BNQ_OPEN_SOURCE = 2;
    internal const int BNQ_OPEN_RAW = 4;
    internal const int BNQ_WRITE_OVERWRITE = 1;
    internal const int BNQ_WRITE_COMPRESS = 2;
    internal const int BNQ_WRITE_DRY_RUN = 4;
    internal const int BNQ_WRITE_REPLACE_LINK = 8;
    internal const int BNQ_WRITE_RESUME = 16;
    internal const int BNQ_WRITE_RESTART = 32;
    internal const int BNQ_WRITE_REQUANTIZE = 64;

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_file_open(
        ContextHandle context, string path, int flags, out FileHandle file);

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
    internal static partial byte* bnq_file_same_as(FileHandle file, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_file_layout(FileHandle file, ulong index);

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
        ContextHandle context, string path, int kind, int flags, ulong maxShardBytes,
        out WriterHandle writer);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_writer_create_memory(
        ContextHandle context, int kind, int flags, out WriterHandle writer);

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

    [LibraryImport(LibraryName)]
    internal static partial int bnq_writer_bytes(WriterHandle writer, out void* data, out ulong bytes);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_write_file(
        ContextHandle context, string path, void* data, ulong bytes, int flags);

    // 9. Plans, conversion, comparison

    [LibraryImport(LibraryName)]
    internal static partial int bnq_plan_create(out PlanHandle plan);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_plan_destroy(nint plan);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_add(PlanHandle plan, string glob, int minRank, ConfigHandle config);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_set_importance(
        PlanHandle plan, string name, float* importance, ulong importanceCount);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_load_importance(ContextHandle context, PlanHandle plan, string path);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_match(
        PlanHandle plan, string name, ulong* shape, int rank, out long rule, out ConfigHandle config);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_quantize_file(
        ContextHandle context, PlanHandle plan, string input, string output, int flags, ulong maxShardBytes,
        ProgressFn progress, void* opaque, out ReportHandle report);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_dequantize_file(
        ContextHandle context, string input, string output, int dtype, int overflow, int flags,
        ulong maxShardBytes,
        ProgressFn progress, void* opaque, out ReportHandle report);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_compare_files(
        ContextHandle context, string original, string other, ProgressFn progress, void* opaque,
        out ReportHandle report);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_report_destroy(nint report);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_report_count(ReportHandle report);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_report_output(ReportHandle report);

    [LibraryImport(LibraryName)]
    internal static partial double bnq_report_dense_share(ReportHandle report);

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

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_report_same_as(ReportHandle report, ulong index);
}
