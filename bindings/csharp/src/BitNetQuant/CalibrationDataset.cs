using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Batches of values to calibrate with: any mixture of arrays, of .npy, .safetensors and .bnq files, and of directories
/// of *.npy and *.safetensors (hidden ones are skipped), in the order in which they were added.
/// </summary>
/// <remarks>
/// <para>An array is a batch. A path stands for its floating-point arrays, a batch each: those of a file in the order
/// of their names, the files of a directory in the order of theirs, both by their UTF-8 bytes. Their names are those of
/// the arrays (that of a .npy file has the file's, without the ending), unless the path was added under a name.</para>
/// <para>Arrays are referred to, not copied, and must not change while the dataset is in use. A directory is looked
/// into and a file opened when its turn comes, each time anew; none stays open.</para>
/// <para>May be used by several threads at once only while none of them adds to it.</para>
/// </remarks>
/// <example><code>
/// var dataset = new CalibrationDataset().Add(inputs, [rows, columns], "layers.0").AddPath("activations");
/// using var calibration = new Calibration();
/// dataset.Feed(calibration, progress);
/// </code></example>
[SuppressMessage("Naming", "CA1710", Justification = "The name that it has in the other bindings.")]
public sealed partial class CalibrationDataset : IEnumerable<CalibrationBatch>
{
    private readonly List<Source> _sources = [];

    /// <summary>Adds an array of the type that <typeparamref name="T"/> stands for.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="double"/> or <see cref="Half"/>.</typeparam>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="name">The name of the batch, not empty; null for none.</param>
    /// <returns>This dataset.</returns>
    /// <exception cref="ArgumentException">The number of values is not that of the shape, or the name is not
    /// legal.</exception>
    /// <exception cref="UnsupportedException">The elements are not of a floating-point type.</exception>
    public CalibrationDataset Add<T>(T[] values, ReadOnlySpan<long> shape, string? name = null) where T : unmanaged =>
        Add(SourceArray.Of(values, shape), name);

    /// <inheritdoc cref="Add{T}(T[], ReadOnlySpan{long}, string?)"/>
    public CalibrationDataset Add<T>(ReadOnlyMemory<T> values, ReadOnlySpan<long> shape, string? name = null)
        where T : unmanaged => Add(SourceArray.Of(values, shape), name);

    /// <summary>Adds an array.</summary>
    /// <param name="values">The array, of Float64, Float32, Float16 or BFloat16.</param>
    /// <param name="name">The name of the batch, not empty; null for none.</param>
    /// <returns>This dataset.</returns>
    /// <exception cref="ArgumentException">The name is not legal.</exception>
    /// <exception cref="UnsupportedException">The elements are of another type.</exception>
    public CalibrationDataset Add(SourceArray values, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (NativeMethods.bnq_dtype_is_source((int)values.DataType) == 0)
        {
            throw new UnsupportedException(
                $"{nameof(values)} is an array of {values.DataType}; a batch is of Float64, Float32, Float16 or "
                + "BFloat16.");
        }

        _sources.Add(new Source(Name(name), values, null));
        return this;
    }

    /// <summary>Adds the floating-point arrays of a file or of a directory, which need not exist yet.</summary>
    /// <param name="path">The path of the file or directory.</param>
    /// <param name="name">The name of all its batches, not empty; null for those of the arrays.</param>
    /// <returns>This dataset.</returns>
    /// <exception cref="ArgumentException">The path or the name is not legal.</exception>
    public CalibrationDataset AddPath(string path, string? name = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _sources.Add(new Source(Name(name), null, Native.Argument(path)));
        return this;
    }

    /// <summary>The bytes of all batches, uncompressed. Looks into every file, without reading its data.</summary>
    /// <exception cref="NotFoundException">There is no such path, or no data in it.</exception>
    /// <exception cref="CorruptFileException">A file is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">A .npy file is of another type, order or version.</exception>
    /// <exception cref="InputOutputException">A file or directory cannot be read.</exception>
    public long GetByteCount()
    {
        long total = 0;
        foreach (Source source in _sources)
        {
            total += source.Array is { } array ? array.ByteCount : ByteCount(source.Path!);
        }

        return total;
    }

