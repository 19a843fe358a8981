using System;
using System.Collections.Immutable;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// A quantized tensor: packed codes, scales, zero points, outliers, and the options it was made with. Immutable: any
/// number of threads may use one at once, until it is disposed.
/// </summary>
/// <remarks>
/// <para>Arrays are row-major and of rank 0 to 8; dimensions of 0 are legal. For the layout of the codes and
/// for groups an array is a matrix of <see cref="Rows"/> and <see cref="Columns"/>: rank 0 and 1 are one row,
/// and from rank 2 on the rows are the first dimension, the columns the product of the rest.</para>
/// <para><see cref="Codes"/>, <see cref="Scales"/>, <see cref="ScaleData"/>, <see cref="ZeroPoints"/> and
/// <see cref="Outliers"/> are views of its memory, which stays for as long as a view is referred to, even if the tensor
/// is disposed or collected. A <see cref="Span{T}"/> of a view is no such reference: hold the view (or the tensor, with
/// <c>using</c>) while you use one.</para>
/// </remarks>
public sealed unsafe partial class QuantizedTensor : IDisposable
{
    private readonly TensorHandle _handle;

    internal QuantizedTensor(TensorHandle handle)
    {
        _handle = handle;
        ulong* shape = stackalloc ulong[NativeMethods.BNQ_MAX_RANK];
        Shape = Native.Shape(NativeMethods.bnq_tensor_shape(handle, shape), shape);
        Format = (Format)NativeMethods.bnq_tensor_format(handle);
        Rows = checked((long)NativeMethods.bnq_tensor_rows(handle));
        Columns = checked((long)NativeMethods.bnq_tensor_columns(handle));
        ScaleCount = checked((long)Part(NativeMethods.BNQ_PART_SCALES).Count);
        ByteCount = checked((long)NativeMethods.bnq_tensor_bytes(handle));
        BitsPerWeight = NativeMethods.bnq_tensor_bits_per_weight(handle);
    }

    internal TensorHandle Handle => _handle;

    /// <summary>The dimensions of the array that was quantized.</summary>
    public ImmutableArray<long> Shape { get; }

    /// <summary>How it is coded.</summary>
    public Format Format { get; }

    /// <summary>The rows of the matrix that the array counts as.</summary>
    public long Rows { get; }

    /// <summary>The columns of the matrix that the array counts as.</summary>
    public long Columns { get; }

    /// <summary>The number of elements.</summary>
    public long ElementCount => Rows * Columns;

    /// <summary>The number of scales; 0 for formats without.</summary>
    public long ScaleCount { get; }

    /// <summary>Bytes of all parts together.</summary>
    public long ByteCount { get; }

    /// <summary>Those bytes times 8 over the number of elements; 0 for an empty tensor.</summary>
    public double BitsPerWeight { get; }

    /// <summary>How many elements share a scale.</summary>
    public Granularity Granularity => (Granularity)GetInteger(NativeMethods.BNQ_OPT_GRANULARITY);

    /// <summary>Columns of a group, elements of a block, or rows and columns of a tile, where
    /// <see cref="Granularity"/> is <see cref="Granularity.Group"/>, <see cref="Granularity.Block"/> or
    /// <see cref="Granularity.Tile"/>.</summary>
    public long GroupSize => GetInteger(NativeMethods.BNQ_OPT_GROUP_SIZE);

    /// <summary>The dimension of the parameters, where <see cref="Granularity"/> is
    /// <see cref="Granularity.Channel"/>.</summary>
    public int Axis => (int)GetInteger(NativeMethods.BNQ_OPT_AXIS);

    /// <summary>Whether there are zero points or offsets.</summary>
    public Scheme Scheme => (Scheme)GetInteger(NativeMethods.BNQ_OPT_SCHEME);

    /// <summary>How the scales are stored, where <see cref="DoubleQuant"/> is false.</summary>
    public ScaleDataType ScaleDataType => (ScaleDataType)GetInteger(NativeMethods.BNQ_OPT_SCALE_DTYPE);

    /// <summary>Whether the scales are stored in 8 bits with scales of their own.</summary>
    public bool DoubleQuant => GetInteger(NativeMethods.BNQ_OPT_DOUBLE_QUANT) != 0;

    /// <summary>How the codes are packed.</summary>
    public Packing Packing => (Packing)GetInteger(NativeMethods.BNQ_OPT_PACKING);

