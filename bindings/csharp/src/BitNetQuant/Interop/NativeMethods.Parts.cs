// Section 18 of bnq.h.

using System.Runtime.InteropServices;
using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 18. Work in parts

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_part_count(ContextHandle context, string input, out ulong count);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_quantize_part(
        ContextHandle context, PlanHandle plan, string input, string? output, ulong part, ulong parts, int flags,
        ProgressFn progress, void* opaque, out ReportHandle report);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_join_parts(
        ContextHandle context, PlanHandle plan, string input, string output, ulong parts, int flags,
        ProgressFn progress, void* opaque, out ReportHandle report);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_analyze_part(
        ContextHandle context, PlanHandle plan, nint* candidates, ulong candidateCount, string input, ulong part,
        ulong parts, string? savePath, ProgressFn progress, void* opaque, SensitivityHandle sensitivity);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_file_verify_part(
        ContextHandle context, FileHandle file, ulong part, ulong parts, ProgressFn progress, void* opaque);
}
