using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// A model file opened for reading: .safetensors, .bnq, the index of a sharded safetensors model, or .npy. Its
/// structure is validated when it is opened, and the checksums of a .bnq file's data when a tensor is read. Any
/// number of threads may read from one, until it is disposed.
/// </summary>
/// <remarks>A .npy file is of NumPy's version 1, 2 or 3, and of little-endian Float64, Float32 or Float16 in C order.
/// Its one array has the file's name without its ending, or "array" if the file is in memory.</remarks>
public sealed unsafe class ModelFile : IDisposable
{
    private readonly FileHandle _handle;

    private ModelFile(FileHandle handle)
    {
        _handle = handle;
        Kind = (ModelFileKind)NativeMethods.bnq_file_kind(handle);
        Tensors = ReadTensors(handle);
        Metadata = ReadMetadata(handle);
    }

    /// <summary>What the file is.</summary>
    public ModelFileKind Kind { get; }

    /// <summary>Its tensors, sorted by the UTF-8 bytes of their names.</summary>
    public ImmutableArray<TensorInfo> Tensors { get; }

    /// <summary>Its metadata: strings by key.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>What the file says about the tensor of a name.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public TensorInfo this[string name] => Tensors[(int)Find(name)];

    /// <summary>Opens a file, which is mapped into memory where the system can.</summary>
    /// <param name="path">Its path, or that of a directory with one model.</param>
    /// <param name="context">For the log; null for none.</param>
    /// <param name="map">False to read the file into memory. A mapped file must not be cut short while it, or a
    /// tensor read from it, is in use: the system would end the process.</param>
    /// <param name="asSource">True for a file of plain arrays as it is quantized: experts that share an array as
    /// matrices of their own, a tensor of two names as one (<see cref="TensorInfo.SameAs"/>).</param>
    /// <param name="raw">True for the arrays of the file as they are, also where several of them are a quantized
    /// tensor of another ecosystem, which is otherwise one tensor (<see cref="TensorInfo.Layout"/>).</param>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    /// <exception cref="InputOutputException">It cannot be read.</exception>
    /// <exception cref="CorruptFileException">It is truncated, damaged, or no model file.</exception>
    /// <exception cref="UnsupportedException">It is a .npy file of another type, order or version.</exception>
    public static ModelFile Open(string path, Context? context = null, bool map = true, bool asSource = false,
        bool raw = false)
    {
        int flags = (map ? 0 : NativeMethods.BNQ_OPEN_READ) | (asSource ? NativeMethods.BNQ_OPEN_SOURCE : 0)
            | (raw ? NativeMethods.BNQ_OPEN_RAW : 0);
        Native.Check(NativeMethods.bnq_file_open(
            ContextHandle.Of(context), Native.Argument(path), flags, out FileHandle handle));
        return Create(handle);
    }

    /// <summary>Opens a file that is in memory; an index of shards cannot be.</summary>
    /// <param name="data">The whole file. It is not copied but pinned, until the file and every tensor read from
    /// it are disposed, and must not be changed before that.</param>
    /// <param name="context">For the log; null for none.</param>
    /// <exception cref="CorruptFileException">It is truncated, damaged, or no model file.</exception>
    /// <exception cref="UnsupportedException">It is a .npy file of another type, order or version.</exception>
    public static ModelFile Open(ReadOnlyMemory<byte> data, Context? context = null)
    {
        var memory = new PinnedMemory(data);
        memory.AddUser();
        try
        {
            Native.Check(NativeMethods.bnq_file_open_memory(
                ContextHandle.Of(context), memory.Pointer, (ulong)data.Length, out FileHandle handle));
            handle.Use(memory);
            return Create(handle);
        }
        finally
        {
            memory.RemoveUser();
        }
    }

    /// <summary>Whether there is a tensor of a name.</summary>
    public bool Contains(string name) =>
        NativeMethods.bnq_file_find(_handle, Native.Argument(name), out _) == NativeMethods.BNQ_OK;

    /// <summary>A view of a plain array's bytes within the file, not checked against their checksum.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <returns>Bytes in little-endian order, not necessarily aligned to their type; the file stays open for
    /// as long as they are referred to.</returns>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    /// <exception cref="UnsupportedException">It is quantized or compressed.</exception>
    /// <exception cref="InvalidOperationException">It is longer than one memory can be (2 GiB).</exception>
    public ReadOnlyMemory<byte> GetData(string name)
    {
        Native.Check(NativeMethods.bnq_file_data(_handle, Find(name), out void* data, out ulong bytes));
        return NativeView<byte>.Of(_handle, data, Native.Length(bytes, name));
    }

    /// <summary>Reads a plain array into the caller's memory, checking its checksum.</summary>
    /// <typeparam name="T">The type of the elements; <see cref="byte"/> for the raw bytes of any type, and
    /// <see cref="ushort"/> also for the bits of BFloat16.</typeparam>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">As long as the array.</param>
    /// <param name="context">For the log; null for none.</param>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    /// <exception cref="UnsupportedException">It is quantized.</exception>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not its type.</exception>
    /// <exception cref="InvalidArgumentException">The destination has another length.</exception>
    /// <exception cref="CorruptFileException">Its checksum is wrong.</exception>
    public void Read<T>(string name, Span<T> destination, Context? context = null) where T : unmanaged
    {
        ulong index = Find(name);
        RequireType<T>(Tensors[(int)index]);
        fixed (T* pointer = destination)
        {
            Native.Check(NativeMethods.bnq_file_read(
                ContextHandle.Of(context), _handle, index, pointer, (ulong)destination.Length * (ulong)sizeof(T)));
        }
    }