    /// <summary>The packed codes.</summary>
    /// <remarks>
    /// Each row starts on a byte (with <see cref="Granularity.Block"/> the whole array is one row). Element j of a
    /// row is, for
    /// <list type="bullet">
    /// <item>INT8: byte j, two's complement;</item>
    /// <item>ternary: bits 2 (j mod 4) and up of byte j / 4, as code + 1;</item>
    /// <item>ternary in <see cref="Packing.Base3"/>: digit j mod 5 of byte j / 5, the first the most significant,
    /// where byte = ceil(v * 256 / 243) and v is the number of the five base-3 digits code + 1;</item>
    /// <item>INT4: bits 4 (j mod 2) and up of byte j / 2, as code + 8;</item>
    /// <item>INT2: bits 2 (j mod 4) and up of byte j / 4, as code + 2;</item>
    /// <item>INT3, INT5, INT6: bits b (j mod 8) and up of the little-endian number of b bytes from byte b (j / 8) on,
    /// b = 3, 5 or 6, as code + 4, 16 or 32;</item>
    /// <item>binary: bit j mod 8 of byte j / 8: 1 for +1, 0 for -1;</item>
    /// <item>NF4, FP4: the high half of byte j / 2 for even j, the low one for odd;</item>
    /// <item>E2M1: bits 4 (j mod 2) and up of byte j / 2;</item>
    /// <item>E4M3, E5M2: byte j;</item>
    /// <item>Float16, BFloat16: bytes 2j and 2j + 1, little-endian;</item>
    /// </list>
    /// and what is left of a row's last byte is 0 (NF4, FP4: the code of value 0).
    /// </remarks>
    /// <exception cref="InvalidOperationException">They are longer than one memory can be (2 GiB).</exception>
    public ReadOnlyMemory<byte> Codes
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_CODES);
            return NativeView<byte>.Of(_handle, part.Data, Native.Length(part.Bytes, nameof(Codes)));
        }
    }

    /// <summary>
    /// The scales, however they are stored: one for the tensor; one for each channel, token or block; or for each row
    /// those of its groups, in order. A view where they are stored in single precision; otherwise a new array each
    /// time (<see cref="ReadScales"/> fills one of your own).
    /// </summary>
    /// <exception cref="InvalidOperationException">They are more than one memory can hold.</exception>
    public ReadOnlyMemory<float> Scales
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_SCALES);
            int count = Native.Length(part.Count, nameof(Scales));
            if (part.Dtype == (int)DataType.Float32)
            {
                return NativeView<float>.Of(_handle, part.Data, count);
            }

            var scales = new float[count];
            ReadScales(scales);
            return scales;
        }
    }

    /// <summary>What scales of <see cref="ScaleDataType.E4M3"/> are multiples of (<see cref="Scales"/> are the
    /// products); null with others, and without any.</summary>
    public float? TensorScale
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_TENSOR_SCALE);
            return part.Count == 0 ? null : *(float*)part.Data;
        }
    }

    /// <summary>The values that codes stand for, times their scale, of <see cref="Format.Codebook2"/> to
    /// <see cref="Format.Codebook4"/>, ascending; empty with others. A view of the tensor's memory.</summary>
    public ReadOnlyMemory<float> Codebook
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_CODEBOOK);
            return NativeView<float>.Of(_handle, part.Data, Native.Length(part.Count, nameof(Codebook)));
        }
    }

    /// <summary>What a layer's inputs are divided by, one for each column; empty for none. A view of the tensor's
    /// memory.</summary>
    public ReadOnlyMemory<float> InputScales
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_INPUT_SCALES);
            return NativeView<float>.Of(_handle, part.Data, Native.Length(part.Count, nameof(InputScales)));
        }
    }

    /// <summary>
    /// What values start from, one for each scale, a view or a new array as <see cref="Scales"/>; empty but with
    /// <see cref="Scheme.Offset"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">They are more than one memory can hold.</exception>
    public ReadOnlyMemory<float> Offsets
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_OFFSETS);
            int count = Native.Length(part.Count, nameof(Offsets));
            if (part.Dtype == (int)DataType.Float32)
            {
                return NativeView<float>.Of(_handle, part.Data, count);
            }

            var offsets = new float[count];
            fixed (float* pointer = offsets)
            {
                Native.Check(NativeMethods.bnq_tensor_read_offsets(_handle, pointer, (ulong)count));
            }

            return offsets;
        }
    }

    /// <summary>The offsets as they are stored, in the same way as the scales.</summary>
    /// <exception cref="InvalidOperationException">They are longer than one memory can be (2 GiB).</exception>
    public ReadOnlyMemory<byte> OffsetData
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_OFFSETS);
            return NativeView<byte>.Of(_handle, part.Data, Native.Length(part.Bytes, nameof(OffsetData)));
        }
    }

    /// <summary>
    /// The scales as they are stored, in <see cref="ScaleDataType"/>; or where <see cref="DoubleQuant"/>: n codes of
    /// 8 bits, zeros up to a multiple of 4 bytes, and as single-precision numbers the greatest |scale - offset| of
    /// each 256 scales and the offset; scale i = <see cref="Library.DynamicMap"/>[code i] * greatest[i / 256] +
    /// offset.
    /// </summary>
    /// <exception cref="InvalidOperationException">They are longer than one memory can be (2 GiB).</exception>
    public ReadOnlyMemory<byte> ScaleData
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_SCALES);
            return NativeView<byte>.Of(_handle, part.Data, Native.Length(part.Bytes, nameof(ScaleData)));
        }
    }

    /// <summary>
    /// How many <see cref="ScaleDataType.Float16"/> or <see cref="ScaleDataType.BFloat16"/> scales are at the ends of
    /// what their type holds, because the scale was beyond.
    /// </summary>
    public long SaturatedScaleCount => checked((long)NativeMethods.bnq_tensor_saturated_scales(_handle));

    /// <summary>The zero points, one for each scale; empty where the scheme is symmetric.</summary>
    /// <exception cref="InvalidOperationException">They are more than one memory can hold.</exception>
    public ReadOnlyMemory<sbyte> ZeroPoints
    {
        get
        {
            BnqPart part = Part(NativeMethods.BNQ_PART_ZERO_POINTS);
            return NativeView<sbyte>.Of(_handle, part.Data, Native.Length(part.Count, nameof(ZeroPoints)));
        }
    }

    /// <summary>The columns kept out of the codes (<see cref="Config.OutlierThreshold"/>); often none.</summary>
    /// <exception cref="InvalidOperationException">They are more than one memory can hold.</exception>
    public Outliers Outliers
    {
        get
        {
            BnqPart columns = Part(NativeMethods.BNQ_PART_OUTLIER_COLUMNS);
            if (columns.Count == 0)
            {
                return default;
            }

            BnqPart values = Part(NativeMethods.BNQ_PART_OUTLIER_VALUES);
            return new Outliers(
                NativeView<uint>.Of(_handle, columns.Data, Native.Length(columns.Count, nameof(Outliers))),
                NativeView<ushort>.Of(_handle, values.Data, Native.Length(values.Count, nameof(Outliers))),
                (DataType)values.Dtype);
        }
    }

    private BnqPart Part(int part)
    {
        Native.Check(NativeMethods.bnq_tensor_part(_handle, part, out BnqPart result));
        return result;
    }

    /// <summary>Reads the scales, however they are stored.</summary>
    /// <param name="destination">Exactly <see cref="ScaleCount"/> long.</param>
    /// <exception cref="InvalidArgumentException">The destination has another length.</exception>
    public void ReadScales(Span<float> destination)
    {
        fixed (float* pointer = destination)
        {
            Native.Check(NativeMethods.bnq_tensor_read_scales(_handle, pointer, (ulong)destination.Length));
        }
    }

    /// <summary>
    /// A config of those options that say what the tensor is, and not how it was made (clip, rounding, seed, scale
    /// rule, ...). It is the caller's to dispose.
    /// </summary>
    public Config GetConfig()
    {
        Native.Check(NativeMethods.bnq_tensor_config(_handle, out ConfigHandle config));
        return new Config(config);
    }

    /// <summary>The value of an option that the tensor was made with, as <see cref="Config.Get"/>.</summary>
    /// <param name="option">A name of <see cref="Library.Options"/>.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string GetOption(string option) => Options.GetText(option);

    /// <summary>The same tensor with its codes in another packing, without loss.</summary>
    /// <param name="packing">The other packing.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="UnsupportedException">The format does not have it.</exception>
    public QuantizedTensor Repack(Packing packing, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_tensor_repack(
            ContextHandle.Of(context), _handle, (int)packing, out TensorHandle repacked));

        // What has not changed may still be this tensor's.
        repacked.Use(_handle.Memory);
        return new QuantizedTensor(repacked);
    }

    /// <summary>Frees the tensor; its memory stays for as long as views of it do.</summary>
    public void Dispose() => _handle.Dispose();

    private OptionsHandle Options => OptionsHandle.Of(_handle, NativeMethods.bnq_tensor_options);

    private long GetInteger(int option) => Options.GetInteger(option);
}
