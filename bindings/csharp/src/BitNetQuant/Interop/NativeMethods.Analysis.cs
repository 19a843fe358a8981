// Section 16 of bnq.h.

using System.Runtime.InteropServices;
using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;
using unsafe SensitivityFn = delegate* unmanaged[Cdecl]<void*, byte*, nint, double*, int>;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 16. Sensitivity, budgets, estimates

    internal const int BNQ_SENSITIVITY_BYTES = 0;
    internal const int BNQ_SENSITIVITY_BITS = 1;
    internal const int BNQ_SENSITIVITY_RELATIVE_ERROR = 2;
    internal const int BNQ_SENSITIVITY_MAX_ERROR = 3;
    internal const int BNQ_SENSITIVITY_COSINE = 4;
    internal const int BNQ_SENSITIVITY_LOSS = 5;
    internal const int BNQ_NUM_SENSITIVITY_VALUES = 6;
    internal const int BNQ_BUDGET_BYTES = 1;
    internal const int BNQ_BUDGET_BITS = 2;
    internal const int BNQ_BUDGET_RATIO = 3;
    internal const int BNQ_ALLOCATE_FUSED_APART = 1;
    internal const int BNQ_ALLOCATE_EXPERTS_APART = 2;
    internal const int BNQ_ALLOCATION_BUDGET_BYTES = 0;
    internal const int BNQ_ALLOCATION_BYTES = 1;
    internal const int BNQ_ALLOCATION_FIXED_BYTES = 2;
    internal const int BNQ_ALLOCATION_MIN_BYTES = 3;
    internal const int BNQ_ALLOCATION_MAX_BYTES = 4;
    internal const int BNQ_ALLOCATION_ELEMENTS = 5;
    internal const int BNQ_ALLOCATION_BITS = 6;
    internal const int BNQ_ALLOCATION_RATIO = 7;
    internal const int BNQ_ALLOCATION_LOSS = 8;
    internal const int BNQ_ALLOCATION_BOUND = 9;
    internal const int BNQ_ALLOCATION_GAP = 10;
    internal const int BNQ_ALLOCATION_LAMBDA = 11;
    internal const int BNQ_ALLOCATION_PROVEN = 12;
    internal const int BNQ_NUM_ALLOCATION_VALUES = 13;
    internal const int BNQ_ALLOCATION_ROW_BYTES = 0;
    internal const int BNQ_ALLOCATION_ROW_ELEMENTS = 1;
    internal const int BNQ_ALLOCATION_ROW_BITS = 2;
    internal const int BNQ_ALLOCATION_ROW_RELATIVE_ERROR = 3;
    internal const int BNQ_ALLOCATION_ROW_MAX_ERROR = 4;
    internal const int BNQ_ALLOCATION_ROW_COSINE = 5;
    internal const int BNQ_ALLOCATION_ROW_LOSS = 6;
    internal const int BNQ_ALLOCATION_ROW_SHARE = 7;
    internal const int BNQ_ALLOCATION_ROW_KIND = 8;
    internal const int BNQ_ALLOCATION_ROW_PINNED = 9;
    internal const int BNQ_ALLOCATION_ROW_COARSE = 10;
    internal const int BNQ_ALLOCATION_ROW_TIED_TO = 11;
    internal const int BNQ_ALLOCATION_ROW_UPGRADE_BYTES = 12;
    internal const int BNQ_ALLOCATION_ROW_UPGRADE_LOSS = 13;
    internal const int BNQ_NUM_ALLOCATION_ROW_VALUES = 14;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_sensitivity_create(out SensitivityHandle sensitivity);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_sensitivity_destroy(nint sensitivity);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_candidate_count();

    [LibraryImport(LibraryName)]
    internal static partial int bnq_candidate_at(uint index, out ConfigHandle config);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_analyze_file(
        ContextHandle context, PlanHandle plan, nint* candidates, ulong candidateCount, string input,
        string? savePath, ProgressFn progress, void* opaque, SensitivityHandle sensitivity);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_sensitivity_merge(SensitivityHandle sensitivity, SensitivityHandle other);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_sensitivity_to_json(
        SensitivityHandle sensitivity, byte* text, ulong size, out ulong needed);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_sensitivity_from_json(string text, out SensitivityHandle sensitivity);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_sensitivity_load(
        ContextHandle context, string path, out SensitivityHandle sensitivity);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_sensitivity_save(
        ContextHandle context, SensitivityHandle sensitivity, string path, int flags);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_sensitivity_set_metric(
        SensitivityHandle sensitivity, string tensor, ConfigHandle config, double metric);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_sensitivity_load_metrics(
        ContextHandle context, SensitivityHandle sensitivity, string path);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_sensitivity_set_weight(
        SensitivityHandle sensitivity, string tensor, double weight);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_sensitivity_measure(
        SensitivityHandle sensitivity, SensitivityFn metric, void* opaque);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_sensitivity_count(SensitivityHandle sensitivity);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_sensitivity_name(SensitivityHandle sensitivity, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_sensitivity_config_count(SensitivityHandle sensitivity, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_sensitivity_config(
        SensitivityHandle sensitivity, ulong index, ulong config, out ConfigHandle result);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_sensitivity_values(
        SensitivityHandle sensitivity, ulong index, ulong config, double* values, uint valueCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_allocate(
        SensitivityHandle sensitivity, PlanHandle plan, int budgetKind, double budget, int flags,
        out AllocationHandle allocation);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_allocation_destroy(nint allocation);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_allocation_plan(AllocationHandle allocation, out PlanHandle plan);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_allocation_values(AllocationHandle allocation, double* values, uint valueCount);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_allocation_count(AllocationHandle allocation);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_allocation_name(AllocationHandle allocation, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_allocation_config(AllocationHandle allocation, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_allocation_upgrade(AllocationHandle allocation, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_allocation_row(
        AllocationHandle allocation, ulong index, double* values, uint valueCount);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_estimate_file(
        ContextHandle context, PlanHandle plan, string input, ulong maxShardBytes, out ulong fileBytes,
        out ReportHandle report);
}
