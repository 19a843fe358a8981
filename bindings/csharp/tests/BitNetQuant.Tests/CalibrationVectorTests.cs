using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors/calibration.json, which the tests of every language share.</summary>
public sealed class CalibrationVectorTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Load("calibration.json");

    // Sums of powers, whose last bits depend on how they are divided.
    private static readonly string[] Moments = ["mean", "variance", "absmean", "skewness", "kurtosis"];

    public static TheoryData<string> Names => new(Cases.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void CalibratesToTheVector(string name)
    {
        JsonElement test = Cases[name];
        using Calibrator calibrator = CalibratorOf(test.GetProperty("options"));
        foreach (SourceArray batch in Batches(test))
        {
            calibrator.Observe(batch);
        }

        RequireVector(test, calibrator);
        using Calibrator read = Calibrator.FromBytes(calibrator.ToBytes());
        RequireVector(test, read);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void SetsCalibrateToTheVector(string name)
    {
        JsonElement test = Cases[name];
        using Calibrator prototype = CalibratorOf(test.GetProperty("options"));
        using var calibration = new Calibration(prototype);
        foreach (SourceArray batch in Batches(test))
        {
            calibration.Observe("of it", batch);
        }

        RequireVector(test, calibration["of it"]);
    }

    private static void RequireVector(JsonElement test, Calibrator calibrator)
    {
        float[] low = Floats(test.GetProperty("lo"));
        float[] high = Floats(test.GetProperty("hi"));
        Assert.Equal(low.Length, calibrator.ChannelCount);
        Assert.Equal(low.Zip(high, (lo, hi) => new ValueRange(lo, hi)), calibrator.GetRanges());
        if (low.Length == 1)
        {
            Assert.Equal(new ValueRange(low[0], high[0]), calibrator.GetRange());
        }

        foreach ((JsonElement statistics, int channel) in test.GetProperty("statistics").EnumerateArray()
                     .Select((element, index) => (element, index)))
        {
            RequireStatistics(statistics, calibrator.GetStatistics(channel));
        }

        RequireStatistics(test.GetProperty("all_channels"), calibrator.GetStatistics());
        RequireHistograms(test.GetProperty("histograms"), calibrator);
        foreach (JsonElement parameters in test.GetProperty("params").EnumerateArray())
        {
            using Config config = ConfigOf(parameters);
            RequireParameters(parameters, calibrator.GetParameters(config));
        }
    }

    private static void RequireStatistics(JsonElement expected, Statistics statistics)
    {
        Dictionary<string, double> actual = statistics.ToDictionary();
        Assert.Equal(
            expected.EnumerateObject().Select(statistic => statistic.Name).Order(StringComparer.Ordinal),
            actual.Keys.Order(StringComparer.Ordinal));
        foreach (JsonProperty statistic in expected.EnumerateObject())
        {
            double value = Number(statistic.Value);
            double tolerance = Moments.Contains(statistic.Name) ? 1e-12 * Math.Max(1, Math.Abs(value)) : 0;
            Assert.True(
                double.IsNaN(value)
                    ? double.IsNaN(actual[statistic.Name])
                    : Math.Abs(actual[statistic.Name] - value) <= tolerance,
                $"{statistic.Name} is {actual[statistic.Name]:R}, not {value:R}");
        }

        // Each property is the statistic that its name says.
        Assert.Equal(
            new[]
            {
                actual["count"], actual["min"], actual["max"], actual["mean"], actual["variance"], actual["absmax"],
                actual["absmean"], actual["skewness"], actual["kurtosis"], actual["zero_share"],
                actual["non_finite"], actual["outliers"],
            },
            new[]
            {
                statistics.Count, statistics.Minimum, statistics.Maximum, statistics.Mean, statistics.Variance,
                statistics.AbsMax, statistics.AbsMean, statistics.Skewness, statistics.Kurtosis,
                statistics.ZeroShare, statistics.NonFiniteCount, statistics.OutlierCount,
            });
    }

    private static void RequireHistograms(JsonElement expected, Calibrator calibrator)
    {
        if (expected.GetArrayLength() == 0)
        {
            Assert.Throws<UnsupportedException>(() => calibrator.GetHistogram());
            return;
        }

        Assert.Equal(calibrator.ChannelCount, expected.GetArrayLength());
        foreach ((JsonElement histogram, int channel) in expected.EnumerateArray()
                     .Select((element, index) => (element, index)))
        {
            Histogram actual = calibrator.GetHistogram(channel);
            Assert.Equal(
                histogram.GetProperty("counts").EnumerateArray().Select(count => count.GetInt64()), actual.Counts);
            Assert.Equal(
                (histogram.GetProperty("first").GetDouble(), histogram.GetProperty("width").GetDouble()),
                (actual.First, actual.Width));
        }
    }
}
