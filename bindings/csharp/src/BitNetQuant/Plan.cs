using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Which tensor of a model gets which config: an ordered list of rules, of which the first that matches a tensor
/// decides. A tensor that no rule matches is carried through unchanged, and so is one that is not Float64,
/// Float32, Float16 or BFloat16.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
/// <example><code>using var plan = new Plan().Skip("*.embedding.*").Add("*", config, minRank: 2);</code></example>
public sealed partial class Plan : IDisposable
{
    /// <summary>A plan without rules.</summary>
    public Plan()
    {
        Native.Check(NativeMethods.bnq_plan_create(out PlanHandle handle));
        Handle = handle;
    }

    internal Plan(PlanHandle handle) => Handle = handle;

    internal PlanHandle Handle { get; }

    /// <summary>Adds a rule behind the others: matching tensors are quantized.</summary>
    /// <param name="glob">A pattern of the whole name: * any characters, ? any one, [a-z] and [!a-z] sets,
    /// \ quotes the next.</param>
    /// <param name="config">What to quantize into; copied. With <see cref="Format.None"/> it is as
    /// <see cref="Skip"/>.</param>
    /// <param name="minRank">The least rank that matches, 0..8.</param>
    /// <returns>This plan.</returns>
    /// <exception cref="InvalidArgumentException">The pattern or the rank is not legal.</exception>
    public Plan Add(string glob, Config config, int minRank = 0)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Add(glob, config.Handle, minRank);
    }

    /// <summary>Adds a rule behind the others: matching tensors are left as they are.</summary>
    /// <param name="glob">As in <see cref="Add(string, Config, int)"/>.</param>
    /// <param name="minRank">The least rank that matches, 0..8.</param>
    /// <returns>This plan.</returns>
    /// <exception cref="InvalidArgumentException">The pattern or the rank is not legal.</exception>
    public Plan Skip(string glob, int minRank = 0) => Add(glob, ConfigHandle.None, minRank);

    /// <summary>The importance of the columns of a tensor, as in
    /// <see cref="QuantizedTensor.QuantizeWeighted"/>; used where its config has <see cref="ScaleRule.Mse"/>. It is
    /// judged when a file is quantized; where no tensor of the file has a use for any that fails.</summary>
    /// <param name="name">The tensor's name, with or without ".weight" at its end.</param>
    /// <param name="importance">A weight for each column; copied.</param>
    /// <returns>This plan.</returns>
    public unsafe Plan SetImportance(string name, ReadOnlySpan<float> importance)
    {
        fixed (float* pointer = importance)
        {
            Native.Check(NativeMethods.bnq_plan_set_importance(
                Handle, Native.Argument(name), pointer, (ulong)importance.Length));
        }

        return this;
    }

    /// <summary>The same from a file: a model file whose arrays are the weights under those names, or a saved
    /// calibration of layers' inputs, whose channels' mean of x^2 they are.</summary>
    /// <param name="path">The file.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>This plan.</returns>
    public Plan LoadImportance(string path, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_plan_load_importance(
            ContextHandle.Of(context), Handle, Native.Argument(path)));
        return this;
    }

    /// <summary>The rule that decides about a tensor, or null where none does.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="shape">Its dimensions.</param>
    public unsafe PlanMatch? Match(string name, ReadOnlySpan<long> shape)
    {
        ulong[] dimensions = Native.Shape(shape);
        ulong none; // what an empty array points to is NULL
        fixed (ulong* pointer = dimensions)
        {
            return Match(name, pointer is null ? &none : pointer, dimensions.Length);
        }
    }

    /// <summary>The same of a tensor of which only the rank is known: rules that ask for a size are passed
    /// over.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="rank">Its number of dimensions.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rank is negative.</exception>
    public unsafe PlanMatch? Match(string name, int rank)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        return Match(name, null, rank);
    }

    /// <summary>Frees the plan.</summary>
    public void Dispose() => Handle.Dispose();

    private unsafe PlanMatch? Match(string name, ulong* shape, int rank)
    {
        Native.Check(NativeMethods.bnq_plan_match(
            Handle, Native.Argument(name), shape, rank, out long rule, out ConfigHandle config));
        return rule < 0 ? null : new PlanMatch(checked((int)rule), config.IsInvalid ? null : new Config(config));
    }

    private Plan Add(string glob, ConfigHandle config, int minRank)
    {
        Native.Check(NativeMethods.bnq_plan_add(Handle, Native.Argument(glob), minRank, config));
        return this;
    }
}

/// <summary>A rule of a <see cref="Plan"/> that decides about a tensor.</summary>
/// <param name="Rule">Its index, in the order of adding.</param>
/// <param name="Config">A copy of its config, which is the caller's to dispose; null where the rule leaves the tensor
/// as it is.</param>
public sealed record PlanMatch(int Rule, Config? Config);
