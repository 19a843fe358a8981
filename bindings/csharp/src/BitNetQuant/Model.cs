using System;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Operations on whole model files. They handle one tensor, or one slice of a large one, at a time: memory does
/// not grow with the model. If one fails or is cancelled, an existing output is as it was, and nothing is left
/// behind. They run on the calling thread and those of the context; those named <c>Async</c> on one of the thread
/// pool's in place of the calling one.
/// </summary>
/// <remarks>Progress is reported on the calling thread, so that an <see cref="IProgress{T}"/> of one's own may act
/// at once (<see cref="Progress{T}"/> posts to the synchronization context it was made in). An exception that it
/// throws cancels the operation and is then thrown, unchanged, by the method.</remarks>
public static unsafe partial class Model
{
    /// <summary>Quantizes a safetensors file, the index of a sharded one, or a .npy file into a .bnq file.</summary>
    /// <param name="input">The path of the model.</param>
    /// <param name="output">The path of the .bnq file.</param>
    /// <param name="plan">Which tensors get which config.</param>
    /// <param name="options">How the output is written.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="maxShardBytes">The most bytes of tensors in one file; more become model-00001-of-00002.bnq and
    /// so on, with the index model.bnq.index.json. 0 for one file.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>A row for each tensor, with the metrics of those that were quantized.</returns>
    /// <exception cref="NotFoundException">There is no such input.</exception>
    /// <exception cref="AlreadyExistsException">The output exists, without
    /// <see cref="WriteOptions.Overwrite"/>, or is also the input.</exception>
    /// <exception cref="CorruptFileException">The input is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">The input is a .npy file of another type, order or version.</exception>
    /// <exception cref="NonFiniteException">A tensor holds NaN or infinity; the message names it and the
    /// index.</exception>
    /// <exception cref="InputOutputException">A file cannot be read or written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Report Quantize(
        string input, string output, Plan plan, WriteOptions options = WriteOptions.None,
        IProgress<ModelProgress>? progress = null, Context? context = null,
        ulong maxShardBytes = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        using var watch = new ProgressWatch(progress, cancellationToken);
        int status = NativeMethods.bnq_quantize_file(
            ContextHandle.Of(context), plan.Handle, Native.Argument(input), Native.Argument(output), (int)options, maxShardBytes,
            watch.Callback, watch.Opaque, out ReportHandle report);
        return Finish(watch, status, report);
    }

    /// <summary>
    /// Quantizes a model as <see cref="Quantize"/> does, and adds the static parameters of its activations: for each
    /// name N of the calibration an array "N.input_scale" of Float32, and where <paramref name="activationConfig"/> is
    /// asymmetric an array "N.input_zero_point" of Int8, of one element or one for each channel.
    /// </summary>
    /// <param name="input">The path of the model.</param>
    /// <param name="output">The path of the .bnq file.</param>
    /// <param name="plan">Which tensors get which config.</param>
    /// <param name="calibration">What is known of the activations.</param>
    /// <param name="activationConfig">What they are to be quantized into; null for the preset
    /// "int8_symmetric".</param>
    /// <param name="options">How the output is written.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="maxShardBytes">The most bytes of tensors in one file; more become model-00001-of-00002.bnq and
    /// so on, with the index model.bnq.index.json. 0 for one file.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>A row for each tensor, with the metrics of those that were quantized.</returns>
    /// <exception cref="NoDataException">There are no data for a name.</exception>
    /// <exception cref="InvalidArgumentException">The model has an array of one of those names.</exception>
    /// <exception cref="NotFoundException">There is no such input.</exception>
    /// <exception cref="AlreadyExistsException">The output exists, without
    /// <see cref="WriteOptions.Overwrite"/>, or is also the input.</exception>
    /// <exception cref="CorruptFileException">The input is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">The input is a .npy file of another type, order or version.</exception>
    /// <exception cref="NonFiniteException">A tensor holds NaN or infinity; the message names it and the
    /// index.</exception>
    /// <exception cref="InputOutputException">A file cannot be read or written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Report PostTrainingQuantize(
        string input, string output, Plan plan, Calibration calibration, Config? activationConfig = null,
        WriteOptions options = WriteOptions.None, IProgress<ModelProgress>? progress = null, Context? context = null,
        ulong maxShardBytes = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(calibration);
        using var watch = new ProgressWatch(progress, cancellationToken);
        int status = NativeMethods.bnq_post_training_quantize_file(
            ContextHandle.Of(context), plan.Handle, calibration.Handle, activationConfig?.Handle ?? ConfigHandle.None,
            Native.Argument(input), Native.Argument(output), (int)options, maxShardBytes, watch.Callback, watch.Opaque,
            out ReportHandle report);
        return Finish(watch, status, report);
    }

    /// <summary>What <see cref="Quantize"/> would write without compression, from the model's headers alone. Outlier
    /// columns, which only the data tell, are not counted, and a note of the report says so.</summary>
    /// <param name="input">The path of the model.</param>
    /// <param name="plan">Which tensors get which config.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="maxShardBytes">As in <see cref="Quantize"/>.</param>
    /// <exception cref="NotFoundException">There is no such input.</exception>
    /// <exception cref="CorruptFileException">The input is truncated or damaged.</exception>
    public static ModelEstimate Estimate(
        string input, Plan plan, Context? context = null, ulong maxShardBytes = 0)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Native.Check(NativeMethods.bnq_estimate_file(
            ContextHandle.Of(context), plan.Handle, Native.Argument(input), maxShardBytes, out ulong bytes,
            out ReportHandle report));
        using (report)
        {
            return new ModelEstimate(checked((long)bytes), new Report(report));
        }
    }

    /// <summary>Dequantizes a .bnq file into a safetensors file.</summary>
    /// <param name="input">The path of the .bnq file.</param>
    /// <param name="output">The path of the safetensors file.</param>
    /// <param name="type">What quantized tensors become: Float32, Float16 or BFloat16. The others stay as they
    /// are.</param>
    /// <param name="options">How the output is written.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="overflow">What becomes of values that the type does not hold.</param>
    /// <param name="maxShardBytes">The most bytes of tensors in one file; more become model-00001-of-00002.bnq and
    /// so on, with the index model.bnq.index.json. 0 for one file.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>A row for each tensor.</returns>
    /// <exception cref="NotFoundException">There is no such input.</exception>
    /// <exception cref="AlreadyExistsException">The output exists, without
    /// <see cref="WriteOptions.Overwrite"/>, or is also the input.</exception>
    /// <exception cref="NonFiniteException">A value overflows; the message names tensor and index.</exception>
    /// <exception cref="CorruptFileException">The input is truncated or damaged.</exception>
    /// <exception cref="InputOutputException">A file cannot be read or written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Report Dequantize(
        string input, string output, DataType type = DataType.Float32, WriteOptions options = WriteOptions.None,
        IProgress<ModelProgress>? progress = null, Context? context = null, Overflow overflow = Overflow.Error,
        ulong maxShardBytes = 0, CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        int status = NativeMethods.bnq_dequantize_file(
            ContextHandle.Of(context), Native.Argument(input), Native.Argument(output), (int)type, (int)overflow,
            (int)options, maxShardBytes, watch.Callback, watch.Opaque, out ReportHandle report);
        return Finish(watch, status, report);
    }

    /// <summary>Compares the tensors of two model files of any kind.</summary>
    /// <param name="original">The path of the original.</param>
    /// <param name="other">The path of the other.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>A row for each tensor of either. Those in both, with equal shape and floating-point or quantized
    /// contents, have metrics; other types are compared byte for byte (<see cref="Metrics.Mse"/> 0 or NaN); the
    /// rest have a note.</returns>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    /// <exception cref="CorruptFileException">A file is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">A .npy file is of another type, order or version.</exception>
    /// <exception cref="InputOutputException">A file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Report Compare(
        string original, string other, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        int status = NativeMethods.bnq_compare_files(
            ContextHandle.Of(context), Native.Argument(original), Native.Argument(other),
            watch.Callback, watch.Opaque, out ReportHandle report);
        return Finish(watch, status, report);
    }

    private static Report Finish(ProgressWatch watch, int status, ReportHandle report)
    {
        using (report)
        {
            watch.Check(status);
            return new Report(report);
        }
    }
}

/// <summary>What a model would take.</summary>
/// <param name="FileBytes">Bytes of the file, or of all shards and their index, to the byte.</param>
/// <param name="Report">A row for each tensor, without metrics.</param>
public sealed record ModelEstimate(long FileBytes, Report Report);
