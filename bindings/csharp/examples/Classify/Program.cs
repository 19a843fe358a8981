// Runs a network on quantized weights, read where they lie in mapped files, in integers; and says how many images it
// classifies correctly, how fast, and what its outputs are: in every language the same bytes, whose FNV-1a this prints.
//
//   Classify IMAGES.safetensors MODEL.bnq...
//
// IMAGES has "images", uint8 0..16, and their "labels"; MODEL "layers.0.weight", "layers.0.bias", "layers.1.weight", ..
// with ReLU between.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using BitNetQuant;

const int Runs = 50;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.Length < 2)
{
    Console.Error.WriteLine("usage: Classify IMAGES.safetensors MODEL.bnq...");
    return 2;
}

try
{
    using ModelFile file = ModelFile.Open(args[0]);
    float[] images = Array.ConvertAll(file.Read<byte>("images"), value => value / 16f);
    byte[] labels = file.Read<byte>("labels");
    foreach (string path in args[1..])
    {
        Classify(path, images, labels);
    }

    return 0;
}
catch (Exception error) when (error is BitNetQuantException or NativeLibraryException)
{
    Console.Error.WriteLine($"error: {error.Message}");
    return 1;
}

// The layers of a file, which stays mapped for as long as they live.
static List<QuantizedLinear> LayersOf(string path)
{
    using ModelFile file = ModelFile.Open(path);
    var layers = new List<QuantizedLinear>();
    for (int i = 0; file.Contains($"layers.{i}.weight"); i++)
    {
        using var options = new OperatorOptions { Input = InputMode.Int8 };
        if (file.Contains($"layers.{i + 1}.weight"))
        {
            options.Function = ActivationFunction.Relu;
        }

        using QuantizedTensor weight = file.ReadTensor($"layers.{i}.weight");
        float[] bias = file.Read<float>($"layers.{i}.bias");
        layers.Add(new QuantizedLinear(weight, options, SourceArray.Of(bias, [bias.Length])));
    }

    return layers;
}

static void Classify(string path, float[] images, byte[] labels)
{
    List<QuantizedLinear> layers = LayersOf(path);
    int rows = labels.Length;
    float[][] outputs = layers.Select(layer => new float[rows * layer.Outputs]).ToArray();
    double best = double.PositiveInfinity;
    for (int run = 0; run < Runs; run++)
    {
        long start = Stopwatch.GetTimestamp();
        float[] x = images;
        foreach ((QuantizedLinear layer, float[] output) in layers.Zip(outputs))
        {
            layer.Run(
                MatrixView.Of<float>(x, rows, layer.Inputs), MatrixSpan.Of<float>(output, rows, layer.Outputs));
            x = output;
        }

        best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds);
    }

    float[] y = outputs[^1];
    int classes = y.Length / rows;
    int right = Enumerable.Range(0, rows).Count(row => Greatest(y.AsSpan(row * classes, classes)) == labels[row]);
    Console.WriteLine($"{Path.GetFileName(path),-28}{100.0 * right / rows,6:F2} %{best,8:F0} us   {Fnv1a(y):x16}");
    layers.ForEach(layer => layer.Dispose());
}

// The first of the greatest.
static int Greatest(ReadOnlySpan<float> scores)
{
    int most = 0;
    for (int i = 1; i < scores.Length; i++)
    {
        most = scores[i] > scores[most] ? i : most;
    }

    return most;
}

static ulong Fnv1a(float[] values)
{
    ulong hash = 0xcbf29ce484222325;
    foreach (byte value in MemoryMarshal.AsBytes<float>(values))
    {
        hash = (hash ^ value) * 0x100000001b3;
    }

    return hash;
}
