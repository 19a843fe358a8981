// Finds the edges of pictures by a convolution whose weights are ternary: three times three of -1, 0 and 1 for each of
// four directions (Prewitt), in integers on the pixels of a file. Prints the first pictures and their edges, and the
// FNV-1a of all outputs: in every language the same.
//
//   Edges IMAGES.safetensors
//
// IMAGES has "images", uint8 0..16, each of 8 x 8 pixels.

using System;
using System.Runtime.InteropServices;
using BitNetQuant;

const int Side = 8, Pixels = Side * Side, Directions = 4, Shown = 3;
const string Shades = " .:-=+*#%@";

if (args.Length != 1)
{
    Console.Error.WriteLine("usage: Edges IMAGES.safetensors");
    return 2;
}

try
{
    using ModelFile file = ModelFile.Open(args[0]);
    byte[] pictures = file.Read<byte>("images");
    int count = pictures.Length / Pixels;
    var y = new float[count * Directions * Pixels];
    using (QuantizedConvolution filters = MakeFilters())
    {
        filters.Run(
            MatrixView.Of<byte>(pictures, count, Pixels),
            Side,
            Side,
            MatrixSpan.Of<float>(y, count, Directions * Pixels));
    }

    for (int i = 0; i < Math.Min(Shown, count); i++)
    {
        Show(pictures.AsSpan(i * Pixels, Pixels), y.AsSpan(i * Directions * Pixels, Directions * Pixels));
    }

    Console.WriteLine($"{count} pictures: {Fnv1a(y):x16}");
    return 0;
}
catch (Exception error) when (error is BitNetQuantException or NativeLibraryException)
{
    Console.Error.WriteLine($"error: {error.Message}");
    return 1;
}

// Pixels of 1/16 each, with a frame of 0 around them.
static QuantizedConvolution MakeFilters()
{
    float[] filters =
    [
        1, 1, 1, 0, 0, 0, -1, -1, -1, // up
        1, 1, 0, 1, 0, -1, 0, -1, -1, // up left
        1, 0, -1, 1, 0, -1, 1, 0, -1, // left
        0, -1, -1, 1, 0, -1, 1, 1, 0, // down left
    ];
    using Config config = Config.Parse("ternary,granularity=tensor,scale_rule=absmax");
    using QuantizedTensor weight = QuantizedTensor.Quantize(filters, [Directions, 1, 3, 3], config);
    using var options = new OperatorOptions
    {
        InputScale = 1 / 16f,
        PadTop = 1,
        PadLeft = 1,
        PadBottom = 1,
        PadRight = 1,
    };
    return new QuantizedConvolution(weight, options);
}

// The strongest of all directions at a pixel, 0 to 3.
static float Strength(ReadOnlySpan<float> y, int pixel)
{
    float most = 0;
    for (int direction = 0; direction < Directions; direction++)
    {
        most = Math.Max(most, Math.Abs(y[direction * Pixels + pixel]));
    }

    return most;
}

static void Show(ReadOnlySpan<byte> picture, ReadOnlySpan<float> y)
{
    for (int row = 0; row < Side; row++)
    {
        var line = new char[2 * Side];
        for (int column = 0; column < Side; column++)
        {
            int pixel = row * Side + column;
            line[column] = Shades[picture[pixel] * 9 / 16];
            line[Side + column] = Shades[(int)(Strength(y, pixel) * 3)];
        }

        Console.WriteLine($"{new string(line, 0, Side)}   {new string(line, Side, Side)}");
    }
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
