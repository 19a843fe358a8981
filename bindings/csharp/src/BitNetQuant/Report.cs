using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>What a conversion or comparison of model files found: a row for each tensor. Immutable.</summary>
public sealed class Report
{
    internal unsafe Report(ReportHandle handle)
    {
        ulong count = NativeMethods.bnq_report_count(handle);
        var rows = ImmutableArray.CreateBuilder<ReportRow>(Native.Length(count, "The report"));
        ulong* shape = stackalloc ulong[NativeMethods.BNQ_MAX_RANK];
        double* metrics = stackalloc double[Metrics.Count];
        for (ulong i = 0; i < count; i++)
        {
            Native.Check(NativeMethods.bnq_report_metrics(handle, i, metrics, Metrics.Count));
            var format = (Format)NativeMethods.bnq_report_format(handle, i);
            rows.Add(new ReportRow
            {
                Name = Native.Text(NativeMethods.bnq_report_name(handle, i)),
                Shape = Native.Shape(NativeMethods.bnq_report_shape(handle, i, shape), shape),
                Format = format,
                DataType = format == Format.None ? (DataType)NativeMethods.bnq_report_dtype(handle, i) : null,
                BytesBefore = checked((long)NativeMethods.bnq_report_bytes_before(handle, i)),
                BytesAfter = checked((long)NativeMethods.bnq_report_bytes_after(handle, i)),
                BitsPerWeight = NativeMethods.bnq_report_bits_per_weight(handle, i),
                Metrics = Metrics.From(new System.ReadOnlySpan<double>(metrics, Metrics.Count)),
                Note = Native.Text(NativeMethods.bnq_report_note(handle, i)),
                SameAs = Native.Text(NativeMethods.bnq_report_same_as(handle, i)),
                Verdict = (Verdict)NativeMethods.bnq_report_verdict(handle, i),
            });
        }

        Rows = rows.MoveToImmutable();
        Output = Native.Text(NativeMethods.bnq_report_output(handle));
        DenseShare = NativeMethods.bnq_report_dense_share(handle);
    }

    /// <summary>The rows, sorted by the UTF-8 bytes of their names.</summary>
    public IReadOnlyList<ReportRow> Rows { get; }

    /// <summary>What a conversion wrote and can be opened: a file, the index of several, or a folder; empty for
    /// comparisons.</summary>
    public string Output { get; }

    /// <summary>Of all floating-point parameters those that are not quantized, 0 to 1.</summary>
    public double DenseShare { get; }

    /// <summary>Bytes of all tensors' data in the input, or in the first file.</summary>
    public long BytesBefore => Rows.Sum(row => row.BytesBefore);

    /// <summary>Bytes of all tensors' data in the output, or in the second file.</summary>
    public long BytesAfter => Rows.Sum(row => row.BytesAfter);
}

/// <summary>A tensor of a <see cref="Report"/>.</summary>
public sealed class ReportRow
{
    internal ReportRow() { }

    /// <summary>The tensor's name.</summary>
    public required string Name { get; init; }

    /// <summary>Its dimensions.</summary>
    public required ImmutableArray<long> Shape { get; init; }

    /// <summary>How it is coded in the output, or in the second file.</summary>
    public required Format Format { get; init; }

    /// <summary>The type of its elements there; null where it is quantized.</summary>
    public required DataType? DataType { get; init; }

    /// <summary>Bytes of its data in the input, or in the first file.</summary>
    public required long BytesBefore { get; init; }

    /// <summary>Bytes of its data in the output, or in the second file; as stored, so after compression.</summary>
    public required long BytesAfter { get; init; }

    /// <summary><see cref="BytesAfter"/> times 8 over the number of elements; 0 where there are none.</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>
    /// How far the output is from the input; NaN where there is no telling (a tensor carried through, empty, or
    /// without a counterpart).
    /// </summary>
    public required Metrics Metrics { get; init; }

    /// <summary>Whether <see cref="Metrics"/> says something.</summary>
    public bool HasMetrics => !double.IsNaN(Metrics.Mse);

    /// <summary>Why there are no metrics, or what was done that was not asked for; empty if nothing.</summary>
    public required string Note { get; init; }

    /// <summary>The tensor of which this is another name, and which takes the bytes; empty where it is itself.</summary>
    public string SameAs { get; init; } = "";

    /// <summary>What a quantized tensor loses in an export; <see cref="Verdict.None"/> of other rows, and of other
    /// reports.</summary>
    public Verdict Verdict { get; init; }
}
