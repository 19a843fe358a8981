using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>A range of values: finite, with <paramref name="Low"/> no more than <paramref name="High"/>; about 0 for
/// the symmetric scheme.</summary>
/// <param name="Low">The least value.</param>
/// <param name="High">The greatest value.</param>
public readonly record struct ValueRange(float Low, float High);

/// <summary>Parameters of static quantization: value = (code - zero point) * scale, or code * scale + offset.</summary>
/// <param name="scales">As <see cref="Scales"/>.</param>
/// <param name="zeroPoints">As <see cref="ZeroPoints"/>.</param>
/// <param name="offsets">As <see cref="Offsets"/>.</param>
public sealed class QuantizationParameters(
    ImmutableArray<float> scales, ImmutableArray<sbyte> zeroPoints, ImmutableArray<float> offsets = default)
{
    /// <summary>One for each of what has its own: the tensor, a channel, a group, ...</summary>
    public ImmutableArray<float> Scales { get; } = scales;

    /// <summary>As many where the scheme is asymmetric, else none.</summary>
    public ImmutableArray<sbyte> ZeroPoints { get; } = zeroPoints;

    /// <summary>As many where the scheme is <see cref="Scheme.Offset"/>, else none.</summary>
    public ImmutableArray<float> Offsets { get; } = offsets.IsDefault ? [] : offsets;
}

/// <summary>How values are distributed: bin i counts those from <see cref="First"/> + i * <see cref="Width"/> to below
/// <see cref="First"/> + (i + 1) * <see cref="Width"/>.</summary>
public sealed class Histogram
{
    internal Histogram(double first, double width, long[] counts) =>
        (First, Width, Counts) = (first, width, ImmutableArray.Create(counts));

    /// <summary>Where the first bin begins.</summary>
    public double First { get; }

    /// <summary>The width of each.</summary>
    public double Width { get; }

    /// <summary>The number of values in each; empty where there are none.</summary>
    public ImmutableArray<long> Counts { get; }
}

/// <summary>
/// Statistics of what a <see cref="Calibrator"/> has observed. Those that are not known are NaN: mean, variance, mean
/// of |x|, skewness and kurtosis without <see cref="Calibrator.KeepMoments"/> (which
/// <see cref="OutlierRule.Deviations"/> implies), skewness and kurtosis of values that are all equal, all but the
/// counts where there are no values. The moments mean little where the mean is thousands of deviations.
/// </summary>
public sealed class Statistics
{
    private readonly double[] _values;

    internal Statistics(double[] values) => _values = values;

    /// <summary>The number of finite values.</summary>
    public long Count => (long)_values[NativeMethods.BNQ_STATISTIC_COUNT];

    /// <summary>The least value.</summary>
    public double Minimum => _values[NativeMethods.BNQ_STATISTIC_MIN];

    /// <summary>The greatest value.</summary>
    public double Maximum => _values[NativeMethods.BNQ_STATISTIC_MAX];

    /// <summary>The mean.</summary>
    public double Mean => _values[NativeMethods.BNQ_STATISTIC_MEAN];

    /// <summary>The variance of the whole population: divided by <see cref="Count"/>.</summary>
    public double Variance => _values[NativeMethods.BNQ_STATISTIC_VARIANCE];

    /// <summary>Greatest |x|.</summary>
    public double AbsMax => _values[NativeMethods.BNQ_STATISTIC_ABSMAX];

    /// <summary>Mean of |x|.</summary>
    public double AbsMean => _values[NativeMethods.BNQ_STATISTIC_ABSMEAN];

    /// <summary>The third central moment over the variance to the power of 1.5.</summary>
    public double Skewness => _values[NativeMethods.BNQ_STATISTIC_SKEWNESS];

    /// <summary>The fourth central moment over the square of the variance: 3 for Gaussian values.</summary>
    public double Kurtosis => _values[NativeMethods.BNQ_STATISTIC_KURTOSIS];

    /// <summary>Share of the values that are 0, in 0..1.</summary>
    public double ZeroShare => _values[NativeMethods.BNQ_STATISTIC_ZERO_SHARE];

    /// <summary>The number of values that were skipped, being NaN or infinite.</summary>
    public long NonFiniteCount => (long)_values[NativeMethods.BNQ_STATISTIC_NON_FINITE];

    /// <summary>The number of values beyond the limits of <see cref="Calibrator.Outliers"/>.</summary>
    public long OutlierCount => (long)_values[NativeMethods.BNQ_STATISTIC_OUTLIERS];

    /// <summary>All that the loaded library has, by their names (<see cref="Library.StatisticNames"/>).</summary>
    public Dictionary<string, double> ToDictionary() => Library.StatisticNames
        .Zip(_values).ToDictionary(pair => pair.First, pair => pair.Second, StringComparer.Ordinal);
}
