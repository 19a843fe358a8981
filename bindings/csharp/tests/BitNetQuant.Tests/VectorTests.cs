using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.Json;
using BitNetQuant.Interop;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors, which the tests of every language share.</summary>
public sealed class VectorTests
{
    private static readonly Dictionary<string, JsonElement> Quantize = Load("quantize.json");
    private static readonly Dictionary<string, JsonElement> MetricCases = Load("metrics.json");
    private static readonly Dictionary<string, JsonElement> Errors = Load("errors.json");
    private static readonly Dictionary<string, JsonElement> ConfigTexts = Load("config.json");

    public static TheoryData<string> QuantizeCases => new(Quantize.Keys);

    public static TheoryData<string> MetricsCases => new(MetricCases.Keys);

    public static TheoryData<string> ErrorCases => new(Errors.Keys);

    public static TheoryData<string> ConfigTextCases => new(ConfigTexts.Keys);

    [Theory]
    [MemberData(nameof(QuantizeCases))]
    public void QuantizesToTheVector(string name)
    {
        JsonElement test = Quantize[name];
        long[] shape = Shape(test);
        SourceArray source = Source(test);
        using Config config = ConfigOf(test);

        using QuantizedTensor tensor = QuantizedTensor.Quantize(Bytes(test), source.DataType, shape, config);
        RequireVector(test, tensor);

        // The same when single-precision values come as double.
        if (source.DataType == DataType.Float32)
        {
            using QuantizedTensor fromDouble = QuantizedTensor.Quantize(
                Array.ConvertAll(Floats(test.GetProperty("input")), value => (double)value), shape, config);
            RequireVector(test, fromDouble);
        }

        if (test.TryGetProperty("codes", out _))
        {
            Assert.Equal(Hex(test, "packed"), QuantizedTensor.Pack(Codes(test), shape, config));
        }
        else if (tensor.ElementCount > 0)
        {
            Assert.Throws<UnsupportedException>(() => tensor.Unpack());
        }

        // The same from parts, by the config given and by the one that the tensor has, and in a batch.
        if (tensor.Outliers.IsEmpty)
        {
            using QuantizedTensor fromParts = FromParts(test, config);
            RequireVector(test, fromParts);
        }

        using Config stored = tensor.GetConfig();
        using QuantizedTensor fromStored = QuantizedTensor.FromData(
            tensor.Codes.Span, tensor.ScaleData.Span, tensor.ZeroPoints.Span, tensor.OffsetData.Span,
            tensor.TensorScale, tensor.Outliers, shape, stored, codebook: tensor.Codebook.Span);
        RequireVector(test, fromStored, config: stored);
        foreach (QuantizedTensor one in QuantizedTensor.QuantizeBatch([source, source], config))
        {
            using (one)
            {
                RequireVector(test, one);
            }
        }
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
    public void RefusesAsTheVectorSays(string name)
    {
        JsonElement test = Errors[name];

        var error = Assert.ThrowsAny<BitNetQuantException>(() =>
        {
            using Config config = ConfigOf(test);
            QuantizedTensor.Quantize(Floats(test.GetProperty("input")), Shape(test), config).Dispose();
        });

        RequireError(test, error);
    }

    [Theory]
    [MemberData(nameof(ConfigTextCases))]
    public void ReadsConfigsAsTheVectorSays(string name)
    {
        JsonElement test = ConfigTexts[name];
        string text = test.GetProperty("text").GetString()!;
        if (test.TryGetProperty("canonical", out JsonElement canonical))
        {
            using Config config = Config.Parse(text);
            Assert.Equal(canonical.GetString(), config.ToString());
            using Config again = Config.Parse(config.ToString());
            Assert.Equal(config, again);
            using Config fromDictionary = Config.FromDictionary(config.ToDictionary());
            Assert.Equal(config, fromDictionary);
        }
        else
        {
            RequireError(test, Assert.ThrowsAny<BitNetQuantException>(() => Config.Parse(text)));
            Assert.False(Config.TryParse(text, out _));
        }
    }

    private static unsafe void RequireError(JsonElement test, BitNetQuantException error)
    {
        Assert.Equal(
            test.GetProperty("status").GetString(), Native.Text(NativeMethods.bnq_status_name((int)error.Status)));
        Assert.Contains(test.GetProperty("message").GetString()!, error.Message, StringComparison.Ordinal);
    }

    private static void RequireVector(JsonElement test, QuantizedTensor tensor, Config? config = null)
    {
        Assert.Equal<long>(Shape(test), tensor.Shape);
        if (test.TryGetProperty("codes", out _))
        {
            Assert.Equal(Codes(test), tensor.Unpack());
        }

        Assert.Equal(Hex(test, "packed"), tensor.Codes.ToArray());
        float[] scales = FloatBits(test.GetProperty("scales"));
        Assert.Equal(Bits(scales), Bits(tensor.Scales.ToArray()));
        Assert.Equal(scales.Length, tensor.ScaleCount);
        byte[] scaleData = test.TryGetProperty("scale_bytes", out _)
            ? Hex(test, "scale_bytes")
            : MemoryMarshal.AsBytes<float>(scales).ToArray();
        Assert.Equal(scaleData, tensor.ScaleData.ToArray());
        Assert.Equal(ZeroPoints(test), tensor.ZeroPoints.ToArray());
        Assert.Equal(Bits(Offsets(test)), Bits(tensor.Offsets.ToArray()));
        Assert.Equal(OffsetData(test), tensor.OffsetData.ToArray());
        Assert.Equal(TensorScale(test), tensor.TensorScale);
        Assert.Equal(Bits(Codebook(test)), Bits(tensor.Codebook.ToArray()));
        RequireOutliers(test, tensor.Outliers);
        Assert.Equal(Bits(FloatBits(test.GetProperty("dequantized"))), Bits(tensor.ToArray()));
        using Config made = config?.Clone() ?? ConfigOf(test);
        foreach (OptionInfo option in Library.Options)
        {
            Assert.Equal((option.Name, made.Get(option.Name)), (option.Name, tensor.GetOption(option.Name)));
        }
    }

    private static void RequireOutliers(JsonElement test, Outliers outliers)
    {
        if (!test.TryGetProperty("outlier_columns", out JsonElement columns))
        {
            Assert.True(outliers.IsEmpty);
            return;
        }

        Assert.Equal(columns.EnumerateArray().Select(column => column.GetUInt32()), outliers.Columns.ToArray());
        Assert.Equal(Hex(test, "outlier_values"), MemoryMarshal.AsBytes(outliers.Values.Span).ToArray());
        if (columns.GetArrayLength() > 0)
        {
            Assert.Equal(
                Library.FindDataType(test.GetProperty("outlier_dtype").GetString()!), Assert.NotNull(outliers.DataType));
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

    private static byte[] Hex(JsonElement test, string member) =>
        Convert.FromHexString(test.GetProperty(member).GetString()!);

    /// <summary>The input in the type of the case. Its numbers are exact in that type.</summary>
    private static byte[] Bytes(JsonElement test)
    {
        float[] input = Floats(test.GetProperty("input"));
        return Library.FindDataType(test.GetProperty("dtype").GetString()!) switch
        {
            DataType.Float32 => MemoryMarshal.AsBytes<float>(input).ToArray(),
            DataType.Float64 => MemoryMarshal.AsBytes<double>(Array.ConvertAll(input, value => (double)value)).ToArray(),
            DataType.Float16 => MemoryMarshal.AsBytes<Half>(Array.ConvertAll(input, value => (Half)value)).ToArray(),
            DataType.BFloat16 => MemoryMarshal.AsBytes<ushort>(
                Array.ConvertAll(input, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))).ToArray(),
            var type => throw new InvalidDataException($"{type} is not a type of a test vector."),
        };
    }

    private static SourceArray Source(JsonElement test) => SourceArray.Of<byte>(
        Bytes(test), Library.FindDataType(test.GetProperty("dtype").GetString()!), Shape(test));

    private static float[] Offsets(JsonElement test) =>
        test.TryGetProperty("offsets", out JsonElement offsets) ? FloatBits(offsets) : [];

    private static byte[] OffsetData(JsonElement test) => test.TryGetProperty("offset_bytes", out _)
        ? Hex(test, "offset_bytes")
        : MemoryMarshal.AsBytes<float>(Offsets(test)).ToArray();

    private static float[] Codebook(JsonElement test) =>
        test.TryGetProperty("codebook", out JsonElement entries) ? FloatBits(entries) : [];

    private static float? TensorScale(JsonElement test) =>
        test.TryGetProperty("tensor_scale", out JsonElement bits)
            ? BitConverter.UInt32BitsToSingle(Convert.ToUInt32(bits.GetString(), 16))
            : null;

    /// <summary>A tensor from what the case says its parts are.</summary>
    private static QuantizedTensor FromParts(JsonElement test, Config config) =>
        test.TryGetProperty("offsets", out _) || test.TryGetProperty("tensor_scale", out _)
            || test.TryGetProperty("codebook", out _)
            ? QuantizedTensor.FromData(
                Hex(test, "packed"),
                test.TryGetProperty("scale_bytes", out _)
                    ? Hex(test, "scale_bytes")
                    : MemoryMarshal.AsBytes<float>(FloatBits(test.GetProperty("scales"))),
                ZeroPoints(test), OffsetData(test), TensorScale(test), default, Shape(test), config,
                codebook: Codebook(test))
            : test.TryGetProperty("scale_bytes", out _)
            ? QuantizedTensor.FromData(
                Hex(test, "packed"), Hex(test, "scale_bytes"), ZeroPoints(test), Shape(test), config)
            : QuantizedTensor.FromCodes(
                Hex(test, "packed"), FloatBits(test.GetProperty("scales")), ZeroPoints(test), Shape(test), config);

    private static sbyte[] Codes(JsonElement test) =>
        test.GetProperty("codes").EnumerateArray().Select(element => element.GetSByte()).ToArray();
}