    /// <summary>
    /// The batches. Those of files are read as they are reached, into memory of their own, with the checksums of a
    /// .bnq file checked.
    /// </summary>
    /// <exception cref="NotFoundException">There is no such path, or no data in it.</exception>
    /// <exception cref="CorruptFileException">A file is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">A .npy file is of another type, order or version.</exception>
    /// <exception cref="InputOutputException">A file or directory cannot be read.</exception>
    /// <exception cref="InvalidOperationException">An array of a file is longer than one in memory can be
    /// (2 GiB).</exception>
    public IEnumerator<CalibrationBatch> GetEnumerator()
    {
        foreach (Source source in _sources)
        {
            if (source.Array is { } array)
            {
                yield return new CalibrationBatch(source.Name, array);
                continue;
            }

            foreach (DataFile file in Files(source.Path!))
            {
                foreach (CalibrationBatch batch in Batches(file, source.Name, null))
                {
                    yield return batch;
                }
            }
        }
    }

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>
    /// Has a calibrator observe every batch. The library reads the files, page by page. If it fails or is cancelled,
    /// the arrays and files before that have been observed.
    /// </summary>
    /// <param name="calibrator">The calibrator.</param>
    /// <param name="progress">Hears of it on the calling thread, with the name of the batch ("" for none); may be
    /// null. Every file is then looked into before anything is observed, for the total. What it throws is thrown
    /// again.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="NotFoundException">There is no such path, or no data in it.</exception>
    /// <exception cref="CorruptFileException">A file is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">A .npy file is of another type, order or version.</exception>
    /// <exception cref="InputOutputException">A file or directory cannot be read.</exception>
    /// <exception cref="NonFiniteException">As <see cref="Calibrator.Observe(SourceArray, Context?)"/>.</exception>
    /// <exception cref="InvalidArgumentException">As
    /// <see cref="Calibrator.Observe(SourceArray, Context?)"/>.</exception>
    /// <exception cref="InvalidOperationException">The calibrator is read-only.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Feed(
        Calibrator calibrator, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(calibrator);
        var meter = new Meter(progress, progress is null ? 0 : GetByteCount(), cancellationToken);
        foreach (Source source in _sources)
        {
            if (source.Array is { } array)
            {
                meter.Array(source.Name, array, () => calibrator.Observe(array, context));
                continue;
            }

            foreach (DataFile file in Files(source.Path!))
            {
                meter.File(receiver => calibrator.ObserveFile(file.Path, null, receiver, context, cancellationToken));
            }
        }
    }

    /// <summary>
    /// Has a set of calibrators observe every batch, each with the calibrator of its name; a name gets one if it has
    /// none. Files that were added under a name are read into memory, one array at a time. If it fails or is
    /// cancelled, the arrays and files before that have been observed, and so have the batches before it of a file
    /// that was added under a name.
    /// </summary>
    /// <param name="calibration">The set.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null. Every file is then looked into before
    /// anything is observed, for the total. What it throws is thrown again.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="ArgumentException">An array has no name. Nothing has been observed.</exception>
    /// <exception cref="NotFoundException">There is no such path, or no data in it.</exception>
    /// <exception cref="CorruptFileException">A file is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">A .npy file is of another type, order or version.</exception>
    /// <exception cref="InputOutputException">A file or directory cannot be read.</exception>
    /// <exception cref="NonFiniteException">As
    /// <see cref="Calibration.Observe(string, SourceArray, Context?)"/>.</exception>
    /// <exception cref="InvalidArgumentException">As
    /// <see cref="Calibration.Observe(string, SourceArray, Context?)"/>.</exception>
    /// <exception cref="InvalidOperationException">An array of a file that was added under a name is longer than one
    /// in memory can be (2 GiB).</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Feed(
        Calibration calibration, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(calibration);
        int nameless = _sources.FindIndex(source => source.Name is null && source.Array is not null);
        if (nameless >= 0)
        {
            throw new ArgumentException(
                $"Source {nameless} of the dataset is an array without a name, so that the {nameof(calibration)} has "
                + "no calibrator for it; add it under a name.", nameof(calibration));
        }

        var meter = new Meter(progress, progress is null ? 0 : GetByteCount(), cancellationToken);
        foreach ((string? name, SourceArray? array, string? path) in _sources)
        {
            if (array is not null)
            {
                meter.Array(name, array, () => calibration.Observe(name!, array, context));
                continue;
            }

            foreach (DataFile file in Files(path!))
            {
                if (name is null)
                {
                    meter.File(
                        receiver => calibration.ObserveFile(file.Path, null, receiver, context, cancellationToken));
                    continue;
                }

                // The library gives the arrays of a file their own names.
                foreach (CalibrationBatch batch in Batches(file, name, context))
                {
                    meter.Array(name, batch.Values, () => calibration.Observe(name, batch.Values, context));
                }
            }
        }
    }

    private static string? Name(string? name)
    {
        if (name is null)
        {
            return null;
        }

        ArgumentException.ThrowIfNullOrEmpty(name);
        return Native.Argument(name);
    }

    /// <summary>An array or a path, and what its batches are called.</summary>
    private readonly record struct Source(string? Name, SourceArray? Array, string? Path);
}
