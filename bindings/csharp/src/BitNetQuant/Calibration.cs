using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Calibrators by name: of a model's activations, one for each place where they are watched. Sorted by the UTF-8 bytes
/// of the names.
/// </summary>
/// <remarks>
/// <para>For one thread at a time; methods that only read may run on several at once.</para>
/// <para>The calibrators are views of the set's: they go on to tell what it observes, cannot be changed
/// (<see cref="Calibrator.Clone"/> makes one that can), and keep it in memory for as long as they are used; they need
/// not be disposed.</para>
/// </remarks>
/// <example><code>
/// using var calibration = new Calibration();
/// foreach (var layer in layers) calibration.Observe(layer.Name, layer.Inputs, [rows, columns]);
/// Model.PostTrainingQuantize("model.safetensors", "model.bnq", plan, calibration);
/// </code></example>
[SuppressMessage("Naming", "CA1710", Justification = "The name that it has in the library and its other bindings.")]
public sealed unsafe class Calibration : IDisposable, IReadOnlyCollection<KeyValuePair<string, Calibrator>>
{
    /// <summary>An empty set.</summary>
    /// <param name="prototype">Whose options its calibrators get, not its data; null for the defaults.</param>
    public Calibration(Calibrator? prototype = null)
    {
        Native.Check(NativeMethods.bnq_calibration_create(
            prototype?.Handle ?? CalibratorHandle.None, out CalibrationHandle handle));
        Handle = handle;
    }

    private Calibration(CalibrationHandle handle) => Handle = handle;

    internal CalibrationHandle Handle { get; }

    /// <summary>The number of calibrators.</summary>
    public int Count => Native.Length(NativeMethods.bnq_calibration_count(Handle), "The set");

    /// <summary>The names.</summary>
    public IEnumerable<string> Names => this.Select(item => item.Key);

    /// <summary>The calibrator of a name.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public Calibrator this[string name] => TryGetCalibrator(name, out Calibrator? calibrator)
        ? calibrator
        : throw new NotFoundException($"there is no calibrator \"{name}\"; there are {string.Join(", ", Names)}");

    /// <summary>Whether there is a calibrator of a name.</summary>
    public bool Contains(string name) => IndexOf(name) >= 0;

    /// <summary>The calibrator of a name, if there is one.</summary>
    /// <param name="name">The name.</param>
    /// <param name="calibrator">The calibrator, or null.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGetCalibrator(string name, [NotNullWhen(true)] out Calibrator? calibrator)
    {
        int index = IndexOf(name);
        calibrator = index < 0 ? null : At(index);
        return calibrator is not null;
    }

    /// <summary>Sets an option of every calibrator and of those to come; of none if one refuses.</summary>
    /// <param name="option">A name of <see cref="Library.CalibrationOptions"/>, such as "method".</param>
    /// <param name="value">Such as "kl", "99.9" or "on"; numbers in the invariant culture.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal, or the option cannot be changed with the
    /// data that there are; the message names the calibrator.</exception>
    public void Set(string option, string value, Context? context = null) => Native.Check(
        NativeMethods.bnq_calibration_set_text(
            ContextHandle.Of(context), Handle, Native.Argument(option), Native.Argument(value)));

    /// <summary>Observes a batch of the activations of a name, which gets a calibrator if it has none.</summary>
    /// <param name="name">The name, not empty.</param>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite and may not be; the message names the
    /// calibrator and the index. Nothing has been observed.</exception>
    /// <exception cref="InvalidArgumentException">There is no such axis, or its length is not that of the batches
    /// before.</exception>
    public void Observe(
        string name, ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Context? context = null) =>
        Observe(name, values, DataType.Float32, shape, context);

    /// <inheritdoc cref="Observe(string, ReadOnlySpan{float}, ReadOnlySpan{long}, Context?)"/>
    /// <remarks>Each value is first rounded to single precision.</remarks>
    public void Observe(
        string name, ReadOnlySpan<double> values, ReadOnlySpan<long> shape, Context? context = null) =>
        Observe(name, values, DataType.Float64, shape, context);

    /// <inheritdoc cref="Observe(string, ReadOnlySpan{float}, ReadOnlySpan{long}, Context?)"/>
    public void Observe(
        string name, ReadOnlySpan<Half> values, ReadOnlySpan<long> shape, Context? context = null) =>
        Observe(name, values, DataType.Float16, shape, context);

