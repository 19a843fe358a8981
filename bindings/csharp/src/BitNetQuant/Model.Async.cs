using System;
using System.Threading;
using System.Threading.Tasks;

namespace BitNetQuant;

// The same on a thread of the pool. Progress is reported on that thread, so that a Progress<T> made in a window's thread
// posts to it.
public static unsafe partial class Model
{
    /// <summary><see cref="Quantize"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Quantize"/>
    /// <returns>The report, when it is done. Arguments are not to be changed or disposed of before.</returns>
    public static Task<Report> QuantizeAsync(
        string input, string output, Plan plan, WriteOptions options = WriteOptions.None,
        IProgress<ModelProgress>? progress = null, Context? context = null, ulong maxShardBytes = 0,
        CancellationToken cancellationToken = default) => Task.Run(
            () => Quantize(input, output, plan, options, progress, context, maxShardBytes, cancellationToken),
            cancellationToken);

    /// <summary><see cref="PostTrainingQuantize"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="PostTrainingQuantize"/>
    /// <returns>The report, when it is done. Arguments are not to be changed or disposed of before.</returns>
    public static Task<Report> PostTrainingQuantizeAsync(
        string input, string output, Plan plan, Calibration calibration, Config? activationConfig = null,
        WriteOptions options = WriteOptions.None, IProgress<ModelProgress>? progress = null, Context? context = null,
        ulong maxShardBytes = 0, CancellationToken cancellationToken = default) => Task.Run(
            () => PostTrainingQuantize(
                input, output, plan, calibration, activationConfig, options, progress, context, maxShardBytes,
                cancellationToken),
            cancellationToken);

    /// <summary><see cref="Dequantize"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Dequantize"/>
    /// <returns>The report, when it is done. Arguments are not to be changed or disposed of before.</returns>
    public static Task<Report> DequantizeAsync(
        string input, string output, DataType type = DataType.Float32, WriteOptions options = WriteOptions.None,
        IProgress<ModelProgress>? progress = null, Context? context = null, Overflow overflow = Overflow.Error,
        ulong maxShardBytes = 0, CancellationToken cancellationToken = default) => Task.Run(
            () => Dequantize(
                input, output, type, options, progress, context, overflow, maxShardBytes, cancellationToken),
            cancellationToken);

    /// <summary><see cref="Compare"/> on a thread of the pool.</summary>
    /// <inheritdoc cref="Compare"/>
    /// <returns>The report, when it is done. Arguments are not to be changed or disposed of before.</returns>
    public static Task<Report> CompareAsync(
        string original, string other, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Compare(original, other, progress, context, cancellationToken), cancellationToken);
}
