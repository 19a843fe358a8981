using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors/optimization.json, which the tests of every language share.</summary>
public sealed class OptimizationVectorTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Load("optimization.json");

    public static TheoryData<string> Names => new(Cases.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void FindsTheParametersOfTheVector(string name)
    {
        JsonElement test = Cases[name];
        using Config config = ConfigOf(test);
        using Optimizer optimizer = Optimizer.FromDictionary(
            test.GetProperty("options").EnumerateObject().ToDictionary(
                option => option.Name, option => option.Value.GetString()!));
        if (test.TryGetProperty("importance", out JsonElement importance))
        {
            optimizer.SetImportance(Floats(importance));
        }

        JsonElement given = test.GetProperty("activations");
        SourceArray? activations = given.ValueKind == JsonValueKind.Null
            ? null
            : SourceArray.Of(Floats(given.GetProperty("input")), Shape(given));
        SourceArray array = SourceArray.Of(Floats(test.GetProperty("input")), Shape(test));
        using OptimizationResult found = optimizer.Optimize(array, config, activations);

        Assert.Equal(
            test.GetProperty("codes").EnumerateArray().Select(code => code.GetSByte()), found.Tensor.Unpack());
        Assert.Equal(Bits(FloatBits(test.GetProperty("scales"))), Bits(found.Tensor.Scales.ToArray()));
        Assert.Equal(ZeroPoints(test), found.Tensor.ZeroPoints.ToArray());
        Assert.Equal(Bits(FloatBits(test.GetProperty("input_scales"))), Bits(found.InputScales.ToArray()));
        Assert.Equal(Bits(FloatBits(test.GetProperty("attached"))), Bits(found.Tensor.InputScales.ToArray()));
        Dictionary<string, double> figures = found.ToDictionary();
        foreach (JsonProperty figure in test.GetProperty("figures").EnumerateObject())
        {
            double expected = figure.Value.GetDouble();
            Assert.True(Math.Abs(figures[figure.Name] - expected) <= 1e-9 * expected, figure.Name);
        }
    }
}
