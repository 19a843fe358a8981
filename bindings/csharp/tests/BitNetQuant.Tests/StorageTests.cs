using System;
using System.Linq;
using System.Runtime.InteropServices;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>How a tensor stores its scales, codes and outliers; the values themselves are for the vectors.</summary>
public sealed class StorageTests
{
    [Theory]
    [InlineData("format=int8,group_size=16", 4 * 12)]
    [InlineData("format=int8,group_size=16,scale_dtype=f16", 2 * 12)]
    [InlineData("format=int8,group_size=16,scale_dtype=bf16", 2 * 12)]
    [InlineData("format=int8,group_size=16,double_quant=on", 12 + 4 + 4)]
    [InlineData("format=f16", 0)]
    public void ScalesAreReadHoweverTheyAreStored(string text, int bytes)
    {
        using Config config = Config.Parse(text);
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Samples.Values(4 * 48), [4, 48], config);
        var scales = new float[tensor.ScaleCount];

        tensor.ReadScales(scales);

        Assert.Equal(bytes == 0 ? 0 : 12, tensor.ScaleCount);
        Assert.Equal(bytes, tensor.ScaleData.Length);
        Assert.Equal(bytes, config.GetSizes([4, 48]).ScaleBytes);
        Assert.Equal(scales, tensor.Scales.ToArray());
        Assert.All(scales, scale => Assert.InRange(scale, 1 / 300f, 1 / 100f));
        Assert.Throws<InvalidArgumentException>(() => tensor.ReadScales(new float[tensor.ScaleCount + 1]));

