using System;
using System.Collections.Immutable;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>How the values of two arrays are distributed, and their errors e = original - other.</summary>
public sealed class ErrorHistogram
{
    private ErrorHistogram(long[] counts, double maxError, double divergence) =>
        (Counts, MaxError, KLDivergence) = (ImmutableArray.Create(counts), maxError, divergence);

    /// <summary>
    /// The number of errors in each bin: with m the greatest |e|, bin i holds those in [-m + i w, -m + (i + 1) w), the
    /// last one closed, where w = 2m / bins; all are in the middle bin where m is 0.
    /// </summary>
    public ImmutableArray<long> Counts { get; }

    /// <summary>The greatest |e|.</summary>
    public double MaxError { get; }

    /// <summary>The Kullback-Leibler divergence, in nats, of the other array's distribution from the original's, each
    /// as a histogram of as many bins over the range of both; 0 where all values are equal.</summary>
    public double KLDivergence { get; }

    /// <summary>Compares two arrays of the same length.</summary>
    /// <param name="original">The original.</param>
    /// <param name="other">The other.</param>
    /// <param name="bins">The number of bins, 2..65536.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="InvalidArgumentException"><paramref name="bins"/> is out of its range.</exception>
    /// <exception cref="NonFiniteException">One holds NaN or infinity.</exception>
    /// <exception cref="NoDataException">They are empty.</exception>
    public static unsafe ErrorHistogram Compare(
        ReadOnlySpan<float> original, ReadOnlySpan<float> other, int bins, Context? context = null)
    {
        ReadOnlySpan<long> shape = [original.Length];
        ulong[] dimensions = Native.Shape(shape);
        Native.RequireSize(other, DataType.Float32, dimensions);
        ErrorHistogram? result = null;
        fixed (float* data = other)
        fixed (ulong* pointer = dimensions)
        {
            var second = new BnqArray { Data = data, Shape = pointer, Dtype = (int)DataType.Float32, Rank = 1 };
            BnqArray* b = &second;
            NativeArray.Lend(original, DataType.Float32, shape, a => Read(a, b, bins, context, out result));
        }

        return result!;
    }

    /// <inheritdoc cref="Compare(ReadOnlySpan{float}, ReadOnlySpan{float}, int, Context?)"/>
    /// <summary>Compares two arrays of one shape and any of the four types that can be quantized.</summary>
    /// <param name="original">The original.</param>
    /// <param name="other">The other, maybe of another type.</param>
    /// <param name="bins">The number of bins, 2..65536.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">The shapes differ, or <paramref name="bins"/> is out of its
    /// range.</exception>
    public static unsafe ErrorHistogram Compare(
        SourceArray original, SourceArray other, int bins, Context? context = null)
    {
        ErrorHistogram? result = null;
        int status = NativeMethods.BNQ_OK;
        NativeArray.Lend(original, a =>
        {
            BnqArray* first = a;
            NativeArray.Lend(other, b => status = Read(first, b, bins, context, out result));
            return status;
        });
        return result!;
    }

    /// <summary>A comparison; it returns its status.</summary>
    internal unsafe delegate int Call(uint bins, ulong* counts, out double maxError, out double kl);

    /// <summary>The status of a comparison, and what it found.</summary>
    internal static unsafe int Read(int bins, Call call, out ErrorHistogram result)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bins);
        var counts = new long[bins];
        fixed (long* pointer = counts)
        {
            int status = call((uint)bins, (ulong*)pointer, out double maxError, out double kl);
            result = new ErrorHistogram(counts, maxError, kl);
            return status;
        }
    }

    private static unsafe int Read(
        BnqArray* original, BnqArray* other, int bins, Context? context, out ErrorHistogram result) => Read(
            bins,
            (uint count, ulong* counts, out double maxError, out double kl) => NativeMethods.bnq_compare_histogram(
                ContextHandle.Of(context), original, other, count, counts, out maxError, out kl),
            out result);
}
