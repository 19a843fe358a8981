// What try.sh runs: a program as a user of the package writes one. It quantizes a model and
// reads the file, also on .NET's own threads, and says which library it found.
//
// usage: Program DIRECTORY   (in which the library must lie; what is printed is its path)

using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using BitNetQuant;

string directory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(args[0]));
try
{
    Library.Load();
}
catch (NativeLibraryException e)
{
    Console.WriteLine(e.Message);
    return 3;
}

string loaded = Path.GetFullPath(Library.Path);
if (!loaded.StartsWith(directory + Path.DirectorySeparatorChar, StringComparison.Ordinal))
{
    Console.WriteLine($"{loaded} is not in {directory}");
    return 1;
}

var weights = new float[256 * 64];
for (int i = 0; i < weights.Length; i++)
{
    weights[i] = (((i * 2654435761) % 2001) - 1000) / 1000f;
}

string folder = Directory.CreateTempSubdirectory("bnq-try").FullName;
try
{
    string model = Path.Combine(folder, "model.safetensors");
    using (var writer = new ModelWriter(model, ModelFileKind.Safetensors))
    {
        writer.Add<float>("fc.weight", weights, [256, 64]);
        writer.Finish();
    }

    using Config config = Config.Parse("int4_per_group_32,scale_rule=mse");
    using var plan = new Plan().Add("*", config, minRank: 2);
    string output = Path.Combine(folder, "model.bnq");
    Report report = await Model.QuantizeAsync(model, output, plan);
    using QuantizedTensor tensor = QuantizedTensor.Quantize(weights, [256, 64], config);
    using ModelFile file = ModelFile.Open(output);
    using QuantizedTensor stored = file.ReadTensor("fc.weight");
    if (!tensor.Codes.Span.SequenceEqual(stored.Codes.Span) || report.Rows.Count != 1)
    {
        Console.WriteLine("The file holds other codes than the tensor.");
        return 1;
    }

    // A callback that throws, and one of .NET's own exceptions that passes through C++.
    try
    {
        Model.Compare(model, output, new Failing());
        return 1;
    }
    catch (InvalidDataException)
    {
    }

    Console.WriteLine($"{loaded} {Library.Version} {stored.Compare(weights).SqnrDb:F2} dB");
    return 0;
}
finally
{
    Directory.Delete(folder, recursive: true);
}

internal sealed class Failing : IProgress<ModelProgress>
{
    public void Report(ModelProgress value) => throw new InvalidDataException();
}
