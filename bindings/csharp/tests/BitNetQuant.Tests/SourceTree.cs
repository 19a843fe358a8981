using System;
using System.IO;

namespace BitNetQuant.Tests;

/// <summary>Files of the source tree that the tests read.</summary>
internal static class SourceTree
{
    private static readonly Lazy<string> Root = new(FindRoot);

    internal static string Header => File.ReadAllText(Path.Combine(Root.Value, "capi", "include", "bnq", "bnq.h"));

    internal static string Vectors(string file) => Path.Combine(Root.Value, "tests", "vectors", file);

    internal static string Models(string file) => Path.Combine(Root.Value, "tests", "models", file);

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "capi", "include", "bnq", "bnq.h")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException(
            $"No parent of {AppContext.BaseDirectory} holds capi/include/bnq/bnq.h: run the tests inside the source tree.");
    }
}
