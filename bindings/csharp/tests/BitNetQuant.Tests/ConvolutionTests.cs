using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Xunit;
using static BitNetQuant.Tests.Vectors;

namespace BitNetQuant.Tests;

/// <summary>All cases of tests/vectors/convolution.json, which the tests of every language share.</summary>
public sealed class ConvolutionTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Load("convolution.json");

    public static TheoryData<string> Names => new(Cases.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void GivesTheResultOfTheVector(string name)
    {
        JsonElement test = Cases[name];
        using QuantizedConvolution convolution = LayerVectors.Make(
            test, (weight, options, bias) => new QuantizedConvolution(weight, options, bias));
        bool last = test.GetProperty("options").TryGetProperty("layout", out JsonElement layout)
            && layout.GetString() == "nhwc";
        long[] images = Shape(test);
        long[] wanted = test.GetProperty("output_shape").EnumerateArray().Select(item => item.GetInt64()).ToArray();
        (int height, int width) = Sides(images, last);
        (int down, int across) = Sides(wanted, last);
        int channels = (int)(last ? wanted[^1] : wanted[1]), items = (int)images[0];
        Assert.Equal((channels, down, across), convolution.GetOutput(height, width));

        var inputs = new LayerVectors.Inputs(test);
        using var threads = new Context(3);
        using var workspace = new Workspace(convolution.GetWorkspaceBytes(items, height, width));
        foreach (Workspace? memory in new[] { null, workspace })
        {
            Assert.Equal(LayerVectors.Expected(test), LayerVectors.Run(
                test, items, channels * down * across,
                y => convolution.Run(inputs.View(0, items), height, width, y, threads, memory)));
        }
    }

    private static (int Height, int Width) Sides(long[] shape, bool last)
    {
        long[] sides = last ? shape[1..^1] : shape[2..];
        return ((int)(sides.Length == 1 ? 1 : sides[0]), (int)sides[^1]);
    }
}
