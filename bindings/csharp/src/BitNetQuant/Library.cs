using System;
using System.Collections.Immutable;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// The native library: which one it is, and what it can do. Reading any property loads it, as does any
/// other use of this package, and throws a <see cref="NativeLibraryException"/> where that fails. May be
/// used from any thread.
/// </summary>
public static unsafe class Library
{
    /// <summary>
    /// The file that was loaded: a path, or the bare name of the library where the system's search found it.
    /// </summary>
    public static string Path
    {
        get
        {
            Load();
            return NativeLibraryResolver.LoadedPath ?? "(chosen by the application)";
        }
    }

    /// <summary>The version of the native library.</summary>
    public static Version Version
    {
        get
        {
            int version = (int)NativeMethods.bnq_version();
            return new Version(version / 1_000_000, version / 1_000 % 1_000, version % 1_000);
        }
    }

    /// <summary>The version of its ABI: always the one that this package was written for.</summary>
    public static int AbiVersion => (int)NativeMethods.bnq_abi_version();

    /// <summary>The SIMD targets compiled into the library, best first.</summary>
    public static ImmutableArray<SimdTarget> Targets
    {
        get
        {
            var result = ImmutableArray.CreateBuilder<SimdTarget>();
            for (uint i = 0; i < NativeMethods.bnq_target_count(); i++)
            {
                result.Add(new SimdTarget(
                    Native.Text(NativeMethods.bnq_target_name(i)), NativeMethods.bnq_target_supported(i) != 0));
            }

            return result.ToImmutable();
        }
    }

    /// <summary>The name of the target in use: the best one that this CPU supports.</summary>
    public static string ActiveTarget => Native.Text(NativeMethods.bnq_target_active());

    /// <summary>The names of kinds of layers, as plans spell them, by <see cref="LayerKind"/>.</summary>
    public static ImmutableArray<string> LayerKindNames
    {
        get
        {
            var result = ImmutableArray.CreateBuilder<string>();
            for (int i = 0; Native.TextOrNull(NativeMethods.bnq_layer_kind_name(i)) is string name; i++)
            {
                result.Add(name);
            }

            return result.ToImmutable();
        }
    }

    /// <summary>The configs that <see cref="Sensitivity.Analyze"/> tries where it is given none; copies, which are the
    /// caller's to dispose.</summary>
    public static ImmutableArray<Config> DefaultCandidates
    {
        get
        {
            var result = ImmutableArray.CreateBuilder<Config>();
            for (uint i = 0; i < NativeMethods.bnq_candidate_count(); i++)
            {
                Native.Check(NativeMethods.bnq_candidate_at(i, out ConfigHandle handle));
                result.Add(new Config(handle));
            }

            return result.ToImmutable();
        }
    }

    /// <summary>The formats that the library can quantize into.</summary>
    public static ImmutableArray<FormatInfo> Formats
    {
        get
        {
            var result = ImmutableArray.CreateBuilder<FormatInfo>();
            for (uint i = 0; i < NativeMethods.bnq_format_count(); i++)
            {
                Native.Check(NativeMethods.bnq_format_at(i, out int id));
                result.Add(new FormatInfo(
                    (Format)id,
                    Native.Text(NativeMethods.bnq_format_name(id)),
                    Native.Text(NativeMethods.bnq_format_description(id)),
                    (int)Property(id, NativeMethods.BNQ_FORMAT_CODE_BITS),
                    Property(id, NativeMethods.BNQ_FORMAT_MIN_GROUP),
                    Property(id, NativeMethods.BNQ_FORMAT_ASYMMETRIC) != 0,
                    (int)Property(id, NativeMethods.BNQ_FORMAT_MIN_CODE),
                    (int)Property(id, NativeMethods.BNQ_FORMAT_MAX_CODE),
                    Property(id, NativeMethods.BNQ_FORMAT_INTEGER) != 0,
                    Property(id, NativeMethods.BNQ_FORMAT_SCALED) != 0));
            }

            return result.ToImmutable();
        }
    }

    /// <summary>The options of a <see cref="Config"/>.</summary>
    public static ImmutableArray<OptionInfo> Options => OptionTable.Read(NativeMethods.BNQ_OPTIONS_CONFIG);