        switch (tensor.ScaleDataType)
        {
            case ScaleDataType.Float16:
                Assert.Equal(
                    scales, MemoryMarshal.Cast<byte, Half>(tensor.ScaleData.Span).ToArray().Select(half => (float)half));
                break;
            case ScaleDataType.BFloat16:
                Assert.Equal(
                    scales.Select(BitConverter.SingleToUInt32Bits),
                    MemoryMarshal.Cast<byte, ushort>(tensor.ScaleData.Span).ToArray().Select(bits => (uint)bits << 16));
                break;
        }
    }

    [Fact]
    public void DoubleQuantizedScalesFollowTheirFormula()
    {
        const int Count = 300;
        using Config config = Config.Parse("format=int8,granularity=channel,double_quant=on");
        float[] values = Samples.Values(Count * 4, 9);
        using QuantizedTensor tensor = QuantizedTensor.Quantize(values, [Count, 4], config);
        ReadOnlySpan<byte> codes = tensor.ScaleData.Span[..Count];
        ReadOnlySpan<float> rest = MemoryMarshal.Cast<byte, float>(tensor.ScaleData.Span[Count..]);

        Assert.True(tensor.DoubleQuant);
        Assert.Equal(3, rest.Length); // of 256 and of 44 scales, and the offset
        var expected = new float[Count];
        for (int i = 0; i < Count; i++)
        {
            float product = Library.DynamicMap[codes[i]] * rest[i / 256];
            expected[i] = product + rest[2];
        }

        Assert.Equal(expected, tensor.Scales.ToArray());
    }

    [Fact]
    public void SaturatedScalesAreCounted()
    {
        using Config config = Config.Parse("format=int8,granularity=channel,scale_dtype=f16");
        using QuantizedTensor tensor = QuantizedTensor.Quantize(
            Samples.Floats(1e20f, 1f, 1e-20f, 1f), [4, 1], config);

        Assert.Equal(2, tensor.SaturatedScaleCount);
        Assert.Equal((65504f, MathF.Pow(2, -24)), (tensor.Scales.Span[0], tensor.Scales.Span[2]));
    }

    [Fact]
    public void MisalignedScaleDataIsAccepted()
    {
        using var config = new Config { Format = Format.Int8, GroupSize = 16 };
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Samples.Values(48), [48], config);
        for (int offset = 0; offset < 4; offset++)
        {
            byte[] shifted = [.. new byte[offset], .. tensor.ScaleData.Span];
            using QuantizedTensor copy = QuantizedTensor.FromData(
                tensor.Codes.Span, shifted.AsSpan(offset), tensor.ZeroPoints.Span, [48], config);
            Assert.Equal(tensor.Scales.ToArray(), copy.Scales.ToArray());
        }
    }

    [Fact]
    public void RepackingKeepsEverythingButTheBytes()
    {
        using var config = new Config { Format = Format.Ternary, GroupSize = 8 };
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Samples.Values(3 * 21), [3, 21], config);

        using QuantizedTensor small = tensor.Repack(Packing.Base3);
        using QuantizedTensor back = small.Repack(Packing.Default);

        Assert.Equal((Packing.Base3, 3 * 5), (small.Packing, small.Codes.Length));
        Assert.Equal(tensor.Unpack(), small.Unpack());
        Assert.Equal(tensor.ToArray(), small.ToArray());
        Assert.Equal((Packing.Default, 3 * 6), (back.Packing, back.Codes.Length));
        Assert.Equal(tensor.Codes.ToArray(), back.Codes.ToArray());
        config.Packing = Packing.Base3;
        using QuantizedTensor direct = QuantizedTensor.Quantize(Samples.Values(3 * 21), [3, 21], config);
        Assert.Equal(direct.Codes.ToArray(), small.Codes.ToArray());

        using var int8 = new Config { Format = Format.Int8 };
        using QuantizedTensor other = QuantizedTensor.Quantize(Samples.Values(4), [4], int8);
        Assert.Throws<UnsupportedException>(() => other.Repack(Packing.Base3));
        Assert.ThrowsAny<BitNetQuantException>(() => tensor.Repack((Packing)99));
    }

    [Fact]
    public void OutliersComeBackAsTheyWere()
    {
        using Config config = Config.Preset("int8_outliers");
        const int Features = 10;
        float[] values = Samples.Values(6 * Features);
        values[(2 * Features) + 3] = 7;
        values[(5 * Features) + 8] = -6;
        using QuantizedTensor tensor = QuantizedTensor.Quantize(values, [2, 3, Features], config);

        Outliers outliers = tensor.Outliers;
        Assert.False(outliers.IsEmpty);
        Assert.Equal<uint>([3, 8], outliers.Columns.ToArray());
        Assert.Equal(DataType.Float16, outliers.DataType);
        Assert.Equal(6 * 2, outliers.Values.Length);
        float[] restored = tensor.ToArray();
        for (int token = 0; token < 6; token++)
        {
            for (int k = 0; k < 2; k++)
            {
                var expected = (Half)values[(token * Features) + (int)outliers.Columns.Span[k]];
                Assert.Equal(expected, BitConverter.UInt16BitsToHalf(outliers.Values.Span[(token * 2) + k]));
                Assert.Equal((float)expected, restored[(token * Features) + (int)outliers.Columns.Span[k]]);
            }
        }

        Assert.Equal(60 + (6 * 4) + (2 * 4) + (12 * 2), tensor.ByteCount);

        values[0] = 1e6f; // beyond half precision
        using QuantizedTensor wide = QuantizedTensor.Quantize(values, [2, 3, Features], config);
        Assert.Equal(DataType.BFloat16, wide.Outliers.DataType);
        Assert.Equal(
            (ushort)(BitConverter.SingleToUInt32Bits(wide.ToArray()[0]) >> 16), wide.Outliers.Values.Span[0]);

        using QuantizedTensor scalar = QuantizedTensor.Quantize(Samples.Floats(8f), [], config);
        Assert.Equal<uint>([0], scalar.Outliers.Columns.ToArray());
        Assert.Equal([8f], scalar.ToArray());

        // All parts make the same tensor, and those without the outliers one that has none.
        using QuantizedTensor made = QuantizedTensor.FromData(
            tensor.Codes.Span, tensor.ScaleData.Span, [], tensor.Outliers, [2, 3, Features], config);
        Assert.Equal(outliers.Columns.ToArray(), made.Outliers.Columns.ToArray());
        Assert.Equal(outliers.Values.ToArray(), made.Outliers.Values.ToArray());
        Assert.Equal(restored, made.ToArray());
        using QuantizedTensor without = QuantizedTensor.FromCodes(new byte[60], new float[6], [], [6, 10], config);
        Assert.True(without.Outliers.IsEmpty);
    }

    [Fact]
    public void OutliersSurviveAFile()
    {
        using var directory = new TemporaryDirectory();
        using Config config = Config.Preset("int8_outliers");
        float[] values = Samples.Values(40);
        values[7] = 9;
        using QuantizedTensor tensor = QuantizedTensor.Quantize(values, [4, 10], config);
        using (var writer = new ModelWriter(directory["a.bnq"], ModelFileKind.Bnq))
        {
            writer.Add("a", tensor);
            writer.Finish();
        }

        using ModelFile file = ModelFile.Open(directory["a.bnq"]);
        using QuantizedTensor read = file.ReadTensor("a");

        Assert.Equal<uint>([7], read.Outliers.Columns.ToArray());
        Assert.Equal(tensor.Outliers.Values.ToArray(), read.Outliers.Values.ToArray());
        Assert.Equal(tensor.ToArray(), read.ToArray());
        file.Verify();
    }
}
