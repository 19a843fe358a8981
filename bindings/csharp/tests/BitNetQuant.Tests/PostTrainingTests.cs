using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

/// <summary>Static and calibrated quantization, and the one-call functions.</summary>
public sealed class PostTrainingTests
{
    [Fact]
    public void StaticParametersAreUsedAsTheyAre()
    {
        using var config = new Config
        {
            Format = Format.Int8, Granularity = Granularity.Tensor, Scheme = Scheme.Asymmetric,
        };
        var parameters = new QuantizationParameters([0.5f], [10]);

        using QuantizedTensor tensor = QuantizedTensor.QuantizeStatic(
            Floats(0f, 1f, -2f, 100f, -100f), [5], parameters, config, out long clamped);

        // code = round(x / scale) + zero point, in -128..127
        Assert.Equal([10, 12, 6, 127, -128], tensor.Unpack());
        Assert.Equal([0f, 1f, -2f, 58.5f, -69f], tensor.ToArray());
        Assert.Equal(2, clamped);
        Assert.Equal([0.5f], tensor.Scales.ToArray());
        Assert.Equal([10], tensor.ZeroPoints.ToArray());
    }

    [Fact]
    public void StaticParametersOfATensorGiveItBack()
    {
        float[] values = Samples.Values(6 * 40);
        using var config = new Config { Format = Format.Int4, GroupSize = 16, Scheme = Scheme.Asymmetric };
        using QuantizedTensor expected = QuantizedTensor.Quantize(values, [6, 40], config);
        var parameters = new QuantizationParameters([.. expected.Scales.Span], [.. expected.ZeroPoints.Span]);

        using QuantizedTensor tensor = QuantizedTensor.QuantizeStatic(
            SourceArray.Of(values, [6, 40]), parameters, config, out long clamped);

        Assert.Equal(expected.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(expected.Scales.ToArray(), tensor.Scales.ToArray());
        Assert.InRange(clamped, 0, 240);
    }

    [Fact]
    public void IllegalParametersAreRefused()
    {
        using var config = new Config { Format = Format.Int8, Granularity = Granularity.Tensor };
        void Refuse<T>(QuantizationParameters parameters, params float[] values) where T : Exception =>
            Assert.Throws<T>(() => QuantizedTensor.QuantizeStatic(values, [1], parameters, config, out _));

        Refuse<InvalidArgumentException>(new QuantizationParameters([], []), 1f);
        Refuse<InvalidArgumentException>(new QuantizationParameters([1f, 1f], []), 1f);
        Refuse<InvalidArgumentException>(new QuantizationParameters([1f], [0]), 1f);
        Refuse<InvalidArgumentException>(new QuantizationParameters([-1f], []), 1f);
        Refuse<InvalidArgumentException>(new QuantizationParameters([float.NaN], []), 1f);
        Refuse<NonFiniteException>(new QuantizationParameters([1f], []), float.NaN);
        Refuse<ArgumentException>(new QuantizationParameters([1f], []), 1f, 2f);
        Refuse<ArgumentNullException>(null!, 1f);
        config.Format = Format.Float16;
        Refuse<UnsupportedException>(new QuantizationParameters([], []), 1f);
    }

    [Theory]
    [InlineData(Granularity.Tensor)]
    [InlineData(Granularity.Channel)]
    public void CalibratedIsStaticWithTheCalibratorsParameters(Granularity granularity)
    {
        float[] batch = Samples.Values(8 * 5, 3);
        using var config = new Config
        {
            Format = Format.Int8, Granularity = granularity, Axis = 1, Scheme = Scheme.Asymmetric,
        };
        using Calibrator calibrator = Calibrator.For(config, CalibrationMethod.MinMax);
        calibrator.Observe(Array.ConvertAll(batch, value => value / 2), [8, 5]);

        using QuantizedTensor expected = QuantizedTensor.QuantizeStatic(
            batch, [8, 5], calibrator.GetParameters(config), config, out long expectedClamped);
        using QuantizedTensor tensor = QuantizedTensor.QuantizeCalibrated(
            batch, [8, 5], calibrator, config, out long clamped);
        using QuantizedTensor fromSource = QuantizedTensor.QuantizeCalibrated(
            SourceArray.Of(batch, [8, 5]), calibrator, config, out _);

        Assert.Equal(expected.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(expected.Codes.ToArray(), fromSource.Codes.ToArray());
        Assert.Equal(expectedClamped, clamped);
        Assert.InRange(clamped, 1, 39);
        config.Granularity = Granularity.Group;
        Assert.Throws<InvalidArgumentException>(
            () => QuantizedTensor.QuantizeCalibrated(batch, [8, 5], calibrator, config, out _));
        calibrator.Reset();
        config.Granularity = granularity;
        Assert.Throws<NoDataException>(
            () => QuantizedTensor.QuantizeCalibrated(batch, [8, 5], calibrator, config, out _));
    }

    public static TheoryData<CalibrationMethod> Methods => new(Enum.GetValues<CalibrationMethod>());

    [Theory]
    [MemberData(nameof(Methods))]
    public void AutoCalibratesOnTheArrayItself(CalibrationMethod method)
    {
        float[] values = Samples.Values(4096);
        using var config = new Config { Format = Format.Int4, Granularity = Granularity.Tensor };
        using Calibrator calibrator = Calibrator.For(config, method);
        calibrator.Observe(values, [64, 64]);
        using QuantizedTensor expected = QuantizedTensor.QuantizeCalibrated(values, [64, 64], calibrator, config, out _);

        using QuantizedTensor tensor = Quantization.QuantizeTensorAuto(values, [64, 64], config, method);
        using QuantizedTensor fromSource = Quantization.QuantizeTensorAuto(
            SourceArray.Of(values, [64, 64]), config, method);

        Assert.Equal(expected.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(expected.Scales.ToArray(), tensor.Scales.ToArray());
        Assert.Equal(expected.Codes.ToArray(), fromSource.Codes.ToArray());
        Assert.Throws<InvalidArgumentException>(
            () => Quantization.QuantizeTensorAuto(values, [64, 64], config, (CalibrationMethod)99));
        Assert.Throws<NoDataException>(() => Quantization.QuantizeTensorAuto([], [0], config, method));
        Assert.Throws<ArgumentNullException>(() => Quantization.QuantizeTensorAuto(values, [4096], null!, method));
    }

    [Fact]
    public void PercentileIsTheScaleRuleOfThatName()
    {
        float[] values = Samples.Values(1000);
        values[7] = 50; // what a percentile is for
        using var config = new Config { Format = Format.Int8, GroupSize = 50 };
        using var rule = config.Clone();
        rule.ScaleRule = ScaleRule.Percentile;
        rule.Percentile = 98;
        using QuantizedTensor expected = QuantizedTensor.Quantize(values, [10, 100], rule);
        using QuantizedTensor plain = QuantizedTensor.Quantize(values, [10, 100], config);

        using QuantizedTensor tensor = Quantization.QuantizeTensorPercentile(values, [10, 100], config, 98);
        using QuantizedTensor fromSource = Quantization.QuantizeTensorPercentile(
            SourceArray.Of(values, [10, 100]), config, 98);

        Assert.Equal(expected.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(expected.Codes.ToArray(), fromSource.Codes.ToArray());
        Assert.NotEqual(plain.Codes.ToArray(), tensor.Codes.ToArray());
        Assert.Equal(ScaleRule.Default, config.ScaleRule);
        Assert.Throws<InvalidArgumentException>(
            () => Quantization.QuantizeTensorPercentile(values, [1000], config, 101));
    }

    [Fact]
    public void PostTrainingQuantizationDoesWeightsAndActivations()
    {
        float[] weights = Samples.Values(10 * 32);
        float[][] batches = [Samples.Values(4 * 32, 5), Samples.Values(4 * 32, 6)];
        using Config config = Config.Preset("int4_per_group_32");
        using Config activationConfig = Config.Preset("int8_asymmetric");

        using PostTrainingResult result = Quantization.PostTrainingQuantization(
            SourceArray.Of(weights, [10, 32]), config, batches.Select(batch => SourceArray.Of(batch, [4, 32])),
            activationConfig, CalibrationMethod.MinMax);

        using QuantizedTensor expected = QuantizedTensor.Quantize(weights, [10, 32], config);
        Assert.Equal(expected.Codes.ToArray(), result.Weights.Codes.ToArray());
        float range = batches.SelectMany(batch => batch).Max() - batches.SelectMany(batch => batch).Min();
        Assert.Equal(range / 255, Assert.Single(result.Activations.Scales), 1e-6f);
        using QuantizedTensor input = QuantizedTensor.QuantizeStatic(
            batches[0], [4, 32], result.Activations, activationConfig, out long clamped);
        Assert.InRange(clamped, 0, 1); // the zero point is rounded, and so one end may lie beyond the codes
        Assert.InRange(input.Compare(batches[0]).SqnrDb, 40, 60);
        Assert.Throws<NoDataException>(() => Quantization.PostTrainingQuantization(
            SourceArray.Of(weights, [320]), config, [], activationConfig, CalibrationMethod.KL));
    }

    [Fact]
    public void AdaptiveFollowsTheRangeInBoundedSteps()
    {
        using Config config = Config.Preset("int8_symmetric");
        using var quantizer = new AdaptiveActivationQuantizer(config);
        quantizer.Calibrator.Averaging = 1;
        config.Format = Format.Ternary; // it has its own copy

        quantizer.Quantize(Floats(1f, -1f), [2], out long clamped).Dispose();
        Assert.Equal((0, new ValueRange(-1, 1)), (clamped, Assert.Single(quantizer.GetRanges())));

        // The width is 2: each end moves out by at most 0.5 of it, then (4) in by at most 0.1 of that in both.
        using QuantizedTensor wild = quantizer.Quantize(Floats(100f, -100f, 0.5f), [3], out clamped);
        Assert.Equal((2, new ValueRange(-2, 2)), (clamped, Assert.Single(quantizer.GetRanges())));
        Assert.Equal([127, -127, 32], wild.Unpack());
        quantizer.Quantize(SourceArray.Of(Floats(0f, 0f), [2]), out clamped).Dispose();
        Assert.Equal(1.8f, Assert.Single(quantizer.GetRanges()).High, 1e-6f);

        quantizer.Reset();
        quantizer.Quantize(Floats(100f, -100f), [2], out clamped).Dispose();
        Assert.Equal((0, new ValueRange(-100, 100)), (clamped, Assert.Single(quantizer.GetRanges())));
        Assert.Throws<NonFiniteException>(() => quantizer.Quantize(Floats(float.NaN), [1], out _));
        Assert.Throws<ArgumentNullException>(() => new AdaptiveActivationQuantizer(null!));
    }

    [Fact]
    public void ErrorsAreCountedInBins()
    {
        float[] original = [1f, 2f, 3f, 4f];
        float[] other = [2f, 2f, 2.5f, 2f]; // errors -1, 0, 0.5, 2 in bins of [-2, -1) [-1, 0) [0, 1) [1, 2]

        ErrorHistogram histogram = ErrorHistogram.Compare(original, other, 4);
        ErrorHistogram mixed = ErrorHistogram.Compare(
            SourceArray.Of(original, [2, 2]),
            SourceArray.Of(Array.ConvertAll(other, value => (Half)value), [2, 2]), 4);
        ErrorHistogram same = ErrorHistogram.Compare(original, original, 3);

        Assert.Equal<long>([0, 1, 2, 1], histogram.Counts);
        Assert.Equal(2, histogram.MaxError);
        Assert.InRange(histogram.KLDivergence, 1, 30);
        Assert.Equal(histogram.Counts, mixed.Counts.AsEnumerable());
        Assert.Equal((histogram.MaxError, histogram.KLDivergence), (mixed.MaxError, mixed.KLDivergence));
        Assert.Equal<long>([0, 4, 0], same.Counts);
        Assert.Equal((0.0, 0.0), (same.MaxError, same.KLDivergence));
        Assert.Throws<ArgumentException>(() => ErrorHistogram.Compare(original, other.AsSpan(1), 4));
        Assert.Throws<InvalidArgumentException>(() => ErrorHistogram.Compare(original, other, 1));
        Assert.Throws<InvalidArgumentException>(() => ErrorHistogram.Compare(original, other, 65537));
        Assert.Throws<ArgumentOutOfRangeException>(() => ErrorHistogram.Compare(original, other, -1));
        Assert.Throws<NoDataException>(() => ErrorHistogram.Compare([], Array.Empty<float>(), 4));
        Assert.Throws<NonFiniteException>(() => ErrorHistogram.Compare(Floats(float.NaN), Floats(1f), 4));
    }

    [Fact]
    public void TensorsCompareAsWhatTheyDequantizeTo()
    {
        float[] values = Samples.Values(30 * 40);
        using var config = new Config { Format = Format.NF4, GroupSize = 32 };
        using QuantizedTensor tensor = QuantizedTensor.Quantize(values, [30, 40], config);

        ErrorHistogram expected = ErrorHistogram.Compare(values, tensor.ToArray(), 50);
        ErrorHistogram actual = tensor.CompareHistogram(values, 50);
        ErrorHistogram fromSource = tensor.CompareHistogram(SourceArray.Of(values, [30, 40]), 50);

        Assert.Equal(expected.Counts, actual.Counts.AsEnumerable());
        Assert.Equal(expected.Counts, fromSource.Counts.AsEnumerable());
        Assert.Equal((expected.MaxError, expected.KLDivergence), (actual.MaxError, actual.KLDivergence));
        Assert.Equal(1200, actual.Counts.Sum());
        Assert.Equal(actual.MaxError, tensor.Compare(values).MaxError);
        Assert.Throws<ArgumentException>(() => tensor.CompareHistogram(values.AsSpan(1), 50));
    }

    [Fact]
    public void ModelFilesGetTheParametersOfTheirActivations()
    {
        using var directory = new TemporaryDirectory();
        string model = directory.Model();
        using var weights = new Config { Format = Format.Int4, GroupSize = 8 };
        using Config activations = Config.Preset("int8_asymmetric");
        using var plan = new Plan().Add("*", weights, minRank: 2);
        using var calibration = new Calibration();
        calibration.Observe("layer", Floats(-1f, 3f), [2]);
        var seen = new List<ModelProgress>();

        Report report = Model.PostTrainingQuantize(
            model, directory["out.bnq"], plan, calibration, activations, progress: new Receiver(seen.Add));
        Model.PostTrainingQuantize(model, directory["symmetric.bnq"], plan, calibration);

        Assert.Contains(report.Rows, row => row.Name == "layer.weight" && row.Format == Format.Int4);
        QuantizationParameters expected = calibration["layer"].GetParameters(activations);
        using (ModelFile file = ModelFile.Open(directory["out.bnq"]))
        {
            Assert.Equal(expected.Scales, file.Read<float>("layer.input_scale").AsEnumerable());
            Assert.Equal(expected.ZeroPoints, file.Read<sbyte>("layer.input_zero_point").AsEnumerable());
            using QuantizedTensor tensor = file.ReadTensor("layer.weight");
            using QuantizedTensor wanted = QuantizedTensor.Quantize(Samples.Values(240), [12, 20], weights);
            Assert.Equal(wanted.Codes.ToArray(), tensor.Codes.ToArray());
        }

        using (ModelFile file = ModelFile.Open(directory["symmetric.bnq"]))
        {
            Assert.Equal(3f / 127, Assert.Single(file.Read<float>("layer.input_scale")));
            Assert.False(file.Contains("layer.input_zero_point"));
        }

        Assert.Equal(seen[^1].Total, seen[^1].Done);
    }

    [Fact]
    public void ModelFilesAreRefusedOrCancelledWithoutATrace()
    {
        using var directory = new TemporaryDirectory();
        string model = directory.Model();
        using var plan = new Plan();
        using var calibration = new Calibration();
        calibration.Observe("layer", Floats(1f), [1]);
        var thrown = new TimeoutException("the receiver's own");
        using var source = new CancellationTokenSource();
        void Quantize(Action<ModelProgress>? progress = null) => Model.PostTrainingQuantize(
            model, directory["out.bnq"], plan, calibration, progress: progress is null ? null : new Receiver(progress),
            cancellationToken: source.Token);

        Assert.Same(thrown, Assert.Throws<TimeoutException>(() => Quantize(_ => throw thrown)));
        Assert.Throws<OperationCanceledException>(() => Quantize(_ => source.Cancel()));
        Assert.Throws<ArgumentNullException>(() => Model.PostTrainingQuantize(model, "x", plan, null!));
        Assert.Throws<NotFoundException>(() => Model.PostTrainingQuantize(
            directory["missing"], directory["out.bnq"], plan, calibration));
        Assert.Equal(["model.safetensors"], directory.Files);
        using (var writer = new ModelWriter(directory["named.safetensors"], ModelFileKind.Safetensors))
        {
            writer.Add("layer.input_scale", Floats(1f), [1]);
            writer.Finish();
        }

        Assert.Throws<InvalidArgumentException>(() => Model.PostTrainingQuantize(
            directory["named.safetensors"], directory["out.bnq"], plan, calibration));
        Assert.False(File.Exists(directory["out.bnq"]));
    }
}