    /// <summary>The options of a <see cref="Calibrator"/>.</summary>
    public static ImmutableArray<OptionInfo> CalibrationOptions => OptionTable.Read(NativeMethods.BNQ_OPTIONS_CALIBRATOR);

    /// <summary>The options of an <see cref="Optimizer"/>.</summary>
    public static ImmutableArray<OptionInfo> OptimizationOptions => OptionTable.Read(NativeMethods.BNQ_OPTIONS_OPTIMIZER);

    /// <summary>The options of an <see cref="OperatorOptions"/>.</summary>
    public static ImmutableArray<OptionInfo> OperatorOptions => OptionTable.Read(NativeMethods.BNQ_OPTIONS_OPERATOR);

    /// <summary>Every layout of another ecosystem that the library has.</summary>
    public static unsafe ImmutableArray<Layout> Layouts
    {
        get
        {
            uint count = NativeMethods.bnq_layout_count();
            var layouts = ImmutableArray.CreateBuilder<Layout>((int)count);
            for (uint i = 0; i < count; i++)
            {
                int flags = NativeMethods.bnq_layout_flags(i);
                layouts.Add(new Layout(
                    Native.Text(NativeMethods.bnq_layout_name(i)), Native.Text(NativeMethods.bnq_layout_description(i)),
                    (flags & NativeMethods.BNQ_LAYOUT_READ) != 0, (flags & NativeMethods.BNQ_LAYOUT_WRITTEN) != 0));
            }

            return layouts.MoveToImmutable();
        }
    }

    /// <summary>The options of an <see cref="BitNetQuant.InterchangeOptions"/>.</summary>
    public static ImmutableArray<OptionInfo> InterchangeOptions => OptionTable.Read(NativeMethods.BNQ_OPTIONS_INTERCHANGE);

    /// <summary>The options of a <see cref="BitNetQuant.TrainingOptions"/>.</summary>
    public static ImmutableArray<OptionInfo> TrainingOptions => OptionTable.Read(NativeMethods.BNQ_OPTIONS_TRAINING);

    /// <summary>The options of a <see cref="TrainingPhase"/>.</summary>
    public static ImmutableArray<OptionInfo> PhaseOptions => OptionTable.Read(NativeMethods.BNQ_OPTIONS_PHASE);

    /// <summary>The options of a <see cref="Cache"/>.</summary>
    public static ImmutableArray<OptionInfo> CacheOptions => OptionTable.Read(NativeMethods.BNQ_OPTIONS_CACHE);

    /// <summary>The names of <see cref="CacheStatistics"/>.</summary>
    public static ImmutableArray<string> CacheStatisticNames =>
        Names(NativeMethods.bnq_cache_stat_count(), &NativeMethods.bnq_cache_stat_name);

    /// <summary>The names of <see cref="LayerStatistics"/>.</summary>
    public static ImmutableArray<string> LayerStatisticNames =>
        Names(NativeMethods.bnq_layers_stat_count(), &NativeMethods.bnq_layers_stat_name);

    /// <summary>The names of the <see cref="Statistics"/> of what a <see cref="Calibrator"/> has observed.</summary>
    public static ImmutableArray<string> StatisticNames =>
        Names(NativeMethods.bnq_statistic_count(), &NativeMethods.bnq_statistic_name);

    /// <summary>The names of the figures of an <see cref="OptimizationResult"/>.</summary>
    public static ImmutableArray<string> FigureNames =>
        Names(NativeMethods.bnq_figure_count(), &NativeMethods.bnq_figure_name);

    /// <summary>The configs that have names.</summary>
    public static ImmutableArray<PresetInfo> Presets
    {
        get
        {
            var result = ImmutableArray.CreateBuilder<PresetInfo>();
            for (uint i = 0; i < NativeMethods.bnq_preset_count(); i++)
            {
                result.Add(new PresetInfo(
                    Native.Text(NativeMethods.bnq_preset_name(i)),
                    Native.Text(NativeMethods.bnq_preset_description(i))));
            }

            return result.ToImmutable();
        }
    }

