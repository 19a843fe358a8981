// The C ABI of libbnq as bnq.h declares it, in its order and under its names. This class, a
// file for each part of the header, is the only one that knows it; a test compares every line
// of it with the header. What the functions do is written there.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

using unsafe InterruptFn = delegate* unmanaged[Cdecl]<void*, int>;
using unsafe LogFn = delegate* unmanaged[Cdecl]<void*, int, byte*, void>;

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

/// <summary><c>bnq_part</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BnqPart
{
    internal void* Data;
    internal ulong Bytes;
    internal ulong Count;
    internal int Part;
    internal int Dtype;
}

/// <summary><c>bnq_matrix</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BnqMatrix
{
    internal void* Data;
    internal float* Scales;
    internal int* ZeroPoints;
    internal ulong Rows;
    internal ulong Columns;
    internal ulong RowStride;
    internal int Dtype;
    internal int Reserved;
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
    internal const int BNQ_FORMAT_INT2 = 8;
    internal const int BNQ_FORMAT_INT3 = 9;
    internal const int BNQ_FORMAT_INT5 = 10;
    internal const int BNQ_FORMAT_INT6 = 11;
    internal const int BNQ_FORMAT_BINARY = 12;
    internal const int BNQ_FORMAT_E2M1 = 13;
    internal const int BNQ_FORMAT_E4M3 = 14;
    internal const int BNQ_FORMAT_E5M2 = 15;
    internal const int BNQ_FORMAT_CODEBOOK2 = 16;
    internal const int BNQ_FORMAT_CODEBOOK3 = 17;
    internal const int BNQ_FORMAT_CODEBOOK4 = 18;
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
    internal const int BNQ_NUM_METRICS = 5;

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_dtype_name(int dtype);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_dtype_id(string name, out int dtype);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_dtype_bits(int dtype);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_dtype_is_source(int dtype);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_dtype_is_target(int dtype);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_overflow_name(int overflow);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_overflow_description(int overflow);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_overflow_id(string name, out int overflow);

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

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_format_supports(int format, string option, string value);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_metric_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_metric_name(uint index);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial byte* bnq_suggest(string text, byte** names, ulong count);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_target_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_target_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_target_supported(uint index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_target_active();

    // 4. Context

    internal const int BNQ_MIN_RANK_ALL = -1;
    internal const int BNQ_MIN_RANK_NAMED = -2;

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

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_set_interrupt(
        ContextHandle context, InterruptFn interrupt, void* opaque);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_set_mapping(ContextHandle context, int mapping);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_hold_outputs(ContextHandle context);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_context_place_outputs(ContextHandle context);
}
