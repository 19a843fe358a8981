using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

// What can be got back from a tensor.
public sealed unsafe partial class QuantizedTensor
{
    /// <summary>The codes one by one, row-major: -1, 0, +1 for ternary, -128..127 for INT8, -8..7 for INT4, 0..15 for
    /// NF4 and FP4.</summary>
    /// <param name="destination">Exactly <see cref="ElementCount"/> long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">The destination has another length.</exception>
    /// <exception cref="UnsupportedException">The format is <see cref="Format.Float16"/> or
    /// <see cref="Format.BFloat16"/>, whose codes do not fit.</exception>
    public void Unpack(Span<sbyte> destination, Context? context = null)
    {
        fixed (sbyte* pointer = destination)
        {
            Native.Check(NativeMethods.bnq_tensor_unpack(
                ContextHandle.Of(context), _handle, pointer, (ulong)destination.Length));
        }
    }

    /// <inheritdoc cref="Unpack(Span{sbyte}, Context?)"/>
    /// <returns>An array of <see cref="ElementCount"/> codes.</returns>
    public sbyte[] Unpack(Context? context = null)
    {
        var codes = new sbyte[Native.Length((ulong)ElementCount, "The result")];
        Unpack(codes, context);
        return codes;
    }

    /// <summary>Dequantizes the whole tensor, row-major.</summary>
    /// <param name="destination">Exactly <see cref="ElementCount"/> long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">The destination has another length.</exception>
    public void Dequantize(Span<float> destination, Context? context = null) =>
        Dequantize(destination, DataType.Float32, context);

    /// <inheritdoc cref="Dequantize(Span{float}, Context?)"/>
    /// <param name="destination">Exactly <see cref="ElementCount"/> long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="overflow">What becomes of values that the type does not hold.</param>
    /// <remarks>Rounded to nearest, ties to even.</remarks>
    /// <exception cref="NonFiniteException">A value overflows.</exception>
    public void Dequantize(Span<Half> destination, Context? context = null, Overflow overflow = Overflow.Error) =>
        Dequantize(destination, DataType.Float16, context, overflow);

    /// <inheritdoc cref="Dequantize(Span{Half}, Context?, Overflow)"/>
    /// <param name="destination">Receives the bits of bfloat16 numbers; exactly <see cref="ElementCount"/>
    /// long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="overflow">What becomes of values that the type does not hold.</param>
    public void DequantizeBFloat16(
        Span<ushort> destination, Context? context = null, Overflow overflow = Overflow.Error) =>
        Dequantize(destination, DataType.BFloat16, context, overflow);

    /// <inheritdoc cref="Dequantize(Span{float}, Context?)"/>
    /// <returns>An array of <see cref="ElementCount"/> values.</returns>
    public float[] ToArray(Context? context = null)
    {
        var values = new float[Native.Length((ulong)ElementCount, "The result")];
        Dequantize(values, context);
        return values;
    }

    /// <summary>Dequantizes some rows.</summary>
    /// <param name="firstRow">The first one, from 0.</param>
    /// <param name="rowCount">How many; the last one must be before <see cref="Rows"/>.</param>
    /// <param name="destination">Exactly <paramref name="rowCount"/> times <see cref="Columns"/> long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    /// <exception cref="InvalidArgumentException">There are no such rows, or the destination has another
    /// length.</exception>
    public void DequantizeRows(long firstRow, long rowCount, Span<float> destination, Context? context = null) =>
        DequantizeRows(firstRow, rowCount, destination, DataType.Float32, context);

    /// <inheritdoc cref="DequantizeRows(long, long, Span{float}, Context?)"/>
    /// <param name="firstRow">The first one, from 0.</param>
    /// <param name="rowCount">How many; the last one must be before <see cref="Rows"/>.</param>
    /// <param name="destination">Exactly <paramref name="rowCount"/> times <see cref="Columns"/> long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="overflow">What becomes of values that the type does not hold.</param>
    /// <remarks>Rounded to nearest, ties to even.</remarks>
    /// <exception cref="NonFiniteException">A value overflows.</exception>
    public void DequantizeRows(
        long firstRow, long rowCount, Span<Half> destination, Context? context = null,
        Overflow overflow = Overflow.Error) =>
        DequantizeRows(firstRow, rowCount, destination, DataType.Float16, context, overflow);

