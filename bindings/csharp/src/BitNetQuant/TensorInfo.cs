using System.Collections.Immutable;

namespace BitNetQuant;

/// <summary>What a model file says about one of its tensors.</summary>
public sealed class TensorInfo
{
    internal TensorInfo(
        string name, ImmutableArray<long> shape, Format format, DataType? type, long byteCount, long storedByteCount,
        string sameAs = "", string layout = "")
    {
        Name = name;
        Shape = shape;
        Format = format;
        DataType = type;
        ByteCount = byteCount;
        StoredByteCount = storedByteCount;
        SameAs = sameAs;
        Layout = layout;
    }

    /// <summary>Its name, unique within the file.</summary>
    public string Name { get; }

    /// <summary>Its dimensions.</summary>
    public ImmutableArray<long> Shape { get; }

    /// <summary>How it is coded; <see cref="Format.None"/> where it is a plain array.</summary>
    public Format Format { get; }

    /// <summary>The type of a plain array's elements; null where it is quantized.</summary>
    public DataType? DataType { get; }

    /// <summary>Whether it is quantized, rather than a plain array.</summary>
    public bool IsQuantized => Format != Format.None;

    /// <summary>The bytes of its data, uncompressed.</summary>
    public long ByteCount { get; }

    /// <summary>The bytes of its data as stored in the file.</summary>
    public long StoredByteCount { get; }

    /// <summary>The tensor of which this is another name, and whose bytes it has (an embedding that is the head,
    /// too); empty where it is itself.</summary>
    public string SameAs { get; }

    /// <summary>How another ecosystem holds it, for people: "GPTQ"; empty where it is as this library has it.</summary>
    public string Layout { get; }

    /// <summary>Such as "conv.weight: [8, 1, 3, 3] Float32".</summary>
    public override string ToString() =>
        $"{Name}: [{string.Join(", ", Shape)}] {(IsQuantized ? Format.ToString() : DataType.ToString())}";
}
