using System;
using System.Linq;
using System.Runtime.CompilerServices;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Many arrays or tensors in one call.</summary>
public sealed class BatchTests
{
    private static readonly float[][] Values =
    [
        Samples.Values(6 * 40), Samples.Values(7, 2), [], Samples.Values(3 * 5 * 9, 3), Samples.Values(1, 4),
    ];

    private static readonly long[][] Shapes = [[6, 40], [7], [0, 4], [3, 5, 9], []];

    public static TheoryData<string> Configs => new(Library.Presets
        .Select(preset => preset.Name)
        .Where(name =>
        {
            using Config config = Config.Preset(name);
            return config.OutlierThreshold == 0;
        }));

    [Theory]
    [MemberData(nameof(Configs))]
    public void GivesWhatSingleCallsGive(string preset)
    {
        using Config config = Config.Preset(preset);
        using var context = new Context(3);

        // Per channel there is no scalar: the axis is not one of its dimensions.
        int count = config.Granularity == Granularity.Channel ? Values.Length - 1 : Values.Length;
        SourceArray[] sources = Enumerable.Range(0, count).Select(i => SourceArray.Of(Values[i], Shapes[i])).ToArray();

        QuantizedTensor[] batch = QuantizedTensor.QuantizeBatch(sources, config, context);
        float[][] dequantized = QuantizedTensor.DequantizeBatch(batch, context);
        Half[][] halves = Array.ConvertAll(batch, tensor => new Half[tensor.ElementCount]);
        ushort[][] bfloat16 = Array.ConvertAll(batch, tensor => new ushort[tensor.ElementCount]);
        QuantizedTensor.DequantizeBatch(batch, Array.ConvertAll(halves, array => array.AsMemory()), context);
        QuantizedTensor.DequantizeBatchBFloat16(batch, Array.ConvertAll(bfloat16, array => array.AsMemory()));

        Assert.Equal(count, batch.Length);
        for (int i = 0; i < count; i++)
        {
            using QuantizedTensor single = QuantizedTensor.Quantize(Values[i], Shapes[i], config);
            Assert.Equal<long>(single.Shape, batch[i].Shape);
            Assert.Equal(single.Codes.ToArray(), batch[i].Codes.ToArray());
            Assert.Equal(single.ScaleData.ToArray(), batch[i].ScaleData.ToArray());
            Assert.Equal(single.ZeroPoints.ToArray(), batch[i].ZeroPoints.ToArray());
            Assert.Equal(single.ToArray(), dequantized[i]);
            var expectedHalves = new Half[single.ElementCount];
            var expectedBFloat16 = new ushort[single.ElementCount];
            single.Dequantize(expectedHalves);
            single.DequantizeBFloat16(expectedBFloat16);
            Assert.Equal(expectedHalves, halves[i]);
            Assert.Equal(expectedBFloat16, bfloat16[i]);
            batch[i].Dispose();
        }
    }

    [Fact]
    public void TakesEveryTypeAndNoArrays()
    {
        using var config = new Config { Format = Format.Int8 };
        float[] exact = [0.5f, -1f, 0.25f];
        SourceArray[] sources =
        [
            SourceArray.Of(exact, [3]),
            SourceArray.Of(Array.ConvertAll(exact, value => (double)value), [3]),
            SourceArray.Of(Array.ConvertAll(exact, value => (Half)value), [3]),
            SourceArray.Of<ushort>(
                Array.ConvertAll(exact, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)),
                DataType.BFloat16, [3]),
        ];