    /// <inheritdoc cref="DequantizeRows(long, long, Span{Half}, Context?, Overflow)"/>
    /// <param name="firstRow">The first one, from 0.</param>
    /// <param name="rowCount">How many; the last one must be before <see cref="Rows"/>.</param>
    /// <param name="destination">Receives the bits of bfloat16 numbers; exactly <paramref name="rowCount"/> times
    /// <see cref="Columns"/> long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="overflow">What becomes of values that the type does not hold.</param>
    public void DequantizeRowsBFloat16(
        long firstRow, long rowCount, Span<ushort> destination, Context? context = null,
        Overflow overflow = Overflow.Error) =>
        DequantizeRows(firstRow, rowCount, destination, DataType.BFloat16, context, overflow);

    /// <summary>Compares an array with what this tensor dequantizes to, without dequantizing it as a whole.</summary>
    /// <param name="original">The array that was quantized; <see cref="ElementCount"/> long.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">It has another length.</exception>
    /// <exception cref="NonFiniteException">It holds NaN or infinity.</exception>
    /// <exception cref="NoDataException">The tensor is empty.</exception>
    public Metrics Compare(ReadOnlySpan<float> original, Context? context = null) =>
        Compare(original, DataType.Float32, context);

    /// <inheritdoc cref="Compare(ReadOnlySpan{float}, Context?)"/>
    public Metrics Compare(ReadOnlySpan<double> original, Context? context = null) =>
        Compare(original, DataType.Float64, context);

    /// <inheritdoc cref="Compare(ReadOnlySpan{float}, Context?)"/>
    public Metrics Compare(ReadOnlySpan<Half> original, Context? context = null) =>
        Compare(original, DataType.Float16, context);

    /// <inheritdoc cref="Compare(ReadOnlySpan{float}, Context?)"/>
    /// <param name="original">The bytes of the array that was quantized.</param>
    /// <param name="type">Their type: Float64, Float32, Float16 or BFloat16.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public Metrics Compare(ReadOnlySpan<byte> original, DataType type, Context? context = null) =>
        Compare<byte>(original, type, context);

    private void Dequantize<T>(
        Span<T> destination, DataType type, Context? context, Overflow overflow = Overflow.Error) where T : unmanaged
    {
        fixed (T* pointer = destination)
        {
            Native.Check(NativeMethods.bnq_tensor_dequantize(
                ContextHandle.Of(context), _handle, (int)type, (int)overflow, pointer,
                (ulong)destination.Length * (ulong)sizeof(T)));
        }
    }

    private void DequantizeRows<T>(
        long firstRow, long rowCount, Span<T> destination, DataType type, Context? context,
        Overflow overflow = Overflow.Error) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(rowCount);
        fixed (T* pointer = destination)
        {
            Native.Check(NativeMethods.bnq_tensor_dequantize_rows(
                ContextHandle.Of(context), _handle, (ulong)firstRow, (ulong)rowCount, (int)type, (int)overflow,
                pointer, (ulong)destination.Length * (ulong)sizeof(T)));
        }
    }

    private Metrics Compare<T>(ReadOnlySpan<T> original, DataType type, Context? context) where T : unmanaged
    {
        ulong[] dimensions = Native.Shape(Shape.AsSpan());
        Native.RequireSize(original, type, dimensions);
        double* values = stackalloc double[Metrics.Count];
        fixed (T* data = original)
        fixed (ulong* pointer = dimensions)
        {
            var array = new BnqArray { Data = data, Shape = pointer, Dtype = (int)type, Rank = dimensions.Length };
            Native.Check(NativeMethods.bnq_tensor_compare(
                ContextHandle.Of(context), &array, _handle, values, Metrics.Count));
        }

        return Metrics.From(new ReadOnlySpan<double>(values, Metrics.Count));
    }

    /// <summary>Rows by index, dequantized: an embedding, where this is the table [rows, columns] (further dimensions
    /// are columns).</summary>
    /// <param name="indices">Rows of this tensor.</param>
    /// <param name="y">A row for each index; floats.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">An index is no row's, or y has another shape or type; nothing is
    /// written.</exception>
    public void Embed(ReadOnlySpan<long> indices, MatrixSpan y, Context? context = null)
    {
        fixed (long* first = indices)
        {
            (nint rows, ulong count) = ((nint)first, (ulong)indices.Length);
            NativeMatrix.Lend(y, to => NativeMethods.bnq_embedding(
                ContextHandle.Of(context), _handle, (long*)rows, count, to));
        }
    }
}
