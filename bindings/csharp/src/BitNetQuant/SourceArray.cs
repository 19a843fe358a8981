using System;
using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>An array of any type and shape, to be quantized or observed. It refers to the caller's memory, which is
/// pinned for as long as a call uses it. May be used by several threads at once.</summary>
public sealed unsafe class SourceArray
{
    private readonly Func<MemoryHandle> _pin;

    // On the pinned heap: the library's list of arrays points to it.
    private readonly ulong[] _dimensions;

    private SourceArray(Func<MemoryHandle> pin, DataType type, ulong[] dimensions, long byteCount)
    {
        _pin = pin;
        DataType = type;
        ByteCount = byteCount;
        _dimensions = GC.AllocateUninitializedArray<ulong>(dimensions.Length, pinned: true);
        dimensions.CopyTo(_dimensions, 0);
    }

    /// <summary>The type of the elements.</summary>
    public DataType DataType { get; }

    /// <summary>Its dimensions.</summary>
    public ImmutableArray<long> Shape => [.. Array.ConvertAll(_dimensions, dimension => (long)dimension)];

    /// <summary>The bytes of its elements.</summary>
    public long ByteCount { get; }

    internal int Rank => _dimensions.Length;

    /// <summary>Valid for as long as this object is alive.</summary>
    internal ulong* Dimensions => (ulong*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_dimensions));

    /// <summary>An array of the type that <typeparamref name="T"/> stands for.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="double"/> or <see cref="Half"/>.</typeparam>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is no type of elements, or the number of
    /// values is not that of the shape.</exception>
    public static SourceArray Of<T>(ReadOnlyMemory<T> values, ReadOnlySpan<long> shape) where T : unmanaged =>
        Of(values, Native.TypeOf<T>() ?? throw new ArgumentException(
            $"{typeof(T).Name} is not the type of the elements of any data type; name the data type."), shape);

    /// <inheritdoc cref="Of{T}(ReadOnlyMemory{T}, ReadOnlySpan{long})"/>
    public static SourceArray Of<T>(T[] values, ReadOnlySpan<long> shape) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(values);
        return Of(new ReadOnlyMemory<T>(values), shape);
    }

    /// <summary>An array of any type.</summary>
    /// <typeparam name="T">A type in which the elements are given; <see cref="byte"/> for their bytes,
    /// <see cref="ushort"/> for the bits of BFloat16.</typeparam>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="type">Their type: Float64, Float32, Float16 or BFloat16.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <exception cref="ArgumentException">The values are not as long as the shape and type take.</exception>
    public static SourceArray Of<T>(ReadOnlyMemory<T> values, DataType type, ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        ulong[] dimensions = Native.Shape(shape);
        Native.RequireSize(values.Span, type, dimensions, nameof(values));
        return new SourceArray(values.Pin, type, dimensions, (long)values.Length * sizeof(T));
    }

    /// <summary>A copy of the elements, row-major.</summary>
    /// <typeparam name="T">Their type; <see cref="byte"/> for the raw bytes of any type, and <see cref="ushort"/> also
    /// for the bits of BFloat16.</typeparam>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is not their type.</exception>
    /// <exception cref="InvalidOperationException">They are more than a span can hold.</exception>
    public T[] ToArray<T>() where T : unmanaged
    {
        Native.RequireType<T>(DataType, "the array");
        var result = new T[Native.Length((ulong)ByteCount / (ulong)sizeof(T), "The array")];
        using MemoryHandle data = Pin();
        fixed (T* pointer = result)
        {
            Buffer.MemoryCopy(data.Pointer, pointer, ByteCount, ByteCount); // need not be aligned
        }

        return result;
    }

    internal MemoryHandle Pin() => _pin();
}
