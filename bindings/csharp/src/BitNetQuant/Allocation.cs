using System;
using System.Collections.Immutable;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>What a model may take.</summary>
public readonly record struct Budget
{
    private Budget(int kind, double amount) => (Kind, Amount) = (kind, amount);

    internal int Kind { get; }

    internal double Amount { get; }

    /// <summary>Bytes of the .bnq file.</summary>
    /// <param name="bytes">Above 0.</param>
    public static Budget Bytes(long bytes) => new(NativeMethods.BNQ_BUDGET_BYTES, bytes);

    /// <summary>Bits of the file for each element of all tensors.</summary>
    /// <param name="bits">Above 0.</param>
    public static Budget BitsPerWeight(double bits) => new(NativeMethods.BNQ_BUDGET_BITS, bits);

    /// <summary>Bytes of the tensors in the input over bytes of the file.</summary>
    /// <param name="ratio">Above 0.</param>
    public static Budget Ratio(double ratio) => new(NativeMethods.BNQ_BUDGET_RATIO, ratio);
}

/// <summary>What need not have one config, though runtimes make one tensor of it.</summary>
[Flags]
public enum AllocationOptions
{
    /// <summary>All that is fused has one config.</summary>
    None = 0,

    /// <summary>q, k and v, and gate and up may differ.</summary>
    FusedApart = NativeMethods.BNQ_ALLOCATE_FUSED_APART,

    /// <summary>The experts of a layer may differ.</summary>
    ExpertsApart = NativeMethods.BNQ_ALLOCATE_EXPERTS_APART,
}

/// <summary>Which config each tensor gets, so that a model fits a budget: <see cref="Sensitivity.Allocate"/>.
/// Immutable; may be used by several threads at once.</summary>
public sealed unsafe class Allocation : IDisposable
{
    private readonly AllocationHandle _handle;

