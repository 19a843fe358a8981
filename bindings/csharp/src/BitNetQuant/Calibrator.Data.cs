using System;
using System.Collections.Immutable;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

// What goes into a calibrator and what comes out.
public sealed unsafe partial class Calibrator
{
    /// <summary>Channels, 1 per tensor; 0 before there are data.</summary>
    public long ChannelCount => checked((long)NativeMethods.bnq_calibrator_channels(Handle));

    /// <summary>Batches that had elements.</summary>
    public long BatchCount => checked((long)NativeMethods.bnq_calibrator_batches(Handle));

    /// <summary>Observes a batch. An empty one does nothing.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite, and <see cref="NonFinite"/> is
    /// <see cref="NonFiniteObservation.Error"/>; the message names its index. Nothing has been observed.</exception>
    /// <exception cref="InvalidArgumentException">There is no such axis, or its length is not that of the batches
    /// before.</exception>
    /// <exception cref="InvalidOperationException">It is read-only.</exception>
    public void Observe(ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Context? context = null) =>
        Observe(values, DataType.Float32, shape, context);

    /// <inheritdoc cref="Observe(ReadOnlySpan{float}, ReadOnlySpan{long}, Context?)"/>
    /// <remarks>Each value is first rounded to single precision.</remarks>
    public void Observe(ReadOnlySpan<double> values, ReadOnlySpan<long> shape, Context? context = null) =>
        Observe(values, DataType.Float64, shape, context);

    /// <inheritdoc cref="Observe(ReadOnlySpan{float}, ReadOnlySpan{long}, Context?)"/>
    public void Observe(ReadOnlySpan<Half> values, ReadOnlySpan<long> shape, Context? context = null) =>
        Observe(values, DataType.Float16, shape, context);

