using System;
using System.Runtime.InteropServices;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>A matrix that an operator reads: rows of elements that lie together, in the caller's memory; rows may be
/// apart.</summary>
public readonly ref struct MatrixView
{
    private MatrixView(ReadOnlySpan<byte> bytes, DataType type, int rows, int columns, long stride)
    {
        Bytes = bytes;
        (DataType, Rows, Columns, RowStride) = (type, rows, columns, stride);
    }

    /// <summary>The type of the elements.</summary>
    public DataType DataType { get; }

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    /// <summary>The elements of a row.</summary>
    public int Columns { get; }

    internal ReadOnlySpan<byte> Bytes { get; }

    /// <summary>In bytes.</summary>
    internal long RowStride { get; }

    internal ReadOnlySpan<float> Scales { get; private init; }

    internal ReadOnlySpan<int> ZeroPoints { get; private init; }

    /// <summary>A matrix of the type that <typeparamref name="T"/> stands for.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="Half"/>; <see cref="sbyte"/> or <see cref="byte"/> for
    /// codes, which need scales; <see cref="ushort"/> for the bits of BFloat16.</typeparam>
    /// <param name="values">The elements, to the end of the last row.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The elements of a row.</param>
    /// <param name="rowStride">Elements from the begin of a row to that of the next one; 0 where there is no
    /// gap.</param>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is another type, rows overlap, or they are not as
    /// long as the values.</exception>
    public static MatrixView Of<T>(ReadOnlySpan<T> values, int rows, int columns, int rowStride = 0)
        where T : unmanaged => Of(values, rows, columns, rowStride, default, default);

    /// <summary>Codes: (code - zero point) * scale.</summary>
    /// <param name="scales">One for each row.</param>
    /// <param name="zeroPoints">One for each row; empty for 0.</param>
    /// <exception cref="ArgumentException">Their number is another.</exception>
    public MatrixView WithScales(ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints = default)
    {
        Check(scales.Length == Rows, nameof(scales), scales.Length, Rows);
        Check(zeroPoints.Length == Rows || zeroPoints.IsEmpty, nameof(zeroPoints), zeroPoints.Length, Rows);
        return new MatrixView(Bytes, DataType, Rows, Columns, RowStride) { Scales = scales, ZeroPoints = zeroPoints };
    }

    internal static unsafe MatrixView Of<T>(
        ReadOnlySpan<T> values, int rows, int columns, int rowStride, ReadOnlySpan<float> scales,
        ReadOnlySpan<int> zeroPoints) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfNegative(rowStride);
        DataType type = typeof(T) == typeof(ushort) ? DataType.BFloat16
            : Native.TypeOf<T>() ?? throw new ArgumentException($"{typeof(T).Name} is no type of a matrix's elements.");
        long stride = rowStride == 0 ? columns : rowStride;
        long needed = rows == 0 || columns == 0 ? 0 : ((rows - 1) * stride) + columns;
        if (rows > 1 && stride < columns)
        {
            throw new ArgumentException($"rowStride is {rowStride}; rows of {columns} elements overlap.", nameof(rowStride));
        }

        Check(rowStride == 0 ? values.Length == needed : values.Length >= needed, nameof(values), values.Length, needed);
        return new MatrixView(MemoryMarshal.AsBytes(values), type, rows, columns, stride * sizeof(T))
        {
            Scales = scales, ZeroPoints = zeroPoints,
        };
    }

    private static void Check(bool right, string name, long given, long needed)
    {
        if (!right)
        {
            throw new ArgumentException($"{name} has {given} elements; {needed} are needed.", name);
        }
    }
}

/// <summary>A matrix that an operator writes, or changes in place.</summary>
public readonly ref struct MatrixSpan
{
    private readonly MatrixView _view;

    private MatrixSpan(MatrixView view) => _view = view;

    /// <summary>The type of the elements.</summary>
    public DataType DataType => _view.DataType;

    /// <summary>The number of rows.</summary>
    public int Rows => _view.Rows;

    /// <summary>The elements of a row.</summary>
    public int Columns => _view.Columns;

    /// <inheritdoc cref="MatrixView.Of{T}(ReadOnlySpan{T}, int, int, int)"/>
    public static MatrixSpan Of<T>(Span<T> values, int rows, int columns, int rowStride = 0) where T : unmanaged =>
        new(MatrixView.Of<T>(values, rows, columns, rowStride));

    /// <inheritdoc cref="MatrixView.WithScales"/>
    public MatrixSpan WithScales(ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints = default) =>
        new(_view.WithScales(scales, zeroPoints));

    /// <summary>The matrix to be read: as the input of an operator that works in place.</summary>
    public MatrixView AsView() => _view;

    /// <inheritdoc cref="AsView"/>
    public static implicit operator MatrixView(MatrixSpan matrix) => matrix._view;
}
