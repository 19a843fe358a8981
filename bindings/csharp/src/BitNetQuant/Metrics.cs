using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// How far another array is from an original one. a is the original, b the other, e = a - b; all sums are in
/// double precision and the same on every machine.
/// </summary>
/// <param name="Mse">Mean of e^2.</param>
/// <param name="Mae">Mean of |e|.</param>
/// <param name="MaxError">Greatest |e|.</param>
/// <param name="SqnrDb">10 log10(sum a^2 / sum e^2), in dB; +infinity where e is 0 throughout, -infinity where
/// only a is.</param>
/// <param name="Cosine">sum ab / sqrt(sum a^2 sum b^2), in -1..1; 1 where both are 0 throughout, 0 where one of
/// them is.</param>
public readonly record struct Metrics(double Mse, double Mae, double MaxError, double SqnrDb, double Cosine)
{
    /// <summary>Compares two arrays of the same length.</summary>
    /// <param name="original">The original.</param>
    /// <param name="other">The other.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="NonFiniteException">One holds NaN or infinity.</exception>
    /// <exception cref="NoDataException">They are empty.</exception>
    public static Metrics Compare(ReadOnlySpan<float> original, ReadOnlySpan<float> other, Context? context = null) =>
        Compare(original, DataType.Float32, other, DataType.Float32, [original.Length], context);

    /// <inheritdoc cref="Compare(ReadOnlySpan{float}, ReadOnlySpan{float}, Context?)"/>
    public static Metrics Compare(ReadOnlySpan<double> original, ReadOnlySpan<double> other, Context? context = null) =>
        Compare(original, DataType.Float64, other, DataType.Float64, [original.Length], context);

    /// <summary>Compares two arrays of one shape and any of the four types that can be quantized.</summary>
    /// <param name="original">The bytes of the original.</param>
    /// <param name="originalType">Its type: Float64, Float32, Float16 or BFloat16.</param>
    /// <param name="other">The bytes of the other.</param>
    /// <param name="otherType">Its type, which may be another one.</param>
    /// <param name="shape">The shape of both.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">A buffer's length is not what the shape and type take.</exception>
    /// <exception cref="NonFiniteException">One holds NaN or infinity.</exception>
    /// <exception cref="NoDataException">They are empty.</exception>
    public static Metrics Compare(
        ReadOnlySpan<byte> original, DataType originalType, ReadOnlySpan<byte> other, DataType otherType,
        ReadOnlySpan<long> shape, Context? context = null) =>
        Compare<byte>(original, originalType, other, otherType, shape, context);

    internal const int Count = NativeMethods.BNQ_NUM_METRICS;

    internal static Metrics From(ReadOnlySpan<double> values) => new(
        values[NativeMethods.BNQ_METRIC_MSE],
        values[NativeMethods.BNQ_METRIC_MAE],
        values[NativeMethods.BNQ_METRIC_MAX_ERROR],
        values[NativeMethods.BNQ_METRIC_SQNR_DB],
        values[NativeMethods.BNQ_METRIC_COSINE]);

    private static unsafe Metrics Compare<T>(
        ReadOnlySpan<T> original, DataType originalType, ReadOnlySpan<T> other, DataType otherType,
        ReadOnlySpan<long> shape, Context? context)
        where T : unmanaged
    {
        ulong[] dimensions = Native.Shape(shape);
        Native.RequireSize(original, originalType, dimensions);
        Native.RequireSize(other, otherType, dimensions);
        double* values = stackalloc double[Count];
        fixed (T* a = original, b = other)
        fixed (ulong* d = dimensions)
        {
            var arrayA = new BnqArray { Data = a, Shape = d, Dtype = (int)originalType, Rank = dimensions.Length };
            var arrayB = new BnqArray { Data = b, Shape = d, Dtype = (int)otherType, Rank = dimensions.Length };
            Native.Check(NativeMethods.bnq_compare(ContextHandle.Of(context), &arrayA, &arrayB, values, Count));
        }

        return From(new ReadOnlySpan<double>(values, Count));
    }
}
