using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>The whole way on a real network: calibrate, quantize the model file, run it from what the file
/// holds.</summary>
public sealed class DigitsTests
{
    private const int Layers = 3;

    private readonly float[] _images;
    private readonly byte[] _labels;

    public DigitsTests()
    {
        using ModelFile test = ModelFile.Open(SourceTree.Models("digits_test.safetensors"));
        _images = Array.ConvertAll(test.Read<byte>("images"), pixel => pixel / 16f);
        _labels = test.Read<byte>("labels");
    }

    [Theory]
    [InlineData(CalibrationMethod.MinMax, "int8_symmetric")]
    [InlineData(CalibrationMethod.Percentile, "int8_asymmetric")]
    [InlineData(CalibrationMethod.KL, "int8_asymmetric")]
    [InlineData(CalibrationMethod.Mse, "int8_asymmetric")]
    public void EightBitsOfWeightsAndActivationsLoseLessThanOnePoint(CalibrationMethod method, string activations)
    {
        using var directory = new TemporaryDirectory();
        using Config weightConfig = Config.Preset("int8_per_channel");
        using Config activationConfig = Config.Preset(activations);
        using var plan = new Plan().Add("*.weight", weightConfig);
        using Calibrator prototype = Calibrator.For(activationConfig, method);
        using var calibration = new Calibration(prototype);
        string model = SourceTree.Models("digits.safetensors");
        using ModelFile original = ModelFile.Open(model);

        // Half of the images calibrate, in batches; all are then classified.
        for (int begin = 0; begin < _labels.Length / 2; begin += 45)
        {
            Classify(
                _images.AsSpan(begin * 64, 45 * 64).ToArray(), name => original.Read<float>(name),
                (layer, x) =>
                {
                    calibration.Observe(layer, x, [45, x.Length / 45]);
                    return x;
                });
        }

        Model.PostTrainingQuantize(model, directory["digits.bnq"], plan, calibration, activationConfig);

        using ModelFile quantized = ModelFile.Open(directory["digits.bnq"]);
        double before = Accuracy(Classify(_images, name => original.Read<float>(name), (_, x) => x));
        double after = Accuracy(Classify(
            _images,
            name =>
            {
                if (quantized[name].Format == Format.None)
                {
                    return quantized.Read<float>(name);
                }

                using QuantizedTensor tensor = quantized.ReadTensor(name);
                return tensor.ToArray();
            },
            (layer, x) =>
            {
                var parameters = new QuantizationParameters(
                    [.. quantized.Read<float>($"{layer}.input_scale")],
                    quantized.Contains($"{layer}.input_zero_point")
                        ? [.. quantized.Read<sbyte>($"{layer}.input_zero_point")]
                        : []);
                using QuantizedTensor codes = QuantizedTensor.QuantizeStatic(
                    x, [x.Length], parameters, activationConfig, out _);
                Assert.InRange(codes.Compare(x).SqnrDb, 20, 60);
                return codes.ToArray();
            }));

        Assert.InRange(before, 0.97, 1);
        Assert.InRange(after, before - 0.01, 1);
    }

    [Fact]
    public void RangesThatLeaveAnOutlierOutServeTheOthers()
    {
        using ModelFile original = ModelFile.Open(SourceTree.Models("digits.safetensors"));
        float[] weights = original.Read<float>("layers.0.weight");
        weights[17] = 5; // some forty deviations
        using var config = new Config { Format = Format.Int8, Granularity = Granularity.Tensor };
        double ErrorOfOthers(QuantizedTensor tensor)
        {
            using (tensor)
            {
                float[] restored = tensor.ToArray();
                restored[17] = weights[17];
                return Metrics.Compare(weights, restored).Mse;
            }
        }

        double Auto(CalibrationMethod method) =>
            ErrorOfOthers(Quantization.QuantizeTensorAuto(weights, [128, 64], config, method));

        double minMax = Auto(CalibrationMethod.MinMax);
        double percentile = ErrorOfOthers(Quantization.QuantizeTensorPercentile(weights, [128, 64], config, 99.9));

        Assert.InRange(Auto(CalibrationMethod.KL), 0, minMax / 10);
        Assert.InRange(percentile, 0, minMax / 10);
    }

    private double Accuracy(int[] digits) =>
        digits.Zip(_labels, (digit, label) => digit == label ? 1.0 : 0.0).Average();

    /// <summary>A perceptron with ReLU; quantize is given the input of each layer, and returns what it takes.</summary>
    private static int[] Classify(
        float[] images, Func<string, float[]> read, Func<string, float[], float[]> quantize)
    {
        int count = images.Length / 64;
        float[] x = images;
        for (int layer = 0; layer < Layers; layer++)
        {
            x = quantize($"layers.{layer}", x);
            float[] weight = read($"layers.{layer}.weight");
            float[] bias = read($"layers.{layer}.bias");
            int inputs = weight.Length / bias.Length;
            var y = new float[count * bias.Length];
            for (int i = 0; i < y.Length; i++)
            {
                (int row, int column) = Math.DivRem(i, bias.Length);
                float sum = bias[column];
                for (int k = 0; k < inputs; k++)
                {
                    sum += x[(row * inputs) + k] * weight[(column * inputs) + k];
                }

                y[i] = layer + 1 < Layers ? Math.Max(sum, 0) : sum;
            }

            x = y;
        }

        return x.Chunk(10).Select(scores => Array.IndexOf(scores, scores.Max())).ToArray();
    }
}
