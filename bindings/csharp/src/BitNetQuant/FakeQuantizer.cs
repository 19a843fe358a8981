using System;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Quantizes as a config says and dequantizes at once, in one pass: the values that a network computes with while it is
/// trained, and the gradient through them.
/// </summary>
/// <remarks>
/// May be used by several threads at once. Parameters that are given are used as they are (those that are learned, say);
/// null finds them as the config says. The context's cancellation stops any of the calls.
/// </remarks>
public sealed unsafe class FakeQuantizer : IDisposable
{
    /// <summary>A quantizer with copies of both.</summary>
    /// <param name="config">What to quantize into.</param>
    /// <param name="training">How; null for values of codes, and a gradient that passes within the range.</param>
    public FakeQuantizer(Config config, TrainingOptions? training = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        Training = training?.Clone() ?? new TrainingOptions();
        Config = config.Clone();
    }

    /// <summary>What it quantizes into; not to be changed or disposed of.</summary>
    internal Config Config { get; }

    /// <summary>How; not to be changed or disposed of.</summary>
    internal TrainingOptions Training { get; }

    /// <summary>A copy of what it quantizes into.</summary>
    public Config GetConfig() => Config.Clone();

    /// <summary>A copy of how.</summary>
    public TrainingOptions GetTraining() => Training.Clone();

    /// <summary>A quantizer of its own with the same options.</summary>
    public FakeQuantizer Clone() => new(Config, Training);

    /// <summary>The number of scales that an array of this shape has.</summary>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <exception cref="BitNetQuantException">The config or the shape is not legal, or both do not fit.</exception>
    public int GetParameterCount(ReadOnlySpan<long> shape)
    {
        ulong[] dimensions = Native.Shape(shape);
        fixed (ulong* pointer = dimensions)
        {
            return ParameterCount(dimensions.Length, pointer);
        }
    }

    /// <summary>The scale, and zero point or offset, for a range: of one that is learned (PACT's is 0 to its clipping
    /// level).</summary>
    /// <param name="low">Its lower end.</param>
    /// <param name="high">Its upper end.</param>
    /// <exception cref="InvalidArgumentException">It is not finite, or <paramref name="high"/> is less.</exception>
    /// <exception cref="UnsupportedException">The format has no scales.</exception>
    public QuantizationParameters GetRangeParameters(float low, float high)
    {
        Parameters parameters = Room(1);
        fixed (float* scale = parameters.Scales, offset = parameters.Offsets)
        fixed (sbyte* zeroPoint = parameters.ZeroPoints)
        {
            Native.Check(NativeMethods.bnq_range_params(Config.Handle, low, high, scale, zeroPoint, offset));
        }

        return parameters.ToPublic();
    }

