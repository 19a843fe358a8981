using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>How a <see cref="Calibrator"/> finds the range.</summary>
public enum CalibrationMethod
{
    /// <summary>Minimum and maximum of all values.</summary>
    MinMax = NativeMethods.BNQ_METHOD_MINMAX,

    /// <summary>Those of each batch, averaged, as PyTorch's moving average observer. Depends on the order of
    /// batches.</summary>
    MovingAverage = NativeMethods.BNQ_METHOD_MOVING_AVERAGE,

    /// <summary>The range that holds a percentage of the values.</summary>
    Percentile = NativeMethods.BNQ_METHOD_PERCENTILE,

    /// <summary>The least Kullback-Leibler divergence of the quantized values.</summary>
    KL = NativeMethods.BNQ_METHOD_KL,

    /// <summary>The least mean squared error.</summary>
    Mse = NativeMethods.BNQ_METHOD_MSE,

    /// <summary>An online follower: an average whose steps are bounded (<see cref="Calibrator.MaxGrowth"/>,
    /// <see cref="Calibrator.MaxShrink"/>). Depends on the order of batches.
    /// <see cref="AdaptiveActivationQuantizer"/> uses it.</summary>
    Adaptive = NativeMethods.BNQ_METHOD_ADAPTIVE,
}

/// <summary>Whose form of the method <see cref="CalibrationMethod.KL"/>.</summary>
public enum KLVariant
{
    /// <summary>TensorRT's.</summary>
    TensorRT = NativeMethods.BNQ_KL_TENSORRT,

    /// <summary>ONNX Runtime's.</summary>
    OnnxRuntime = NativeMethods.BNQ_KL_ONNXRUNTIME,
}

/// <summary>Whose search the method <see cref="CalibrationMethod.Mse"/> is.</summary>
public enum MseVariant
{
    /// <summary>Ends of the range in all bins.</summary>
    Exhaustive = NativeMethods.BNQ_MSE_EXHAUSTIVE,

    /// <summary>PyTorch's, step by step: it may stop early, and never finds the whole range.</summary>
    PyTorch = NativeMethods.BNQ_MSE_PYTORCH,
}

/// <summary>What NaN and infinity in a batch do.</summary>
public enum NonFiniteObservation
{
    /// <summary>The batch is refused with a <see cref="NonFiniteException"/> that names the first index.</summary>
    Error = NativeMethods.BNQ_OBSERVE_ERROR,

    /// <summary>They are counted and left out.</summary>
    Skip = NativeMethods.BNQ_OBSERVE_SKIP,
}

/// <summary>Which values count as the limit nearest to them when the range is found, as far as bins tell. Methods that
/// follow the order of batches do so with the batches as they are, and end at the limits.</summary>
public enum OutlierRule
{
    /// <summary>None.</summary>
    None = NativeMethods.BNQ_OUTLIERS_NONE,

    /// <summary>Half of 100 - <see cref="Calibrator.OutlierPercentile"/> percent on each side at most.</summary>
    Percentile = NativeMethods.BNQ_OUTLIERS_PERCENTILE,

    /// <summary>Those more than <see cref="Calibrator.OutlierDeviations"/> standard deviations from the
    /// mean.</summary>
    Deviations = NativeMethods.BNQ_OUTLIERS_DEVIATIONS,
}
