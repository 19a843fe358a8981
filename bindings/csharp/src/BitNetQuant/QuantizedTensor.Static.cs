using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

// Tensors whose parameters are given, or found by calibration, and how far they are from the original.
public sealed unsafe partial class QuantizedTensor
{
    /// <summary>Quantizes an array with parameters that are given instead of found (static quantization).</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="parameters">One scale for each segment that the config's granularity makes of the array, finite
    /// and not negative unless the config's range is <see cref="SymmetricRange.Extreme"/>; and as many zero points
    /// where it is asymmetric, or offsets where its scheme is <see cref="Scheme.Offset"/>.</param>
    /// <param name="config">What to quantize into; without outliers.</param>
    /// <param name="clamped">How many values lie outside what the codes reach; they get the nearest code.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="InvalidArgumentException">The number of parameters is wrong, or one is not legal; the message
    /// names its index.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="UnsupportedException">The format has no scales, or the config asks for outliers.</exception>
    public static QuantizedTensor QuantizeStatic(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, QuantizationParameters parameters, Config config,
        out long clamped, Context? context = null) =>
        Make(values, shape, StaticCall(parameters, config, context), out clamped);

    /// <inheritdoc cref="QuantizeStatic(ReadOnlySpan{float}, ReadOnlySpan{long}, QuantizationParameters, Config, out long, Context?)"/>
    /// <param name="source">The array.</param>
    /// <param name="parameters">One scale for each segment that the config's granularity makes of the array, and as
    /// many zero points where it is asymmetric, or offsets where its scheme is <see cref="Scheme.Offset"/>.</param>
    /// <param name="config">What to quantize into; without outliers.</param>
    /// <param name="clamped">How many values lie outside what the codes reach; they get the nearest code.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static QuantizedTensor QuantizeStatic(
        SourceArray source, QuantizationParameters parameters, Config config, out long clamped,
        Context? context = null) =>
        Make(source, StaticCall(parameters, config, context), out clamped);

    /// <summary>Quantizes an array with the parameters that a calibrator gives.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="calibrator">Whose range counts.</param>
    /// <param name="config">What to quantize into, with <see cref="Granularity.Tensor"/>, or
    /// <see cref="Granularity.Channel"/> on the calibrator's axis.</param>
    /// <param name="clamped">How many values lie outside what the codes reach; they get the nearest code.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="NoDataException">The calibrator has no data.</exception>
    /// <exception cref="InvalidArgumentException">Config, calibrator and shape do not fit.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="UnsupportedException">The format has no scales, or the config asks for outliers.</exception>
    public static QuantizedTensor QuantizeCalibrated(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Calibrator calibrator, Config config, out long clamped,
        Context? context = null) =>
        Make(values, shape, CalibratedCall(calibrator, config, context), out clamped);

    /// <inheritdoc cref="QuantizeCalibrated(ReadOnlySpan{float}, ReadOnlySpan{long}, Calibrator, Config, out long, Context?)"/>
    /// <param name="source">The array.</param>
    /// <param name="calibrator">Whose range counts.</param>
    /// <param name="config">What to quantize into, with <see cref="Granularity.Tensor"/>, or
    /// <see cref="Granularity.Channel"/> on the calibrator's axis.</param>
    /// <param name="clamped">How many values lie outside what the codes reach; they get the nearest code.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static QuantizedTensor QuantizeCalibrated(
        SourceArray source, Calibrator calibrator, Config config, out long clamped, Context? context = null) =>
        Make(source, CalibratedCall(calibrator, config, context), out clamped);

    /// <summary>How the errors of this tensor are distributed.</summary>
    /// <param name="original">The array that was quantized; <see cref="ElementCount"/> long.</param>
    /// <param name="bins">The number of bins, 2..65536.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">It has another length.</exception>
    /// <exception cref="InvalidArgumentException"><paramref name="bins"/> is out of its range.</exception>
    /// <exception cref="NonFiniteException">The original holds NaN or infinity.</exception>
    /// <exception cref="NoDataException">The tensor is empty.</exception>
    public ErrorHistogram CompareHistogram(ReadOnlySpan<float> original, int bins, Context? context = null)
    {
        ErrorHistogram? result = null;
        NativeArray.Lend(original, DataType.Float32, Shape.AsSpan(), array => ErrorHistogram.Read(
            bins,
            (uint count, ulong* counts, out double maxError, out double kl) =>
                NativeMethods.bnq_tensor_compare_histogram(
                    ContextHandle.Of(context), array, _handle, count, counts, out maxError, out kl),
            out result));
        return result!;
    }

    /// <inheritdoc cref="CompareHistogram(ReadOnlySpan{float}, int, Context?)"/>
    /// <param name="original">The array that was quantized.</param>
    /// <param name="bins">The number of bins, 2..65536.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public ErrorHistogram CompareHistogram(SourceArray original, int bins, Context? context = null)
    {
        ErrorHistogram? result = null;
        NativeArray.Lend(original, array => ErrorHistogram.Read(
            bins,
            (uint count, ulong* counts, out double maxError, out double kl) =>
                NativeMethods.bnq_tensor_compare_histogram(
                    ContextHandle.Of(context), array, _handle, count, counts, out maxError, out kl),
            out result));
        return result!;
    }

    /// <summary>A call that makes a tensor of an array, and counts what it clamps; it returns the status.</summary>
    private delegate int ClampingCall(BnqArray* array, out ulong clamped, out TensorHandle tensor);

    private static ClampingCall StaticCall(QuantizationParameters parameters, Config config, Context? context)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(config);
        return (BnqArray* array, out ulong clamped, out TensorHandle tensor) =>
        {
            ReadOnlySpan<float> scales = parameters.Scales.AsSpan();
            ReadOnlySpan<sbyte> zeroPoints = parameters.ZeroPoints.AsSpan();
            ReadOnlySpan<float> offsets = parameters.Offsets.AsSpan();
            fixed (float* scale = scales)
            fixed (sbyte* zeroPoint = zeroPoints)
            fixed (float* offset = offsets)
            {
                return NativeMethods.bnq_tensor_quantize_static(
                    ContextHandle.Of(context), config.Handle, array, scale, (ulong)scales.Length,
                    zeroPoint, (ulong)zeroPoints.Length, offset, (ulong)offsets.Length, out clamped, out tensor);
            }
        };
    }

    private static ClampingCall CalibratedCall(Calibrator calibrator, Config config, Context? context)
    {
        ArgumentNullException.ThrowIfNull(calibrator);
        ArgumentNullException.ThrowIfNull(config);
        return (BnqArray* array, out ulong clamped, out TensorHandle tensor) =>
            NativeMethods.bnq_tensor_quantize_calibrated(
                ContextHandle.Of(context), config.Handle, calibrator.Handle, array, out clamped, out tensor);
    }

    private static QuantizedTensor Make(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, ClampingCall call, out long clamped)
    {
        ulong count = 0;
        TensorHandle? tensor = null;
        NativeArray.Lend(values, DataType.Float32, shape, array => call(array, out count, out tensor));
        clamped = checked((long)count);
        return new QuantizedTensor(tensor!);
    }

    private static QuantizedTensor Make(SourceArray source, ClampingCall call, out long clamped)
    {
        ulong count = 0;
        TensorHandle? tensor = null;
        NativeArray.Lend(source, array => call(array, out count, out tensor));
        clamped = checked((long)count);
        return new QuantizedTensor(tensor!);
    }
}
