using System;
using System.Buffers.Binary;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>Inputs that several tests use.</summary>
internal static class Samples
{
    /// <summary>Values in -1..1 that look random and are always the same.</summary>
    internal static float[] Values(int count, uint seed = 1)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            seed = (seed * 1664525) + 1013904223;
            values[i] = ((int)(seed >> 8) - (1 << 23)) / (float)(1 << 23);
        }

        return values;
    }

    /// <summary>That the source, whose token the context has, ends what the context does; and that it
    /// works again after <paramref name="reset"/>. The token is asked from time to time, not in every
    /// call.</summary>
    internal static void AssertCancels(Context context, CancellationTokenSource source, Action reset)
    {
        float[] values = Values(1 << 20);
        using var config = Config.Preset("int8_symmetric");
        void Quantize() => QuantizedTensor.Quantize(values, [values.Length], config, context).Dispose();
        void UntilCancelled()
        {
            while (true)
            {
                Quantize();
            }
        }

        Quantize();
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(UntilCancelled);
        reset();
        Quantize();
    }

    /// <summary>An array: a collection expression would leave open which overload is meant.</summary>
    internal static float[] Floats(params float[] values) => values;

    /// <summary>A safetensors file put together here, without the library's writer.</summary>
    internal static byte[] Safetensors()
    {
        byte[] data = [.. MemoryMarshal.AsBytes<float>(Values(12 * 20)), .. MemoryMarshal.AsBytes<float>(Values(12, 2)),
            .. MemoryMarshal.AsBytes<long>([7, 8, 9])];
        string header = """
            {"__metadata__":{"who":"test"},
             "layer.weight":{"dtype":"F32","shape":[12,20],"data_offsets":[0,960]},
             "layer.bias":{"dtype":"F32","shape":[12],"data_offsets":[960,1008]},
             "ids":{"dtype":"I64","shape":[3],"data_offsets":[1008,1032]}}
            """;
        byte[] text = Encoding.UTF8.GetBytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)text.Length);
        return [.. length, .. text, .. data];
    }

    /// <summary>A file of numpy, version 1.0, put together here too.</summary>
    /// <param name="values">The elements.</param>
    /// <param name="shape">Their shape; null for a vector.</param>
    /// <param name="type">What the header says they are.</param>
    internal static byte[] Npy(float[] values, long[]? shape = null, string type = "<f4")
    {
        string dimensions = string.Concat((shape ?? [values.Length]).Select(dimension => $"{dimension}, "));
        string header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({dimensions}), }}\n";
        return
        [
            0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header),
            .. MemoryMarshal.AsBytes<float>(values),
        ];
    }

    internal static void WriteNpy(string path, float[] values, long[]? shape = null, string type = "<f4") =>
        File.WriteAllBytes(path, Npy(values, shape, type));
}

/// <summary>A directory that goes when the test ends.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("bnq");

    internal string this[string name] => Path.Combine(_directory.FullName, name);

    internal string[] Files => Array.ConvertAll(_directory.GetFiles(), file => file.Name);

    /// <summary>Writes <see cref="Samples.Safetensors"/> into it.</summary>
    internal string Model()
    {
        string path = this["model.safetensors"];
        File.WriteAllBytes(path, Samples.Safetensors());
        return path;
    }

    public void Dispose() => _directory.Delete(recursive: true);
}

/// <summary>Progress that is reported where it happens, unlike that of <see cref="Progress{T}"/>.</summary>
internal sealed class Receiver(Action<ModelProgress> action) : IProgress<ModelProgress>
{
    public void Report(ModelProgress value) => action(value);
}
