using System;
using System.Collections.Generic;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Watches batches of values go by, and finds the range in which to quantize such values. Its memory is that of its
/// histograms, whatever goes by. The typed properties name the options of this release;
/// <see cref="Library.CalibrationOptions"/>, <see cref="Set"/>, <see cref="Get"/> and the dictionary forms reach every
/// option that the loaded library has.
/// </summary>
/// <remarks>
/// <para>Once there are data, only <see cref="Method"/>, <see cref="Scheme"/>, <see cref="Bits"/>,
/// <see cref="Levels"/>, <see cref="Percentile"/>, <see cref="KLVariant"/> and <see cref="MseVariant"/> can be changed, to
/// look for the range in another way: not to a method that follows the order of batches, and to one that takes a
/// histogram only where that was kept. <see cref="Reset"/> frees from that.</para>
/// <para>For one thread at a time; methods that only read may run on several at once.</para>
/// <para>But for the methods that follow the order of batches, what a calibrator knows is a function of the batches
/// that it has observed, in whatever order, on every machine: merging calibrators gives what one that saw all batches
/// has, byte for byte.</para>
/// </remarks>
/// <example><code>
/// using var calibrator = new Calibrator { Method = CalibrationMethod.KL };
/// foreach (float[] batch in batches) calibrator.Observe(batch, [batch.Length]);
/// ValueRange range = calibrator.GetRange();
/// </code></example>
public sealed partial class Calibrator : IDisposable
{
    /// <summary>A calibrator with every option at its default, and no data.</summary>
    public Calibrator()
    {
        Native.Check(NativeMethods.bnq_calibrator_create(out CalibratorHandle handle));
        Handle = handle;
    }

    internal Calibrator(CalibratorHandle handle) => Handle = handle;

    /// <summary>A calibrator for values that are to be quantized as a config says: with its scheme, the bits of its
    /// codes, and its channels and their axis.</summary>
    /// <param name="config">What the values are to be quantized into.</param>
    /// <param name="method">How the range is found.</param>
    /// <exception cref="InvalidArgumentException">Its granularity is neither <see cref="Granularity.Tensor"/> nor
    /// <see cref="Granularity.Channel"/>, or there is no such method.</exception>
    public static Calibrator For(Config config, CalibrationMethod method = CalibrationMethod.MinMax)
    {
        ArgumentNullException.ThrowIfNull(config);
        Native.Check(NativeMethods.bnq_calibrator_create_for(config.Handle, out CalibratorHandle handle));
        var calibrator = new Calibrator(handle);
        try
        {
            calibrator.Method = method;
            return calibrator;
        }
        catch
        {
            calibrator.Dispose();
            throw;
        }
    }

    internal CalibratorHandle Handle { get; }

    /// <summary>Whether it belongs to a <see cref="Calibration"/>, which alone may change it.
    /// <see cref="Clone"/> makes one to change.</summary>
    public bool IsReadOnly => Handle.IsBorrowed;