    /// <summary>
    /// The 256 values, ascending, that the 8-bit codes of double quantized scales stand for: bitsandbytes' signed
    /// dynamic map. Valid for ever.
    /// </summary>
    public static ReadOnlySpan<float> DynamicMap => new(NativeMethods.bnq_dynamic_map(), 256);

    /// <summary>Loads the library now, to fail early; otherwise its first use does.</summary>
    /// <exception cref="NativeLibraryException">It is missing, or its ABI does not fit.</exception>
    public static void Load() => _ = NativeMethods.bnq_abi_version();

    /// <summary>The format of a name, such as "int8".</summary>
    /// <exception cref="NotFoundException">There is none; the message lists those that there are.</exception>
    public static Format FindFormat(string name)
    {
        Native.Check(NativeMethods.bnq_format_id(Native.Argument(name), out int id));
        return (Format)id;
    }

    /// <summary>The library's name of a format, such as "ternary", or null for an unknown one.</summary>
    public static string? NameOf(Format format) => Native.TextOrNull(NativeMethods.bnq_format_name((int)format));

    /// <summary>
    /// Throws where no config of a format may have an option at a value, both as <see cref="Config.Set"/> takes them.
    /// Other options may have to be of certain values beside it: see <see cref="Config.Check"/>.
    /// </summary>
    /// <exception cref="UnsupportedException">With what quantizing would say.</exception>
    /// <exception cref="NotFoundException">There is no such format or option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public static void CheckSupport(Format format, string option, string value) => Native.Check(
        NativeMethods.bnq_format_supports((int)format, Native.Argument(option), Native.Argument(value)));

    /// <summary>The data type of a name in the spelling of safetensors, such as "BF16".</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public static DataType FindDataType(string name)
    {
        Native.Check(NativeMethods.bnq_dtype_id(Native.Argument(name), out int id));
        return (DataType)id;
    }

    /// <summary>The safetensors name of a data type, such as "F32", or null for an unknown one.</summary>
    public static string? NameOf(DataType type) => Native.TextOrNull(NativeMethods.bnq_dtype_name((int)type));

    /// <summary>Bits of one element, 4 to 64; 0 for an unknown type.</summary>
    public static int BitsOf(DataType type) => (int)NativeMethods.bnq_dtype_bits((int)type);

    private static ImmutableArray<string> Names(uint count, delegate*<uint, byte*> nameAt)
    {
        var result = ImmutableArray.CreateBuilder<string>((int)count);
        for (uint i = 0; i < count; i++)
        {
            result.Add(Native.Text(nameAt(i)));
        }

        return result.MoveToImmutable();
    }

    private static long Property(int format, int property)
    {
        Native.Check(NativeMethods.bnq_format_property(format, property, out long value));
        return value;
    }
}

/// <summary>A SIMD target compiled into the library.</summary>
/// <param name="Name">Its name, such as "AVX2".</param>
/// <param name="Supported">Whether this CPU can run it.</param>
public readonly record struct SimdTarget(string Name, bool Supported);

/// <summary>A format that the library can quantize into.</summary>
/// <param name="Format">Its number.</param>
/// <param name="Name">Its name, such as "ternary".</param>
/// <param name="Description">One sentence about it.</param>
/// <param name="CodeBits">Bits of one packed code, in the default packing.</param>
/// <param name="MinGroupSize">The smallest legal <see cref="Config.GroupSize"/>.</param>
/// <param name="SupportsAsymmetric">Whether <see cref="Scheme.Asymmetric"/> is supported.</param>
/// <param name="MinCode">The least code.</param>
/// <param name="MaxCode">The greatest code.</param>
/// <param name="IsInteger">Whether the codes are integers that value = code * scale stands for, so that
/// <see cref="Config.Rounding"/> applies.</param>
/// <param name="IsScaled">Whether values have scales, so that the options about them apply.</param>
public sealed record FormatInfo(
    Format Format, string Name, string Description, int CodeBits, long MinGroupSize, bool SupportsAsymmetric,
    int MinCode, int MaxCode, bool IsInteger, bool IsScaled);

/// <summary>A config with a name, which <see cref="Config.Preset"/> makes.</summary>
/// <param name="Name">Its name, such as "nf4_double_quant".</param>
/// <param name="Description">One sentence about it.</param>
public sealed record PresetInfo(string Name, string Description);