        Assert.All(QuantizedTensor.QuantizeBatch(sources, config), tensor =>
        {
            using (tensor)
            {
                Assert.Equal<sbyte>([64, -127, 32], tensor.Unpack());
            }
        });
        Assert.Empty(QuantizedTensor.QuantizeBatch([], config));
        Assert.Empty(QuantizedTensor.DequantizeBatch([]));
    }

    [Fact]
    public void ErrorsNameTheArray()
    {
        using var config = new Config { Format = Format.Int8 };
        SourceArray good = SourceArray.Of(Values[0], Shapes[0]);

        var error = Assert.Throws<NonFiniteException>(() => QuantizedTensor.QuantizeBatch(
            [good, SourceArray.Of(new[] { 1f, float.NaN }, [2]), good], config));
        Assert.StartsWith("array 1:", error.Message, StringComparison.Ordinal);

        // Found before anything is quantized, when the sizes of the results are asked for.
        config.Granularity = Granularity.Channel;
        config.Axis = 1;
        var size = Assert.ThrowsAny<BitNetQuantException>(
            () => QuantizedTensor.QuantizeBatch([good, good, SourceArray.Of(Values[1], Shapes[1])], config));
        Assert.StartsWith("array 2:", size.Message, StringComparison.Ordinal);
        Assert.Contains("axis", size.Message, StringComparison.Ordinal);

        using var outliers = Config.Preset("int8_outliers");
        using var tensor = QuantizedTensor.Quantize(Values[1], Shapes[1], outliers);
        var length = Assert.Throws<InvalidArgumentException>(() => QuantizedTensor.DequantizeBatch(
            [tensor, tensor], [new float[7], new float[8]]));
        Assert.StartsWith("tensor 1:", length.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RefusesWhatMustNotReachTheLibrary()
    {
        using var config = new Config();
        using var tensor = QuantizedTensor.Quantize(Values[1], Shapes[1], config);

        Assert.Throws<ArgumentNullException>(() => QuantizedTensor.QuantizeBatch(null!, config));
        Assert.Throws<ArgumentNullException>(() => QuantizedTensor.QuantizeBatch([], null!));
        Assert.Contains(
            "sources[1]",
            Assert.Throws<ArgumentException>(() => QuantizedTensor.QuantizeBatch(
                [SourceArray.Of(Values[1], Shapes[1]), null!], config)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "tensors[1]",
            Assert.Throws<ArgumentException>(() => QuantizedTensor.DequantizeBatch([tensor, null!])).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(
            () => QuantizedTensor.DequantizeBatch([tensor, tensor], new Memory<float>[] { new float[7] }));
        Assert.Throws<ArgumentException>(() => SourceArray.Of(new float[3], [2]));
        Assert.Throws<ArgumentException>(() => SourceArray.Of(new char[2], [2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => SourceArray.Of(new float[1], [-1]));
        Assert.Throws<ArgumentNullException>(() => SourceArray.Of<float>(null!, [1]));
    }

    [Fact]
    public void ResultsOwnTheirMemory()
    {
        using var directory = new TemporaryDirectory();
        float[] expected;
        using (var writer = new ModelWriter(directory["out.bnq"], ModelFileKind.Bnq))
        {
            expected = AddBatch(writer);

            // Nothing but the writer holds the tensors' memory now.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            writer.Finish();
        }

        using ModelFile file = ModelFile.Open(directory["out.bnq"]);
        using QuantizedTensor tensor = file.ReadTensor("0");
        Assert.Equal(expected, tensor.ToArray());
        using QuantizedTensor repacked = file.ReadTensor("1");
        Assert.Equal(expected, repacked.ToArray());
    }

    // In a method of its own, so that its tensors and arrays can be collected afterwards.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float[] AddBatch(ModelWriter writer)
    {
        using var config = new Config { GroupSize = 16 };
        QuantizedTensor tensor = Assert.Single(QuantizedTensor.QuantizeBatch(
            [SourceArray.Of(Samples.Values(100_000, 6), [100_000])], config));
        QuantizedTensor repacked = tensor.Repack(Packing.Base3);
        writer.Add("0", tensor);
        writer.Add("1", repacked);
        float[] values = tensor.ToArray();
        tensor.Dispose();
        Assert.Equal(values, repacked.ToArray());
        repacked.Dispose();
        return values;
    }
}
