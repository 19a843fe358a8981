using System;
using System.Collections.Generic;
using System.Globalization;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>Says how many bits each layer of a model is to have, and makes a <see cref="Plan"/> of it. Of several
/// layers that match a tensor the first counts.</summary>
/// <example><code>
/// using Plan plan = new MixedPrecision()
///     .Layer("conv1", bits: 2).Layer("layers.*.attn.*", bits: 8).Skip("lm_head").Others(bits: 1.58)
///     .ToPlan();
/// </code></example>
public sealed class MixedPrecision
{
    private readonly List<Action<Plan>> _layers = [];
    private Action<Plan>? _others;

    /// <summary>The layers of a name get so many bits.</summary>
    /// <param name="pattern">A name, with or without ".weight", or a glob as in
    /// <see cref="Plan.Add(string, Config, int)"/>.</param>
    /// <param name="bits">A number of bits that the library has a config for, such as 1.58, 2, 4, 8 and 16.</param>
    /// <returns>This.</returns>
    public MixedPrecision Layer(string pattern, double bits) => Add(pattern, OfBits(bits));

    /// <summary>The layers of a name get a config.</summary>
    /// <param name="pattern">As above.</param>
    /// <param name="config">The config, which is used by <see cref="ToPlan"/>, not before.</param>
    /// <returns>This.</returns>
    public MixedPrecision Layer(string pattern, Config config) => Add(pattern, Of(config));

    /// <summary>The layers of a name are carried through.</summary>
    /// <param name="pattern">As above.</param>
    /// <returns>This.</returns>
    public MixedPrecision Skip(string pattern)
    {
        _layers.Add(plan => plan.Skip(pattern, NativeMethods.BNQ_MIN_RANK_NAMED));
        return this;
    }

    /// <summary>All other tensors of rank 2 and more get so many bits.</summary>
    /// <param name="bits">As above.</param>
    /// <returns>This.</returns>
    public MixedPrecision Others(double bits) => SetOthers(OfBits(bits));

    /// <summary>All other tensors of rank 2 and more get a config.</summary>
    /// <param name="config">The config, which is used by <see cref="ToPlan"/>, not before.</param>
    /// <returns>This.</returns>
    public MixedPrecision Others(Config config) => SetOthers(Of(config));

    /// <summary>The plan.</summary>
    /// <exception cref="InvalidArgumentException">No config has such bits; the message lists those that there
    /// are.</exception>
    public Plan ToPlan()
    {
        var plan = new Plan();
        try
        {
            _layers.ForEach(add => add(plan));
            _others?.Invoke(plan);
            return plan;
        }
        catch
        {
            plan.Dispose();
            throw;
        }
    }

    private static Func<Config> Of(Config config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.Clone;
    }

    private static Func<Config> OfBits(double bits) =>
        () => Config.Parse(string.Create(CultureInfo.InvariantCulture, $"bits={bits}"));

    private static Action<Plan> Rule(string pattern, int minRank, Func<Config> make) => plan =>
    {
        using Config config = make();
        plan.Add(pattern, config, minRank);
    };

    private MixedPrecision Add(string pattern, Func<Config> make)
    {
        _layers.Add(Rule(pattern, NativeMethods.BNQ_MIN_RANK_NAMED, make));
        return this;
    }

    private MixedPrecision SetOthers(Func<Config> make)
    {
        _others = Rule("*", NativeMethods.BNQ_MIN_RANK_ALL, make);
        return this;
    }
}
