using System;
using System.Buffers;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Writes a model file: to a temporary file beside it, which takes the output's place in
/// <see cref="Finish"/>, when everything has been written. For one thread.
/// </summary>
public sealed unsafe class ModelWriter : IDisposable
{
    private readonly WriterHandle _handle;

    /// <summary>Starts an output.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="kind"><see cref="ModelFileKind.Safetensors"/> or <see cref="ModelFileKind.Bnq"/>.</param>
    /// <param name="options"><see cref="WriteOptions.Overwrite"/>, <see cref="WriteOptions.Compress"/>.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="maxShardBytes">The most bytes of tensors in one file; more become model-00001-of-00002.bnq and
    /// so on, with the index model.bnq.index.json. 0 for one file.</param>
    /// <exception cref="AlreadyExistsException">The output exists, without
    /// <see cref="WriteOptions.Overwrite"/>.</exception>
    /// <exception cref="InputOutputException">It cannot be written.</exception>
    public ModelWriter(
        string path, ModelFileKind kind, WriteOptions options = WriteOptions.None, Context? context = null,
        ulong maxShardBytes = 0)
    {
        Native.Check(NativeMethods.bnq_writer_create(
            ContextHandle.Of(context), Native.Argument(path), (int)kind, (int)options, maxShardBytes,
            out WriterHandle handle));
        _handle = handle;
    }

    /// <summary>Sets a string of the metadata, in place of an earlier one of the same key.</summary>
    public void SetMetadata(string key, string value) =>
        Native.Check(NativeMethods.bnq_writer_set_metadata(_handle, Native.Argument(key), Native.Argument(value)));

    /// <summary>Adds a plain array of the type that <typeparamref name="T"/> stands for.</summary>
    /// <typeparam name="T">A number type of <see cref="DataType"/>, such as <see cref="float"/>.</typeparam>
    /// <param name="name">The tensor's name, not empty, and not that of another one.</param>
    /// <param name="data">The elements, row-major. They are not copied but pinned until the writer is disposed,
    /// and must not be changed before <see cref="Finish"/>.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is no type of elements, or the number of
    /// elements is not that of the shape.</exception>
    /// <exception cref="InvalidArgumentException">The name is empty or taken, or the shape not legal.</exception>
    public void Add<T>(string name, ReadOnlyMemory<T> data, ReadOnlySpan<long> shape) where T : unmanaged =>
        Add(name, data, Native.TypeOf<T>() ?? throw new ArgumentException(
            $"{typeof(T).Name} is not the type of the elements of any data type; name the data type."), shape);

    /// <inheritdoc cref="Add{T}(string, ReadOnlyMemory{T}, ReadOnlySpan{long})"/>
    public void Add<T>(string name, T[] data, ReadOnlySpan<long> shape) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(data);
        Add(name, new ReadOnlyMemory<T>(data), shape);
    }

    /// <inheritdoc cref="Add{T}(string, ReadOnlyMemory{T}, ReadOnlySpan{long})"/>
    /// <summary>Adds a plain array of any type.</summary>
    /// <typeparam name="T">A type in which the elements are given; <see cref="byte"/> for their bytes.</typeparam>
    /// <param name="name">The tensor's name, not empty, and not that of another one.</param>
    /// <param name="data">The elements, row-major. They are not copied but pinned until the writer is disposed,
    /// and must not be changed before <see cref="Finish"/>.</param>
    /// <param name="type">The type of the elements in the file.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    public void Add<T>(string name, ReadOnlyMemory<T> data, DataType type, ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        Native.Argument(name);
        ulong[] dimensions = Native.Shape(shape);
        Native.RequireSize(data.Span, type, dimensions, nameof(data));
        MemoryHandle pinned = data.Pin();
        int status;
        fixed (ulong* pointer = dimensions)
        {
            var array = new BnqArray
            {
                Data = pinned.Pointer, Shape = pointer, Dtype = (int)type, Rank = dimensions.Length,
            };
            try
            {
                status = NativeMethods.bnq_writer_add_array(_handle, name, &array);
            }
            catch (ObjectDisposedException)
            {
                pinned.Dispose();
                throw;
            }
        }

        if (status != NativeMethods.BNQ_OK)
        {
            pinned.Dispose();
            throw Native.Error(status);
        }

        _handle.Borrow(pinned);
    }

    /// <summary>Adds a quantized tensor to a .bnq file.</summary>
    /// <param name="name">The tensor's name, not empty, and not that of another one.</param>
    /// <param name="tensor">The tensor, which may be disposed before <see cref="Finish"/>.</param>
    /// <exception cref="InvalidArgumentException">The name is empty or taken.</exception>
    /// <exception cref="UnsupportedException">The output is a safetensors file.</exception>
    public void Add(string name, QuantizedTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Native.Check(NativeMethods.bnq_writer_add_tensor(_handle, Native.Argument(name), tensor.Handle));
        _handle.Borrow(tensor.Handle);
    }

    /// <summary>
    /// Writes everything and puts the file in its place. The writer can then only be disposed. If it fails, an
    /// earlier output is as it was.
    /// </summary>
    /// <exception cref="InputOutputException">It cannot be written.</exception>
    public void Finish() => Native.Check(NativeMethods.bnq_writer_finish(_handle));

    /// <summary>Abandons the output unless it was finished.</summary>
    public void Dispose() => _handle.Dispose();
}
