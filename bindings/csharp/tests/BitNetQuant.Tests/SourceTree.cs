using System;
using System.IO;

namespace BitNetQuant.Tests;

/// <summary>Files of the source tree that the tests read.</summary>
internal static class SourceTree
{
    private static readonly Lazy<string> Root = new(FindRoot);

    /// <summary>The description of the C ABI, made from bnq.h.</summary>
    internal static string Abi => File.ReadAllText(Path.Combine(Root.Value, "capi", "abi.json"));

    internal static string Vectors(string file) => Path.Combine(Root.Value, "tests", "vectors", file);

    internal static string Models(string file) => Path.Combine(Root.Value, "tests", "models", file);

    internal static string Interchange(string file) =>
        Path.Combine(Root.Value, "tests", "golden", "interchange", file);

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "capi", "abi.json")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException(
            $"No parent of {AppContext.BaseDirectory} holds capi/abi.json: run the tests inside the source tree.");
    }
}