    internal Allocation(AllocationHandle handle)
    {
        _handle = handle;
        try
        {
            Totals = ReadTotals();
            Rows = ReadRows();
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>What it comes to.</summary>
    public AllocationTotals Totals { get; }

    /// <summary>The tensors that were analyzed, sorted by name.</summary>
    public ImmutableArray<AllocationRow> Rows { get; }

    /// <summary>The plan: a rule for each tensor by its name, with the importance of the plan that was given.</summary>
    public Plan GetPlan()
    {
        Native.Check(NativeMethods.bnq_allocation_plan(_handle, out PlanHandle handle));
        return new Plan(handle);
    }

    /// <summary>Frees it.</summary>
    public void Dispose() => _handle.Dispose();

    private AllocationTotals ReadTotals()
    {
        const int Count = NativeMethods.BNQ_NUM_ALLOCATION_VALUES;
        double* values = stackalloc double[Count];
        Native.Check(NativeMethods.bnq_allocation_values(_handle, values, Count));
        return new AllocationTotals
        {
            BudgetBytes = (long)values[NativeMethods.BNQ_ALLOCATION_BUDGET_BYTES],
            Bytes = (long)values[NativeMethods.BNQ_ALLOCATION_BYTES],
            FixedBytes = (long)values[NativeMethods.BNQ_ALLOCATION_FIXED_BYTES],
            MinBytes = (long)values[NativeMethods.BNQ_ALLOCATION_MIN_BYTES],
            MaxBytes = (long)values[NativeMethods.BNQ_ALLOCATION_MAX_BYTES],
            Elements = (long)values[NativeMethods.BNQ_ALLOCATION_ELEMENTS],
            BitsPerWeight = values[NativeMethods.BNQ_ALLOCATION_BITS],
            Ratio = values[NativeMethods.BNQ_ALLOCATION_RATIO],
            Loss = values[NativeMethods.BNQ_ALLOCATION_LOSS],
            Bound = values[NativeMethods.BNQ_ALLOCATION_BOUND],
            Gap = values[NativeMethods.BNQ_ALLOCATION_GAP],
            Lambda = values[NativeMethods.BNQ_ALLOCATION_LAMBDA],
            IsProven = values[NativeMethods.BNQ_ALLOCATION_PROVEN] != 0,
        };
    }

    private ImmutableArray<AllocationRow> ReadRows()
    {
        ulong count = NativeMethods.bnq_allocation_count(_handle);
        var rows = ImmutableArray.CreateBuilder<AllocationRow>(Native.Length(count, "The allocation"));
        for (ulong i = 0; i < count; i++)
        {
            rows.Add(ReadRow(i));
        }

        return rows.MoveToImmutable();
    }

    private AllocationRow ReadRow(ulong index)
    {
        const int Count = NativeMethods.BNQ_NUM_ALLOCATION_ROW_VALUES;
        double* values = stackalloc double[Count];
        Native.Check(NativeMethods.bnq_allocation_row(_handle, index, values, Count));
        string upgrade = Native.Text(NativeMethods.bnq_allocation_upgrade(_handle, index));
        return new AllocationRow
        {
            Name = Native.Text(NativeMethods.bnq_allocation_name(_handle, index)),
            Config = Native.Text(NativeMethods.bnq_allocation_config(_handle, index)),
            Bytes = (long)values[NativeMethods.BNQ_ALLOCATION_ROW_BYTES],
            Elements = (long)values[NativeMethods.BNQ_ALLOCATION_ROW_ELEMENTS],
            BitsPerWeight = values[NativeMethods.BNQ_ALLOCATION_ROW_BITS],
            RelativeError = values[NativeMethods.BNQ_ALLOCATION_ROW_RELATIVE_ERROR],
            MaxError = values[NativeMethods.BNQ_ALLOCATION_ROW_MAX_ERROR],
            Cosine = values[NativeMethods.BNQ_ALLOCATION_ROW_COSINE],
            Loss = values[NativeMethods.BNQ_ALLOCATION_ROW_LOSS],
            Share = values[NativeMethods.BNQ_ALLOCATION_ROW_SHARE],
            Kind = (LayerKind)values[NativeMethods.BNQ_ALLOCATION_ROW_KIND],
            IsPinned = values[NativeMethods.BNQ_ALLOCATION_ROW_PINNED] != 0,
            IsCoarse = values[NativeMethods.BNQ_ALLOCATION_ROW_COARSE] != 0,
            TiedTo = (int)values[NativeMethods.BNQ_ALLOCATION_ROW_TIED_TO],
            Upgrade = upgrade.Length == 0
                ? null
                : new AllocationUpgrade(
                    upgrade, (long)values[NativeMethods.BNQ_ALLOCATION_ROW_UPGRADE_BYTES],
                    values[NativeMethods.BNQ_ALLOCATION_ROW_UPGRADE_LOSS]),
        };
    }
}

/// <summary>What an <see cref="Allocation"/> comes to.</summary>
public sealed record AllocationTotals
{
    internal AllocationTotals() { }

    /// <summary>The budget in bytes.</summary>
    public required long BudgetBytes { get; init; }

    /// <summary>Bytes of the file, up to 63 more than it has.</summary>
    public required long Bytes { get; init; }

    /// <summary>Of these what has no choice: the model's metadata and tensors that were not analyzed.</summary>
    public required long FixedBytes { get; init; }

    /// <summary>Bytes of the smallest file that the candidates allow.</summary>
    public required long MinBytes { get; init; }

    /// <summary>Bytes of the largest file that the candidates allow.</summary>
    public required long MaxBytes { get; init; }

    /// <summary>Elements of all tensors.</summary>
    public required long Elements { get; init; }

    /// <summary>Bits of the file for each of them.</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>Bytes of the tensors in the input over bytes of the file.</summary>
    public required double Ratio { get; init; }

    /// <summary>The losses of all tensors, added up.</summary>
    public required double Loss { get; init; }

    /// <summary>No choice has less loss.</summary>
    public required double Bound { get; init; }

    /// <summary>(loss - bound) / loss; 0 where it is proven.</summary>
    public required double Gap { get; init; }

    /// <summary>What a byte more would take off the loss, about.</summary>
    public required double Lambda { get; init; }

    /// <summary>Whether it is proven that no choice is better.</summary>
    public required bool IsProven { get; init; }
}

/// <summary>What an <see cref="Allocation"/> gives a tensor.</summary>
public sealed record AllocationRow
{
    internal AllocationRow() { }

    /// <summary>The tensor's name.</summary>
    public required string Name { get; init; }

    /// <summary>The text of its config, as <see cref="BitNetQuant.Config.Parse"/> reads it; "none": as it is.</summary>
    public required string Config { get; init; }

    /// <summary>What it takes in the file.</summary>
    public required long Bytes { get; init; }

    /// <summary>The number of its elements.</summary>
    public required long Elements { get; init; }

    /// <summary>Bits for each of them.</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>The sum of squared errors over the sum of squares.</summary>
    public required double RelativeError { get; init; }

    /// <summary>The greatest absolute error.</summary>
    public required double MaxError { get; init; }

    /// <summary>The cosine between the tensor and what it dequantizes to.</summary>
    public required double Cosine { get; init; }

    /// <summary>What it adds to the loss.</summary>
    public required double Loss { get; init; }

    /// <summary>The share of that in the loss of all.</summary>
    public required double Share { get; init; }

    /// <summary>What it does in the model.</summary>
    public required LayerKind Kind { get; init; }

    /// <summary>Whether a rule of the plan gave it its config.</summary>
    public required bool IsPinned { get; init; }

    /// <summary>Whether its relative error is above 0.15, where losses no longer just add up.</summary>
    public required bool IsCoarse { get; init; }

    /// <summary>The index of the row whose config it shares; its own where it shares none.</summary>
    public required int TiedTo { get; init; }

    /// <summary>What would be better; null where nothing is, and in rows that share another one's config.</summary>
    public required AllocationUpgrade? Upgrade { get; init; }
}

/// <summary>The next better config of a tensor, for all tensors of its tie.</summary>
/// <param name="Config">Its text.</param>
/// <param name="Bytes">What it takes more.</param>
/// <param name="Loss">What it loses less.</param>
public sealed record AllocationUpgrade(string Config, long Bytes, double Loss);
