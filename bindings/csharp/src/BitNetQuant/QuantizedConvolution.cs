using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// A convolution on quantized weights [outputs, channels / groups, height, width], without the height where there is one
/// dimension, or in the order of <see cref="ImageLayout.Nhwc"/>: of each output pixel a <see cref="QuantizedLinear"/> on
/// the patch under the kernel. Images are the rows of matrices: channels, height and width in their order are the
/// columns. Those that become codes do so image by image, and parameters of codes are those of images. Of one dimension
/// the height is 1.
/// </summary>
/// <remarks>Any number of threads may run one at once, each with a workspace of its own.</remarks>
public sealed unsafe class QuantizedConvolution : IDisposable
{
    private readonly ConvolutionHandle _handle;

    /// <summary>A convolution of a weight, which it keeps: the tensor may be disposed of.</summary>
    /// <param name="weight">Of three or four dimensions.</param>
    /// <param name="options">What it does; null for the defaults.</param>
    /// <param name="bias">A number for each output channel, copied; null for none.</param>
    /// <param name="context">Where memory comes from; null for the defaults.</param>
    /// <exception cref="InvalidArgumentException">The bias or the weight has another shape, or the options lack a
    /// scale.</exception>
    /// <exception cref="UnsupportedException">A bias of integers where there are no sums of integers.</exception>
    public QuantizedConvolution(
        QuantizedTensor weight, OperatorOptions? options = null, SourceArray? bias = null, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        OperatorHandle given = options?.Handle ?? OperatorHandle.None;
        ConvolutionHandle? convolution = null;
        int Create(BnqArray* array) => NativeMethods.bnq_convolution_create(
            ContextHandle.Of(context), given, weight.Handle, array, out convolution);
        if (bias is null)
        {
            Native.Check(Create(null));
        }
        else
        {
            NativeArray.Lend(bias, Create);
        }

        _handle = convolution!;
        _handle.Borrow(weight.Handle);
    }

    /// <summary>What comes of images of a size.</summary>
    /// <param name="height">0 or more.</param>
    /// <param name="width">0 or more.</param>
    public (int Channels, int Height, int Width) GetOutput(int height, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(height);
        ArgumentOutOfRangeException.ThrowIfNegative(width);
        Native.Check(NativeMethods.bnq_convolution_output(
            _handle, (ulong)height, (ulong)width, out ulong channels, out ulong down, out ulong across));
        return checked(((int)channels, (int)down, (int)across));
    }

    /// <summary>Bytes that a run takes for so many images.</summary>
    /// <param name="items">0 or more.</param>
    /// <param name="height">0 or more.</param>
    /// <param name="width">0 or more.</param>
    public long GetWorkspaceBytes(int items, int height, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(items);
        ArgumentOutOfRangeException.ThrowIfNegative(height);
        ArgumentOutOfRangeException.ThrowIfNegative(width);
        Native.Check(NativeMethods.bnq_convolution_workspace(
            _handle, (ulong)items, (ulong)height, (ulong)width, out ulong bytes));
        return checked((long)bytes);
    }

    /// <summary>y of images x.</summary>
    /// <param name="x">A row for each image.</param>
    /// <param name="height">Of the images; 1 of one dimension.</param>
    /// <param name="width">Of the images.</param>
    /// <param name="y">A row for each, of the columns that <see cref="GetOutput"/> says.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="workspace">Of <see cref="GetWorkspaceBytes"/> or more; null: every run allocates memory.</param>
    /// <inheritdoc cref="QuantizedLinear.Run(MatrixView, MatrixSpan, Context?, Workspace?)" path="/exception"/>
    public void Run(
        MatrixView x, int height, int width, MatrixSpan y, Context? context = null, Workspace? workspace = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(height);
        ArgumentOutOfRangeException.ThrowIfNegative(width);
        using Workspace.Lease lease = Workspace.Lend(workspace);
        (nint memory, ulong bytes) = ((nint)lease.Pointer, lease.ByteCount);
        NativeMatrix.Lend(x, y, (from, to) => NativeMethods.bnq_convolution_run(
            _handle, ContextHandle.Of(context), from, (ulong)height, (ulong)width, to, (void*)memory, bytes));
    }

    /// <summary>y of images x, in an array of its own.</summary>
    /// <param name="x">Images, one after the other.</param>
    /// <param name="items">How many they are, 0 or more.</param>
    /// <param name="height">Of the images; 1 of one dimension.</param>
    /// <param name="width">Of the images.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>As many images of the size that <see cref="GetOutput"/> says.</returns>
    /// <exception cref="ArgumentException">x is not of so many equal parts.</exception>
    /// <inheritdoc cref="QuantizedLinear.Run(MatrixView, MatrixSpan, Context?, Workspace?)" path="/exception"/>
    public float[] Run(ReadOnlySpan<float> x, int items, int height, int width, Context? context = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(items);
        (int channels, int down, int across) = GetOutput(height, width);
        int columns = checked(channels * down * across);
        var y = new float[checked(items * columns)];
        Run(
            MatrixView.Of(x, items, items == 0 ? 0 : x.Length / items), height, width,
            MatrixSpan.Of<float>(y, items, columns), context);
        return y;
    }

    /// <summary>Frees the convolution.</summary>
    public void Dispose() => _handle.Dispose();
}