    /// <summary>How the range is found; default <see cref="CalibrationMethod.MinMax"/>.</summary>
    /// <exception cref="InvalidArgumentException">The library does not have it, or cannot change to it with the data
    /// that there are.</exception>
    public CalibrationMethod Method
    {
        get => (CalibrationMethod)GetInteger(NativeMethods.BNQ_CALIBRATION_METHOD);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_METHOD, (long)value);
    }

    /// <summary><see cref="Granularity.Tensor"/>, the default, for one range, or
    /// <see cref="Granularity.Channel"/>.</summary>
    /// <exception cref="InvalidArgumentException">It is another one, or there are data.</exception>
    public Granularity Granularity
    {
        get => (Granularity)GetInteger(NativeMethods.BNQ_CALIBRATION_GRANULARITY);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_GRANULARITY, (long)value);
    }

    /// <summary>The dimension of channels, -8..7, negative from the end; default -1. The first batch decides how
    /// many there are.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds, or there are data.</exception>
    public int Axis
    {
        get => (int)GetInteger(NativeMethods.BNQ_CALIBRATION_AXIS);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_AXIS, value);
    }

    /// <summary>
    /// Default <see cref="Scheme.Symmetric"/>: the range found is widened to one about 0 (the method
    /// <see cref="CalibrationMethod.Percentile"/> looks for one from the outset).
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public Scheme Scheme
    {
        get => (Scheme)GetInteger(NativeMethods.BNQ_CALIBRATION_SCHEME);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_SCHEME, (long)value);
    }

    /// <summary>At least this many bins cover a histogram's range, at most twice as many; 64..16384, default
    /// 2048.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds, or there are data.</exception>
    public int Bins
    {
        get => (int)GetInteger(NativeMethods.BNQ_CALIBRATION_BINS);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_BINS, value);
    }

    /// <summary>Of the codes to come, for <see cref="CalibrationMethod.KL"/> and <see cref="CalibrationMethod.Mse"/>;
    /// 2..16, default 8.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Bits
    {
        get => (int)GetInteger(NativeMethods.BNQ_CALIBRATION_BITS);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_BITS, value);
    }

    /// <summary>
    /// The number of codes in place of <see cref="Bits"/>: for <see cref="CalibrationMethod.Mse"/> of all levels
    /// (2^bits), for <see cref="CalibrationMethod.KL"/> of those of one sign (2^(bits - 1)); 0, the default, for as the
    /// bits say.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Levels
    {
        get => (int)GetInteger(NativeMethods.BNQ_CALIBRATION_LEVELS);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_LEVELS, value);
    }

    /// <summary>The weight of a new batch, for <see cref="CalibrationMethod.MovingAverage"/> and
    /// <see cref="CalibrationMethod.Adaptive"/>, up to 1; default 0.01.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds, or there are data.</exception>
    public double Averaging
    {
        get => GetFloat(NativeMethods.BNQ_CALIBRATION_AVERAGING);
        set => SetFloat(NativeMethods.BNQ_CALIBRATION_AVERAGING, value);
    }

    /// <summary>For <see cref="CalibrationMethod.Adaptive"/>, the most that an end of the range moves outwards in a
    /// step, in widths of the range; default 0.5.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds, or there are data.</exception>
    public double MaxGrowth
    {
        get => GetFloat(NativeMethods.BNQ_CALIBRATION_MAX_GROWTH);
        set => SetFloat(NativeMethods.BNQ_CALIBRATION_MAX_GROWTH, value);
    }

    /// <summary>For <see cref="CalibrationMethod.Adaptive"/>, the most of its width that the range loses in a step,
    /// 0..1; default 0.1.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds, or there are data.</exception>
    public double MaxShrink
    {
        get => GetFloat(NativeMethods.BNQ_CALIBRATION_MAX_SHRINK);
        set => SetFloat(NativeMethods.BNQ_CALIBRATION_MAX_SHRINK, value);
    }

    /// <summary>For <see cref="CalibrationMethod.Percentile"/>, in percent, 50..100; default 99.99.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Percentile
    {
        get => GetFloat(NativeMethods.BNQ_CALIBRATION_PERCENTILE);
        set => SetFloat(NativeMethods.BNQ_CALIBRATION_PERCENTILE, value);
    }

    /// <summary>For <see cref="CalibrationMethod.KL"/>; default <see cref="KLVariant.TensorRT"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public KLVariant KLVariant
    {
        get => (KLVariant)GetInteger(NativeMethods.BNQ_CALIBRATION_KL_VARIANT);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_KL_VARIANT, (long)value);
    }

    /// <summary>For <see cref="CalibrationMethod.Mse"/>; default <see cref="MseVariant.Exhaustive"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public MseVariant MseVariant
    {
        get => (MseVariant)GetInteger(NativeMethods.BNQ_CALIBRATION_MSE_VARIANT);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_MSE_VARIANT, (long)value);
    }

    /// <summary>What NaN and infinity do; default <see cref="NonFiniteObservation.Error"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration, or there are
    /// data.</exception>
    public NonFiniteObservation NonFinite
    {
        get => (NonFiniteObservation)GetInteger(NativeMethods.BNQ_CALIBRATION_NON_FINITE);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_NON_FINITE, (long)value);
    }

    /// <summary>Which values do not count as they are; default <see cref="OutlierRule.None"/>.
    /// <see cref="Statistics.OutlierCount"/> tells how many.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration, or there are
    /// data.</exception>
    public OutlierRule Outliers
    {
        get => (OutlierRule)GetInteger(NativeMethods.BNQ_CALIBRATION_OUTLIERS);
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_OUTLIERS, (long)value);
    }

    /// <summary>For <see cref="OutlierRule.Percentile"/>: percent of the values that are no outliers, 50..100; default
    /// 99.9.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds, or there are data.</exception>
    public double OutlierPercentile
    {
        get => GetFloat(NativeMethods.BNQ_CALIBRATION_OUTLIER_PERCENTILE);
        set => SetFloat(NativeMethods.BNQ_CALIBRATION_OUTLIER_PERCENTILE, value);
    }

    /// <summary>For <see cref="OutlierRule.Deviations"/>: the number of standard deviations from the mean from which on
    /// values are outliers, 0.1..1000; default 6.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds, or there are data.</exception>
    public double OutlierDeviations
    {
        get => GetFloat(NativeMethods.BNQ_CALIBRATION_OUTLIER_DEVIATIONS);
        set => SetFloat(NativeMethods.BNQ_CALIBRATION_OUTLIER_DEVIATIONS, value);
    }

    /// <summary>Whether to keep what mean, variance, mean of |x|, skewness and kurtosis are made of, which about halves
    /// the speed; default false.</summary>
    /// <exception cref="InvalidArgumentException">There are data.</exception>
    public bool KeepMoments
    {
        get => GetInteger(NativeMethods.BNQ_CALIBRATION_MOMENTS) != 0;
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_MOMENTS, value ? 1 : 0);
    }

    /// <summary>Whether to keep a histogram even where the method needs none; default false.</summary>
    /// <exception cref="InvalidArgumentException">There are data.</exception>
    public bool KeepHistogram
    {
        get => GetInteger(NativeMethods.BNQ_CALIBRATION_HISTOGRAM) != 0;
        set => SetInteger(NativeMethods.BNQ_CALIBRATION_HISTOGRAM, value ? 1 : 0);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.CalibrationOptions"/>, such as "method".</param>
    /// <param name="value">Such as "kl", "99.9" or "on"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal, or the option cannot be changed with the
    /// data that there are.</exception>
    public void Set(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.CalibrationOptions"/>, such as "method".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => Options.GetText(option);

    /// <summary>A calibrator with the options of a dictionary; others are at their defaults.</summary>
    /// <param name="options">Values, as <see cref="Set"/> takes them, by the options' names.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static Calibrator FromDictionary(IEnumerable<KeyValuePair<string, string>> options) =>
        OptionsHandle.Filled(new Calibrator(), options, static (filled, option, value) => filled.Set(option, value));

    /// <summary>The values of all options by their names, as <see cref="FromDictionary"/> takes them.</summary>
    public Dictionary<string, string> ToDictionary() => Library.CalibrationOptions.ToDictionary(
        option => option.Name, option => Get(option.Name), StringComparer.Ordinal);

    /// <summary>Frees the calibrator; one that belongs to a <see cref="Calibration"/> stays with that.</summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>The handle, for calls that change the calibrator.</summary>
    private CalibratorHandle Own => !Handle.IsBorrowed
        ? Handle
        : throw new InvalidOperationException("The calibrator belongs to a Calibration; change a clone of it.");

    private OptionsHandle Options => OptionsHandle.Of(Handle, NativeMethods.bnq_calibrator_options);

    private OptionsHandle Settings => OptionsHandle.Of(Own, NativeMethods.bnq_calibrator_settings);

    private long GetInteger(int option) => Options.GetInteger(option);

    private double GetFloat(int option) => Options.GetFloat(option);

    private void SetInteger(int option, long value) => Settings.Set(option, value);

    private void SetFloat(int option, double value) => Settings.Set(option, value);
}
