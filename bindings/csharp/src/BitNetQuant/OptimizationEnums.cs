using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>How an <see cref="Optimizer"/> searches for parameters.</summary>
public enum OptimizationMethod
{
    /// <summary>Narrower ranges, and other zero points, of a segment or of all, one after another; any format with
    /// scales.</summary>
    Grid = NativeMethods.BNQ_OPTIMIZE_GRID,

    /// <summary>Learned step size (arXiv:1902.08153): scales and zero points follow the gradient of the squared error
    /// of the values or, with activations, of the layer's outputs.</summary>
    Gradient = NativeMethods.BNQ_OPTIMIZE_GRADIENT,

    /// <summary>HQQ's half-quadratic refinement; integer formats.</summary>
    Hqq = NativeMethods.BNQ_OPTIMIZE_HQQ,

    /// <summary>GPTQ (arXiv:2210.17323): each column's error is made up for by the columns after it. Needs
    /// activations.</summary>
    Gptq = NativeMethods.BNQ_OPTIMIZE_GPTQ,

    /// <summary>AWQ (arXiv:2306.00978): weights of large inputs are scaled up before they are quantized. Needs
    /// activations. The inputs of the layer must then be divided by
    /// <see cref="OptimizationResult.InputScales"/>.</summary>
    Awq = NativeMethods.BNQ_OPTIMIZE_AWQ,
}

/// <summary>
/// What an <see cref="Optimizer"/> makes small, for each segment (the elements that share parameters); that of a tensor
/// is the mean over its segments, weighted by their elements. With activations it is the mean squared error of the
/// layer's outputs.
/// </summary>
public enum OptimizationObjective
{
    /// <summary>Mean squared error.</summary>
    Mse = NativeMethods.BNQ_OBJECTIVE_MSE,

    /// <summary>Kullback-Leibler divergence of the histogram of the values from itself with each code's values spread
    /// evenly; of use for segments of thousands of values.</summary>
    KL = NativeMethods.BNQ_OBJECTIVE_KL,

    /// <summary>1 - cosine.</summary>
    Cosine = NativeMethods.BNQ_OBJECTIVE_COSINE,

    /// <summary>The metric of <see cref="Optimizer.SetMetric"/>.</summary>
    Custom = NativeMethods.BNQ_OBJECTIVE_CUSTOM,
}

/// <summary>For what <see cref="OptimizationMethod.Grid"/> looks for a part of the range.</summary>
public enum OptimizationScope
{
    /// <summary>One for each segment.</summary>
    Segment = NativeMethods.BNQ_SCOPE_SEGMENT,

    /// <summary>The same one for all.</summary>
    Tensor = NativeMethods.BNQ_SCOPE_TENSOR,
}

/// <summary>A metric of one's own: the error of the values of a segment, or with <see cref="OptimizationScope.Tensor"/>
/// of the whole array. Least is best; it must not be NaN.</summary>
/// <param name="original">The values.</param>
/// <param name="dequantized">What becomes of them. Both are valid for the call.</param>
public delegate double QuantizationMetric(ReadOnlySpan<float> original, ReadOnlySpan<float> dequantized);
