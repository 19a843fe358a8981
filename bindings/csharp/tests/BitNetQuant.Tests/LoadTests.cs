using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using BitNetQuant.Interop;
using Xunit;

namespace BitNetQuant.Tests;

/// <summary>How the native library is found, and what is said when it is not.</summary>
public sealed class LoadTests
{
    private static readonly string[] NoSystemNames = ["libbnq-that-nobody-has.so.1", "libbnq-that-nobody-has.so"];

    private static readonly Assembly Own = typeof(Library).Assembly;

    [Fact]
    public void ListsEveryPathThatWasTried()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory[NativeLibraryResolver.FileName], "not a library");
        string missing = directory["missing"];

        var error = Assert.Throws<NativeLibraryException>(
            () => NativeLibraryResolver.Load(null, Own, [missing, Path.GetDirectoryName(missing)!], NoSystemNames));

        Assert.Equal(4, error.Attempts.Count);
        Assert.StartsWith(Path.Combine(missing, NativeLibraryResolver.FileName), error.Attempts[0], StringComparison.Ordinal);
        Assert.StartsWith(directory[NativeLibraryResolver.FileName], error.Attempts[1], StringComparison.Ordinal);
        Assert.StartsWith(NoSystemNames[0], error.Attempts[2], StringComparison.Ordinal);
        Assert.StartsWith(NoSystemNames[1], error.Attempts[3], StringComparison.Ordinal);
        Assert.All(error.Attempts, attempt => Assert.Contains(attempt, error.Message, StringComparison.Ordinal));
        Assert.Contains("BNQ_LIBRARY", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheEnvironmentDecidesAlone()
    {
        using var directory = new TemporaryDirectory();
        string wrong = directory["libwrong.so"];

        var error = Assert.Throws<NativeLibraryException>(
            () => NativeLibraryResolver.Load(
                wrong, Own, NativeLibraryResolver.ApplicationDirectories(), NativeLibraryResolver.SystemNames));

        Assert.StartsWith($"{wrong} (from BNQ_LIBRARY)", Assert.Single(error.Attempts), StringComparison.Ordinal);
    }

    [Fact]
    public void SearchesTheDirectoriesOfTheApplication()
    {
        Assert.Contains(AppContext.BaseDirectory, NativeLibraryResolver.ApplicationDirectories());
        Assert.Contains(
            NativeLibraryResolver.ApplicationDirectories(),
            directory => directory.StartsWith(Path.Combine(AppContext.BaseDirectory, "runtimes"), StringComparison.Ordinal)
                && Path.TrimEndingDirectorySeparator(directory).EndsWith("native", StringComparison.Ordinal));
    }

    [Fact]
    public void RefusesAnotherLibrary()
    {
        string name = OperatingSystem.IsWindows() ? "System.IO.Compression.Native.dll"
            : OperatingSystem.IsMacOS() ? "libSystem.IO.Compression.Native.dylib"
            : "libSystem.IO.Compression.Native.so";
        string path = Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), name);

        var error = Assert.Throws<NativeLibraryException>(() => NativeLibraryResolver.Load(path, Own, [], NoSystemNames));

        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("bnq_abi_version", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RefusesAnotherAbi()
    {
        NativeLibraryResolver.RequireAbi(NativeMethods.BNQ_ABI_VERSION, "libbnq.so");

        var error = Assert.Throws<NativeLibraryException>(
            () => NativeLibraryResolver.RequireAbi(NativeMethods.BNQ_ABI_VERSION + 1, "libbnq.so"));

        Assert.Contains("libbnq.so", error.Message, StringComparison.Ordinal);
        Assert.Contains($"ABI version is {NativeMethods.BNQ_ABI_VERSION + 1}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SaysWhatWasLoaded()
    {
        string? environment = Environment.GetEnvironmentVariable(NativeLibraryResolver.EnvironmentVariable);

        Assert.NotEmpty(Library.Path);
        if (!string.IsNullOrEmpty(environment))
        {
            Assert.Equal(environment, Library.Path);
        }

#if BNQ_PACKAGES
        Assert.StartsWith(Path.Combine(AppContext.BaseDirectory, "runtimes"), Library.Path, StringComparison.Ordinal);
#endif
    }

    // A second copy of the assembly has a resolver of its own, which has not loaded anything yet.
    [Fact]
    public void FailureReachesTheCallerAsItIsAndIsNotFinal()
    {
        string path = Library.Path;
        string? before = Environment.GetEnvironmentVariable(NativeLibraryResolver.EnvironmentVariable);
        var copy = new AssemblyLoadContext("second copy");
        PropertyInfo version = copy.LoadFromAssemblyPath(typeof(Library).Assembly.Location)
            .GetType("BitNetQuant.Library")!.GetProperty(nameof(Library.Version))!;
        try
        {
            Environment.SetEnvironmentVariable(NativeLibraryResolver.EnvironmentVariable, "/nowhere/libbnq.so");
            Exception error = Assert.Throws<TargetInvocationException>(() => version.GetValue(null)).InnerException!;
            Assert.Equal("BitNetQuant.NativeLibraryException", error.GetType().FullName);
            Assert.IsAssignableFrom<DllNotFoundException>(error);
            Assert.Contains("/nowhere/libbnq.so", error.Message, StringComparison.Ordinal);

            Environment.SetEnvironmentVariable(NativeLibraryResolver.EnvironmentVariable, path);
            Assert.Equal(Library.Version, version.GetValue(null));
        }
        finally
        {
            Environment.SetEnvironmentVariable(NativeLibraryResolver.EnvironmentVariable, before);
        }
    }

    // As a host loads plugins (AssemblyDependencyResolver): their packages' libraries are where it says, and not in the
    // application's directories.
    [Fact]
    public void PluginsHaveALibraryOfTheirOwn()
    {
        using var directory = new TemporaryDirectory();
        string library = directory["of-the-plugin.so"];
        File.Copy(Loaded(), library);
        var plugin = new Plugin(library);
        Assembly assembly = plugin.LoadFromAssemblyPath(Own.Location);

        (nint handle, string path) = NativeLibraryResolver.Load(null, assembly, [directory["missing"]], NoSystemNames);

        Assert.True(NativeLibrary.TryGetExport(handle, "bnq_version", out _));
        Assert.Equal(NativeLibraryResolver.FileName, path);
        Assert.Equal([NativeLibraryResolver.FileName], plugin.Asked);
        NativeLibrary.Free(handle);

        var broken = new Plugin(directory["missing.so"]);
        var error = Assert.Throws<NativeLibraryException>(() => NativeLibraryResolver.Load(
            null, broken.LoadFromAssemblyPath(Own.Location), [directory["missing"]], NoSystemNames));
        Assert.Contains("load context plugin", error.Attempts[0], StringComparison.Ordinal);
        Assert.Equal(4, error.Attempts.Count);
    }

    [Fact]
    public void SystemsHaveItWithItsVersionAndWithout()
    {
        string[] names = OperatingSystem.IsWindows() ? ["bnq.dll"]
            : OperatingSystem.IsMacOS() ? ["libbnq.1.dylib", "libbnq.dylib"] : ["libbnq.so.1", "libbnq.so"];
        Assert.Equal(names, NativeLibraryResolver.SystemNames);

        (nint handle, string path) = NativeLibraryResolver.Load(null, Own, [], [NoSystemNames[0], Loaded()]);
        Assert.Equal(Loaded(), path);
        NativeLibrary.Free(handle);
    }

    /// <summary>The file that the tests run with, as a path from the root.</summary>
    private static string Loaded() => Path.GetFullPath(Library.Path);

    private sealed class Plugin(string library) : AssemblyLoadContext("plugin")
    {
        internal List<string> Asked { get; } = [];

        protected override nint LoadUnmanagedDll(string unmanagedDllName)
        {
            Asked.Add(unmanagedDllName);
            return NativeLibrary.Load(library);
        }
    }
}