    /// <summary>The values that quantizing and dequantizing makes of an array, bit for bit; then what the training
    /// makes of them.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="parameters">What to quantize with; null to find it.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="InvalidArgumentException">The number of parameters is wrong, or one is not legal.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="UnsupportedException">There is no such combination of options.</exception>
    public FakeQuantized Quantize(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, QuantizationParameters? parameters = null,
        Context? context = null)
    {
        var result = new float[values.Length];
        return new FakeQuantized(result, Quantize(values, shape, result, parameters, context));
    }

    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, QuantizationParameters?, Context?)"/>
    /// <param name="source">The array.</param>
    /// <param name="parameters">What to quantize with; null to find it.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public FakeQuantized Quantize(
        SourceArray source, QuantizationParameters? parameters = null, Context? context = null)
    {
        float[]? result = null;
        Parameters? used = null;
        NativeArray.Lend(source, array =>
        {
            used = Of(parameters, array);
            result = new float[Elements(array)];
            return Run(array, parameters is not null, used, result, [], null, [], context);
        });
        return new FakeQuantized(result!, used!.ToPublic());
    }

    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, QuantizationParameters?, Context?)"/>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="destination">As long; may be <paramref name="values"/> itself, but not overlap it otherwise.</param>
    /// <param name="parameters">What to quantize with; null to find it.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>What the values were decoded with.</returns>
    public QuantizationParameters Quantize(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Span<float> destination,
        QuantizationParameters? parameters = null, Context? context = null) =>
        Quantize(values, shape, destination, parameters, [], null, [], context);

    /// <summary>As <see cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, Span{float}, QuantizationParameters?, Context?)"/>,
    /// and adds the array to the statistics of the layer as a step.</summary>
    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, Span{float}, QuantizationParameters?, Context?)"/>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="destination">As long; may be <paramref name="values"/> itself, but not overlap it otherwise.</param>
    /// <param name="statistics">To be added to; as they were where it fails.</param>
    /// <param name="parameters">What to quantize with; null to find it.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public QuantizationParameters QuantizeAndRecord(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Span<float> destination, TrainingStatistics statistics,
        QuantizationParameters? parameters = null, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        return Quantize(values, shape, destination, parameters, [], null, [], context, statistics.Handle);
    }

    /// <summary>As <see cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, QuantizationParameters?, Context?)"/>,
    /// with what was clipped and how far off the values are: the statistics of a layer that is trained.</summary>
    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, QuantizationParameters?, Context?)"/>
    /// <exception cref="NoDataException">The array is empty.</exception>
    public MeasuredFake QuantizeAndMeasure(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, QuantizationParameters? parameters = null,
        Context? context = null)
    {
        var result = new float[values.Length];
        var clipped = new bool[values.Length];
        Span<double> metrics = stackalloc double[Metrics.Count];
        ulong count;
        QuantizationParameters used = Quantize(
            values, shape, result, parameters, MemoryMarshal.AsBytes(clipped.AsSpan()), &count, metrics, context);
        return new MeasuredFake(new FakeQuantized(result, used), clipped, (long)count, Metrics.From(metrics));
    }

    /// <summary>The gradients of what has the gradient <paramref name="dy"/> by the values that <c>Quantize</c>
    /// made.</summary>
    /// <param name="values">What it made them of, row-major.</param>
    /// <param name="dy">As many.</param>
    /// <param name="shape">The shape of both.</param>
    /// <param name="parameters">Those that it returned, or was given.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="InvalidArgumentException">The number of parameters is wrong.</exception>
    /// <exception cref="UnsupportedException">The format has a codebook.</exception>
    public FakeGradients Gradient(
        ReadOnlySpan<float> values, ReadOnlySpan<float> dy, ReadOnlySpan<long> shape,
        QuantizationParameters parameters, Context? context = null)
    {
        var result = new float[values.Length];
        return new FakeGradients(result, Gradient(values, dy, shape, result, parameters, context));
    }

    /// <inheritdoc cref="Gradient(ReadOnlySpan{float}, ReadOnlySpan{float}, ReadOnlySpan{long}, QuantizationParameters, Context?)"/>
    /// <param name="values">What it made them of, row-major.</param>
    /// <param name="dy">As many.</param>
    /// <param name="shape">The shape of both.</param>
    /// <param name="destination">As long; may be <paramref name="dy"/> itself, but not overlap either otherwise.</param>
    /// <param name="parameters">Those that it returned, or was given.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>Those of the parameters.</returns>
    public ParameterGradients Gradient(
        ReadOnlySpan<float> values, ReadOnlySpan<float> dy, ReadOnlySpan<long> shape, Span<float> destination,
        QuantizationParameters parameters, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ulong[] dimensions = Native.Shape(shape);
        Native.RequireSize(values, DataType.Float32, dimensions);
        Native.RequireSize(dy, DataType.Float32, dimensions);
        Parameters own = Parameters.Of(parameters);
        int count = own.Scales.Length;
        var scales = new float[count];
        var shifts = new float[Math.Max(own.ZeroPoints.Length, own.Offsets.Length)];
        var ends = new float[2 * count];
        float slope;
        fixed (float* x = values, upstream = dy, dx = destination)
        fixed (ulong* dimension = dimensions)
        fixed (float* scale = own.Scales, offset = own.Offsets, byScale = scales, byShift = shifts, byEnd = ends)
        fixed (sbyte* zeroPoint = own.ZeroPoints)
        {
            BnqArray source = Array(x, dimension, dimensions.Length), given = Array(upstream, dimension, dimensions.Length);
            Native.Check(NativeMethods.bnq_fake_quantize_gradient(
                ContextHandle.Of(context), Config.Handle, Training.Handle, &source, &given, scale, zeroPoint, offset,
                (ulong)count, (int)DataType.Float32, dx, (ulong)destination.Length * sizeof(float), byScale, byShift,
                byEnd, &slope));
        }

        return new ParameterGradients(
            ImmutableCollectionsMarshal.AsImmutableArray(scales), ImmutableCollectionsMarshal.AsImmutableArray(shifts),
            ImmutableCollectionsMarshal.AsImmutableArray(ends), slope);
    }

    /// <summary>Frees the quantizer.</summary>
    public void Dispose()
    {
        Config.Dispose();
        Training.Dispose();
    }

    private QuantizationParameters Quantize(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Span<float> destination,
        QuantizationParameters? parameters, Span<byte> clipped, ulong* clippedCount, Span<double> metrics,
        Context? context, TrainingStatisticsHandle? statistics = null)
    {
        ulong[] dimensions = Native.Shape(shape);
        Native.RequireSize(values, DataType.Float32, dimensions);
        fixed (float* data = values)
        fixed (ulong* dimension = dimensions)
        {
            BnqArray source = Array(data, dimension, dimensions.Length);
            Parameters used = Of(parameters, &source);
            Native.Check(Run(
                &source, parameters is not null, used, destination, clipped, clippedCount, metrics, context,
                statistics));
            return used.ToPublic();
        }
    }

    private int Run(
        BnqArray* source, bool given, Parameters parameters, Span<float> destination, Span<byte> clipped,
        ulong* clippedCount, Span<double> metrics, Context? context, TrainingStatisticsHandle? statistics = null)
    {
        fixed (float* result = destination, scale = parameters.Scales, offset = parameters.Offsets)
        fixed (sbyte* zeroPoint = parameters.ZeroPoints)
        fixed (byte* mask = clipped)
        fixed (double* metric = metrics)
        {
            return NativeMethods.bnq_fake_quantize(
                ContextHandle.Of(context), Config.Handle, Training.Handle, source, given ? 1 : 0, scale, zeroPoint,
                offset, (ulong)parameters.Scales.Length, (int)DataType.Float32, (int)Overflow.Error, result,
                (ulong)destination.Length * sizeof(float), mask, (ulong)clipped.Length, clippedCount, metric,
                (uint)metrics.Length, statistics ?? TrainingStatisticsHandle.None);
        }
    }

    private static BnqArray Array(float* data, ulong* shape, int rank) => new()
    {
        Data = data, Shape = shape, Dtype = (int)DataType.Float32, Rank = rank,
    };

    private static int Elements(BnqArray* array)
    {
        ulong count = 1;
        for (int i = 0; i < array->Rank; i++)
        {
            count *= array->Shape[i];
        }

        return Native.Length(count, "The result");
    }

    private int ParameterCount(int rank, ulong* shape)
    {
        ulong count;
        Native.Check(NativeMethods.bnq_param_count(Config.Handle, rank, shape, &count));
        return Native.Length(count, "The result");
    }

    private Parameters Of(QuantizationParameters? parameters, BnqArray* source) => parameters is null
        ? Room(ParameterCount(source->Rank, source->Shape))
        : Parameters.Of(parameters);

    private Parameters Room(int count) => new(
        new float[count], new sbyte[Config.Scheme == Scheme.Asymmetric ? count : 0],
        new float[Config.Scheme == Scheme.Offset ? count : 0]);

    /// <summary>Parameters that the library may write; one number goes for all of them.</summary>
    private sealed record Parameters(float[] Scales, sbyte[] ZeroPoints, float[] Offsets)
    {
        internal static Parameters Of(QuantizationParameters parameters)
        {
            Require(parameters.ZeroPoints.Length, nameof(parameters.ZeroPoints));
            Require(parameters.Offsets.Length, nameof(parameters.Offsets));
            return new Parameters([.. parameters.Scales], [.. parameters.ZeroPoints], [.. parameters.Offsets]);

            void Require(int length, string name)
            {
                if (length != 0 && length != parameters.Scales.Length)
                {
                    throw new ArgumentException(
                        $"{name} are {length}; none, or {parameters.Scales.Length} as {nameof(Scales)}, are accepted.",
                        nameof(parameters));
                }
            }
        }

        internal QuantizationParameters ToPublic() => new(
            ImmutableCollectionsMarshal.AsImmutableArray(Scales),
            ImmutableCollectionsMarshal.AsImmutableArray(ZeroPoints),
            ImmutableCollectionsMarshal.AsImmutableArray(Offsets));
    }
}
