using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors/linear.json, which the tests of every language share; lifetimes, and what is
/// refused.</summary>
public sealed class LinearTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Load("linear.json");

    public static TheoryData<string> Names => new(Cases.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void GivesTheResultOfTheVector(string name)
    {
        JsonElement test = Cases[name];
        using QuantizedLinear linear = LayerVectors.Make(
            test, (weight, options, bias) => new QuantizedLinear(weight, options, bias));
        using var threads = new Context(3);
        int rows = (int)Shape(test)[0], columns = linear.Outputs;
        byte[] expected = LayerVectors.Expected(test);
        Assert.Equal(expected, Run(test, linear, 0, rows));
        Assert.Equal(expected, Run(test, linear, 0, rows, threads));
        using var workspace = new Workspace(linear.GetWorkspaceBytes(1));
        int size = expected.Length / rows;
        for (int m = 0; m < rows; m++)
        {
            Assert.Equal(expected[(m * size)..((m + 1) * size)], Run(test, linear, m, 1, null, workspace));
        }

        Assert.Equal(columns * rows * LayerVectors.ElementSize(test), expected.Length);
        if (test.GetProperty("weight_shape").GetArrayLength() == 2)
        {
            using Config config = ConfigOf(test);
            using OperatorOptions options = OperatorOptions.FromDictionary(Options(test.GetProperty("options")));
            Assert.Equal(test.GetProperty("integers").GetBoolean(), options.MultipliesIntegers(config));
        }
    }

    [Fact]
    public void RunsSeveralLayersAtOnce()
    {
        using QuantizedTensor weight = Weight("ternary", 6), other = Weight("nf4", 4);
        using var options = new OperatorOptions { Input = InputMode.BitNet };
        using var first = new QuantizedLinear(weight, options);
        using var second = new QuantizedLinear(other);
        using var context = new Context(2);
        using var workspace = new Workspace(first.GetWorkspaceBytes(3) + second.GetWorkspaceBytes(3));
        float[] x = Inputs(3), a = Run(first, x), b = Run(second, x);
        foreach (Workspace? memory in new[] { null, workspace })
        {
            float[] one = new float[18], two = new float[12];
            QuantizedLinear.RunMany<float>(
                [first, second], MatrixView.Of<float>(x, 3, 40), [one, two], context, memory);
            Assert.Equal(a, one);
            Assert.Equal(b, two);
        }

        Parallel.For(0, 4, _ => Assert.Equal(a, Run(first, x)));
        QuantizedLinear.RunMany<float>([], MatrixView.Of<float>(x, 3, 40), []);
        Assert.Throws<ArgumentException>(
            "ys", () => QuantizedLinear.RunMany<float>([first], MatrixView.Of<float>(x, 3, 40), []));
        Assert.Throws<ArgumentException>(
            () => QuantizedLinear.RunMany<float>([first], MatrixView.Of<float>(x, 3, 40), [new float[17]]));
    }

    [Fact]
    public void KeepsItsWeight()
    {
        QuantizedTensor weight = Weight("int8", 6);
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        using (var writer = new ModelWriter(path, ModelFileKind.Bnq))
        {
            writer.Add("w", weight);
            writer.Finish();
        }

        // In memory of ours, which the last one that borrows it releases.
        ModelFile file = ModelFile.Open(File.ReadAllBytes(path));
        File.Delete(path);
        QuantizedTensor borrowed = file.ReadTensor("w");
        using var linear = new QuantizedLinear(weight);
        using var same = new QuantizedLinear(borrowed);
        float[] expected = Run(linear, Inputs(2));
        weight.Dispose();
        borrowed.Dispose();
        file.Dispose();
        GC.Collect();
        Assert.Equal(expected, Run(linear, Inputs(2)));
        Assert.Equal(expected, Run(same, Inputs(2)));
    }

    [Fact]
    public void DividesInputs()
    {
        using QuantizedTensor weight = Weight("int8,granularity=channel", 6);
        float[] divisors = Enumerable.Repeat(2f, 40).ToArray();
        using Config config = weight.GetConfig();
        using QuantizedTensor scaled = QuantizedTensor.FromData(
            weight.Codes.Span, weight.ScaleData.Span, [], [], null, default, [6, 40], config, inputScales: divisors);
        Assert.Empty(weight.InputScales.ToArray());
        Assert.Equal(divisors, scaled.InputScales.ToArray());
        using QuantizedLinear linear = new(weight), divided = new(scaled);
        Assert.Equal(
            Run(linear, Inputs(2)), Run(divided, Array.ConvertAll(Inputs(2), value => 2 * value)));
    }

    [Fact]
    public void OptionsAreSetByPropertyAndByName()
    {
        using var options = new OperatorOptions
        {
            Input = InputMode.Static, InputScale = 0.5f, InputZeroPoint = -3,
            Function = ActivationFunction.LeakyRelu, Slope = 0.25f, Output = OutputType.UInt8, OutputScale = 2,
            OutputZeroPoint = 128, StrideHeight = 2, StrideWidth = 3, PadTop = 1, PadLeft = 2, PadBottom = 3, PadRight = 4,
            DilationHeight = 5, DilationWidth = 6, Groups = 7, Layout = ImageLayout.Nhwc,
        };
        using OperatorOptions copy = options.Clone(), read = OperatorOptions.FromDictionary(options.ToDictionary());
        Assert.Equal(options.ToDictionary(), copy.ToDictionary());
        Assert.Equal(options.ToDictionary(), read.ToDictionary());
        foreach (OperatorOptions same in new[] { copy, read })
        {
            Assert.Equal(
                (InputMode.Static, 0.5f, -3, ActivationFunction.LeakyRelu, 0.25f),
                (same.Input, same.InputScale, same.InputZeroPoint, same.Function, same.Slope));
            Assert.Equal((OutputType.UInt8, 2f, 128), (same.Output, same.OutputScale, same.OutputZeroPoint));
            Assert.Equal(
                (2, 3, 1, 2, 3, 4),
                (same.StrideHeight, same.StrideWidth, same.PadTop, same.PadLeft, same.PadBottom, same.PadRight));
            Assert.Equal(
                (5, 6, 7, ImageLayout.Nhwc), (same.DilationHeight, same.DilationWidth, same.Groups, same.Layout));
        }

        Assert.Equal(options.ToDictionary().Keys, Library.OperatorOptions.Select(option => option.Name));
        Assert.Equal("static", options.Get("input"));
        Assert.Throws<InvalidArgumentException>(() => options.OutputScale = -1);
        Assert.Throws<NotFoundException>(() => options.Set("inputs", "int8"));
    }

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        using QuantizedTensor weight = Weight("int8", 6);
        using var options = new OperatorOptions { Input = InputMode.Int8 };
        using var linear = new QuantizedLinear(weight, options);
        var error = Assert.ThrowsAny<BitNetQuantException>(() => Run(linear, Inputs(1), columns: 20));
        Assert.Contains("20 columns", error.Message, StringComparison.Ordinal);
        float[] x = Inputs(3);
        x[41] = float.NaN;
        error = Assert.Throws<NonFiniteException>(() => Run(linear, x));
        Assert.Contains("x[1, 1]", error.Message, StringComparison.Ordinal);
        using (var small = new Workspace(linear.GetWorkspaceBytes(1) - 1))
        {
            error = Assert.Throws<InvalidArgumentException>(() => Run(linear, Inputs(1), workspace: small));
            Assert.Contains("workspace", error.Message, StringComparison.Ordinal);
            small.Dispose();
            Assert.Throws<ObjectDisposedException>(() => Run(linear, Inputs(1), workspace: small));
        }

        error = Assert.Throws<InvalidArgumentException>(
            () => new QuantizedLinear(weight, options, SourceArray.Of(new float[5], [5])));
        Assert.Contains("5 elements", error.Message, StringComparison.Ordinal);
        linear.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Run(linear, Inputs(1)));
    }

    [Fact]
    public void EmbedsRows()
    {
        using QuantizedTensor table = Weight("int4_per_group_32", 6);
        float[] rows = table.ToArray(), y = new float[3 * 50];
        table.Embed([5, 0, 5], MatrixSpan.Of<float>(y, 3, 40, rowStride: 50));
        Assert.Equal(rows[200..], y[..40]);
        Assert.Equal(rows[..40], y[50..90]);
        Assert.Equal(new float[10], y[90..100]);
        Assert.Equal(rows[200..], y[100..140]);
        var error = Assert.Throws<InvalidArgumentException>(
            () => table.Embed([0, 6], MatrixSpan.Of<float>(new float[80], 2, 40)));
        Assert.Contains("index 1 = 6", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Run(
        JsonElement test, QuantizedLinear linear, int first, int rows, Context? context = null,
        Workspace? workspace = null)
    {
        var inputs = new LayerVectors.Inputs(test);
        return LayerVectors.Run(
            test, rows, linear.Outputs, y => linear.Run(inputs.View(first, rows), y, context, workspace));
    }

    private static QuantizedTensor Weight(string config, int rows)
    {
        float[] values = Enumerable.Range(0, rows * 40).Select(i => MathF.Sin(i * 0.37f)).ToArray();
        using Config parsed = Config.Parse(config);
        return QuantizedTensor.Quantize(values, [rows, 40], parsed);
    }

    private static float[] Inputs(int rows) =>
        Enumerable.Range(0, rows * 40).Select(i => MathF.Cos(i * 0.11f)).ToArray();

    private static float[] Run(QuantizedLinear linear, float[] x, int columns = 40, Workspace? workspace = null)
    {
        int rows = x.Length / columns;
        var y = new float[rows * linear.Outputs];
        linear.Run(
            MatrixView.Of<float>(x, rows, columns), MatrixSpan.Of<float>(y, rows, linear.Outputs), workspace: workspace);
        return y;
    }
}
