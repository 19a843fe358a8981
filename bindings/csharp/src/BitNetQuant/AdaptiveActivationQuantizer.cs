using System;
using System.Collections.Immutable;

namespace BitNetQuant;

/// <summary>
/// Quantizes activations as they come, each batch in a range that follows them: an average over the batches whose
/// steps are bounded, so that a single wild batch does not spoil those after it. What lies outside is clamped, and
/// counted. For one thread at a time.
/// </summary>
/// <example><code>
/// using Config config = Config.Preset("int8_asymmetric");
/// using var quantizer = new AdaptiveActivationQuantizer(config);
/// using QuantizedTensor codes = quantizer.Quantize(activations, [tokens, features], out long clamped);
/// </code></example>
public sealed class AdaptiveActivationQuantizer : IDisposable
{
    private readonly Config _config;

    /// <summary>A quantizer that has seen no batch.</summary>
    /// <param name="config">What to quantize into, with <see cref="Granularity.Tensor"/> or
    /// <see cref="Granularity.Channel"/>; copied.</param>
    public AdaptiveActivationQuantizer(Config config)
    {
        Calibrator = Calibrator.For(config, CalibrationMethod.Adaptive);
        _config = config.Clone();
    }

    /// <summary>
    /// What follows the range, to be read, and before the first batch to be set: <see cref="Calibrator.Averaging"/>,
    /// <see cref="Calibrator.MaxGrowth"/> and <see cref="Calibrator.MaxShrink"/> are the rule.
    /// </summary>
    public Calibrator Calibrator { get; }

    /// <summary>Lets the range follow a batch, and quantizes the batch in the new range.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="clamped">How many values lie outside what the codes reach; they get the nearest code.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the range is as it was.</exception>
    /// <exception cref="InvalidArgumentException">The config's granularity is another one, or the number of channels
    /// is not that of the batches before.</exception>
    /// <exception cref="NoDataException">It is empty, and so were all before.</exception>
    public QuantizedTensor Quantize(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, out long clamped, Context? context = null)
    {
        Calibrator.Observe(values, shape, context);
        return QuantizedTensor.QuantizeCalibrated(values, shape, Calibrator, _config, out clamped, context);
    }

    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, out long, Context?)"/>
    /// <param name="batch">The batch.</param>
    /// <param name="clamped">How many values lie outside what the codes reach; they get the nearest code.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public QuantizedTensor Quantize(SourceArray batch, out long clamped, Context? context = null)
    {
        Calibrator.Observe(batch, context);
        return QuantizedTensor.QuantizeCalibrated(batch, Calibrator, _config, out clamped, context);
    }

    /// <summary>The range of each channel now.</summary>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="NoDataException">There has been no batch.</exception>
    public ImmutableArray<ValueRange> GetRanges(Context? context = null) => Calibrator.GetRanges(context);

    /// <summary>Forgets the batches: the next one starts a new range.</summary>
    public void Reset() => Calibrator.Reset();

    /// <summary>Frees it. Tensors that it made stay.</summary>
    public void Dispose()
    {
        Calibrator.Dispose();
        _config.Dispose();
    }
}
