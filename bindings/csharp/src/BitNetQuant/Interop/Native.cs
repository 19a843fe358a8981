using System;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace BitNetQuant.Interop;

/// <summary>What every wrapper needs on the way into the library and back.</summary>
internal static unsafe class Native
{
    /// <summary>Throws the exception of a status that is not OK, with the library's text.</summary>
    internal static void Check(int status)
    {
        if (status != NativeMethods.BNQ_OK)
        {
            throw Error(status);
        }
    }

    /// <summary>
    /// The exception of a status; to be called by the thread of the failed call, before
    /// another one, because the text is that thread's last error. A subject, such as
    /// "array 3", is put before the text.
    /// </summary>
    internal static Exception Error(int status, string? subject = null)
    {
        string message = Text(NativeMethods.bnq_last_error());
        if (message.Length == 0)
        {
            message = Text(NativeMethods.bnq_status_name(status));
        }

        return BitNetQuantException.Create((Status)status, subject is null ? message : $"{subject}: {message}");
    }

    /// <summary>A string of the library; "" for NULL.</summary>
    internal static string Text(byte* utf8) => Marshal.PtrToStringUTF8((nint)utf8) ?? "";

    /// <summary>A string of the library; null for NULL.</summary>
    internal static string? TextOrNull(byte* utf8) => Marshal.PtrToStringUTF8((nint)utf8);

    /// <summary>A function that writes text into a buffer of that size, and says which size it needs.</summary>
    internal delegate int TextWriter(byte* text, ulong size, out ulong needed);

    /// <summary>The text that a function writes, with its NUL, which asks for the size before.</summary>
    internal static string Text(TextWriter write)
    {
        Check(write(null, 0, out ulong size));
        var text = new byte[Length(size, "The text")];
        fixed (byte* pointer = text)
        {
            Check(write(pointer, size, out _));
        }

        return Encoding.UTF8.GetString(text, 0, text.Length - 1);
    }

    /// <summary>Refuses null, and the NUL character, at which C would cut the string off.</summary>
    internal static string Argument(string value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(value, name);
        int nul = value.IndexOf('\0', StringComparison.Ordinal);
        if (nul >= 0)
        {
            throw new ArgumentException($"{name} contains a NUL character at index {nul}.", name);
        }

        return value;
    }

    /// <summary>The library's view of a shape; refuses negative dimensions.</summary>
    internal static ulong[] Shape(ReadOnlySpan<long> shape)
    {
        var result = new ulong[shape.Length];
        for (int i = 0; i < shape.Length; i++)
        {
            if (shape[i] < 0)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(shape), shape[i], $"shape[{i}] is {shape[i]}; a dimension is 0 or more.");
            }

            result[i] = (ulong)shape[i];
        }

        return result;
    }

    /// <summary>A shape from the library, whose buffer has BNQ_MAX_RANK entries.</summary>
    internal static ImmutableArray<long> Shape(int rank, ulong* shape)
    {
        var builder = ImmutableArray.CreateBuilder<long>(rank);
        for (int i = 0; i < rank; i++)
        {
            builder.Add(checked((long)shape[i]));
        }

        return builder.MoveToImmutable();
    }

    /// <summary>
    /// Refuses a buffer that is not exactly as long as the array: the library sees a bare
    /// pointer and cannot tell.
    /// </summary>
    internal static void RequireSize<T>(
        ReadOnlySpan<T> data, DataType type, ulong[] shape, [CallerArgumentExpression(nameof(data))] string? name = null)
        where T : unmanaged
    {
        uint bits = NativeMethods.bnq_dtype_bits((int)type);
        if (bits == 0)
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, $"{type} is not a data type of the library.");
        }

        UInt128 given = (UInt128)data.Length * (uint)sizeof(T) * 8;
        if (!TryCount(shape, bits, out UInt128 needed) || needed != given)
        {
            throw new ArgumentException(
                $"{name} holds {data.Length} elements of {sizeof(T)} bytes, which is not what the shape "
                + $"[{string.Join(", ", shape)}] of {type} takes.", name);
        }
    }

    /// <summary>The number of elements of a shape times a factor; false where 2^64 does not hold it.</summary>
    internal static bool TryCount(ReadOnlySpan<ulong> shape, uint factor, out UInt128 count)
    {
        count = shape.Contains(0UL) ? 0 : factor;
        foreach (ulong dimension in shape)
        {
            count *= dimension;
            if (count > ulong.MaxValue)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A span's length from a native count; a span reaches no further than 2^31 - 1 elements.</summary>
    internal static int Length(ulong count, string what) => count <= int.MaxValue
        ? (int)count
        : throw new InvalidOperationException(
            $"{what} has {count} elements, more than the {int.MaxValue} that a span can hold.");

    /// <summary>The element type that a .NET type stands for in a file, or null for none.</summary>
    internal static DataType? TypeOf<T>()
    {
        if (typeof(T) == typeof(float)) return DataType.Float32;
        if (typeof(T) == typeof(Half)) return DataType.Float16;
        if (typeof(T) == typeof(double)) return DataType.Float64;
        if (typeof(T) == typeof(sbyte)) return DataType.Int8;
        if (typeof(T) == typeof(byte)) return DataType.UInt8;
        if (typeof(T) == typeof(short)) return DataType.Int16;
        if (typeof(T) == typeof(ushort)) return DataType.UInt16;
        if (typeof(T) == typeof(int)) return DataType.Int32;
        if (typeof(T) == typeof(uint)) return DataType.UInt32;
        if (typeof(T) == typeof(long)) return DataType.Int64;
        if (typeof(T) == typeof(ulong)) return DataType.UInt64;
        if (typeof(T) == typeof(bool)) return DataType.Boolean;
        return null;
    }

    /// <summary>Refuses a type in which the elements of a data type cannot be had; byte stands for any.</summary>
    internal static void RequireType<T>(DataType type, string what, [CallerMemberName] string? method = null)
    {
        if (typeof(T) != typeof(byte) && TypeOf<T>() != type
            && !(typeof(T) == typeof(ushort) && type == DataType.BFloat16))
        {
            throw new ArgumentException(
                $"{method}<{typeof(T).Name}>: the elements of {what} are {type}; name their type, or byte for the raw "
                + "bytes.");
        }
    }
}
