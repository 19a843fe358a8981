using System;
using System.Collections.Generic;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>Calibration and quantization in one call.</summary>
public static unsafe class Quantization
{
    /// <summary>Calibrates on the array itself with a method, its other options at their defaults, then quantizes the
    /// array with the result.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="config">What to quantize into, with <see cref="Granularity.Tensor"/> or
    /// <see cref="Granularity.Channel"/>.</param>
    /// <param name="method">How the range is found.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="NoDataException">The array is empty.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="BitNetQuantException">The config, the method or the shape is not legal, or they do not
    /// fit.</exception>
    public static QuantizedTensor QuantizeTensorAuto(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Config config, CalibrationMethod method,
        Context? context = null)
    {
        TensorHandle? tensor = null;
        NativeArray.Lend(values, DataType.Float32, shape, Auto(config, method, context, handle => tensor = handle));
        return new QuantizedTensor(tensor!);
    }

    /// <inheritdoc cref="QuantizeTensorAuto(ReadOnlySpan{float}, ReadOnlySpan{long}, Config, CalibrationMethod, Context?)"/>
    /// <param name="source">The array.</param>
    /// <param name="config">What to quantize into, with <see cref="Granularity.Tensor"/> or
    /// <see cref="Granularity.Channel"/>.</param>
    /// <param name="method">How the range is found.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static QuantizedTensor QuantizeTensorAuto(
        SourceArray source, Config config, CalibrationMethod method, Context? context = null)
    {
        TensorHandle? tensor = null;
        NativeArray.Lend(source, Auto(config, method, context, handle => tensor = handle));
        return new QuantizedTensor(tensor!);
    }

    /// <summary>Quantizes an array with <see cref="ScaleRule.Percentile"/>: the exact one of each segment, at any
    /// granularity.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="config">What to quantize into; its own scale rule and percentile do not count.</param>
    /// <param name="percentile">0..100.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="InvalidArgumentException">The percentile is out of its range.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="BitNetQuantException">The config or the shape is not legal, or both do not fit.</exception>
    public static QuantizedTensor QuantizeTensorPercentile(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Config config, double percentile,
        Context? context = null)
    {
        TensorHandle? tensor = null;
        NativeArray.Lend(
            values, DataType.Float32, shape, Percentile(config, percentile, context, handle => tensor = handle));
        return new QuantizedTensor(tensor!);
    }

    /// <inheritdoc cref="QuantizeTensorPercentile(ReadOnlySpan{float}, ReadOnlySpan{long}, Config, double, Context?)"/>
    /// <param name="source">The array.</param>
    /// <param name="config">What to quantize into; its own scale rule and percentile do not count.</param>
    /// <param name="percentile">0..100.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static QuantizedTensor QuantizeTensorPercentile(
        SourceArray source, Config config, double percentile, Context? context = null)
    {
        TensorHandle? tensor = null;
        NativeArray.Lend(source, Percentile(config, percentile, context, handle => tensor = handle));
        return new QuantizedTensor(tensor!);
    }

    /// <summary>Quantizes a layer after training: its weights, and static parameters for its activations.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="config">What to quantize them into.</param>
    /// <param name="calibrationData">Batches of the activations.</param>
    /// <param name="activationConfig">What the activations are to be quantized into: format, scheme, granularity
    /// (<see cref="Granularity.Tensor"/> or <see cref="Granularity.Channel"/>) and axis count.</param>
    /// <param name="method">How the range of the activations is found.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>The result, which is the caller's to dispose.</returns>
    /// <exception cref="NoDataException">There are no batches, or only empty ones.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="BitNetQuantException">A config or a shape is not legal, or they do not fit.</exception>
    public static PostTrainingResult PostTrainingQuantization(
        SourceArray weights, Config config, IEnumerable<SourceArray> calibrationData, Config activationConfig,
        CalibrationMethod method, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(calibrationData);
        using Calibrator calibrator = Calibrator.For(activationConfig, method);
        foreach (SourceArray batch in calibrationData)
        {
            calibrator.Observe(batch, context);
        }

        QuantizationParameters activations = calibrator.GetParameters(activationConfig, context);
        return new PostTrainingResult(QuantizedTensor.Quantize(weights, config, context), activations);
    }

    private static ArrayCall Auto(
        Config config, CalibrationMethod method, Context? context, Action<TensorHandle> keep)
    {
        ArgumentNullException.ThrowIfNull(config);
        return array =>
        {
            int status = NativeMethods.bnq_quantize_tensor_auto(
                ContextHandle.Of(context), config.Handle, (int)method, array, out TensorHandle tensor);
            keep(tensor);
            return status;
        };
    }

    private static ArrayCall Percentile(
        Config config, double percentile, Context? context, Action<TensorHandle> keep)
    {
        ArgumentNullException.ThrowIfNull(config);
        return array =>
        {
            int status = NativeMethods.bnq_quantize_tensor_percentile(
                ContextHandle.Of(context), config.Handle, percentile, array, out TensorHandle tensor);
            keep(tensor);
            return status;
        };
    }
}

/// <summary>A layer that was quantized after training.</summary>
/// <param name="Weights">Its weights.</param>
/// <param name="Activations">Static parameters for its activations, as
/// <see cref="QuantizedTensor.QuantizeStatic(ReadOnlySpan{float}, ReadOnlySpan{long}, QuantizationParameters, Config, out long, Context?)"/>
/// takes them.</param>
public sealed record PostTrainingResult(QuantizedTensor Weights, QuantizationParameters Activations) : IDisposable
{
    /// <summary>Frees the weights.</summary>
    public void Dispose() => Weights.Dispose();
}
