using System;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace BitNetQuant;

/// <summary>Tensors of <see cref="System.Numerics.Tensors"/> as what is quantized, observed and run, and what comes
/// back. Dense ones are read where they are; slices with gaps are copied together first.</summary>
public static class TensorExtensions
{
    /// <summary>Quantizes a tensor.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="double"/> or <see cref="Half"/>.</typeparam>
    /// <param name="tensor">Of up to 8 dimensions.</param>
    /// <param name="config">What to quantize into.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is another type.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="BitNetQuantException">The config or the shape is not legal, or both do not fit.</exception>
    public static QuantizedTensor Quantize<T>(
        this in ReadOnlyTensorSpan<T> tensor, Config config, Context? context = null) where T : unmanaged =>
        QuantizedTensor.Quantize(
            MemoryMarshal.AsBytes(Elements(tensor)), TypeOf<T>(), Shape(tensor.Lengths), config, context);

    /// <inheritdoc cref="Quantize{T}(in ReadOnlyTensorSpan{T}, Config, Context?)"/>
    public static QuantizedTensor Quantize<T>(this Tensor<T> tensor, Config config, Context? context = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return Quantize(tensor.AsReadOnlyTensorSpan(), config, context);
    }

    /// <summary>The values of a quantized tensor, in its shape.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static Tensor<float> ToTensor(this QuantizedTensor tensor, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return Tensor.Create(tensor.ToArray(context), Lengths(tensor.Shape.AsSpan()));
    }

    /// <summary>Observes a batch.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="double"/> or <see cref="Half"/>.</typeparam>
    /// <param name="calibrator">What observes.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException"><typeparamref name="T"/> is another type.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    public static void Observe<T>(this Calibrator calibrator, Tensor<T> batch, Context? context = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(calibrator);
        ArgumentNullException.ThrowIfNull(batch);
        ReadOnlyTensorSpan<T> span = batch.AsReadOnlyTensorSpan();
        calibrator.Observe(
            MemoryMarshal.AsBytes(Elements(span)), TypeOf<T>(), Shape(span.Lengths), context);
    }

    /// <summary>y of x.</summary>
    /// <param name="linear">The layer.</param>
    /// <param name="x">Any dimensions, the last of which has the layer's inputs.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <returns>The same dimensions, but the last one of the layer's outputs.</returns>
    /// <exception cref="ArgumentException">The last dimension has another length.</exception>
    /// <exception cref="NonFiniteException">x becomes codes, but has an element that is not finite.</exception>
    public static Tensor<float> Run(this QuantizedLinear linear, Tensor<float> x, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(linear);
        ArgumentNullException.ThrowIfNull(x);
        nint[] lengths = x.Lengths.ToArray();
        if (lengths.Length == 0 || lengths[^1] != linear.Inputs)
        {
            throw new ArgumentException(
                $"x has the shape [{string.Join(", ", lengths)}]; a last dimension of {linear.Inputs} is needed.", nameof(x));
        }

        float[] y = linear.Run(Elements(x.AsReadOnlyTensorSpan()), context);
        lengths[^1] = linear.Outputs;
        return Tensor.Create(y, lengths);
    }

    /// <summary>y of images x.</summary>
    /// <param name="convolution">The convolution.</param>
    /// <param name="x">[images, channels, height, width], in the convolution's
    /// <see cref="OperatorOptions.Layout"/>.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="layout">The convolution's layout.</param>
    /// <returns>The same order of dimensions.</returns>
    /// <exception cref="ArgumentException">x has not four dimensions.</exception>
    /// <exception cref="InvalidArgumentException">Its channels are not the convolution's.</exception>
    public static Tensor<float> Run(
        this QuantizedConvolution convolution, Tensor<float> x, Context? context = null,
        ImageLayout layout = ImageLayout.Nchw)
    {
        ArgumentNullException.ThrowIfNull(convolution);
        ArgumentNullException.ThrowIfNull(x);
        int[] lengths = Array.ConvertAll(x.Lengths.ToArray(), length => checked((int)length));
        if (lengths.Length != 4)
        {
            throw new ArgumentException($"x has {lengths.Length} dimensions; 4 are needed.", nameof(x));
        }

        (int height, int width) = layout == ImageLayout.Nhwc ? (lengths[1], lengths[2]) : (lengths[2], lengths[3]);
        float[] y = convolution.Run(Elements(x.AsReadOnlyTensorSpan()), lengths[0], height, width, context);
        (int channels, int down, int across) = convolution.GetOutput(height, width);
        return Tensor.Create(
            y, layout == ImageLayout.Nhwc ? [lengths[0], down, across, channels] : [lengths[0], channels, down, across]);
    }

    private static ReadOnlySpan<T> Elements<T>(in ReadOnlyTensorSpan<T> tensor) where T : unmanaged
    {
        int length = checked((int)tensor.FlattenedLength);
        if (IsRowMajor(tensor.Lengths, tensor.Strides))
        {
            return MemoryMarshal.CreateReadOnlySpan(in tensor.GetPinnableReference(), length);
        }

        var copy = new T[length];
        tensor.FlattenTo(copy);
        return copy;
    }

    /// <summary>Not IsDense, which is also true of dimensions in another order.</summary>
    private static bool IsRowMajor(ReadOnlySpan<nint> lengths, ReadOnlySpan<nint> strides)
    {
        nint expected = 1;
        for (int i = lengths.Length - 1; i >= 0; i--)
        {
            if (lengths[i] != 1 && strides[i] != expected)
            {
                return false;
            }

            expected *= lengths[i];
        }

        return true;
    }

    private static DataType TypeOf<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? DataType.Float32
        : typeof(T) == typeof(double) ? DataType.Float64
        : typeof(T) == typeof(Half) ? DataType.Float16
        : throw new ArgumentException($"{typeof(T).Name} is no type to quantize; float, double and Half are accepted.");

    private static long[] Shape(ReadOnlySpan<nint> lengths) => Array.ConvertAll(lengths.ToArray(), length => (long)length);

    private static nint[] Lengths(ReadOnlySpan<long> shape) =>
        Array.ConvertAll(shape.ToArray(), length => checked((nint)length));
}
