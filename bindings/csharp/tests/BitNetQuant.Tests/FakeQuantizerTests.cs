using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

/// <summary>Fake quantization and its gradients.</summary>
public sealed class FakeQuantizerTests
{
    private static readonly long[] Shape = [6, 96];

    private static readonly float[] Weights = Values(6 * 96);

    private static FakeQuantizer Quantizer(string config, TrainingOptions? training = null)
    {
        using Config parsed = Config.Parse(config);
        return new FakeQuantizer(parsed, training);
    }

    [Theory]
    [InlineData("int4,granularity=group,group_size=32")]
    [InlineData("int8_asymmetric")]
    [InlineData("int4,granularity=group,group_size=32,scheme=offset")]
    [InlineData("ternary")]
    [InlineData("nf4")]
    [InlineData("f16")]
    public void ValuesAreThoseOfATensor(string text)
    {
        using Config config = Config.Parse(text);
        using FakeQuantizer quantizer = Quantizer(text);
        using var context = new Context(3);
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Weights, Shape, config);

        MeasuredFake measured = quantizer.QuantizeAndMeasure(Weights, Shape, context: context);

        Assert.Equal(tensor.ToArray(), measured.Fake.Values);
        Assert.Equal(quantizer.GetParameterCount(Shape), measured.Fake.Parameters.Scales.Length);
        Assert.Equal(measured.Clipped.Count(clipped => clipped), measured.ClippedCount);
        Assert.Equal(text == "ternary", measured.ClippedCount > 0);
        Assert.Equal(tensor.Compare(Weights), measured.Metrics);
        double[] wide = Array.ConvertAll(Weights, value => (double)value);
        Assert.Equal(measured.Fake.Values, quantizer.Quantize(SourceArray.Of(wide, Shape)).Values);