    /// <inheritdoc cref="Observe(string, ReadOnlySpan{float}, ReadOnlySpan{long}, Context?)"/>
    /// <param name="name">The name, not empty.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public void Observe(string name, SourceArray batch, Context? context = null) => NativeArray.Lend(
        batch,
        array => NativeMethods.bnq_calibration_observe(
            ContextHandle.Of(context), Handle, Native.Argument(name), array));

    /// <summary>
    /// Observes the arrays of a .npy, .safetensors or .bnq file, or of a directory of *.npy and *.safetensors, each
    /// with the calibrator of its name; that of a .npy file has the file's, without the ending. If it fails or is
    /// cancelled, no calibrator has observed anything of it.
    /// </summary>
    /// <param name="path">The path of the file or directory.</param>
    /// <param name="asName">What all arrays are batches of, whatever their own names are; null for those.</param>
    /// <param name="progress">Hears of it on the calling thread; may be null. What it throws is thrown
    /// again.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="NotFoundException">There is no such path, or no data in it.</exception>
    /// <exception cref="CorruptFileException">A file is truncated or damaged.</exception>
    /// <exception cref="UnsupportedException">A .npy file is of another type, order or version.</exception>
    /// <exception cref="InputOutputException">A file cannot be read.</exception>
    /// <exception cref="NonFiniteException">As <see cref="Observe(string, SourceArray, Context?)"/>.</exception>
    /// <exception cref="InvalidArgumentException">As <see cref="Observe(string, SourceArray, Context?)"/>.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void ObserveFile(
        string path, string? asName = null, IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        watch.Check(NativeMethods.bnq_calibration_observe_file(
            ContextHandle.Of(context), Handle, Native.Argument(path),
            asName is null ? null : Native.Argument(asName), watch.Callback, watch.Opaque));
    }

    /// <summary>Adds what another set has observed, name by name.</summary>
    /// <param name="other">The other set.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">Calibrators of one name have other options or numbers of channels;
    /// the message names them. Nothing has been added.</exception>
    /// <exception cref="UnsupportedException">The result of a method depends on the order of batches.</exception>
    public void Merge(Calibration other, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(other);
        Native.Check(NativeMethods.bnq_calibration_merge(ContextHandle.Of(context), Handle, other.Handle));
    }

    /// <summary>Writes the set to a file, the same bytes on every machine.</summary>
    /// <param name="path">The path of the file.</param>
    /// <param name="options"><see cref="WriteOptions.Overwrite"/>, or none.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="AlreadyExistsException">It exists, without <see cref="WriteOptions.Overwrite"/>.</exception>
    /// <exception cref="InputOutputException">It cannot be written; an old one is as it was.</exception>
    public void Save(string path, WriteOptions options = WriteOptions.None, Context? context = null) => Native.Check(
        NativeMethods.bnq_calibration_save(
            ContextHandle.Of(context), Handle, Native.Argument(path), (int)options));

    /// <summary>The set of a file that <see cref="Save"/> wrote.</summary>
    /// <param name="path">The path of the file.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    /// <exception cref="CorruptFileException">It is damaged, or no such file.</exception>
    /// <exception cref="InputOutputException">It cannot be read.</exception>
    public static Calibration Load(string path, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_calibration_load(
            ContextHandle.Of(context), Native.Argument(path), out CalibrationHandle handle));
        return new Calibration(handle);
    }

    /// <summary>The bytes of the file that <see cref="Save"/> writes.</summary>
    /// <param name="context">Where memory comes from; null for the default.</param>
    public byte[] ToBytes(Context? context = null)
    {
        Native.Check(NativeMethods.bnq_calibration_serialize(
            ContextHandle.Of(context), Handle, null, 0, out ulong size));
        var bytes = new byte[Native.Length(size, "The result")];
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_calibration_serialize(
                ContextHandle.Of(context), Handle, pointer, size, out _));
        }

        return bytes;
    }

    /// <summary>The set of <see cref="ToBytes"/>.</summary>
    /// <param name="bytes">What that gave, or the contents of a file that <see cref="Save"/> wrote.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="CorruptFileException">They are no set, or damaged.</exception>
    public static Calibration FromBytes(ReadOnlySpan<byte> bytes, Context? context = null)
    {
        byte none; // what an empty span points to is NULL
        fixed (byte* pointer = bytes)
        {
            Native.Check(NativeMethods.bnq_calibration_deserialize(
                ContextHandle.Of(context), bytes.IsEmpty ? &none : pointer, (ulong)bytes.Length,
                out CalibrationHandle handle));
            return new Calibration(handle);
        }
    }

    /// <summary>The names with their calibrators; the set should not change meanwhile.</summary>
    public IEnumerator<KeyValuePair<string, Calibrator>> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
        {
            yield return new KeyValuePair<string, Calibrator>(NameAt(i), At(i));
        }
    }

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Frees the set and its calibrators, but those that are still in use.</summary>
    public void Dispose() => Handle.Dispose();

    private string NameAt(int index) => Native.Text(NativeMethods.bnq_calibration_name(Handle, (ulong)index));

    private Calibrator At(int index) => new(CalibratorHandle.Borrow(Handle, (ulong)index));

    /// <summary>A binary search: the names are sorted by their bytes. Negative where there is none.</summary>
    private int IndexOf(string name)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(Native.Argument(name));
        int begin = 0, end = Count;
        while (begin < end)
        {
            int middle = begin + ((end - begin) / 2);
            int order = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(
                NativeMethods.bnq_calibration_name(Handle, (ulong)middle)).SequenceCompareTo(wanted);
            GC.KeepAlive(this); // whose name it is
            if (order == 0)
            {
                return middle;
            }

            (begin, end) = order < 0 ? (middle + 1, end) : (begin, middle);
        }

        return -1;
    }

    private void Observe<T>(
        string name, ReadOnlySpan<T> values, DataType type, ReadOnlySpan<long> shape, Context? context)
        where T : unmanaged => NativeArray.Lend(
            values, type, shape,
            array => NativeMethods.bnq_calibration_observe(
                ContextHandle.Of(context), Handle, Native.Argument(name), array));
}
