using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>A function of one number.</summary>
public enum ActivationFunction
{
    /// <summary>x.</summary>
    None = NativeMethods.BNQ_FUNCTION_NONE,

    /// <summary>max(x, 0).</summary>
    Relu = NativeMethods.BNQ_FUNCTION_RELU,

    /// <summary>min(max(x, 0), 6).</summary>
    Relu6 = NativeMethods.BNQ_FUNCTION_RELU6,

    /// <summary>x, or slope * x below 0.</summary>
    LeakyRelu = NativeMethods.BNQ_FUNCTION_LEAKY_RELU,

    /// <summary>max(x, 0)^2.</summary>
    SquaredRelu = NativeMethods.BNQ_FUNCTION_SQUARED_RELU,

    /// <summary>x / 2 * (1 + erf(x / sqrt 2)).</summary>
    Gelu = NativeMethods.BNQ_FUNCTION_GELU,

    /// <summary>x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).</summary>
    GeluTanh = NativeMethods.BNQ_FUNCTION_GELU_TANH,

    /// <summary>x / (1 + e^-x).</summary>
    Silu = NativeMethods.BNQ_FUNCTION_SILU,

    /// <summary>1 / (1 + e^-x).</summary>
    Sigmoid = NativeMethods.BNQ_FUNCTION_SIGMOID,

    /// <summary>tanh x.</summary>
    Tanh = NativeMethods.BNQ_FUNCTION_TANH,

    /// <summary>x * min(max(x + 3, 0), 6) / 6.</summary>
    HardSwish = NativeMethods.BNQ_FUNCTION_HARD_SWISH,
}

/// <summary>Activation functions, softmax and norms. The result is a matrix of as many rows and columns: the input's
/// own memory (<see cref="MatrixSpan"/> is also a <see cref="MatrixView"/>), or memory apart from it. bnq.h has the
/// definitions and the errors.</summary>
public static unsafe class Activations
{
    /// <summary>y = function(x). Codes, which need scales, become codes by one look-up each, or floats.</summary>
    /// <param name="function">The function.</param>
    /// <param name="x">The input.</param>
    /// <param name="y">The result.</param>
    /// <param name="slope">That of <see cref="ActivationFunction.LeakyRelu"/>, which must have one.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">The shapes differ, the memory overlaps, or a parameter is
    /// missing.</exception>
    /// <exception cref="UnsupportedException">Floats do not become codes.</exception>
    public static void Apply(
        ActivationFunction function, MatrixView x, MatrixSpan y, float slope = float.NaN, Context? context = null) =>
        NativeMatrix.Lend(x, y, (from, to) =>
            NativeMethods.bnq_activate(ContextHandle.Of(context), (int)function, slope, from, to));

    /// <summary>e^(x - max) / sum of e^(x - max) of each row; -infinity gives 0, and a row of it zeros.</summary>
    /// <param name="x">The input.</param>
    /// <param name="y">The result.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">The shapes differ, or the memory overlaps.</exception>
    /// <exception cref="UnsupportedException">One is of codes.</exception>
    public static void Softmax(MatrixView x, MatrixSpan y, Context? context = null) =>
        NativeMatrix.Lend(x, y, (from, to) => NativeMethods.bnq_softmax(ContextHandle.Of(context), from, to));

    /// <summary>x / sqrt(mean of x^2 + eps) * weight of each row.</summary>
    /// <param name="x">The input.</param>
    /// <param name="weight">One for each column; empty for none.</param>
    /// <param name="eps">0 or more.</param>
    /// <param name="y">The result.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">There is not one weight for each column.</exception>
    /// <exception cref="InvalidArgumentException">The shapes differ, the memory overlaps, or
    /// <paramref name="eps"/> is not finite or below 0.</exception>
    /// <exception cref="UnsupportedException">One is of codes.</exception>
    public static void RmsNorm(
        MatrixView x, ReadOnlySpan<float> weight, double eps, MatrixSpan y, Context? context = null)
    {
        RequireColumns(weight, x.Columns, nameof(weight));
        fixed (float* pointer = weight)
        {
            float* weights = pointer;
            NativeMatrix.Lend(x, y, (from, to) => NativeMethods.bnq_rms_norm(ContextHandle.Of(context), from, weights, eps, to));
        }
    }

    /// <summary>(x - mean) / sqrt(mean of (x - mean)^2 + eps) * weight + bias of each row.</summary>
    /// <param name="x">The input.</param>
    /// <param name="weight">One for each column; empty for none.</param>
    /// <param name="bias">One for each column; empty for none.</param>
    /// <param name="eps">0 or more.</param>
    /// <param name="y">The result.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">There is not one weight or bias for each column.</exception>
    /// <exception cref="InvalidArgumentException">The shapes differ, the memory overlaps, or
    /// <paramref name="eps"/> is not finite or below 0.</exception>
    /// <exception cref="UnsupportedException">One is of codes.</exception>
    public static void LayerNorm(
        MatrixView x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, double eps, MatrixSpan y,
        Context? context = null)
    {
        RequireColumns(weight, x.Columns, nameof(weight));
        RequireColumns(bias, x.Columns, nameof(bias));
        fixed (float* first = weight)
        fixed (float* second = bias)
        {
            float* weights = first;
            float* biases = second;
            NativeMatrix.Lend(x, y, (from, to) => NativeMethods.bnq_layer_norm(
                ContextHandle.Of(context), from, weights, biases, eps, to));
        }
    }

    private static void RequireColumns(ReadOnlySpan<float> values, int columns, string name)
    {
        if (!values.IsEmpty && values.Length != columns)
        {
            throw new ArgumentException($"{name} has {values.Length} elements; one for each of {columns} columns is needed.", name);
        }
    }
}
