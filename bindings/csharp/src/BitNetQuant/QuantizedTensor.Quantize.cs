using System;
using System.Runtime.InteropServices;
using BitNetQuant.Interop;

namespace BitNetQuant;

// How tensors are made.
public sealed unsafe partial class QuantizedTensor
{
    /// <summary>Quantizes an array.</summary>
    /// <param name="values">The elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="config">What to quantize into.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of values is not that of the shape.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="BitNetQuantException">The config or the shape is not legal, or both do not fit.</exception>
    public static QuantizedTensor Quantize(
        ReadOnlySpan<float> values, ReadOnlySpan<long> shape, Config config, Context? context = null) =>
        Quantize(values, DataType.Float32, shape, config, context);

    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, Config, Context?)"/>
    /// <remarks>Each value is first rounded to single precision.</remarks>
    public static QuantizedTensor Quantize(
        ReadOnlySpan<double> values, ReadOnlySpan<long> shape, Config config, Context? context = null) =>
        Quantize(values, DataType.Float64, shape, config, context);

    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, Config, Context?)"/>
    public static QuantizedTensor Quantize(
        ReadOnlySpan<Half> values, ReadOnlySpan<long> shape, Config config, Context? context = null) =>
        Quantize(values, DataType.Float16, shape, config, context);

    /// <inheritdoc cref="Quantize(ReadOnlySpan{float}, ReadOnlySpan{long}, Config, Context?)"/>
    /// <param name="values">The bits of the elements, row-major; as many as the shape has.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="config">What to quantize into.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static QuantizedTensor QuantizeBFloat16(
        ReadOnlySpan<ushort> values, ReadOnlySpan<long> shape, Config config, Context? context = null) =>
        Quantize(values, DataType.BFloat16, shape, config, context);

    /// <summary>Quantizes an array given as bytes, such as those of a <see cref="ModelFile"/>.</summary>
    /// <param name="data">The elements in native byte order, row-major; need not be aligned.</param>
    /// <param name="type">Their type: Float64, Float32, Float16 or BFloat16.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more; empty for a single element.</param>
    /// <param name="config">What to quantize into.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The number of bytes is not what the shape and type take.</exception>
    /// <exception cref="NonFiniteException">A value is NaN or infinite; the message names its index.</exception>
    /// <exception cref="BitNetQuantException">The type, the config or the shape is not legal, or they do not
    /// fit.</exception>
    public static QuantizedTensor Quantize(
        ReadOnlySpan<byte> data, DataType type, ReadOnlySpan<long> shape, Config config, Context? context = null) =>
        Quantize<byte>(data, type, shape, config, context);

    /// <inheritdoc cref="Quantize(ReadOnlySpan{byte}, DataType, ReadOnlySpan{long}, Config, Context?)"/>
    /// <param name="source">The array.</param>
    /// <param name="config">What to quantize into.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    public static QuantizedTensor Quantize(SourceArray source, Config config, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        TensorHandle? tensor = null;
        NativeArray.Lend(source, array => NativeMethods.bnq_tensor_quantize(
            ContextHandle.Of(context), config.Handle, array, out tensor));
        return new QuantizedTensor(tensor!);
    }

    /// <summary>The same with the importance of each column of the last dimension: parameters are those of the
    /// least sum of importance * (x - value)^2.</summary>
    /// <param name="source">The array.</param>
    /// <param name="config">What to quantize into, with <see cref="ScaleRule.Mse"/>.</param>
    /// <param name="importance">As many weights as the last dimension has, finite, not negative and not all 0;
    /// usually the mean of x^2 of the layer's inputs. Only ratios count.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">A weight or the number of them is not legal, or the config does
    /// not search.</exception>
    public static QuantizedTensor QuantizeWeighted(
        SourceArray source, Config config, ReadOnlySpan<float> importance, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        TensorHandle? tensor = null;
        fixed (float* pointer = importance)
        {
            var weights = (nint)pointer;
            ulong count = (ulong)importance.Length;
            NativeArray.Lend(source, array => NativeMethods.bnq_tensor_quantize_weighted(
                ContextHandle.Of(context), config.Handle, array, (float*)weights, count, out tensor));
        }

        return new QuantizedTensor(tensor!);
    }

    private static QuantizedTensor Quantize<T>(
        ReadOnlySpan<T> values, DataType type, ReadOnlySpan<long> shape, Config config, Context? context)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(config);
        TensorHandle? tensor = null;
        NativeArray.Lend(values, type, shape, array => NativeMethods.bnq_tensor_quantize(
            ContextHandle.Of(context), config.Handle, array, out tensor));
        return new QuantizedTensor(tensor!);
    }

    /// <summary>A tensor from codes, scales and zero points made elsewhere; they are copied.</summary>
    /// <param name="packedCodes">Codes in the layout of <see cref="Codes"/>; <see cref="Pack"/> makes it.</param>
    /// <param name="scales">The scales, all finite; empty for a format without.</param>
    /// <param name="zeroPoints">The zero points; empty where the config's scheme is symmetric.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <param name="config">The options the codes were made with.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">The config stores its scales in another way than as single-precision
    /// numbers: see <see cref="FromData(ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{sbyte}, ReadOnlySpan{long},
    /// Config, Context?)"/>.</exception>
    /// <exception cref="InvalidArgumentException">A length is not that of <see cref="Config.GetSizes"/>, or a
    /// value is not legal; the message names its index.</exception>
    public static QuantizedTensor FromCodes(
        ReadOnlySpan<byte> packedCodes, ReadOnlySpan<float> scales, ReadOnlySpan<sbyte> zeroPoints,
        ReadOnlySpan<long> shape, Config config, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (config.ScaleDataType != ScaleDataType.Float32 || config.DoubleQuant)
        {
            throw new ArgumentException(
                $"config stores the scales otherwise than as single-precision numbers ({config}); give them to "
                + $"{nameof(FromData)} as they are stored.", nameof(config));
        }

        return FromData(packedCodes, MemoryMarshal.AsBytes(scales), zeroPoints, shape, config, context);
    }

    /// <summary>A tensor from codes, scales and zero points made elsewhere; they are copied.</summary>
    /// <param name="packedCodes">Codes in the layout of <see cref="Codes"/>; <see cref="Pack"/> makes it.</param>
    /// <param name="scaleData">The scales in the layout of <see cref="ScaleData"/>, all finite.</param>
    /// <param name="zeroPoints">The zero points; empty where the config's scheme is symmetric.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <param name="config">The options the codes were made with, such as <see cref="GetConfig"/>.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">A length is not that of <see cref="Config.GetSizes"/>, or a
    /// value is not legal; the message names its index.</exception>
    public static QuantizedTensor FromData(
        ReadOnlySpan<byte> packedCodes, ReadOnlySpan<byte> scaleData, ReadOnlySpan<sbyte> zeroPoints,
        ReadOnlySpan<long> shape, Config config, Context? context = null) =>
        FromData(packedCodes, scaleData, zeroPoints, default, shape, config, context);

    /// <summary>The same with outliers.</summary>
    /// <param name="packedCodes">Codes in the layout of <see cref="Codes"/>; <see cref="Pack"/> makes it.</param>
    /// <param name="scaleData">The scales in the layout of <see cref="ScaleData"/>, all finite.</param>
    /// <param name="zeroPoints">The zero points; empty where the config's scheme is symmetric.</param>
    /// <param name="outliers">The columns kept out of the codes, such as <see cref="Outliers"/> of a tensor.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <param name="config">The options the codes were made with, such as <see cref="GetConfig"/>.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="InvalidArgumentException">A length is not what the config asks for, or a value is not
    /// legal; the message names its index.</exception>
    public static QuantizedTensor FromData(
        ReadOnlySpan<byte> packedCodes, ReadOnlySpan<byte> scaleData, ReadOnlySpan<sbyte> zeroPoints,
        Outliers outliers, ReadOnlySpan<long> shape, Config config, Context? context = null) =>
        FromData(packedCodes, scaleData, zeroPoints, default, null, outliers, shape, config, context);

    /// <summary>The same with offsets and a tensor's scale.</summary>
    /// <param name="packedCodes">Codes in the layout of <see cref="Codes"/>; <see cref="Pack"/> makes it.</param>
    /// <param name="scaleData">The scales in the layout of <see cref="ScaleData"/>, all finite.</param>
    /// <param name="zeroPoints">The zero points; empty but with <see cref="Scheme.Asymmetric"/>.</param>
    /// <param name="offsetData">The offsets in the layout of <see cref="OffsetData"/>, all finite; empty but with
    /// <see cref="Scheme.Offset"/>.</param>
    /// <param name="tensorScale">What scales of <see cref="ScaleDataType.E4M3"/> are multiples of; null with
    /// others.</param>
    /// <param name="outliers">The columns kept out of the codes, such as <see cref="Outliers"/> of a tensor.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <param name="config">The options the codes were made with, such as <see cref="GetConfig"/>.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <param name="codebook">The values that codes stand for, ascending; empty but with
    /// <see cref="Format.Codebook2"/> to <see cref="Format.Codebook4"/>.</param>
    /// <param name="inputScales">What a layer's inputs are divided by, above 0, one for each column; empty for
    /// none.</param>
    /// <exception cref="InvalidArgumentException">A length is not what the config asks for, or a value is not
    /// legal; the message names its index.</exception>
    public static QuantizedTensor FromData(
        ReadOnlySpan<byte> packedCodes, ReadOnlySpan<byte> scaleData, ReadOnlySpan<sbyte> zeroPoints,
        ReadOnlySpan<byte> offsetData, float? tensorScale, Outliers outliers, ReadOnlySpan<long> shape, Config config,
        Context? context = null, ReadOnlySpan<float> codebook = default, ReadOnlySpan<float> inputScales = default)
    {
        ArgumentNullException.ThrowIfNull(config);
        ulong[] dimensions = Native.Shape(shape);
        ReadOnlySpan<byte> alignedScales = Aligned(scaleData);
        ReadOnlySpan<byte> alignedOffsets = Aligned(offsetData);
        float ofTensor = tensorScale ?? 0;
        fixed (byte* codes = packedCodes)
        fixed (byte* scales = alignedScales)
        fixed (sbyte* zeroPoint = zeroPoints)
        fixed (byte* offsets = alignedOffsets)
        fixed (uint* columns = outliers.Columns.Span)
        fixed (ushort* values = outliers.Values.Span)
        fixed (float* entries = codebook)
        fixed (float* divisors = inputScales)
        fixed (ulong* pointer = dimensions)
        {
            BnqPart* parts = stackalloc BnqPart[]
            {
                Part(NativeMethods.BNQ_PART_CODES, codes, packedCodes.Length),
                Part(NativeMethods.BNQ_PART_SCALES, scales, scaleData.Length),
                Part(NativeMethods.BNQ_PART_ZERO_POINTS, zeroPoint, zeroPoints.Length),
                Part(NativeMethods.BNQ_PART_OUTLIER_COLUMNS, columns, (long)sizeof(uint) * outliers.Columns.Length),
                Part(
                    NativeMethods.BNQ_PART_OUTLIER_VALUES, values, (long)sizeof(ushort) * outliers.Values.Length,
                    outliers.DataType),
                Part(NativeMethods.BNQ_PART_OFFSETS, offsets, offsetData.Length),
                Part(NativeMethods.BNQ_PART_TENSOR_SCALE, &ofTensor, tensorScale is null ? 0 : sizeof(float)),
                Part(NativeMethods.BNQ_PART_CODEBOOK, entries, (long)sizeof(float) * codebook.Length),
                Part(NativeMethods.BNQ_PART_INPUT_SCALES, divisors, (long)sizeof(float) * inputScales.Length),
            };
            Native.Check(NativeMethods.bnq_tensor_create(
                ContextHandle.Of(context), config.Handle, dimensions.Length, pointer, parts,
                NativeMethods.BNQ_NUM_PARTS, flags: 0, out TensorHandle handle));
            return new QuantizedTensor(handle);
        }
    }

    private static BnqPart Part(int part, void* data, long bytes, DataType? type = null) =>
        new() { Data = data, Bytes = (ulong)bytes, Part = part, Dtype = (int)(type ?? 0) };

    /// <summary>Packs codes given one by one into the layout of <see cref="Codes"/>.</summary>
    /// <param name="codes">The codes, row-major; as many as the shape has elements.</param>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <param name="config">Of which the format, the packing and whether there are blocks count.</param>
    /// <param name="context">Where to run; null for one thread.</param>
    /// <exception cref="ArgumentException">Their number is not that of the shape.</exception>
    /// <exception cref="InvalidArgumentException">A code is out of the format's range; the message names its
    /// index.</exception>
    /// <exception cref="UnsupportedException">The format is <see cref="Format.Float16"/> or
    /// <see cref="Format.BFloat16"/>, whose codes do not fit.</exception>
    public static byte[] Pack(
        ReadOnlySpan<sbyte> codes, ReadOnlySpan<long> shape, Config config, Context? context = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ulong[] dimensions = Native.Shape(shape);

        // Compared here and not by the library, so that a short span with a huge shape
        // does not first allocate the result.
        if (!Native.TryCount(dimensions, 1, out UInt128 count) || count != (ulong)codes.Length)
        {
            throw new ArgumentException(
                $"codes has {codes.Length} elements, which is not what the shape "
                + $"[{string.Join(", ", dimensions)}] takes.", nameof(codes));
        }

        var packed = new byte[Native.Length((ulong)config.GetSizes(shape).CodeBytes, "The result")];
        fixed (sbyte* source = codes)
        fixed (ulong* pointer = dimensions)
        fixed (byte* target = packed)
        {
            Native.Check(NativeMethods.bnq_pack(
                ContextHandle.Of(context), config.Handle, dimensions.Length, pointer,
                source, (ulong)codes.Length, target, (ulong)packed.Length));
        }

        return packed;
    }

    /// <summary>The same bytes where the library wants them: at a multiple of 4.</summary>
    private static ReadOnlySpan<byte> Aligned(ReadOnlySpan<byte> scaleData)
    {
        fixed (byte* pointer = scaleData)
        {
            if ((nuint)pointer % sizeof(float) == 0)
            {
                return scaleData;
            }
        }

        Span<byte> copy = MemoryMarshal.AsBytes<float>(new float[(scaleData.Length + 3) / sizeof(float)]);
        scaleData.CopyTo(copy);
        return copy[..scaleData.Length];
    }
}
