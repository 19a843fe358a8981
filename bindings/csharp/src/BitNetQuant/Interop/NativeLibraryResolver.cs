using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace BitNetQuant.Interop;

/// <summary>
/// Finds, loads and checks libbnq when the first native function is called. A failure is
/// thrown by that call, and the next call tries again.
/// </summary>
internal static class NativeLibraryResolver
{
    internal const string EnvironmentVariable = "BNQ_LIBRARY";

    private static readonly object Lock = new();
    private static nint _library;
    private static string? _path;

    /// <summary>What was loaded: a path, or the bare name where the system found it; null before that.</summary>
    internal static string? LoadedPath
    {
        get
        {
            lock (Lock)
            {
                return _path;
            }
        }
    }

    // A module initializer rather than a static constructor: it only registers the
    // resolver, and so cannot fail; loading itself happens inside the first native call,
    // where its exception reaches the caller as it is.
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "Must run before any P/Invoke of this assembly.")]
    internal static void Register()
    {
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(NativeLibraryResolver).Assembly, Resolve);
        }
        catch (InvalidOperationException)
        {
            // The application has set a resolver for this assembly; it goes first.
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name != NativeMethods.LibraryName)
        {
            return 0;
        }

        lock (Lock)
        {
            if (_library == 0)
            {
                (_library, _path) = Load(
                    Environment.GetEnvironmentVariable(EnvironmentVariable), assembly, ApplicationDirectories(),
                    SystemNames);
            }

            return _library;
        }
    }

    /// <summary>
    /// The library named by the environment if there is one, and nothing else then;
    /// otherwise a plugin's own, the first that exists in a directory, or the system's.
    /// </summary>
    /// <param name="environment">What the environment says.</param>
    /// <param name="plugin">Whose load context may know of a library, unless it is the default one, whose directories
    /// the others are.</param>
    /// <param name="directories">The application's.</param>
    /// <param name="systemNames">What the system may have it installed as.</param>
    internal static (nint Library, string Path) Load(
        string? environment, Assembly plugin, IEnumerable<string> directories, IEnumerable<string> systemNames)
    {
        // The functions are declared without a calling convention: cdecl everywhere but there.
        if (OperatingSystem.IsWindows() && RuntimeInformation.ProcessArchitecture == Architecture.X86)
        {
            throw new NativeLibraryException("libbnq is not supported in 32-bit Windows processes.", []);
        }

        var attempts = new List<string>();
        if (!string.IsNullOrEmpty(environment))
        {
            return TryLoad(environment, $"{environment} (from {EnvironmentVariable})", attempts)
                ?? throw NotLoaded(attempts);
        }

        if (AssemblyLoadContext.GetLoadContext(plugin) is { } context && context != AssemblyLoadContext.Default
            && TryLoad(
                FileName, $"{FileName} (load context {context.Name})", attempts,
                name => NativeLibrary.Load(name, plugin, DllImportSearchPath.AssemblyDirectory)) is { } own)
        {
            return own;
        }

        foreach (string directory in directories)
        {
            string path = Path.Combine(directory, FileName);
            if (!File.Exists(path))
            {
                attempts.Add($"{path}: no such file");
            }
            else if (TryLoad(path, path, attempts) is { } found)
            {
                return found;
            }
        }

        foreach (string name in systemNames)
        {
            if (TryLoad(name, $"{name} (system search)", attempts) is { } found)
            {
                return found;
            }
        }

        throw NotLoaded(attempts);
    }

    private static (nint Library, string Path)? TryLoad(
        string path, string label, List<string> attempts, Func<string, nint>? load = null)
    {
        nint library;
        try
        {
            library = (load ?? NativeLibrary.Load)(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            attempts.Add($"{label}: {LastLine(e.Message)}");
            return null;
        }

        try
        {
            CheckAbi(library, label);
        }
        catch
        {
            NativeLibrary.Free(library);
            throw;
        }

        return (library, path);
    }

    private static unsafe void CheckAbi(nint library, string label)
    {
        if (!NativeLibrary.TryGetExport(library, "bnq_abi_version", out nint function))
        {
            throw new NativeLibraryException(
                $"{label} was loaded, but it is not libbnq: it does not export bnq_abi_version.", [label]);
        }

        RequireAbi(((delegate* unmanaged[Cdecl]<uint>)function)(), label);
    }

    /// <summary>Refuses an ABI that the declarations in <see cref="NativeMethods"/> do not describe.</summary>
    internal static void RequireAbi(uint version, string label)
    {
        if (version != NativeMethods.BNQ_ABI_VERSION)
        {
            throw new NativeLibraryException(
                $"{label} was loaded, but its ABI version is {version}, and this version of BitNetQuant needs "
                + $"{NativeMethods.BNQ_ABI_VERSION}. Install matching versions of both.", [label]);
        }
    }

    private static NativeLibraryException NotLoaded(List<string> attempts) => new(
        "The native library libbnq could not be loaded. Tried:" + Environment.NewLine + "  "
        + string.Join(Environment.NewLine + "  ", attempts) + Environment.NewLine
        + $"Set {EnvironmentVariable} to the path of {FileName}, or put it beside the application.", attempts);

    /// <summary>The system's own words: .NET puts general advice before them.</summary>
    private static string LastLine(string text) => text.TrimEnd().Split('\n')[^1];

    /// <summary>The directories of the application's native libraries, in the order of search.</summary>
    internal static List<string> ApplicationDirectories()
    {
        var result = new List<string>();

        // Where the host found the native assets of NuGet packages (from the .deps.json).
        if (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") is string known)
        {
            result.AddRange(known.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        }

        result.Add(AppContext.BaseDirectory);
        result.Add(Path.Combine(AppContext.BaseDirectory, "runtimes", PortableRid, "native"));

        var seen = new HashSet<string>(StringComparer.Ordinal);
        result.RemoveAll(directory => !seen.Add(Path.TrimEndingDirectorySeparator(directory)));
        return result;
    }

    /// <summary>The name inside a package or beside an application.</summary>
    internal static string FileName =>
        OperatingSystem.IsWindows() ? "bnq.dll" : OperatingSystem.IsMacOS() ? "libbnq.dylib" : "libbnq.so";

    /// <summary>
    /// The names of an installed library: with the ABI version where that is the custom, and then without, as where
    /// it is installed for developers alone.
    /// </summary>
    internal static string[] SystemNames =>
        OperatingSystem.IsWindows() ? [FileName]
        : OperatingSystem.IsMacOS() ? [$"libbnq.{NativeMethods.BNQ_ABI_VERSION}.dylib", FileName]
        : [$"{FileName}.{NativeMethods.BNQ_ABI_VERSION}", FileName];

    /// <summary>
    /// The RID as packages spell it. RuntimeInformation.RuntimeIdentifier names the
    /// distribution where the runtime was built by one, so it serves only to tell musl.
    /// </summary>
    private static string PortableRid
    {
        get
        {
            string rid = RuntimeInformation.RuntimeIdentifier;
            bool musl = rid.Contains("musl", StringComparison.Ordinal) || rid.StartsWith("alpine", StringComparison.Ordinal);
            string system = OperatingSystem.IsWindows() ? "win"
                : OperatingSystem.IsMacOS() ? "osx"
                : musl ? "linux-musl" : "linux";
            return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        }
    }
}
