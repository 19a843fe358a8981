using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text.Json;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors/activations.json, which the tests of every language share, and
/// matrices.</summary>
public sealed class ActivationTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Load("activations.json");

    public static TheoryData<string> Names => new(Cases.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void GivesTheResultOfTheVector(string name)
    {
        JsonElement test = Cases[name];
        int rows = (int)Shape(test)[0], columns = (int)Shape(test)[1];
        byte[] input = test.GetProperty("dtype").GetString() == "F32"
            ? MemoryMarshal.AsBytes<uint>(Bits(Floats(test.GetProperty("input")))).ToArray()
            : Bytes(test.GetProperty("input"));
        string output = test.GetProperty("output_dtype").GetString()!;
        switch (output)
        {
            case "F32":
                var floats = new float[rows * columns];
                Operate(test, input, MatrixSpan.Of<float>(floats, rows, columns));
                Assert.Equal(Bits(FloatBits(test.GetProperty("output"))), Bits(floats));
                break;
            case "F16":
                var halves = new Half[rows * columns];
                Operate(test, input, MatrixSpan.Of<Half>(halves, rows, columns));
                Assert.Equal(HalfBits(test), MemoryMarshal.Cast<Half, ushort>(halves).ToArray());
                break;
            case "BF16":
                var bits = new ushort[rows * columns];
                Operate(test, input, MatrixSpan.Of<ushort>(bits, rows, columns));
                Assert.Equal(HalfBits(test), bits);
                break;
            default:
                var codes = new byte[rows * columns];
                MatrixSpan y = output == "I8"
                    ? MatrixSpan.Of(MemoryMarshal.Cast<byte, sbyte>(codes), rows, columns)
                    : MatrixSpan.Of<byte>(codes, rows, columns);
                Operate(test, input, y.WithScales(
                    Floats(test.GetProperty("output_scales")), Integers(test.GetProperty("output_zero_points"))));
                Assert.Equal(Bytes(test.GetProperty("output")), codes);
                break;
        }
    }

    [Fact]
    public void RowsMayBeApartAndResultsInPlace()
    {
        float[] wide = [1, 1, 9, -3, -3, 9];
        MatrixSpan y = MatrixSpan.Of<float>(wide, 2, 2, rowStride: 3);
        Activations.Softmax(y, y);
        Activations.Apply(ActivationFunction.SquaredRelu, y, y);
        Assert.Equal([0.25f, 0.25f, 9, 0.25f, 0.25f, 9], wide);
    }

    [Fact]
    public void RefusesWhatIsNoMatrix()
    {
        var values = new float[6];
        Assert.Throws<ArgumentException>("values", () => { MatrixView.Of<float>(values, 2, 4); });
        Assert.Throws<ArgumentException>("values", () => { MatrixView.Of<float>(values, 2, 3, 4); });
        Assert.Throws<ArgumentException>("rowStride", () => { MatrixView.Of<float>(values, 2, 3, 2); });
        Assert.Throws<ArgumentException>("scales", () => { MatrixView.Of<sbyte>(new sbyte[6], 2, 3).WithScales([1]); });
        Assert.Throws<ArgumentException>(
            "weight", () => Activations.RmsNorm(
                MatrixView.Of<float>(values, 2, 3), [1], 0, MatrixSpan.Of<float>(new float[6], 2, 3)));
        var error = Assert.Throws<InvalidArgumentException>(() => Activations.Softmax(
            MatrixView.Of<float>(values, 2, 3), MatrixSpan.Of<float>(new float[6], 3, 2)));
        Assert.Contains("y is a matrix of 3 x 2", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<InvalidArgumentException>(() => Activations.Apply(
            ActivationFunction.LeakyRelu, MatrixView.Of<float>(values, 2, 3), MatrixSpan.Of<float>(values, 2, 3)));
        Assert.Contains("slope", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidArgumentException>(() => Activations.Softmax(
            MatrixView.Of<float>(values.AsSpan(0, 4), 1, 4), MatrixSpan.Of(values.AsSpan(1, 4), 1, 4)));
        Assert.Throws<UnsupportedException>(() => Activations.Softmax(
            MatrixView.Of<sbyte>(new sbyte[6], 2, 3), MatrixSpan.Of<float>(values, 2, 3)));
    }

    private static void Operate(JsonElement test, byte[] input, MatrixSpan y)
    {
        MatrixView x = test.GetProperty("dtype").GetString() switch
        {
            "F32" => MatrixView.Of<float>(MemoryMarshal.Cast<byte, float>(input.AsSpan()), y.Rows, y.Columns),
            "I8" => Scaled(test, MatrixView.Of<sbyte>(MemoryMarshal.Cast<byte, sbyte>(input.AsSpan()), y.Rows, y.Columns)),
            _ => Scaled(test, MatrixView.Of<byte>(input, y.Rows, y.Columns)),
        };
        double eps = test.TryGetProperty("eps", out JsonElement member) ? member.GetDouble() : 0;
        switch (test.GetProperty("operator").GetString())
        {
            case "softmax":
                Activations.Softmax(x, y);
                break;
            case "rms_norm":
                Activations.RmsNorm(x, Optional(test, "weight"), eps, y);
                break;
            case "layer_norm":
                Activations.LayerNorm(x, Optional(test, "weight"), Optional(test, "bias"), eps, y);
                break;
            default:
                string name = test.GetProperty("function").GetString()!.Replace("_", "", StringComparison.Ordinal);
                Activations.Apply(
                    Enum.Parse<ActivationFunction>(name, ignoreCase: true), x, y, test.GetProperty("slope").GetSingle());
                break;
        }
    }

    private static MatrixView Scaled(JsonElement test, MatrixView x) => x.WithScales(
        Floats(test.GetProperty("scales")), Integers(test.GetProperty("zero_points")));

    private static float[] Optional(JsonElement test, string member) =>
        test.TryGetProperty(member, out JsonElement list) ? Floats(list) : [];
}
