using System;
using System.Collections.Immutable;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// A quantized tensor: packed codes, scales, zero points, and the options it was made with. Immutable: any
/// number of threads may use one at once, until it is disposed.
/// </summary>
/// <remarks>
/// <para>Arrays are row-major and of rank 0 to 8; dimensions of 0 are legal. For the layout of the codes and
/// for groups an array is a matrix of <see cref="Rows"/> and <see cref="Columns"/>: rank 0 and 1 are one row,
/// and from rank 2 on the rows are the first dimension, the columns the product of the rest.</para>
/// <para><see cref="Codes"/>, <see cref="Scales"/> and <see cref="ZeroPoints"/> are views of native memory: they
/// are valid until the tensor is disposed or collected, so hold it (best with <c>using</c>) for as long as
/// you use them.</para>
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

    /// <summary>Bytes of codes, scales and zero points together.</summary>
    public long ByteCount { get; }

    /// <summary>Those bytes times 8 over the number of elements; 0 for an empty tensor.</summary>
    public double BitsPerWeight { get; }

    /// <summary>How many elements share a scale.</summary>
    public Granularity Granularity => (Granularity)GetInteger(NativeMethods.BNQ_OPT_GRANULARITY);

    /// <summary>Columns of a group, where <see cref="Granularity"/> is <see cref="Granularity.Group"/>.</summary>
    public long GroupSize => GetInteger(NativeMethods.BNQ_OPT_GROUP_SIZE);

    /// <summary>The dimension of the parameters, where <see cref="Granularity"/> is
    /// <see cref="Granularity.Channel"/>.</summary>
    public int Axis => (int)GetInteger(NativeMethods.BNQ_OPT_AXIS);

    /// <summary>Whether there are zero points.</summary>
    public Scheme Scheme => (Scheme)GetInteger(NativeMethods.BNQ_OPT_SCHEME);

    /// <summary>
    /// The packed codes. Each row starts on a byte; with b bits a code (<see cref="FormatInfo.CodeBits"/>),
    /// element j of a row is in bits (j * b) mod 8 and up of byte j * b / 8. Ternary codes are stored plus one.
    /// </summary>
    /// <exception cref="InvalidOperationException">They are longer than a span can be (2 GiB).</exception>
    public ReadOnlySpan<byte> Codes
    {
        get
        {
            byte* data = NativeMethods.bnq_tensor_codes(_handle, out ulong count);
            return new ReadOnlySpan<byte>(data, Native.Length(count, nameof(Codes)));
        }
    }

    /// <summary>
    /// The scales: one for the tensor; one for each channel; or for each row those of its groups, in order.
    /// </summary>
    /// <exception cref="InvalidOperationException">They are more than a span can hold.</exception>
    public ReadOnlySpan<float> Scales
    {
        get
        {
            float* data = NativeMethods.bnq_tensor_scales(_handle, out ulong count);
            return new ReadOnlySpan<float>(data, Native.Length(count, nameof(Scales)));
        }
    }

    /// <summary>The zero points, one for each scale; empty where the scheme is symmetric.</summary>
    /// <exception cref="InvalidOperationException">They are more than a span can hold.</exception>
    public ReadOnlySpan<int> ZeroPoints
    {
        get
        {
            int* data = NativeMethods.bnq_tensor_zero_points(_handle, out ulong count);
            return new ReadOnlySpan<int>(data, Native.Length(count, nameof(ZeroPoints)));
        }
    }

    /// <summary>The value of an option that the tensor was made with, as <see cref="Config.Get"/>.</summary>
    /// <param name="option">A name of <see cref="Library.Options"/>.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string GetOption(string option) => OptionInfo.ValueText(
        OptionInfo.Find(option),
        GetInteger,
        id =>
        {
            Native.Check(NativeMethods.bnq_tensor_get_float(_handle, id, out double value));
            return value;
        });

    /// <summary>Frees the tensor, and ends the validity of its spans.</summary>
    public void Dispose() => _handle.Dispose();

    private long GetInteger(int option)
    {
        Native.Check(NativeMethods.bnq_tensor_get_int(_handle, option, out long value));
        return value;
    }
}
