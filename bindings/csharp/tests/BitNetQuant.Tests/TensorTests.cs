using System;
using System.Buffers;
using System.Collections.Concurrent;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class TensorTests
{
    // 0.5, -1, 0.25, 2 and so on: exact in every type, so all types give the same tensor.
    private static readonly float[] Exact = [0.5f, -1f, 0.25f, 2f, -0.125f, 0f];

    [Fact]
    public void DescribesItself()
    {
        using var config = new Config { Format = Format.Int8, Scheme = Scheme.Asymmetric, GroupSize = 4 };
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Samples.Values(3 * 2 * 5), [3, 2, 5], config);

        Assert.Equal<long>([3, 2, 5], tensor.Shape);
        Assert.Equal((3, 10, 30), (tensor.Rows, tensor.Columns, tensor.ElementCount));
        Assert.Equal(Format.Int8, tensor.Format);
        Assert.Equal((Granularity.Group, 4L, 0), (tensor.Granularity, tensor.GroupSize, tensor.Axis));
        Assert.Equal(Scheme.Asymmetric, tensor.Scheme);
        Assert.Equal(30, tensor.Codes.Length);
        Assert.Equal((9, 9L), (tensor.Scales.Length, tensor.ScaleCount));
        Assert.Equal(9, tensor.ZeroPoints.Length);
        Assert.Equal(30 + (9 * 4) + 9, tensor.ByteCount);
        Assert.Equal((ScaleDataType.Float32, false, Packing.Default),
            (tensor.ScaleDataType, tensor.DoubleQuant, tensor.Packing));
        Assert.Equal(MemoryMarshal.AsBytes(tensor.Scales.Span).ToArray(), tensor.ScaleData.ToArray());
        Assert.Equal(0, tensor.SaturatedScaleCount);
        Assert.True(tensor.Outliers.IsEmpty);
        Assert.Null(tensor.Outliers.DataType);
        Assert.Equal(tensor.ByteCount * 8 / 30.0, tensor.BitsPerWeight);
        Assert.Throws<NotFoundException>(() => tensor.GetOption("colour"));
    }

    [Fact]
    public void EveryInputTypeGivesTheSame()
    {
        using var config = new Config { Format = Format.Int8, GroupSize = 3 };
        long[] shape = [2, 3];
        ushort[] bfloat16 = Array.ConvertAll(Exact, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
        using QuantizedTensor single = QuantizedTensor.Quantize(Exact, shape, config);
        using QuantizedTensor fromDouble = QuantizedTensor.Quantize(Array.ConvertAll(Exact, value => (double)value), shape, config);
        using QuantizedTensor fromHalf = QuantizedTensor.Quantize(Array.ConvertAll(Exact, value => (Half)value), shape, config);
        using QuantizedTensor fromBFloat16 = QuantizedTensor.QuantizeBFloat16(bfloat16, shape, config);
        using QuantizedTensor fromBytes = QuantizedTensor.Quantize(
            MemoryMarshal.AsBytes<float>(Exact), DataType.Float32, shape, config);

        foreach (QuantizedTensor tensor in new[] { fromDouble, fromHalf, fromBFloat16, fromBytes })
        {
            Assert.Equal(single.Codes.ToArray(), tensor.Codes.ToArray());
            Assert.Equal(single.Scales.ToArray(), tensor.Scales.ToArray());
        }
    }

    [Fact]
    public void EveryOutputTypeIsTheRoundedSingle()
    {
        using var config = new Config { Format = Format.Int8, GroupSize = 3 };
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Exact, [2, 3], config);
        var halves = new Half[6];
        var bfloat16 = new ushort[6];
        float[] singles = tensor.ToArray();

        tensor.Dequantize(halves);
        tensor.DequantizeBFloat16(bfloat16);

        Assert.Equal(Array.ConvertAll(singles, value => (Half)value), halves);
        Assert.Equal(Array.ConvertAll(singles, BFloat16), bfloat16);

        var rowSingles = new float[3];
        var rowHalves = new Half[3];
        var rowBFloat16 = new ushort[3];
        tensor.DequantizeRows(1, 1, rowSingles);
        tensor.DequantizeRows(1, 1, rowHalves);
        tensor.DequantizeRowsBFloat16(1, 1, rowBFloat16);
        Assert.Equal(singles[3..], rowSingles);
        Assert.Equal(halves[3..], rowHalves);
        Assert.Equal(bfloat16[3..], rowBFloat16);
    }

    [Fact]
    public void ComparesWithTheOriginal()
    {
        using var config = new Config { Format = Format.Ternary, Granularity = Granularity.Tensor };
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Exact, [2, 3], config);

        Metrics expected = Metrics.Compare(Exact, tensor.ToArray());

        Assert.True(expected.Mse > 0);
        Assert.Equal(expected, tensor.Compare(Exact));
        Assert.Equal(expected, tensor.Compare(Array.ConvertAll(Exact, value => (double)value)));
        Assert.Equal(expected, tensor.Compare(Array.ConvertAll(Exact, value => (Half)value)));
        Assert.Equal(expected, tensor.Compare(MemoryMarshal.AsBytes<float>(Exact), DataType.Float32));
        Assert.Equal(expected, Metrics.Compare(
            MemoryMarshal.AsBytes<Half>(Array.ConvertAll(Exact, value => (Half)value)), DataType.Float16,
            MemoryMarshal.AsBytes<float>(tensor.ToArray()), DataType.Float32, [2, 3]));
    }

    [Fact]
    public void ScalarsAndEmptyArraysAreLegal()
    {
        using var config = new Config { Format = Format.Int8 };
        using QuantizedTensor scalar = QuantizedTensor.Quantize(Floats(2f), [], config);
        using QuantizedTensor empty = QuantizedTensor.Quantize(Array.Empty<float>(), [0, 5], config);

        Assert.Empty(scalar.Shape);
        Assert.Equal([127], scalar.Unpack());
        Assert.Equal<long>([0, 5], empty.Shape);
        Assert.True(empty.Codes.IsEmpty);
        Assert.Empty(empty.ToArray());
        Assert.Equal(0, empty.BitsPerWeight);
    }

    [Fact]
    public void BuffersMustFitTheShape()
    {
        using var config = new Config();
        Assert.Throws<ArgumentException>(() => QuantizedTensor.Quantize(new float[5], [2, 3], config));
        Assert.Throws<ArgumentException>(() => QuantizedTensor.Quantize(new float[7], [2, 3], config));
        Assert.Throws<ArgumentException>(() => QuantizedTensor.Quantize(new float[1], [long.MaxValue, long.MaxValue], config));
        Assert.Throws<ArgumentException>(() => QuantizedTensor.Quantize(new byte[6], DataType.Float32, [2, 3], config));
        Assert.Throws<ArgumentOutOfRangeException>(() => QuantizedTensor.Quantize(new float[1], [-1], config));
        Assert.Throws<ArgumentOutOfRangeException>(() => QuantizedTensor.Quantize(new byte[1], (DataType)1000, [1], config));
        Assert.Throws<ArgumentException>(() => QuantizedTensor.Pack(new sbyte[5], [2, 3], config));
        Assert.Throws<ArgumentException>(() => Metrics.Compare(new float[2], new float[3]));
        Assert.Throws<ArgumentNullException>(() => QuantizedTensor.Quantize(Floats(1f), [1], null!));

        using QuantizedTensor tensor = QuantizedTensor.Quantize(Exact, [2, 3], config);
        Assert.Throws<InvalidArgumentException>(() => tensor.Dequantize(new float[5]));
        Assert.Throws<InvalidArgumentException>(() => tensor.Unpack(new sbyte[7]));
        Assert.Throws<InvalidArgumentException>(() => tensor.DequantizeRows(1, 2, new float[6]));
        Assert.Throws<InvalidArgumentException>(() => tensor.DequantizeRows(0, 1, new float[6]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.DequantizeRows(-1, 1, new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.DequantizeRows(0, -1, new float[3]));
        Assert.Throws<ArgumentException>(() => tensor.Compare(new float[5]));
    }

    [Fact]
    public void IllegalCodesAreRefused()
    {
        using var config = new Config { Granularity = Granularity.Tensor };
        Assert.Contains(
            "2",
            Assert.Throws<InvalidArgumentException>(() => QuantizedTensor.Pack([0, 1, 5], [3], config)).Message,
            StringComparison.Ordinal);
        Assert.Throws<InvalidArgumentException>(() => QuantizedTensor.FromCodes([0b11], [1f], [], [1], config));
        Assert.Throws<InvalidArgumentException>(() => QuantizedTensor.FromCodes([1], [float.NaN], [], [1], config));
        Assert.Throws<InvalidArgumentException>(() => QuantizedTensor.FromCodes([1], [1f, 1f], [], [1], config));
        Assert.Throws<InvalidArgumentException>(() => QuantizedTensor.FromData([1], [0, 0, 0], [], [1], config));
        config.DoubleQuant = true;
        Assert.Throws<ArgumentException>(() => QuantizedTensor.FromCodes([1], [1f, 1f, 1f], [], [1], config));
    }

    [Fact]
    public void CodesFromOutsideAreCopied()
    {
        using var config = new Config { Format = Format.Int8, Granularity = Granularity.Tensor };
        byte[] codes = [5];
        float[] scales = [0.5f];
        using QuantizedTensor tensor = QuantizedTensor.FromCodes(codes, scales, [], [1], config);

        codes[0] = 9;
        scales[0] = 9;

        Assert.Equal([2.5f], tensor.ToArray());
    }

    [Fact]
    public void DisposedTensorsAreRefused()
    {
        using var config = new Config();
        QuantizedTensor tensor = QuantizedTensor.Quantize(Exact, [6], config);
        tensor.Dispose();
        tensor.Dispose();

        Assert.Throws<ObjectDisposedException>(() => tensor.Codes.Length);
        Assert.Throws<ObjectDisposedException>(() => tensor.Scales.Length);
        Assert.Throws<ObjectDisposedException>(() => tensor.ScaleData.Length);
        Assert.Throws<ObjectDisposedException>(() => tensor.ZeroPoints.Length);
        Assert.Throws<ObjectDisposedException>(() => tensor.Outliers.IsEmpty);
        Assert.Throws<ObjectDisposedException>(() => tensor.Repack(Packing.Base3));
        Assert.Throws<ObjectDisposedException>(() => tensor.GetConfig());
        Assert.Throws<ObjectDisposedException>(() => QuantizedTensor.DequantizeBatch([tensor]));
        Assert.Throws<ObjectDisposedException>(() => tensor.ToArray());
        Assert.Throws<ObjectDisposedException>(() => tensor.Unpack());
        Assert.Throws<ObjectDisposedException>(() => tensor.Compare(Exact));
        Assert.Throws<ObjectDisposedException>(() => tensor.GroupSize);
        Assert.Equal<long>([6], tensor.Shape);
    }

    [Fact]
    public void ThreadsMayReadOneTensor()
    {
        float[] values = Samples.Values(100 * 333);
        using var config = new Config { Format = Format.Int8, Scheme = Scheme.Asymmetric, GroupSize = 50 };
        using var context = new Context(2);
        using QuantizedTensor tensor = QuantizedTensor.Quantize(values, [100, 333], config);
        float[] expected = tensor.ToArray();
        sbyte[] codes = tensor.Unpack();
        Metrics metrics = tensor.Compare(values);

        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            var rows = new float[333 * 2];
            tensor.DequantizeRows(i, 2, rows);
            Assert.True(rows.AsSpan().SequenceEqual(expected.AsSpan(i * 333, rows.Length)));
            Assert.Equal(expected, tensor.ToArray(context));
            Assert.Equal(codes, tensor.Unpack(context));
            Assert.Equal(metrics, tensor.Compare(values, context));
            Assert.Equal(100 * 7, tensor.Scales.Length);
        });
    }

    [Fact]
    public async Task DisposingDuringCallsLetsThemEnd()
    {
        using var config = new Config { Format = Format.Int8 };
        QuantizedTensor tensor = QuantizedTensor.Quantize(Samples.Values(1 << 18), [1 << 18], config);
        float[] expected = tensor.ToArray();
        using var started = new CountdownEvent(4);
        var results = new ConcurrentBag<bool>();
        void Read() => results.Add(expected.AsSpan().SequenceEqual(tensor.ToArray()));
        void ReadForEver()
        {
            while (true)
            {
                Read();
            }
        }

        Task[] readers = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            Read();
            started.Signal();
            Assert.Throws<ObjectDisposedException>(ReadForEver);
        })).ToArray();

        started.Wait();
        tensor.Dispose();
        await Task.WhenAll(readers);

        Assert.All(results, Assert.True);
    }

    private static ushort BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>A view of each kind, of a tensor and a file that nobody refers to any more.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ViewsKeepTheMemoryThatTheyShow(bool dispose)
    {
        using var directory = new TemporaryDirectory();
        float[] values = Samples.Values(64 * 256);
        using Config config = Config.Parse("int8_asymmetric");
        using QuantizedTensor expected = QuantizedTensor.Quantize(values, [64, 256], config);
        byte[] codes = expected.Codes.ToArray();
        byte[] scales = expected.ScaleData.ToArray();
        sbyte[] zeroPoints = expected.ZeroPoints.ToArray();

        (ReadOnlyMemory<byte> Codes, ReadOnlyMemory<byte> Scales, ReadOnlyMemory<sbyte> ZeroPoints,
            ReadOnlyMemory<byte> Data) views = Views(directory[$"{dispose}.safetensors"], values, config, dispose);
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        // Memory that has been given back is soon used for something else.
        using QuantizedTensor other = QuantizedTensor.Quantize(Samples.Values(64 * 256, 9), [64, 256], config);
        Assert.Equal(codes, views.Codes.ToArray());
        Assert.Equal(scales, views.Scales.ToArray());
        Assert.Equal(zeroPoints, views.ZeroPoints.ToArray());
        Assert.Equal(MemoryMarshal.AsBytes<float>(values).ToArray(), views.Data.ToArray());
        using (MemoryHandle pinned = views.Codes[3..].Pin())
        {
            unsafe
            {
                Assert.Equal(codes[3], *(byte*)pinned.Pointer);
            }
        }

        GC.KeepAlive(views);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ReadOnlyMemory<byte>, ReadOnlyMemory<byte>, ReadOnlyMemory<sbyte>, ReadOnlyMemory<byte>) Views(
        string path, float[] values, Config config, bool dispose)
    {
        using (var writer = new ModelWriter(path, ModelFileKind.Safetensors))
        {
            writer.Add("array", values, [64, 256]);
            writer.Finish();
        }

        ModelFile file = ModelFile.Open(path);
        QuantizedTensor tensor = QuantizedTensor.Quantize(values, [64, 256], config);
        var views = (tensor.Codes, tensor.ScaleData, tensor.ZeroPoints, file.GetData("array"));
        if (dispose)
        {
            tensor.Dispose();
            file.Dispose();
        }

        return views;
    }
}
