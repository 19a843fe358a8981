using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Reads the files of tests/vectors.</summary>
internal static class Vectors
{
    internal static Dictionary<string, JsonElement> Load(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(SourceTree.Vectors(file)));
        var cases = document.RootElement.GetProperty("cases").EnumerateArray()
            .ToDictionary(test => test.GetProperty("name").GetString()!, test => test.Clone());
        return cases.Count > 0 ? cases : throw new InvalidDataException($"{file} holds no cases.");
    }

    internal static double Number(JsonElement element) => element.ValueKind == JsonValueKind.Number
        ? element.GetDouble()
        : element.GetString() switch
        {
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            "nan" => BitConverter.UInt32BitsToSingle(0x7FC00000), // float.NaN has the sign bit
            var text => throw new InvalidDataException($"\"{text}\" is not a number of a test vector."),
        };

    internal static Config ConfigOf(JsonElement test)
    {
        var config = new Config();
        foreach ((string option, string value) in Options(test.GetProperty("config")))
        {
            config.Set(option, value);
        }

        return config;
    }

    internal static Calibrator CalibratorOf(JsonElement options) => Calibrator.FromDictionary(Options(options));

    internal static IEnumerable<SourceArray> Batches(JsonElement test) =>
        test.GetProperty("batches").EnumerateArray().Select(InputOf);

    /// <summary>The member "input", of the member "shape".</summary>
    internal static SourceArray InputOf(JsonElement test) =>
        SourceArray.Of(Floats(test.GetProperty("input")), Shape(test));

    internal static long[] Shape(JsonElement test) =>
        test.GetProperty("shape").EnumerateArray().Select(element => element.GetInt64()).ToArray();

    internal static float[] Floats(JsonElement list) =>
        list.EnumerateArray().Select(element => (float)Number(element)).ToArray();

    internal static float[] FloatBits(JsonElement list) => list.EnumerateArray()
        .Select(element => BitConverter.UInt32BitsToSingle(
            uint.Parse(element.GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture)))
        .ToArray();

    // Compared as bits, so that -0 is not 0; but one NaN is as good as another.
    internal static uint[] Bits(float[] values) => Array.ConvertAll(
        values, value => BitConverter.SingleToUInt32Bits(float.IsNaN(value) ? float.NaN : value));

    internal static int[] Integers(JsonElement list) => list.EnumerateArray().Select(item => item.GetInt32()).ToArray();

    /// <summary>Codes of 8 bits, of either sign.</summary>
    internal static byte[] Bytes(JsonElement list) => Array.ConvertAll(Integers(list), code => unchecked((byte)code));

    /// <summary>The member "output" of half-precision numbers.</summary>
    internal static ushort[] HalfBits(JsonElement test) => test.GetProperty("output").EnumerateArray()
        .Select(item => ushort.Parse(item.GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture))
        .ToArray();

    internal static sbyte[] ZeroPoints(JsonElement test) =>
        test.GetProperty("zero_points").EnumerateArray().Select(element => element.GetSByte()).ToArray();

    /// <summary>The scales, zero points and offsets of the vector, to the last bit.</summary>
    internal static void RequireParameters(JsonElement test, QuantizationParameters actual)
    {
        Assert.Equal(Bits(FloatBits(test.GetProperty("scales"))), Bits(actual.Scales.ToArray()));
        Assert.Equal(ZeroPoints(test), actual.ZeroPoints);
        float[] offsets = test.TryGetProperty("offsets", out JsonElement element) ? FloatBits(element) : [];
        Assert.Equal(Bits(offsets), Bits(actual.Offsets.ToArray()));
    }

    internal static Dictionary<string, string> Options(JsonElement options) => options.EnumerateObject()
        .ToDictionary(option => option.Name, option => option.Value.GetString()!);
}
