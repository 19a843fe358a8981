using System;

namespace BitNetQuant;

/// <summary>
/// Columns of the last dimension that a tensor keeps out of its codes, in 16 bits. Those of a tensor are views of its
/// memory, which they keep.
/// </summary>
public readonly struct Outliers
{
    /// <summary>Outliers to make a tensor of (<see cref="QuantizedTensor.FromData(ReadOnlySpan{byte},
    /// ReadOnlySpan{byte}, ReadOnlySpan{sbyte}, Outliers, ReadOnlySpan{long}, Config, Context?)"/>).</summary>
    /// <param name="columns">The indices of the columns, ascending.</param>
    /// <param name="values">The bits of their values, in the layout of <see cref="Values"/>.</param>
    /// <param name="type">Float16 or BFloat16.</param>
    public Outliers(ReadOnlyMemory<uint> columns, ReadOnlyMemory<ushort> values, DataType type)
    {
        Columns = columns;
        Values = values;
        DataType = type;
    }

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => Columns.IsEmpty;

    /// <summary>The indices of the columns, ascending.</summary>
    public ReadOnlyMemory<uint> Columns { get; }

    /// <summary>
    /// The bits of their values: for each of the other dimensions' positions, row-major, one for each column.
    /// </summary>
    public ReadOnlyMemory<ushort> Values { get; }

    /// <summary>
    /// The type of the values: <see cref="DataType.Float16"/> (<see cref="BitConverter.UInt16BitsToHalf"/>), or
    /// <see cref="DataType.BFloat16"/> where the source is, or where half precision would overflow; null where there
    /// are none.
    /// </summary>
    public DataType? DataType { get; }
}
