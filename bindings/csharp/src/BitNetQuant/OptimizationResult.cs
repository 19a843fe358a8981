using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>What an <see cref="Optimizer"/> made. The figures are NaN, and the numbers 0, for an empty array.</summary>
public sealed class OptimizationResult : IDisposable
{
    private readonly double[] _figures;

    internal OptimizationResult(QuantizedTensor tensor, float[] inputScales, double[] figures)
    {
        Tensor = tensor;
        InputScales = ImmutableArray.Create(inputScales);
        _figures = figures;
    }

    /// <summary>The tensor, one like any other.</summary>
    public QuantizedTensor Tensor { get; }

    /// <summary>What the inputs of the layer must be divided by: one for each column where activations were given, 1
    /// throughout but for <see cref="OptimizationMethod.Awq"/>; else none.</summary>
    public ImmutableArray<float> InputScales { get; }

    /// <summary>The objective of the config's plain rule.</summary>
    public double ObjectiveBefore => _figures[NativeMethods.BNQ_FIGURE_OBJECTIVE_BEFORE];

    /// <summary>The objective of the result: never more than before.</summary>
    public double ObjectiveAfter => _figures[NativeMethods.BNQ_FIGURE_OBJECTIVE_AFTER];

    /// <summary>The mean squared error of the values with the config's plain rule.</summary>
    public double MseBefore => _figures[NativeMethods.BNQ_FIGURE_MSE_BEFORE];

    /// <summary>The mean squared error of the values of the result; above the one before where another objective, or
    /// the layer's outputs, gained by it.</summary>
    public double MseAfter => _figures[NativeMethods.BNQ_FIGURE_MSE_AFTER];

    /// <summary>How many were looked at: segments; rows for <see cref="OptimizationMethod.Gptq"/>, inputs for
    /// <see cref="OptimizationMethod.Awq"/>, 1 for a gradient with activations.</summary>
    public long SegmentCount => Number(NativeMethods.BNQ_FIGURE_SEGMENTS);

    /// <summary>How many of these are other than at the start.</summary>
    public long ImprovedCount => Number(NativeMethods.BNQ_FIGURE_IMPROVED);

    /// <summary>All figures that the loaded library has, by their names (<see cref="Library.FigureNames"/>).</summary>
    public Dictionary<string, double> ToDictionary() => Library.FigureNames
        .Zip(_figures).ToDictionary(pair => pair.First, pair => pair.Second, StringComparer.Ordinal);

    /// <summary>Frees the tensor.</summary>
    public void Dispose() => Tensor.Dispose();

    private long Number(int figure) => double.IsNaN(_figures[figure]) ? 0 : (long)_figures[figure];
}