        // In place, and with what was found.
        float[] own = [.. Weights];
        bool scales = !measured.Fake.Parameters.Scales.IsEmpty;
        quantizer.Quantize(own, Shape, own, scales ? measured.Fake.Parameters : null);
        Assert.Equal(measured.Fake.Values, own);
    }

    [Fact]
    public void StatisticsAreOfAllStepsInAnyOrder()
    {
        using var one = new TrainingStatistics();
        using var other = new TrainingStatistics();
        Assert.True(double.IsNaN(one.Summary.Mse));
        string[] texts = ["int4", "ternary", "int8"];
        var measured = new MeasuredFake[texts.Length];
        for (int i = 0; i < texts.Length; i++)
        {
            using FakeQuantizer quantizer = Quantizer(texts[i]);
            var values = new float[Weights.Length];
            measured[i] = quantizer.QuantizeAndMeasure(Weights, Shape);
            QuantizationParameters used = quantizer.QuantizeAndRecord(Weights, Shape, values, one);
            Assert.Equal(measured[i].Fake.Values, values);
            quantizer.QuantizeAndRecord(Weights, Shape, values, other, used);
        }

        TrainingSummary summary = one.Summary;
        Assert.Equal((3, 3 * Weights.Length), (summary.Steps, summary.Elements));
        Assert.Equal(measured.Sum(each => each.ClippedCount), summary.Clipped);
        Assert.Equal(measured.Average(each => each.Metrics.Mse), summary.Mse, 1e-12);
        using var restored = TrainingStatistics.FromBytes(one.ToBytes());
        one.Merge(other);
        other.Merge(restored);
        Assert.Equal(one.ToBytes(), other.ToBytes());
        Assert.Equal(summary.Mse, one.Summary.Mse);
        Assert.Throws<CorruptFileException>(() => TrainingStatistics.FromBytes([1, 2]));
    }

    [Fact]
    public void BadArgumentsAreNamed()
    {
        using FakeQuantizer quantizer = Quantizer("int8,granularity=channel,scheme=asymmetric");
        float[] scales = [.. Enumerable.Repeat(1f, 6)];
        void Refuse<T>(string part, QuantizationParameters? parameters, float[]? values = null, int? length = null)
            where T : Exception
        {
            values ??= Weights;
            var destination = new float[length ?? Weights.Length];
            var error = Assert.Throws<T>(() => { quantizer.Quantize(values, Shape, destination, parameters); });
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        }

        Refuse<ArgumentException>("ZeroPoints", new QuantizationParameters([.. scales], [1, 2]));
        Refuse<InvalidArgumentException>("zero", new QuantizationParameters([.. scales], []));
        Refuse<InvalidArgumentException>("param_count", new QuantizationParameters([1f], [0]));
        Refuse<InvalidArgumentException>("out_bytes", null, length: 5);
        Refuse<ArgumentException>("values", null, values: [1f]);
        Refuse<NonFiniteException>("", null, values: [.. Weights.Skip(1), float.NaN]);
        Assert.Throws<InvalidArgumentException>(() => quantizer.GetRangeParameters(1, -1));
        var one = new QuantizationParameters([1f], [0]);
        Assert.Throws<InvalidArgumentException>(() => quantizer.Gradient(Weights, Weights, Shape, one));
        Assert.Throws<ArgumentException>(() => quantizer.Gradient(Weights, Floats(1f), Shape, one));
    }

    /// <summary>The goldens of PyTorch's learnable fake quantization.</summary>
    [Theory]
    [InlineData(0, -0.2f)]
    [InlineData(1, 127f)]
    [InlineData(2, -128f)]
    public void GradientsOfLearnedParameters(int index, float slope)
    {
        using FakeQuantizer quantizer = Quantizer("int8,granularity=channel,scheme=asymmetric");
        var parameters = new QuantizationParameters([0.25f], [0]);
        var dy = new float[3];
        dy[index] = 1;

        FakeGradients gradients = quantizer.Gradient(Floats(0.3f, 40, -40), dy, [1, 3], parameters);

        Assert.Equal(slope, Assert.Single(gradients.Parameters.Scales), 1e-6f);
        Assert.Equal([index == 0 ? 0 : -0.25f], gradients.Parameters.Shifts.ToArray());
        Assert.Equal(index == 0 ? 1 : 0, gradients.Values[index]);
        Assert.Equal([index == 2 ? 1 : 0, index == 1 ? 1 : 0], gradients.Parameters.Ends.ToArray());

        // In the place of dy.
        ParameterGradients again = quantizer.Gradient(Floats(0.3f, 40, -40), dy, [1, 3], dy, parameters);
        Assert.Equal(gradients.Values, dy);
        Assert.Equal(gradients.Parameters.Scales.ToArray(), again.Scales.ToArray());
    }

    /// <summary>int8 codes to 127: of scale 1, 200 is clipped by 73.</summary>
    [Theory]
    [InlineData(GradientEstimator.Clipped, 0)]
    [InlineData(GradientEstimator.StraightThrough, 4)]
    [InlineData(GradientEstimator.Soft, 0.6314)]
    [InlineData(GradientEstimator.Slope, 2)]
    public void GradientsOfEveryEstimator(GradientEstimator estimator, double expected)
    {
        using var training = new TrainingOptions { Estimator = estimator, Slope = 0.5, Width = 1 };
        using FakeQuantizer quantizer = Quantizer("int8,granularity=tensor", training);
        if (estimator == GradientEstimator.Soft)
        {
            expected = 4 * (1 - Math.Pow(Math.Tanh(200.0 / 127), 2));
        }

        FakeGradients gradients = quantizer.Gradient(
            Floats(0, 200), Floats(2, 4), [2], new QuantizationParameters([1f], []));

        Assert.Equal(2, gradients.Values[0]);
        Assert.Equal(expected, gradients.Values[1], 1e-6);
        if (estimator == GradientEstimator.Slope)
        {
            Assert.Equal(4 * 73, gradients.Parameters.Slope);
        }
    }

    [Fact]
    public void PactClipsAtTheRange()
    {
        using FakeQuantizer quantizer = Quantizer("int4,granularity=tensor,scheme=asymmetric");
        float[] values = Array.ConvertAll(Weights, value => Math.Abs(value) + 0.25f);
        QuantizationParameters parameters = quantizer.GetRangeParameters(0, 0.75f);

        MeasuredFake measured = quantizer.QuantizeAndMeasure(values, Shape, parameters);

        Assert.Equal(0.75f, measured.Fake.Values.Max(), 1e-6f);
        Assert.True(measured.ClippedCount > 0);
        float[] dy = [.. Enumerable.Repeat(1f, values.Length)];
        FakeGradients gradients = quantizer.Gradient(values, dy, Shape, parameters);
        Assert.Equal([0, measured.ClippedCount], gradients.Parameters.Ends.ToArray());
    }

    [Theory]
    [InlineData(TrainingNoise.Uniform)]
    [InlineData(TrainingNoise.Gaussian)]
    public void NoiseIsDrawnByTheSeed(TrainingNoise noise)
    {
        float[] With(TrainingNoise kind, long seed, int threads)
        {
            using var training = new TrainingOptions { Noise = kind, Seed = seed };
            using FakeQuantizer quantizer = Quantizer("int4", training);
            using var context = new Context(threads);
            return quantizer.Quantize(Weights, Shape, context: context).Values;
        }

        float[] first = With(noise, 1, 1);
        Assert.Equal(first, With(noise, 1, 3));
        Assert.NotEqual(first, With(noise, 2, 1));
        Assert.NotEqual(first, With(TrainingNoise.None, 1, 1));
    }

    [Fact]
    public void SoftAndImprobableQuantizationLeavesValues()
    {
        using var soft = new TrainingOptions { Temperature = 1 };
        using var never = new TrainingOptions { Probability = 0, ProbabilityOf = DrawnBy.Layer };
        foreach (TrainingOptions training in new[] { soft, never })
        {
            using FakeQuantizer quantizer = Quantizer("int4", training);
            Assert.Equal(Weights, quantizer.Quantize(Weights, Shape).Values);
        }
    }

    [Fact]
    public void OptionsAreThoseOfTheLibrary()
    {
        using var training = new TrainingOptions
        {
            Estimator = GradientEstimator.Slope, Slope = 0.1, GradientFactor = true, Seed = 7,
        };
        training.Set("noise", "gaussian");

        using TrainingOptions copy = training.Clone();

        Assert.Equal(training.ToDictionary(), copy.ToDictionary());
        Assert.Equal((0.1, true, 7), (copy.Slope, copy.GradientFactor, copy.Seed));
        Assert.Equal(TrainingNoise.Gaussian, copy.Noise);
        Assert.Throws<InvalidArgumentException>(() => training.Temperature = 2);
        Assert.Throws<NotFoundException>(() => training.Set("slop", "1"));

        // A quantizer has copies.
        using FakeQuantizer quantizer = Quantizer("int4", training);
        training.Estimator = GradientEstimator.Soft;
        using TrainingOptions own = quantizer.GetTraining();
        using Config config = quantizer.GetConfig();
        Assert.Equal((GradientEstimator.Slope, Format.Int4), (own.Estimator, config.Format));
    }

    [Fact]
    public void ThreadsShareOneAndATokenStopsIt()
    {
        using FakeQuantizer quantizer = Quantizer("int4");
        float[] expected = quantizer.Quantize(Weights, Shape).Values;
        Parallel.For(0, 8, _ => Assert.Equal(expected, quantizer.Quantize(Weights, Shape).Values));

        using var source = new CancellationTokenSource();
        using var context = new Context();
        context.SetCancellation(source.Token);
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(
            () => quantizer.Quantize(new float[1 << 20], [1 << 10, 1 << 10], context: context));
    }
}