    /// <inheritdoc cref="Observe(ReadOnlySpan{float}, ReadOnlySpan{long}, Context?)"/>
    /// <param name="data">The elements in native byte order, row-major; need not be aligned.</param>
    /// <param name="type">Their type: Float64, Float32, Float16 or BFloat16.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public void Observe(
        ReadOnlySpan<byte> data, DataType type, ReadOnlySpan<long> shape, Context? context = null) =>
        Observe<byte>(data, type, shape, context);

    /// <inheritdoc cref="Observe(ReadOnlySpan{float}, ReadOnlySpan{long}, Context?)"/>
    /// <param name="batch">The batch.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public void Observe(SourceArray batch, Context? context = null) => NativeArray.Lend(
        batch, array => NativeMethods.bnq_calibrator_observe(ContextHandle.Of(context), Own, array));

    /// <summary>
    /// Observes the arrays of files, a batch each: all floating-point arrays of a .npy, .safetensors or .bnq file in
    /// the order of their names, or of all files *.npy and *.safetensors of a directory in the order of theirs. If it
    /// fails or is cancelled the calibrator is as it was.
    /// </summary>
    /// <param name="path">The path of the file or directory.</param>
    /// <param name="name">Only arrays of this name; null for all. The array of a .npy file has the file's, without the
    /// ending.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null. What it throws is thrown
    /// again.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="NotFoundException">There is no such path, data file or array.</exception>
    /// <exception cref="CorruptFileException">A file is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">A .npy file is of another type, order or version.</exception>
    /// <exception cref="InputOutputException">A file cannot be read.</exception>
    /// <exception cref="NonFiniteException">As <see cref="Observe(SourceArray, Context?)"/>.</exception>
    /// <exception cref="InvalidArgumentException">As <see cref="Observe(SourceArray, Context?)"/>.</exception>
    /// <exception cref="InvalidOperationException">It is read-only.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void ObserveFile(
        string path, string? name = null, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        watch.Check(NativeMethods.bnq_calibrator_observe_file(
            ContextHandle.Of(context), Own, Native.Argument(path), name is null ? null : Native.Argument(name),
            watch.Callback, watch.Opaque));
    }

    /// <summary>The range of a calibrator of one channel, as <see cref="GetRanges"/>.</summary>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="NoDataException">There are no data.</exception>
    /// <exception cref="InvalidArgumentException">There are more channels.</exception>
    public ValueRange GetRange(Context? context = null)
    {
        float low, high;
        Native.Check(NativeMethods.bnq_calibrator_range(ContextHandle.Of(context), Handle, &low, &high, 1));
        return new ValueRange(low, high);
    }

    /// <summary>The range of each channel. The calibrator may go on observing.</summary>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="NoDataException">There are no data, or a channel has had no finite value.</exception>
    public ImmutableArray<ValueRange> GetRanges(Context? context = null)
    {
        int count = ResultCount;
        var low = new float[count];
        var high = new float[count];
        fixed (float* lo = low, hi = high)
        {
            Native.Check(NativeMethods.bnq_calibrator_range(ContextHandle.Of(context), Handle, lo, hi, (ulong)count));
        }

        var ranges = ImmutableArray.CreateBuilder<ValueRange>(count);
        for (int i = 0; i < count; i++)
        {
            ranges.Add(new ValueRange(low[i], high[i]));
        }

        return ranges.MoveToImmutable();
    }

    /// <summary>Statistics of all channels together.</summary>
    /// <param name="context">What may cancel it; null for the default.</param>
    /// <exception cref="NoDataException">There are no data.</exception>
    public Statistics GetStatistics(Context? context = null) => ReadStatistics(NativeMethods.BNQ_ALL_CHANNELS, context);

    /// <summary>Statistics of a channel.</summary>
    /// <param name="channel">From 0.</param>
    /// <param name="context">What may cancel it; null for the default.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    /// <exception cref="InvalidArgumentException">There is no such channel.</exception>
    /// <exception cref="NoDataException">There are no data.</exception>
    public Statistics GetStatistics(long channel, Context? context = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(channel);
        return ReadStatistics((ulong)channel, context);
    }

    /// <summary>The histogram of a channel.</summary>
    /// <param name="channel">From 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    /// <exception cref="InvalidArgumentException">There is no such channel.</exception>
    /// <exception cref="NoDataException">There are no data.</exception>
    /// <exception cref="UnsupportedException">None is kept: see <see cref="KeepHistogram"/>.</exception>
    public Histogram GetHistogram(long channel = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(channel);
        Native.Check(NativeMethods.bnq_calibrator_histogram(
            Handle, (ulong)channel, null, 0, out ulong bins, out _, out _));
        var counts = new long[Native.Length(bins, "The histogram")];
        double first, width;
        fixed (long* pointer = counts)
        {
            Native.Check(NativeMethods.bnq_calibrator_histogram(
                Handle, (ulong)channel, (ulong*)pointer, bins, out _, out first, out width));
        }

        return new Histogram(first, width, counts);
    }

    /// <summary>The scale, and zero point or offset, of each channel for quantizing values of its range.</summary>
    /// <param name="config">Of which format, scheme, symmetric range and type of scales count; the rule that scales
    /// are made by is this calibrator's method.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="NoDataException">There are no data, or a channel has had no finite value.</exception>
    /// <exception cref="UnsupportedException">The format has no scales.</exception>
    public QuantizationParameters GetParameters(Config config, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        int count = ResultCount;
        var scales = new float[count];
        var zeroPoints = new sbyte[config.Scheme == Scheme.Asymmetric ? count : 0];
        var offsets = new float[config.Scheme == Scheme.Offset ? count : 0];
        fixed (float* scale = scales)
        fixed (sbyte* zeroPoint = zeroPoints)
        fixed (float* offset = offsets)
        {
            Native.Check(NativeMethods.bnq_calibrator_params(
                ContextHandle.Of(context), Handle, config.Handle, scale, zeroPoint, offset, (ulong)count));
        }

        return new QuantizationParameters(
            ImmutableArray.Create(scales), ImmutableArray.Create(zeroPoints), ImmutableArray.Create(offsets));
    }

    /// <summary>Forgets the data, not the options.</summary>
    /// <exception cref="InvalidOperationException">It is read-only.</exception>
    public void Reset() => Native.Check(NativeMethods.bnq_calibrator_reset(Own));

    /// <summary>Adds what another calibrator has observed.</summary>
    /// <param name="other">One of the same options and, where both have data, as many channels.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">It has others.</exception>
    /// <exception cref="UnsupportedException">The result of the method depends on the order of batches.</exception>
    /// <exception cref="InvalidOperationException">It is read-only.</exception>
    public void Merge(Calibrator other, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(other);
        Native.Check(NativeMethods.bnq_calibrator_merge(ContextHandle.Of(context), Own, other.Handle));
    }

    /// <summary>A calibrator of its own with the same options and data.</summary>
    /// <param name="context">Where memory comes from; null for the default.</param>
    public Calibrator Clone(Context? context = null)
    {
        Native.Check(NativeMethods.bnq_calibrator_clone(
            ContextHandle.Of(context), Handle, out CalibratorHandle clone));
        return new Calibrator(clone);
    }

    /// <summary>Options and data as bytes, the same ones on every machine.</summary>
    /// <param name="context">What may cancel it; null for the default.</param>
    public byte[] ToBytes(Context? context = null)
    {
        ContextHandle own = ContextHandle.Of(context);
        Native.Check(NativeMethods.bnq_calibrator_serialize(own, Handle, null, 0, out ulong size));
        var bytes = new byte[Native.Length(size, "The result")];
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_calibrator_serialize(own, Handle, pointer, size, out _));
        }

        return bytes;
    }

    /// <summary>The calibrator of <see cref="ToBytes"/>.</summary>
    /// <param name="bytes">What that gave.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="CorruptFileException">They are no calibrator, or damaged.</exception>
    /// <exception cref="UnsupportedException">A later library has written them.</exception>
    public static Calibrator FromBytes(ReadOnlySpan<byte> bytes, Context? context = null)
    {
        byte none; // what an empty span points to is NULL
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_calibrator_deserialize(
                ContextHandle.Of(context), bytes.IsEmpty ? &none : pointer, (ulong)bytes.Length,
                out CalibratorHandle handle));
            return new Calibrator(handle);
        }
    }

    /// <summary>The number of results; 1 where it is not known, so that the library says why.</summary>
    private int ResultCount => Math.Max(1, Native.Length((ulong)ChannelCount, "The result"));

    private void Observe<T>(ReadOnlySpan<T> values, DataType type, ReadOnlySpan<long> shape, Context? context)
        where T : unmanaged => NativeArray.Lend(
            values, type, shape,
            array => NativeMethods.bnq_calibrator_observe(ContextHandle.Of(context), Own, array));

    private Statistics ReadStatistics(ulong channel, Context? context)
    {
        var values = new double[NativeMethods.bnq_statistic_count()];
        fixed (double* pointer = values)
        {
            Native.Check(NativeMethods.bnq_calibrator_statistics(
                ContextHandle.Of(context), Handle, channel, pointer, (uint)values.Length));
        }

        return new Statistics(values);
    }
}
