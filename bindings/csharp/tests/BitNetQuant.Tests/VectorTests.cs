using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using BitNetQuant.Interop;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors, which the tests of every language share.</summary>
public sealed class VectorTests
{
    private static readonly Dictionary<string, JsonElement> Quantize = Load("quantize.json");
    private static readonly Dictionary<string, JsonElement> MetricCases = Load("metrics.json");
    private static readonly Dictionary<string, JsonElement> Errors = Load("errors.json");

    public static TheoryData<string> QuantizeCases => new(Quantize.Keys);

    public static TheoryData<string> MetricsCases => new(MetricCases.Keys);

    public static TheoryData<string> ErrorCases => new(Errors.Keys);

    [Theory]
    [MemberData(nameof(QuantizeCases))]
    public void QuantizesToTheVector(string name)
    {
        JsonElement test = Quantize[name];
        long[] shape = Shape(test);
        float[] input = Floats(test.GetProperty("input"));
        using Config config = ConfigOf(test);
        Assert.Equal("F32", test.GetProperty("dtype").GetString());

        using QuantizedTensor tensor = QuantizedTensor.Quantize(input, shape, config);
        RequireVector(test, tensor);

        // The same when the values come as double, and when the codes come from outside.
        using QuantizedTensor fromDouble = QuantizedTensor.Quantize(
            Array.ConvertAll(input, value => (double)value), shape, config);
        RequireVector(test, fromDouble);

        byte[] packed = QuantizedTensor.Pack(Codes(test), shape, config);
        Assert.Equal(Convert.FromHexString(test.GetProperty("packed").GetString()!), packed);
        using QuantizedTensor fromCodes = QuantizedTensor.FromCodes(
            packed, FloatBits(test.GetProperty("scales")), ZeroPoints(test), shape, config);
        RequireVector(test, fromCodes);
    }

    [Theory]
    [MemberData(nameof(MetricsCases))]
    public void ComparesToTheVector(string name)
    {
        JsonElement test = MetricCases[name];
        float[] original = Floats(test.GetProperty("original"));
        float[] other = Floats(test.GetProperty("other"));

        Metrics single = Metrics.Compare(original, other);
        Metrics both = Metrics.Compare(
            Array.ConvertAll(original, value => (double)value), Array.ConvertAll(other, value => (double)value));

        Assert.Equal(single, both);
        JsonElement expected = test.GetProperty("metrics");
        RequireClose(expected.GetProperty("mse"), single.Mse);
        RequireClose(expected.GetProperty("mae"), single.Mae);
        RequireClose(expected.GetProperty("max_error"), single.MaxError);
        RequireClose(expected.GetProperty("sqnr_db"), single.SqnrDb);
        RequireClose(expected.GetProperty("cosine"), single.Cosine);
        Assert.Equal(5, expected.EnumerateObject().Count());
    }

    [Theory]
    [MemberData(nameof(ErrorCases))]
    public unsafe void RefusesAsTheVectorSays(string name)
    {
        JsonElement test = Errors[name];

        var error = Assert.ThrowsAny<BitNetQuantException>(() =>
        {
            using Config config = ConfigOf(test);
            QuantizedTensor.Quantize(Floats(test.GetProperty("input")), Shape(test), config).Dispose();
        });

        Assert.Equal(
            test.GetProperty("status").GetString(), Native.Text(NativeMethods.bnq_status_name((int)error.Status)));
        Assert.Contains(test.GetProperty("message").GetString()!, error.Message, StringComparison.Ordinal);
    }

    private static void RequireVector(JsonElement test, QuantizedTensor tensor)
    {
        Assert.Equal<long>(Shape(test), tensor.Shape);
        Assert.Equal(Codes(test), tensor.Unpack());
        Assert.Equal(test.GetProperty("packed").GetString(), Convert.ToHexString(tensor.Codes), ignoreCase: true);
        Assert.Equal(Bits(FloatBits(test.GetProperty("scales"))), Bits(tensor.Scales.ToArray()));
        Assert.Equal(ZeroPoints(test), tensor.ZeroPoints.ToArray());
        Assert.Equal(Bits(FloatBits(test.GetProperty("dequantized"))), Bits(tensor.ToArray()));
        foreach (JsonProperty option in test.GetProperty("config").EnumerateObject())
        {
            Assert.Equal(option.Value.GetString(), tensor.GetOption(option.Name));
        }
    }

    private static void RequireClose(JsonElement expected, double actual)
    {
        double value = Number(expected);
        if (double.IsInfinity(value) || value == 0)
        {
            Assert.Equal(value, actual);
        }
        else
        {
            Assert.InRange(Math.Abs((actual / value) - 1), 0, 1e-12);
        }
    }

    private static Config ConfigOf(JsonElement test)
    {
        var config = new Config();
        foreach (JsonProperty option in test.GetProperty("config").EnumerateObject())
        {
            config.Set(option.Name, option.Value.GetString()!);
        }

        return config;
    }

    private static Dictionary<string, JsonElement> Load(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(SourceTree.Vectors(file)));
        var cases = document.RootElement.GetProperty("cases").EnumerateArray()
            .ToDictionary(test => test.GetProperty("name").GetString()!, test => test.Clone());
        return cases.Count > 0 ? cases : throw new InvalidDataException($"{file} holds no cases.");
    }

    private static double Number(JsonElement element) => element.ValueKind == JsonValueKind.Number
        ? element.GetDouble()
        : element.GetString() switch
        {
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            "nan" => double.NaN,
            var text => throw new InvalidDataException($"\"{text}\" is not a number of a test vector."),
        };

    private static float[] Floats(JsonElement list) =>
        list.EnumerateArray().Select(element => (float)Number(element)).ToArray();

    private static float[] FloatBits(JsonElement list) => list.EnumerateArray()
        .Select(element => BitConverter.UInt32BitsToSingle(
            uint.Parse(element.GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture)))
        .ToArray();

    // Compared as bits, so that -0 is not 0.
    private static uint[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToUInt32Bits);

    private static long[] Shape(JsonElement test) =>
        test.GetProperty("shape").EnumerateArray().Select(element => element.GetInt64()).ToArray();

    private static sbyte[] Codes(JsonElement test) =>
        test.GetProperty("codes").EnumerateArray().Select(element => element.GetSByte()).ToArray();

    private static int[] ZeroPoints(JsonElement test) =>
        test.GetProperty("zero_points").EnumerateArray().Select(element => element.GetInt32()).ToArray();
}
