using System.Collections.Immutable;

namespace BitNetQuant;

/// <summary>What a <see cref="FakeQuantizer"/> makes of an array.</summary>
/// <param name="Values">One for each element.</param>
/// <param name="Parameters">What they were decoded with: what the gradient is of. Empty where the format has no
/// scales.</param>
public sealed record FakeQuantized(float[] Values, QuantizationParameters Parameters);

/// <summary>The same with what it cost.</summary>
/// <param name="Fake">The values and the parameters.</param>
/// <param name="Clipped">Of each element whether its code would lie beyond those there are.</param>
/// <param name="ClippedCount">The number of those.</param>
/// <param name="Metrics">Between the array and what quantization alone makes of it.</param>
public sealed record MeasuredFake(FakeQuantized Fake, bool[] Clipped, long ClippedCount, Metrics Metrics);

/// <summary>The gradients of the parameters of fake quantization: sums in double precision and in a fixed order, the same
/// on every machine.</summary>
/// <param name="Scales">By each scale (LSQ).</param>
/// <param name="Shifts">By each zero point or offset; none for symmetric schemes.</param>
/// <param name="Ends">By the values of the least and of the greatest code, a pair for each scale: the second is that of
/// PACT's clipping level.</param>
/// <param name="Slope">By the slope of <see cref="GradientEstimator.Slope"/>.</param>
public sealed record ParameterGradients(
    ImmutableArray<float> Scales, ImmutableArray<float> Shifts, ImmutableArray<float> Ends, float Slope);

/// <summary>The gradients of fake quantization.</summary>
/// <param name="Values">By the array, one for each element.</param>
/// <param name="Parameters">By the parameters.</param>
public sealed record FakeGradients(float[] Values, ParameterGradients Parameters);
