using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors/post_training.json, which the tests of every language share.</summary>
public sealed class PostTrainingVectorTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Load("post_training.json");

    public static TheoryData<string> Names => new(Cases.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void FindsAndUsesTheParametersOfTheVector(string name)
    {
        JsonElement test = Cases[name];
        using Config config = ConfigOf(test);
        using Calibrator chosen = CalibratorOf(test.GetProperty("calibrator"));
        using Calibrator calibrator = Calibrator.For(config, chosen.Method);
        Assert.Equal(chosen.ToBytes(), calibrator.ToBytes());

        SourceArray[] batches = Batches(test).ToArray();
        foreach (SourceArray batch in batches)
        {
            calibrator.Observe(batch);
        }

        using var weightConfig = Config.Preset("int8_per_channel");
        using PostTrainingResult layer = Quantization.PostTrainingQuantization(
            SourceArray.Of(new[] { 1f, 2f }, [2]), weightConfig, batches, config, chosen.Method);
        RequireParameters(test, layer.Activations);
        RequireParameters(test, calibrator.GetParameters(config));

        SourceArray array = InputOf(test);
        using QuantizedTensor given = QuantizedTensor.QuantizeStatic(
            array, layer.Activations, config, out long clamped);
        RequireVector(test, given, clamped);
        using QuantizedTensor calibrated = QuantizedTensor.QuantizeCalibrated(array, calibrator, config, out clamped);
        RequireVector(test, calibrated, clamped);
    }

    private static void RequireVector(JsonElement test, QuantizedTensor tensor, long clamped)
    {
        Assert.Equal(
            test.GetProperty("codes").EnumerateArray().Select(code => code.GetSByte()), tensor.Unpack());
        Assert.Equal(Bits(FloatBits(test.GetProperty("dequantized"))), Bits(tensor.ToArray()));
        Assert.Equal(test.GetProperty("clamped").GetInt64(), clamped);
    }
}