    /// <inheritdoc cref="Read{T}(string, Span{T}, Context?)"/>
    /// <exception cref="InvalidOperationException">It is longer than an array can be.</exception>
    public T[] Read<T>(string name, Context? context = null) where T : unmanaged
    {
        TensorInfo tensor = this[name];
        RequireType<T>(tensor);
        var result = new T[Native.Length((ulong)tensor.ByteCount / (ulong)sizeof(T), name)];
        Read(name, result.AsSpan(), context);
        return result;
    }

    /// <summary>
    /// Reads a quantized tensor of a .bnq file, checking its checksums. Where it is not compressed it uses the
    /// mapped file, which stays mapped for as long as the tensor lives, even if this file is disposed.
    /// </summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    /// <exception cref="UnsupportedException">It is a plain array.</exception>
    /// <exception cref="CorruptFileException">A checksum, a code, a scale or a zero point is wrong.</exception>
    public QuantizedTensor ReadTensor(string name, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_file_tensor(
            ContextHandle.Of(context), _handle, Find(name), out TensorHandle handle));
        handle.Use(_handle.Memory);
        return new QuantizedTensor(handle);
    }

    /// <summary>
    /// The options that a tensor was made with, as <see cref="QuantizedTensor.GetConfig"/>, without reading its
    /// data. The config is the caller's to dispose.
    /// </summary>
    /// <param name="name">The tensor's name.</param>
    /// <exception cref="NotFoundException">There is no such tensor.</exception>
    /// <exception cref="UnsupportedException">It is a plain array.</exception>
    public Config GetConfig(string name)
    {
        Native.Check(NativeMethods.bnq_file_config(_handle, Find(name), out ConfigHandle config));
        return new Config(config);
    }

    /// <summary>
    /// Reads every byte: checksums, codes, scales and zero points of a .bnq file; of the other kinds, that
    /// floating-point values are finite. The first defect found is thrown.
    /// </summary>
    /// <param name="progress">Hears of it on the calling thread. What it throws cancels the operation and is then
    /// thrown by this method.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="CorruptFileException">The file is damaged.</exception>
    /// <exception cref="NonFiniteException">It holds NaN or infinity.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Verify(
        IProgress<ModelProgress>? progress = null, Context? context = null,
        CancellationToken cancellationToken = default)
    {
        using var watch = new ProgressWatch(progress, cancellationToken);
        watch.Check(NativeMethods.bnq_file_verify(
            ContextHandle.Of(context), _handle, watch.Callback, watch.Opaque));
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle.Dispose();

    private static ModelFile Create(FileHandle handle)
    {
        try
        {
            return new ModelFile(handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private ulong Find(string name)
    {
        Native.Check(NativeMethods.bnq_file_find(_handle, Native.Argument(name), out ulong index));
        return index;
    }

    private static void RequireType<T>(TensorInfo tensor, [CallerMemberName] string? method = null)
    {
        // A quantized tensor is for the library to refuse.
        if (tensor.DataType is { } type)
        {
            Native.RequireType<T>(type, tensor.Name, method);
        }
    }

    private static ImmutableArray<TensorInfo> ReadTensors(FileHandle handle)
    {
        ulong count = NativeMethods.bnq_file_count(handle);
        var tensors = ImmutableArray.CreateBuilder<TensorInfo>(Native.Length(count, "The list of tensors"));
        ulong* shape = stackalloc ulong[NativeMethods.BNQ_MAX_RANK];
        for (ulong i = 0; i < count; i++)
        {
            int rank = NativeMethods.bnq_file_shape(handle, i, shape);
            var format = (Format)NativeMethods.bnq_file_format(handle, i);
            tensors.Add(new TensorInfo(
                Native.Text(NativeMethods.bnq_file_name(handle, i)),
                Native.Shape(rank, shape),
                format,
                format == Format.None ? (DataType)NativeMethods.bnq_file_dtype(handle, i) : null,
                checked((long)NativeMethods.bnq_file_bytes(handle, i)),
                checked((long)NativeMethods.bnq_file_stored_bytes(handle, i)),
                Native.Text(NativeMethods.bnq_file_same_as(handle, i)),
                Native.Text(NativeMethods.bnq_file_layout(handle, i))));
        }

        return tensors.MoveToImmutable();
    }

    private static Dictionary<string, string> ReadMetadata(FileHandle handle)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        for (ulong i = 0; i < NativeMethods.bnq_file_metadata_count(handle); i++)
        {
            metadata[Native.Text(NativeMethods.bnq_file_metadata_key(handle, i))] =
                Native.Text(NativeMethods.bnq_file_metadata_value(handle, i));
        }

        return metadata;
    }
}
