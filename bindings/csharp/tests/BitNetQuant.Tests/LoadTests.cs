using System;
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
    private const string NoSystemName = "libbnq-that-nobody-has.so.1";

    [Fact]
    public void ListsEveryPathThatWasTried()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory[NativeLibraryResolver.FileName], "not a library");
        string missing = directory["missing"];

        var error = Assert.Throws<NativeLibraryException>(
            () => NativeLibraryResolver.Load(null, [missing, Path.GetDirectoryName(missing)!], NoSystemName));

        Assert.Equal(3, error.Attempts.Count);
        Assert.StartsWith(Path.Combine(missing, NativeLibraryResolver.FileName), error.Attempts[0], StringComparison.Ordinal);
        Assert.StartsWith(directory[NativeLibraryResolver.FileName], error.Attempts[1], StringComparison.Ordinal);
        Assert.StartsWith(NoSystemName, error.Attempts[2], StringComparison.Ordinal);
        Assert.All(error.Attempts, attempt => Assert.Contains(attempt, error.Message, StringComparison.Ordinal));
        Assert.Contains("BNQ_LIBRARY", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheEnvironmentDecidesAlone()
    {
        using var directory = new TemporaryDirectory();
        string wrong = directory["libwrong.so"];

        var error = Assert.Throws<NativeLibraryException>(
            () => NativeLibraryResolver.Load(wrong, NativeLibraryResolver.ApplicationDirectories(), NativeLibraryResolver.SystemName));

        Assert.StartsWith($"{wrong} (from BNQ_LIBRARY)", Assert.Single(error.Attempts), StringComparison.Ordinal);
    }

    [Fact]
    public void SearchesTheDirectoriesOfTheApplication()
    {
        Assert.Contains(AppContext.BaseDirectory, NativeLibraryResolver.ApplicationDirectories());
        Assert.Contains(
            NativeLibraryResolver.ApplicationDirectories(),
            directory => directory.StartsWith(Path.Combine(AppContext.BaseDirectory, "runtimes"), StringComparison.Ordinal)
                && directory.EndsWith("native", StringComparison.Ordinal));
    }

    [Fact]
    public void RefusesAnotherLibrary()
    {
        string name = OperatingSystem.IsWindows() ? "System.IO.Compression.Native.dll"
            : OperatingSystem.IsMacOS() ? "libSystem.IO.Compression.Native.dylib"
            : "libSystem.IO.Compression.Native.so";
        string path = Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), name);

        var error = Assert.Throws<NativeLibraryException>(() => NativeLibraryResolver.Load(path, [], NoSystemName));

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
}
