using System;
using System.Buffers;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using Xunit;
using static BitNetQuant.Tests.Samples;

namespace BitNetQuant.Tests;

public sealed class ModelFileTests
{
    [Fact]
    public void ReadsSafetensors()
    {
        using var directory = new TemporaryDirectory();
        using ModelFile file = ModelFile.Open(directory.Model());

        Assert.Equal(ModelFileKind.Safetensors, file.Kind);
        Assert.Equal(["ids", "layer.bias", "layer.weight"], file.Tensors.Select(tensor => tensor.Name));
        Assert.Equal(new Dictionary<string, string> { ["who"] = "test" }, file.Metadata);
        TensorInfo weight = file["layer.weight"];
        Assert.Equal<long>([12, 20], weight.Shape);
        Assert.Equal((Format.None, DataType.Float32, false), (weight.Format, weight.DataType, weight.IsQuantized));
        Assert.Equal((960, 960), (weight.ByteCount, weight.StoredByteCount));
        Assert.Equal("layer.weight: [12, 20] Float32", weight.ToString());

        Assert.Equal(Samples.Values(240), file.Read<float>("layer.weight"));
        Assert.Equal([7L, 8L, 9L], file.Read<long>("ids"));
        Assert.Equal(24, file.Read<byte>("ids").Length);
        Assert.Equal(file.Read<byte>("layer.bias"), file.GetData("layer.bias").ToArray());
        Assert.True(file.Contains("ids"));
        Assert.False(file.Contains("nothing"));
        file.Verify();
    }

    [Fact]
    public void ReadsNpy()
    {
        using var directory = new TemporaryDirectory();
        WriteNpy(directory["layer.weight.npy"], Samples.Values(240), [12, 20]);
        WriteNpy(directory["nan.npy"], Floats(1f, float.NaN));
        using ModelFile file = ModelFile.Open(directory["layer.weight.npy"]);
        using ModelFile memory = ModelFile.Open(Npy(Floats(2f), []));
        using ModelFile nan = ModelFile.Open(directory["nan.npy"]);

        Assert.Equal(ModelFileKind.Npy, file.Kind);
        Assert.Empty(file.Metadata);
        TensorInfo weight = Assert.Single(file.Tensors);
        Assert.Equal("layer.weight: [12, 20] Float32", weight.ToString());
        Assert.Equal((960, 960), (weight.ByteCount, weight.StoredByteCount));
        Assert.Equal(Samples.Values(240), file.Read<float>("layer.weight"));
        Assert.Equal(file.Read<byte>("layer.weight"), file.GetData("layer.weight").ToArray());
        file.Verify();
        Assert.Equal("array: [] Float32", Assert.Single(memory.Tensors).ToString());
        Assert.Equal([2f], memory.Read<float>("array"));
        Assert.Throws<NonFiniteException>(() => nan.Verify());

        byte[] whole = Npy(Floats(1f, 2f));
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.Throws<CorruptFileException>(() => ModelFile.Open(whole.AsMemory(0, length)));
        }

