using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class CalibratorTests
{
    // Exact in every type, so all types give the same.
    private static readonly float[] Exact = [0.5f, -1f, 0.25f, 2f, -0.125f, 0f];

    [Fact]
    public void StartsWithTheDocumentedDefaults()
    {
        using var calibrator = new Calibrator();

        Assert.Equal(CalibrationMethod.MinMax, calibrator.Method);
        Assert.Equal((Granularity.Tensor, -1), (calibrator.Granularity, calibrator.Axis));
        Assert.Equal(Scheme.Symmetric, calibrator.Scheme);
        Assert.Equal((2048, 8, 0), (calibrator.Bins, calibrator.Bits, calibrator.Levels));
        Assert.Equal((0.01, 0.5, 0.1), (calibrator.Averaging, calibrator.MaxGrowth, calibrator.MaxShrink));
        Assert.Equal(99.99, calibrator.Percentile);
        Assert.Equal((KLVariant.TensorRT, MseVariant.Exhaustive), (calibrator.KLVariant, calibrator.MseVariant));
        Assert.Equal((NonFiniteObservation.Error, OutlierRule.None), (calibrator.NonFinite, calibrator.Outliers));
        Assert.Equal((99.9, 6.0), (calibrator.OutlierPercentile, calibrator.OutlierDeviations));
        Assert.Equal((false, false), (calibrator.KeepMoments, calibrator.KeepHistogram));
        Assert.Equal((0, 0, false), (calibrator.ChannelCount, calibrator.BatchCount, calibrator.IsReadOnly));
    }

    [Fact]
    public void PropertiesAndNamesReachTheSameOptions()
    {
        using var calibrator = new Calibrator
        {
            Method = CalibrationMethod.KL, Granularity = Granularity.Channel, Axis = -1, Scheme = Scheme.Asymmetric,
            Bins = 128, Bits = 4, Levels = 10, Averaging = 0.5, MaxGrowth = 2, MaxShrink = 0.25, Percentile = 99,
            KLVariant = KLVariant.OnnxRuntime, MseVariant = MseVariant.PyTorch, NonFinite = NonFiniteObservation.Skip,
            Outliers = OutlierRule.Deviations, OutlierPercentile = 98, OutlierDeviations = 3, KeepMoments = true,
            KeepHistogram = true,
        };

        Dictionary<string, string> options = calibrator.ToDictionary();

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["method"] = "kl", ["granularity"] = "channel", ["axis"] = "-1", ["scheme"] = "asymmetric",
                ["bins"] = "128", ["bits"] = "4", ["levels"] = "10", ["averaging"] = "0.5", ["max_growth"] = "2",
                ["max_shrink"] = "0.25", ["percentile"] = "99", ["kl_variant"] = "onnxruntime", ["mse_variant"] = "pytorch",
                ["non_finite"] = "skip", ["outliers"] = "deviations", ["outlier_percentile"] = "98",
                ["outlier_deviations"] = "3", ["moments"] = "on", ["histogram"] = "on",
            },
            options);
        using Calibrator named = Calibrator.FromDictionary(options);
        Assert.Equal(options, named.ToDictionary());
        Assert.Equal(
            (CalibrationMethod.KL, Granularity.Channel, -1, Scheme.Asymmetric, 128, 4, 10),
            (named.Method, named.Granularity, named.Axis, named.Scheme, named.Bins, named.Bits, named.Levels));
        Assert.Equal(
            (0.5, 2.0, 0.25, 99.0, 98.0, 3.0),
            (named.Averaging, named.MaxGrowth, named.MaxShrink, named.Percentile, named.OutlierPercentile,
                named.OutlierDeviations));
        Assert.Equal(
            (KLVariant.OnnxRuntime, MseVariant.PyTorch, NonFiniteObservation.Skip, OutlierRule.Deviations, true, true),
            (named.KLVariant, named.MseVariant, named.NonFinite, named.Outliers, named.KeepMoments,
                named.KeepHistogram));
    }

    // Driven by the library, so that an option added to it is tested as well.
    [Fact]
    public void EveryOptionHasItsDefaultAndItsBounds()
    {
        using var calibrator = new Calibrator();
        Assert.NotEmpty(Library.CalibrationOptions);
        Assert.All(Library.CalibrationOptions, option =>
        {
            int index = (int)(option.Default - option.Minimum);
            Assert.Equal(
                option.ValueNames.IsEmpty ? option.Default.ToString(CultureInfo.InvariantCulture) : option.ValueNames[index],
                calibrator.Get(option.Name));
            string below = (option.Minimum - 1).ToString(CultureInfo.InvariantCulture);
            var error = Assert.Throws<InvalidArgumentException>(() => calibrator.Set(option.Name, below));
            Assert.Contains(option.Name, error.Message, StringComparison.Ordinal);
        });
        Assert.Equal(
            Enum.GetValues<CalibrationMethod>().Length,
            Library.CalibrationOptions.Single(option => option.Name == "method").ValueNames.Length);
        Assert.Throws<NotFoundException>(() => calibrator.Set("colour", "red"));
        Assert.Throws<NotFoundException>(() => calibrator.Get("colour"));
        Assert.Throws<InvalidArgumentException>(() => calibrator.Granularity = Granularity.Group);
        Assert.Throws<InvalidArgumentException>(
            () => Calibrator.FromDictionary(new Dictionary<string, string> { ["bins"] = "1" }));
    }

    [Fact]
    public void EveryInputTypeGivesTheSame()
    {
        long[] shape = [2, 3];
        Half[] halves = Array.ConvertAll(Exact, value => (Half)value);
        ushort[] bfloat16 = Array.ConvertAll(Exact, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
        Action<Calibrator>[] observations =
        [
            calibrator => calibrator.Observe(Exact, shape),
            calibrator => calibrator.Observe(Array.ConvertAll(Exact, value => (double)value), shape),
            calibrator => calibrator.Observe(halves, shape),
            calibrator => calibrator.Observe(MemoryMarshal.AsBytes<Half>(halves), DataType.Float16, shape),
            calibrator => calibrator.Observe(SourceArray.Of<ushort>(bfloat16, DataType.BFloat16, shape)),
        ];
        var results = observations.Select(observe =>
        {
            using var calibrator = new Calibrator
            {
                KeepMoments = true, KeepHistogram = true, Granularity = Granularity.Channel, Axis = 1,
            };
            observe(calibrator);
            return calibrator.ToBytes();
        }).ToArray();

        Assert.All(results, bytes => Assert.Equal(results[0], bytes));
    }

    [Fact]
    public void ChannelsHaveTheirOwnRanges()
    {
        using var config = new Config
        {
            Format = Format.Int8, Granularity = Granularity.Channel, Axis = 1, Scheme = Scheme.Asymmetric,
        };
        using Calibrator calibrator = Calibrator.For(config);
        calibrator.Observe(Exact, [2, 3]);

        Assert.Equal((3, 1), (calibrator.ChannelCount, calibrator.BatchCount));
        Assert.Equal<ValueRange>([new(0.5f, 2f), new(-1f, -0.125f), new(0f, 0.25f)], calibrator.GetRanges());
        Assert.Equal((2, -1.0), (calibrator.GetStatistics(1).Count, calibrator.GetStatistics(1).Minimum));
        Assert.Equal((6, 2.0), (calibrator.GetStatistics().Count, calibrator.GetStatistics().Maximum));
        Assert.Throws<InvalidArgumentException>(() => calibrator.GetRange());
        Assert.Throws<InvalidArgumentException>(() => calibrator.GetStatistics(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => calibrator.GetStatistics(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => calibrator.GetHistogram(-1));
        Assert.Throws<InvalidArgumentException>(() => calibrator.Observe(new float[8], [2, 4]));
        QuantizationParameters parameters = calibrator.GetParameters(config);
        Assert.Equal((3, 3), (parameters.Scales.Length, parameters.ZeroPoints.Length));
        config.Scheme = Scheme.Symmetric;
        Assert.Empty(calibrator.GetParameters(config).ZeroPoints);
    }

    [Theory]
    [InlineData("int8_asymmetric", 8, Granularity.Tensor)]
    [InlineData("int8_per_channel,axis=-2", 8, Granularity.Channel)]
    [InlineData("format=int4,granularity=tensor", 4, Granularity.Tensor)]
    [InlineData("ternary", 2, Granularity.Tensor)]
    public void CalibratorsForAConfigHaveItsOptions(string text, int bits, Granularity granularity)
    {
        using Config config = Config.Parse(text);
        using Calibrator calibrator = Calibrator.For(config, CalibrationMethod.Mse);

        Assert.Equal((CalibrationMethod.Mse, bits, config.Scheme), (calibrator.Method, calibrator.Bits, calibrator.Scheme));
        Assert.Equal((granularity, config.Axis), (calibrator.Granularity, calibrator.Axis));
        Assert.Throws<ArgumentNullException>(() => Calibrator.For(null!));
        using Config groups = Config.Parse("int4_per_group_32");
        Assert.Throws<InvalidArgumentException>(() => Calibrator.For(groups));
        Assert.Throws<InvalidArgumentException>(() => Calibrator.For(config, (CalibrationMethod)99));
    }

    [Fact]
    public void AskingBeforeThereAreDataIsNoData()
    {
        using var config = new Config { Format = Format.Int8 };
        using var calibrator = new Calibrator { KeepHistogram = true };
        void RequireNone()
        {
            Assert.Throws<NoDataException>(() => calibrator.GetRange());
            Assert.Throws<NoDataException>(() => calibrator.GetRanges());
            Assert.Throws<NoDataException>(() => calibrator.GetStatistics());
            Assert.Throws<NoDataException>(() => calibrator.GetHistogram());
            Assert.Throws<NoDataException>(() => calibrator.GetParameters(config));
        }

        RequireNone();
        calibrator.Observe(Array.Empty<float>(), [0, 5]);
        RequireNone();
        calibrator.Observe(Exact, [6]);
        Assert.Equal(new ValueRange(-2, 2), calibrator.GetRange());
        calibrator.Reset();
        RequireNone();
        Assert.True(calibrator.KeepHistogram);
    }

    [Fact]
    public void RefusedBatchesLeaveItAsItWas()
    {
        using var calibrator = new Calibrator { KeepHistogram = true };
        calibrator.Observe(Exact, [6]);
        byte[] before = calibrator.ToBytes();

        var error = Assert.Throws<NonFiniteException>(
            () => calibrator.Observe(Floats(100f, float.PositiveInfinity), [2]));

        Assert.Contains("1", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => calibrator.Observe(Exact, [7]));
        Assert.Throws<ArgumentNullException>(() => calibrator.Observe(null!));
        Assert.Throws<UnsupportedException>(() => calibrator.Observe(new byte[2], DataType.UInt8, [2]));
        Assert.Equal(before, calibrator.ToBytes());
    }

    [Fact]
    public void OptionsOfTheSearchCanBeChangedWithData()
    {
        using var calibrator = new Calibrator { Method = CalibrationMethod.Percentile, Percentile = 75 };
        calibrator.Observe(Samples.Values(5000), [5000]);
        ValueRange narrow = calibrator.GetRange();

        calibrator.Percentile = 100;

        Assert.True(calibrator.GetRange().High > narrow.High);
        var error = Assert.Throws<InvalidArgumentException>(() => calibrator.Bins = 64);
        Assert.Contains("bins", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidArgumentException>(() => calibrator.Method = CalibrationMethod.Adaptive);
        calibrator.Reset();
        calibrator.Bins = 64;
        Assert.Equal(64, calibrator.Bins);
    }

    [Fact]
    public void MergingGivesWhatOneThatSawAllHas()
    {
        float[] values = Samples.Values(3000);
        using var one = new Calibrator { Method = CalibrationMethod.KL, KeepMoments = true };
        using Calibrator other = one.Clone();
        using Calibrator all = one.Clone();
        one.Observe(values.AsSpan(0, 1000), [1000]);
        other.Observe(values.AsSpan(1000), [2000]);
        all.Observe(values.AsSpan(1000), [2000]);
        all.Observe(values.AsSpan(0, 1000), [1000]);

        one.Merge(other);

        Assert.Equal(all.ToBytes(), one.ToBytes());
        Assert.Equal(all.GetRange(), one.GetRange());
        using var adaptive = new Calibrator { Method = CalibrationMethod.Adaptive };
        using Calibrator second = adaptive.Clone();
        adaptive.Observe(values, [3000]);
        second.Observe(values, [3000]);
        Assert.Throws<UnsupportedException>(() => adaptive.Merge(second));
        Assert.Throws<InvalidArgumentException>(() => one.Merge(adaptive));
        Assert.Throws<ArgumentNullException>(() => one.Merge(null!));
    }

    [Fact]
    public void ClonesAndBytesAreIndependent()
    {
        using var calibrator = new Calibrator { Method = CalibrationMethod.Mse, Bits = 4 };
        calibrator.Observe(Samples.Values(1000), [1000]);
        byte[] bytes = calibrator.ToBytes();
        using Calibrator clone = calibrator.Clone();
        using Calibrator read = Calibrator.FromBytes(bytes);

        calibrator.Observe(Floats(100f), [1]);

        Assert.Equal(bytes, clone.ToBytes());
        Assert.Equal(bytes, read.ToBytes());
        Assert.NotEqual(bytes, calibrator.ToBytes());
        Assert.Equal((CalibrationMethod.Mse, 4, 1L), (read.Method, read.Bits, read.BatchCount));
        Assert.Throws<CorruptFileException>(() => Calibrator.FromBytes([]));
        for (int i = 0; i < bytes.Length; i += 7)
        {
            byte[] damaged = [.. bytes];
            damaged[i] ^= 0x10;
            Assert.ThrowsAny<BitNetQuantException>(() => Calibrator.FromBytes(damaged));
            Assert.Throws<CorruptFileException>(() => Calibrator.FromBytes(bytes.AsSpan(0, i)));
        }
    }

    [Fact]
    public void ObservesFilesAndDirectories()
    {
        using var directory = new TemporaryDirectory();
        directory.Model();
        WriteNpy(directory["batch.npy"], Floats(3f, -4f));
        var seen = new List<ModelProgress>();
        using var all = new Calibrator();
        using var named = new Calibrator();
        using var expected = new Calibrator();
        expected.Observe(Floats(3f, -4f), [2]);
        byte[] ofTheBatch = expected.ToBytes();
        expected.Observe(Samples.Values(240), [12, 20]);
        expected.Observe(Samples.Values(12, 2), [12]);

        all.ObserveFile(Path.GetDirectoryName(directory["x"])!, progress: new Receiver(seen.Add));
        named.ObserveFile(Path.GetDirectoryName(directory["x"])!, "batch");

        // What is not of a floating-point type does not count.
        Assert.Equal(expected.ToBytes(), all.ToBytes());
        Assert.Equal(ofTheBatch, named.ToBytes());
        Assert.Contains(seen, progress => progress.Item == "layer.weight");
        Assert.Equal(seen[^1].Total, seen[^1].Done);
        named.ObserveFile(directory["batch.npy"]);
        Assert.Equal(2, named.BatchCount);
        Assert.Throws<NotFoundException>(() => named.ObserveFile(directory["missing.npy"]));
        Assert.Throws<NotFoundException>(() => named.ObserveFile(directory["batch.npy"], "other"));
        Assert.Throws<ArgumentNullException>(() => named.ObserveFile(null!));
        File.WriteAllText(directory["bad.npy"], "not an array");
        Assert.Throws<CorruptFileException>(() => named.ObserveFile(directory["bad.npy"]));
    }

    [Fact]
    public void ObservationCanBeCancelledAndReceiversThrow()
    {
        using var directory = new TemporaryDirectory();
        string model = directory.Model();
        using var calibrator = new Calibrator();
        calibrator.Observe(Exact, [6]);
        byte[] before = calibrator.ToBytes();
        var thrown = new TimeoutException("the receiver's own");
        using var source = new CancellationTokenSource();

        Assert.Same(thrown, Assert.Throws<TimeoutException>(
            () => calibrator.ObserveFile(model, progress: new Receiver(_ => throw thrown))));
        var error = Assert.Throws<OperationCanceledException>(() => calibrator.ObserveFile(
            model, progress: new Receiver(_ => source.Cancel()), cancellationToken: source.Token));

        Assert.Equal(source.Token, error.CancellationToken);
        Assert.Equal(before, calibrator.ToBytes());
    }

    [Fact]
    public void ThreadsGiveTheSame()
    {
        float[] values = Samples.Values(1 << 20);
        using var context = new Context(4);
        using var one = new Calibrator { Method = CalibrationMethod.KL, KeepMoments = true };
        using Calibrator many = one.Clone(context);
        one.Observe(values, [1 << 20]);
        many.Observe(values, [1 << 20], context);

        Assert.Equal(one.ToBytes(), many.ToBytes());
        Assert.Equal(one.GetRange(), many.GetRange(context));
    }

    [Fact]
    public void DisposedCalibratorsAreRefused()
    {
        var calibrator = new Calibrator();
        calibrator.Dispose();
        calibrator.Dispose();

        Assert.Throws<ObjectDisposedException>(() => calibrator.Method);
        Assert.Throws<ObjectDisposedException>(() => calibrator.Bins = 64);
        Assert.Throws<ObjectDisposedException>(() => calibrator.Observe(Exact, [6]));
        Assert.Throws<ObjectDisposedException>(() => calibrator.GetRange());
        Assert.Throws<ObjectDisposedException>(() => calibrator.Clone());
        Assert.Throws<ObjectDisposedException>(() => new Calibration(calibrator));
    }

    [Fact]
    public void ThreadsMayReadOneCalibrator()
    {
        using var config = new Config { Format = Format.Int8 };
        using var calibrator = new Calibrator { Method = CalibrationMethod.Mse, KeepMoments = true };
        calibrator.Observe(Samples.Values(10000), [10000]);
        ValueRange range = calibrator.GetRange();
        byte[] bytes = calibrator.ToBytes();
        float scale = calibrator.GetParameters(config).Scales[0];

        Parallel.For(0, 32, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            Assert.Equal(range, calibrator.GetRange());
            Assert.Equal(bytes, calibrator.ToBytes());
            Assert.Equal(scale, Assert.Single(calibrator.GetParameters(config).Scales));
            Assert.Equal(10000, calibrator.GetStatistics().Count);
        });
    }
}
