using System;
using System.Linq;
using System.Numerics.Tensors;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>System.Numerics.Tensors in and out.</summary>
public sealed class TensorExtensionsTests
{
    private static readonly float[] Values = Samples.Values(6 * 32);

    [Fact]
    public void TensorsAreQuantizedAndComeBackInTheirShape()
    {
        using Config config = Config.Parse("int8_per_channel");
        Tensor<float> tensor = Tensor.Create(Values, [6, 4, 8]);
        using QuantizedTensor expected = QuantizedTensor.Quantize(Values, [6, 4, 8], config);
        using QuantizedTensor quantized = tensor.Quantize(config);
        Assert.Equal([6L, 4, 8], quantized.Shape.ToArray());
        Assert.Equal(expected.Codes.ToArray(), quantized.Codes.ToArray());
        Tensor<float> restored = quantized.ToTensor();
        Assert.Equal([6, 4, 8], restored.Lengths.ToArray());
        Assert.Equal(expected.ToArray(), restored.ToArray());

        // Gaps and another order of dimensions: what their elements are, not what lies in memory.
        Tensor<float> part = Tensor.Create(Values, [6, 32]).Slice([1..4, 3..20]);
        using QuantizedTensor ofPart = part.Quantize(config);
        using QuantizedTensor expectedPart = QuantizedTensor.Quantize(part.ToArray(), [3, 17], config);
        Assert.Equal(Values[32 + 3], part.ToArray()[0]);
        Assert.Equal(expectedPart.Codes.ToArray(), ofPart.Codes.ToArray());
        Tensor<float> turned = Tensor.PermuteDimensions(Tensor.Create(Values, [6, 32]), [1, 0]);
        float[] columns = Enumerable.Range(0, Values.Length).Select(i => Values[(i % 6 * 32) + (i / 6)]).ToArray();
        using QuantizedTensor ofTurned = turned.Quantize(config);
        using QuantizedTensor expectedTurned = QuantizedTensor.Quantize(columns, [32, 6], config);
        Assert.Equal(expectedTurned.Codes.ToArray(), ofTurned.Codes.ToArray());

        Half[] halves = Array.ConvertAll(Values, value => (Half)value);
        using QuantizedTensor ofHalves = Tensor.Create(halves, [6, 32]).Quantize(config);
        using QuantizedTensor expectedHalves = QuantizedTensor.Quantize(halves, [6, 32], config);
        Assert.Equal(expectedHalves.Codes.ToArray(), ofHalves.Codes.ToArray());
        Assert.Throws<ArgumentException>(() => Tensor.Create(new[] { 1, 2 }, [2]).Quantize(config));

        using var calibrator = new Calibrator();
        calibrator.Observe(tensor);
        Assert.Equal(Values.Max(Math.Abs), calibrator.GetRange().High);
    }

    [Fact]
    public void LayersRunOnTensors()
    {
        using Config config = Config.Parse("int8_per_channel");
        using QuantizedTensor weight = Tensor.Create(Samples.Values(5 * 8), [5, 8]).Quantize(config);
        using var linear = new QuantizedLinear(weight);
        Tensor<float> y = linear.Run(Tensor.Create(Values, [2, 12, 8]));
        Assert.Equal([2, 12, 5], y.Lengths.ToArray());
        Assert.Equal(linear.Run(Values), y.ToArray());
        Assert.Throws<ArgumentException>("x", () => linear.Run(Tensor.Create(Values, [24, 4, 2])));
        Assert.Throws<ArgumentException>(() => linear.Run(Values.AsSpan(0, 9)));

        foreach (ImageLayout layout in Enum.GetValues<ImageLayout>())
        {
            using var options = new OperatorOptions { Layout = layout };
            nint[] shape = layout == ImageLayout.Nchw ? [3, 2, 3, 3] : [3, 3, 3, 2];
            nint[] images = layout == ImageLayout.Nchw ? [2, 2, 6, 8] : [2, 6, 8, 2];
            using QuantizedTensor kernel = Tensor.Create(Samples.Values(54), shape).Quantize(config);
            using var convolution = new QuantizedConvolution(kernel, options);
            Tensor<float> output = convolution.Run(Tensor.Create(Values, images), layout: layout);
            Assert.Equal(
                layout == ImageLayout.Nchw ? [2, 3, 4, 6] : [2, 4, 6, 3],
                Array.ConvertAll(output.Lengths.ToArray(), length => (int)length));
            Assert.Equal(convolution.Run(Values, 2, 6, 8), output.ToArray());
            var apart = new float[2 * 3 * 4 * 6];
            convolution.Run(
                MatrixView.Of<float>(Values, 2, 96), 6, 8, MatrixSpan.Of<float>(apart, 2, 72));
            Assert.Equal(apart, output.ToArray());
            Assert.Throws<InvalidArgumentException>(() => convolution.Run(Values, 3, 6, 9));
        }
    }
}
