using System;
using System.Buffers;

namespace BitNetQuant.Interop;

/// <summary>A call of the library that borrows an array; it returns the status.</summary>
internal unsafe delegate int ArrayCall(BnqArray* array);

/// <summary>Lends arrays to the library for the time of a call.</summary>
internal static unsafe class NativeArray
{
    /// <summary>Throws where the values do not fit the shape, and what the call's status calls for.</summary>
    internal static void Lend<T>(ReadOnlySpan<T> values, DataType type, ReadOnlySpan<long> shape, ArrayCall call)
        where T : unmanaged
    {
        ulong[] dimensions = Native.Shape(shape);
        Native.RequireSize(values, type, dimensions);
        fixed (T* data = values)
        fixed (ulong* pointer = dimensions)
        {
            var array = new BnqArray { Data = data, Shape = pointer, Dtype = (int)type, Rank = dimensions.Length };
            Native.Check(call(&array));
        }
    }

    /// <inheritdoc cref="Lend{T}(ReadOnlySpan{T}, DataType, ReadOnlySpan{long}, ArrayCall)"/>
    internal static void Lend(SourceArray source, ArrayCall call)
    {
        ArgumentNullException.ThrowIfNull(source);
        using MemoryHandle data = source.Pin();
        var array = new BnqArray
        {
            Data = data.Pointer, Shape = source.Dimensions, Dtype = (int)source.DataType, Rank = source.Rank,
        };
        Native.Check(call(&array));
        GC.KeepAlive(source); // whose dimensions the array points to
    }
}