        Assert.Throws<UnsupportedException>(() => ModelFile.Open(Npy(Floats(1f), null, ">f4")));
        Assert.Throws<InvalidArgumentException>(() => new ModelWriter(directory["out.npy"], ModelFileKind.Npy));
    }

    [Fact]
    public void RefusesWhatIsNotThere()
    {
        using ModelFile file = ModelFile.Open(Samples.Safetensors());

        Assert.Contains(
            "nothing", Assert.Throws<NotFoundException>(() => file["nothing"]).Message, StringComparison.Ordinal);
        Assert.Throws<NotFoundException>(() => file.Read<float>("nothing"));
        Assert.Throws<UnsupportedException>(() => file.ReadTensor("layer.weight"));
        Assert.Throws<ArgumentException>(() => file.Read<double>("layer.weight"));
        Assert.Throws<InvalidArgumentException>(() => file.Read<float>("layer.bias", new float[5]));
        using var directory = new TemporaryDirectory();
        Assert.Throws<NotFoundException>(() => ModelFile.Open(directory["nothing.safetensors"]));
        Assert.Throws<ArgumentException>(() => ModelFile.Open("a\0b"));
    }

    [Fact]
    public void RefusesEveryTruncation()
    {
        byte[] whole = Samples.Safetensors();
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.Throws<CorruptFileException>(() => ModelFile.Open(whole.AsMemory(0, length)));
        }
    }

    [Theory]
    [InlineData(WriteOptions.None)]
    [InlineData(WriteOptions.Compress)]
    public void WritesWhatItReads(WriteOptions options)
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8, Scheme = Scheme.Asymmetric, GroupSize = 7 };
        float[] values = Samples.Values(8 * 50);
        using QuantizedTensor original = QuantizedTensor.Quantize(values, [8, 50], config);
        QuantizedTensor borrowed = QuantizedTensor.Quantize(values, [8, 50], config);
        using (var writer = new ModelWriter(directory["out.bnq"], ModelFileKind.Bnq, options))
        {
            writer.SetMetadata("who", "first");
            writer.SetMetadata("who", "grüße");
            writer.Add("quantized", borrowed);
            borrowed.Dispose();
            writer.Add("doubles", new double[] { 1, 2, 3, 4 }, [2, 2]);
            writer.Add<ushort>("bits", new ushort[] { 0x3F80 }, DataType.BFloat16, []);
            writer.Add("nothing", ReadOnlyMemory<float>.Empty, [0, 3]);
            AddTemporary(writer);
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            writer.Finish();
        }

        using ModelFile file = ModelFile.Open(directory["out.bnq"]);
        Assert.Equal(ModelFileKind.Bnq, file.Kind);
        Assert.Equal("grüße", file.Metadata["who"]);
        Assert.Equal([1.0, 2.0, 3.0, 4.0], file.Read<double>("doubles"));
        Assert.Equal((DataType.BFloat16, (ushort)0x3F80), (file["bits"].DataType, Assert.Single(file.Read<ushort>("bits"))));
        Assert.Empty(file.Read<float>("nothing"));
        Assert.Equal(Samples.Values(100_000, 5), file.Read<float>("temporary"));
        Assert.True(file["quantized"].IsQuantized);
        Assert.Null(file["quantized"].DataType);
        using QuantizedTensor copy = file.ReadTensor("quantized");
        Assert.Equal(original.Codes.ToArray(), copy.Codes.ToArray());
        Assert.Equal(original.Scales.ToArray(), copy.Scales.ToArray());
        Assert.Equal(original.ZeroPoints.ToArray(), copy.ZeroPoints.ToArray());
        Assert.Equal(original.GroupSize, copy.GroupSize);
        using Config read = file.GetConfig("quantized");
        using Config made = original.GetConfig();
        Assert.Equal((Format.Int8, Scheme.Asymmetric, 7L), (read.Format, read.Scheme, read.GroupSize));
        Assert.Equal(made, read);
        Assert.Throws<UnsupportedException>(() => file.GetConfig("doubles"));
        Assert.Throws<NotFoundException>(() => file.GetConfig("missing"));
        Assert.Throws<UnsupportedException>(() => file.Read<byte>("quantized"));
        file.Verify();
    }

    [Fact]
    public void UnfinishedOutputLeavesNothing()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["out.bnq"], "before");
        using (var writer = new ModelWriter(directory["out.bnq"], ModelFileKind.Bnq, WriteOptions.Overwrite))
        {
            writer.Add("a", new float[] { 1 }, [1]);
        }

        Assert.Equal("before", File.ReadAllText(directory["out.bnq"]));
        Assert.Equal(["out.bnq"], directory.Files);
    }

    [Fact]
    public void WriterRefusesBadTensors()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config();
        using QuantizedTensor tensor = QuantizedTensor.Quantize(Floats(1f), [1], config);
        var writer = new ModelWriter(directory["out.safetensors"], ModelFileKind.Safetensors);
        using (writer)
        {
            float[] data = [1, 2];
            writer.Add("a", data, [2]);
            Assert.Throws<InvalidArgumentException>(() => writer.Add("a", data, [2]));
            Assert.Throws<InvalidArgumentException>(() => writer.Add("", data, [2]));
            Assert.Throws<ArgumentException>(() => writer.Add("b", data, [3]));
            Assert.Throws<ArgumentException>(() => writer.Add("b", new char[] { 'x' }, [1]));
            Assert.Throws<UnsupportedException>(() => writer.Add("b", tensor));
            Assert.Throws<ArgumentNullException>(() => writer.Add("b", null!));
        }

        Assert.Throws<ObjectDisposedException>(() => writer.Add("c", new float[1], [1]));
        Assert.Throws<ObjectDisposedException>(writer.Finish);
    }

    [Fact]
    public void MemoryStaysPinnedAsLongAsItIsUsed()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8 };
        using (QuantizedTensor tensor = QuantizedTensor.Quantize(Floats(0.5f, -1f), [2], config))
        using (var writer = new ModelWriter(directory["a.bnq"], ModelFileKind.Bnq))
        {
            writer.Add("a", tensor);
            writer.Finish();
        }

        var memory = new PinCounter(File.ReadAllBytes(directory["a.bnq"]));
        ModelFile file = ModelFile.Open(memory.Memory);
        QuantizedTensor read = file.ReadTensor("a");
        Assert.Equal(1, memory.Pins);

        file.Dispose();
        Assert.Equal(1, memory.Pins);
        Assert.Equal([64, -127], read.Unpack());

        QuantizedTensor repacked = read.Repack(Packing.Default);
        read.Dispose();
        Assert.Equal(1, memory.Pins);
        Assert.Equal([64, -127], repacked.Unpack());

        repacked.Dispose();
        Assert.Equal(0, memory.Pins);

        Assert.Throws<CorruptFileException>(() => ModelFile.Open(memory.Memory[..20]));
        Assert.Equal(0, memory.Pins);

        var array = new PinCounter(new byte[8]);
        using (var writer = new ModelWriter(directory["b.bnq"], ModelFileKind.Bnq))
        {
            writer.Add<byte>("b", array.Memory, [8]);
            Assert.Throws<InvalidArgumentException>(() => writer.Add<byte>("b", array.Memory, [8]));
            Assert.Equal(1, array.Pins);
        }

        Assert.Equal(0, array.Pins);
    }

    [Fact]
    public void TensorsOutliveTheirFile()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8 };
        using var plan = new Plan().Add("*", config);
        Model.Quantize(directory.Model(), directory["a.bnq"], plan);
        QuantizedTensor tensor;
        using (ModelFile file = ModelFile.Open(directory["a.bnq"]))
        {
            tensor = file.ReadTensor("layer.weight");
        }

        using (tensor)
        {
            using QuantizedTensor expected = QuantizedTensor.Quantize(Samples.Values(240), [12, 20], config);
            Assert.Equal(expected.ToArray(), tensor.ToArray());
        }
    }

    [Fact]
    public void VerifyFindsDamageAndCanBeCancelled()
    {
        using var directory = new TemporaryDirectory();
        using var config = new Config { Format = Format.Int8 };
        using var plan = new Plan().Add("*", config);
        Model.Quantize(directory.Model(), directory["a.bnq"], plan);
        byte[] bytes = File.ReadAllBytes(directory["a.bnq"]);
        long codes = new ReadOnlySpan<byte>(bytes).IndexOf(CodesOf(directory["a.bnq"], "layer.weight"));
        bytes[codes] ^= 1;

        using (ModelFile damaged = ModelFile.Open(bytes))
        {
            Assert.Throws<CorruptFileException>(() => damaged.Verify());
            Assert.Throws<CorruptFileException>(() => damaged.ReadTensor("layer.weight"));
        }

        using ModelFile file = ModelFile.Open(directory["a.bnq"]);
        var seen = new List<ModelProgress>();
        file.Verify(new Receiver(seen.Add));
        Assert.NotEmpty(seen);
        Assert.Equal(seen[^1].Total, seen[^1].Done);
        using var source = new CancellationTokenSource();
        var error = Assert.Throws<OperationCanceledException>(
            () => file.Verify(new Receiver(_ => source.Cancel()), cancellationToken: source.Token));
        Assert.Equal(source.Token, error.CancellationToken);
    }

    [Fact]
    public void DisposedFilesAreRefused()
    {
        ModelFile file = ModelFile.Open(Samples.Safetensors());
        file.Dispose();
        file.Dispose();

        Assert.Throws<ObjectDisposedException>(() => file.Read<float>("layer.bias"));
        Assert.Throws<ObjectDisposedException>(() => file.GetData("layer.bias").Length);
        Assert.Throws<ObjectDisposedException>(() => file.ReadTensor("layer.weight"));
        Assert.Throws<ObjectDisposedException>(() => file.Verify());
        Assert.Equal(3, file.Tensors.Length);
    }

    // In a method of its own, so that nothing but the writer holds the array afterwards.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddTemporary(ModelWriter writer) =>
        writer.Add("temporary", Samples.Values(100_000, 5), [100_000]);

    private static byte[] CodesOf(string path, string name)
    {
        using ModelFile file = ModelFile.Open(path);
        using QuantizedTensor tensor = file.ReadTensor(name);
        return tensor.Codes.ToArray();
    }

    private sealed class PinCounter(byte[] data) : MemoryManager<byte>
    {
        private readonly byte[] _data = GC.AllocateArray<byte>(data.Length, pinned: true);

        internal int Pins { get; private set; }

        public override Span<byte> GetSpan()
        {
            data.CopyTo(_data, 0);
            return _data;
        }

        public override unsafe MemoryHandle Pin(int elementIndex = 0)
        {
            Pins++;
            data.CopyTo(_data, 0);
            return new MemoryHandle(Unsafe.AsPointer(ref _data[elementIndex]), pinnable: this);
        }

        public override void Unpin() => Pins--;

        protected override void Dispose(bool disposing) { }
    }
}
