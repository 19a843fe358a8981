using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>What <see cref="TrainingStatistics"/> add up to. NaN where there are no elements.</summary>
/// <param name="Steps">Arrays that were fake quantized.</param>
/// <param name="Elements">Their elements.</param>
/// <param name="Clipped">Of these, those whose code would lie beyond those there are.</param>
/// <param name="ClippedShare">Their share.</param>
/// <param name="Mse">The mean squared error.</param>
/// <param name="RelativeMse">That over the mean square of the values.</param>
/// <param name="SqnrDb">The same in decibels.</param>
/// <param name="MaxError">The greatest error.</param>
/// <param name="ScaleMin">The least of all scales.</param>
/// <param name="ScaleMax">The greatest of all scales.</param>
/// <param name="WorstClippedShare">The greatest share of a step that was clipped.</param>
/// <param name="WorstRelativeMse">The greatest relative mean squared error of a step.</param>
public readonly record struct TrainingSummary(
    long Steps, long Elements, long Clipped, double ClippedShare, double Mse, double RelativeMse, double SqnrDb,
    double MaxError, double ScaleMin, double ScaleMax, double WorstClippedShare, double WorstRelativeMse);

/// <summary>
/// A layer's: error and clipping of all arrays that <c>FakeQuantizer.QuantizeAndRecord</c> was given them with.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them adds to it.</remarks>
public sealed unsafe class TrainingStatistics : IDisposable
{
    /// <summary>Of no step.</summary>
    public TrainingStatistics()
    {
        Native.Check(NativeMethods.bnq_training_statistics_create(out TrainingStatisticsHandle handle));
        Handle = handle;
    }

    private TrainingStatistics(TrainingStatisticsHandle handle) => Handle = handle;

    internal TrainingStatisticsHandle Handle { get; }

    /// <summary>What they add up to.</summary>
    public TrainingSummary Summary
    {
        get
        {
            const int Count = NativeMethods.BNQ_NUM_TRAINING_STATISTICS;
            double* values = stackalloc double[Count];
            Native.Check(NativeMethods.bnq_training_statistics_values(Handle, values, Count));
            return new TrainingSummary(
                (long)values[NativeMethods.BNQ_TRAINING_STATISTIC_STEPS],
                (long)values[NativeMethods.BNQ_TRAINING_STATISTIC_ELEMENTS],
                (long)values[NativeMethods.BNQ_TRAINING_STATISTIC_CLIPPED],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_CLIPPED_SHARE],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_MSE],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_RELATIVE_MSE],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_SQNR_DB],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_MAX_ERROR],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_SCALE_MIN],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_SCALE_MAX],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_WORST_CLIPPED_SHARE],
                values[NativeMethods.BNQ_TRAINING_STATISTIC_WORST_RELATIVE_MSE]);
        }
    }

    /// <summary>Adds the steps of others. Sums are exact: the same bits in whatever order.</summary>
    /// <param name="other">Stay as they are.</param>
    public void Merge(TrainingStatistics other)
    {
        ArgumentNullException.ThrowIfNull(other);
        Native.Check(NativeMethods.bnq_training_statistics_merge(Handle, other.Handle));
    }

    /// <summary>As bytes, the same ones on every machine.</summary>
    public byte[] ToBytes()
    {
        ulong size;
        Native.Check(NativeMethods.bnq_training_statistics_serialize(Handle, null, 0, &size));
        var bytes = new byte[Native.Length(size, "The result")];
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_training_statistics_serialize(Handle, pointer, size, &size));
        }

        return bytes;
    }

    /// <summary>The statistics of <see cref="ToBytes"/>.</summary>
    /// <param name="bytes">What that gave.</param>
    /// <exception cref="CorruptFileException">They are no statistics, or damaged.</exception>
    public static TrainingStatistics FromBytes(ReadOnlySpan<byte> bytes)
    {
        byte none; // what an empty span points to is NULL
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_training_statistics_deserialize(
                bytes.IsEmpty ? &none : pointer, (ulong)bytes.Length, out TrainingStatisticsHandle handle));
            return new TrainingStatistics(handle);
        }
    }

    /// <summary>Frees the statistics.</summary>
    public void Dispose() => Handle.Dispose();
}
