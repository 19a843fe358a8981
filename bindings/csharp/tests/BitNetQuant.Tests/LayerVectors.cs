using System;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.Json;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>Reads the vectors of operators with weights: linear.json and convolution.json.</summary>
internal static class LayerVectors
{
    internal delegate void Filling(MatrixSpan y);

    /// <summary>An operator of a case's weight, options and bias, which need not outlive it.</summary>
    internal static T Make<T>(JsonElement test, Func<QuantizedTensor, OperatorOptions, SourceArray?, T> make)
    {
        using Config config = ConfigOf(test);
        using OperatorOptions options = OperatorOptions.FromDictionary(Options(test.GetProperty("options")));
        long[] shape = test.GetProperty("weight_shape").EnumerateArray().Select(item => item.GetInt64()).ToArray();
        using QuantizedTensor plain = QuantizedTensor.Quantize(Floats(test.GetProperty("weight")), shape, config);
        using QuantizedTensor? scaled = test.TryGetProperty("input_scales", out JsonElement scales)
            ? QuantizedTensor.FromData(
                plain.Codes.Span, plain.ScaleData.Span, [], [], null, default, shape, config,
                inputScales: Floats(scales))
            : null;
        QuantizedTensor weight = scaled ?? plain;
        SourceArray? bias = null;
        if (test.TryGetProperty("bias", out JsonElement values))
        {
            bias = test.GetProperty("bias_dtype").GetString() == "I32"
                ? SourceArray.Of(Integers(values), [values.GetArrayLength()])
                : SourceArray.Of(Floats(values), [values.GetArrayLength()]);
        }

        return make(weight, options, bias);
    }

    internal static int ElementSize(JsonElement test) => test.GetProperty("output_dtype").GetString() switch
    {
        "F32" => 4, "F16" or "BF16" => 2, _ => 1,
    };

    /// <summary>The bytes of a case's output.</summary>
    internal static byte[] Expected(JsonElement test)
    {
        JsonElement output = test.GetProperty("output");
        return ElementSize(test) switch
        {
            4 => MemoryMarshal.AsBytes<float>(FloatBits(output)).ToArray(),
            2 => MemoryMarshal.AsBytes<ushort>(HalfBits(test)).ToArray(),
            _ => Bytes(output),
        };
    }

    /// <summary>The bytes of what fills a matrix of the case's output type.</summary>
    internal static byte[] Run(JsonElement test, int rows, int columns, Filling fill)
    {
        var y = new byte[rows * columns * ElementSize(test)];
        fill(test.GetProperty("output_dtype").GetString() switch
        {
            "F32" => MatrixSpan.Of(MemoryMarshal.Cast<byte, float>(y), rows, columns),
            "F16" => MatrixSpan.Of(MemoryMarshal.Cast<byte, Half>(y), rows, columns),
            "BF16" => MatrixSpan.Of(MemoryMarshal.Cast<byte, ushort>(y), rows, columns),
            "I8" => MatrixSpan.Of(MemoryMarshal.Cast<byte, sbyte>(y), rows, columns),
            _ => MatrixSpan.Of<byte>(y, rows, columns),
        });
        return y;
    }

    /// <summary>A case's x, a row for each index of the first dimension.</summary>
    internal sealed class Inputs
    {
        private readonly string _type;
        private readonly int _columns;
        private readonly byte[] _codes = [];
        private readonly float[] _floats = [], _scales;
        private readonly int[] _zeroPoints;
        private readonly Half[] _halves;
        private readonly ushort[] _upper;

        internal Inputs(JsonElement test)
        {
            JsonElement input = test.GetProperty("input");
            _type = test.GetProperty("dtype").GetString()!;
            _columns = (int)Shape(test).Skip(1).Aggregate(1L, (a, b) => a * b);
            if (_type is "I8" or "U8")
            {
                _codes = Bytes(input);
            }
            else
            {
                _floats = Floats(input);
            }

            _halves = Array.ConvertAll(_floats, value => (Half)value);
            _upper = Array.ConvertAll(_floats, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
            _scales = Member(test, "scales") is { } scales ? Floats(scales) : [];
            _zeroPoints = Member(test, "zero_points") is { } zeroPoints ? Integers(zeroPoints) : [];
        }

        /// <summary>Some of the rows.</summary>
        internal MatrixView View(int first, int rows)
        {
            (int begin, int count, int columns) = (first * _columns, rows * _columns, _columns);
            MatrixView x = _type switch
            {
                "F32" => MatrixView.Of<float>(_floats.AsSpan(begin, count), rows, columns),
                "F16" => MatrixView.Of<Half>(_halves.AsSpan(begin, count), rows, columns),
                "BF16" => MatrixView.Of<ushort>(_upper.AsSpan(begin, count), rows, columns),
                "I8" => MatrixView.Of<sbyte>(MemoryMarshal.Cast<byte, sbyte>(_codes.AsSpan(begin, count)), rows, columns),
                _ => MatrixView.Of<byte>(_codes.AsSpan(begin, count), rows, columns),
            };
            return _scales.Length == 0 ? x : x.WithScales(
                _scales.AsSpan(first, rows), _zeroPoints.Length == 0 ? default : _zeroPoints.AsSpan(first, rows));
        }

        private static JsonElement? Member(JsonElement test, string name) =>
            test.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? list : null;
    }
}
