using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>How a gradient dy passes through quantization. A value is clipped where its code would lie beyond those there
/// are.</summary>
public enum GradientEstimator
{
    /// <summary>dy, and 0 where clipped.</summary>
    Clipped = NativeMethods.BNQ_ESTIMATOR_CLIPPED,

    /// <summary>dy: the standard straight-through estimator.</summary>
    StraightThrough = NativeMethods.BNQ_ESTIMATOR_STRAIGHT_THROUGH,

    /// <summary>dy * (1 - tanh(u / width)^2), u from -1 at the least to 1 at the greatest code.</summary>
    Soft = NativeMethods.BNQ_ESTIMATOR_SOFT,

    /// <summary>dy, and slope * dy where clipped; the slope may be learned.</summary>
    Slope = NativeMethods.BNQ_ESTIMATOR_SLOPE,
}

/// <summary>What is added to a value, held within the range, in place of rounding it.</summary>
public enum TrainingNoise
{
    /// <summary>Nothing: it is rounded.</summary>
    None = NativeMethods.BNQ_NOISE_NONE,

    /// <summary>amount * scale * u, u uniform in -0.5..0.5.</summary>
    Uniform = NativeMethods.BNQ_NOISE_UNIFORM,

    /// <summary>The same with u normal, of standard deviation 1.</summary>
    Gaussian = NativeMethods.BNQ_NOISE_GAUSSIAN,
}

/// <summary>For what is drawn whether it is quantized.</summary>
public enum DrawnBy
{
    /// <summary>Each element.</summary>
    Element = NativeMethods.BNQ_DRAWN_BY_ELEMENT,

    /// <summary>The whole array.</summary>
    Layer = NativeMethods.BNQ_DRAWN_BY_LAYER,
}
