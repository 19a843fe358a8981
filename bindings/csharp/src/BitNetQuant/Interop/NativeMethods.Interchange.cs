// Section 17 of bnq.h.

using System.Runtime.InteropServices;
using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 17. Interchange

    internal const int BNQ_VERDICT_EXACT = 1;
    internal const int BNQ_VERDICT_SCALES_ROUNDED = 2;
    internal const int BNQ_VERDICT_NOT_REPRESENTABLE = 3;
    internal const int BNQ_VERDICT_REQUANTIZED = 4;
    internal const int BNQ_LAYOUT_READ = 1;
    internal const int BNQ_LAYOUT_WRITTEN = 2;
    internal const int BNQ_INTERCHANGE_SCALE_DTYPE = 1;
    internal const int BNQ_INTERCHANGE_WEIGHT_SCALE = 2;
    internal const int BNQ_INTERCHANGE_I2_S = 3;
    internal const int BNQ_INTERCHANGE_MAX_SCALE_CHANGE = 4;
    internal const int BNQ_NUM_INTERCHANGE_OPTIONS = 4;
    internal const int BNQ_INTERCHANGE_SCALES_KEEP = 0;
    internal const int BNQ_INTERCHANGE_SCALES_F32 = 1;
    internal const int BNQ_INTERCHANGE_SCALES_F16 = 2;
    internal const int BNQ_INTERCHANGE_SCALES_BF16 = 3;
    internal const int BNQ_WEIGHT_SCALE_CONFIG = 0;
    internal const int BNQ_WEIGHT_SCALE_MULTIPLY = 1;
    internal const int BNQ_WEIGHT_SCALE_DIVIDE = 2;
    internal const int BNQ_I2_S_UNKNOWN = 0;
    internal const int BNQ_I2_S_X86 = 1;
    internal const int BNQ_I2_S_ARM = 2;

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_verdict_name(int verdict);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_report_verdict(ReportHandle report, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_layout_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_layout_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_layout_description(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layout_flags(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_interchange_create(out InterchangeHandle interchange);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_interchange_destroy(nint interchange);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_interchange_options(InterchangeHandle interchange);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_interchange_settings(InterchangeHandle interchange);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_interchange_set_metadata_from(InterchangeHandle interchange, string? path);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_export_file(
        ContextHandle context, InterchangeHandle interchange, string layout, string input, string? output, int flags,
        ulong maxShardBytes, ProgressFn progress, void* opaque, out ReportHandle report);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_import_file(
        ContextHandle context, InterchangeHandle interchange, string input, string? output, int flags,
        ulong maxShardBytes, ProgressFn progress, void* opaque, out ReportHandle report);
}
