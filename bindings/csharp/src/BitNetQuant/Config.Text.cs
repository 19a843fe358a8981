using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

// Configs as text, as dictionaries and by name, and their equality.
public sealed partial class Config : IEquatable<Config>
{
    /// <summary>The config of a preset's name, or of a format's where there is no such preset.</summary>
    /// <param name="name">A name of <see cref="Library.Presets"/>, such as "nf4_double_quant".</param>
    /// <exception cref="NotFoundException">There is none; the message lists those that there are.</exception>
    public static Config Preset(string name)
    {
        Native.Check(NativeMethods.bnq_config_from_preset(Native.Argument(name), out ConfigHandle handle));
        return new Config(handle);
    }

    /// <summary>Reads the text form, such as "format=int4,group_size=64,scale_rule=mse".</summary>
    /// <param name="text">Items option=value, as of <see cref="Set"/>, between commas; blanks around them do not
    /// count. The first item may be the name of a preset, to which the others are then applied:
    /// "nf4_double_quant,group_size=128".</param>
    /// <exception cref="NotFoundException">There is no such option or preset.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static Config Parse(string text)
    {
        Native.Check(NativeMethods.bnq_config_from_text(Native.Argument(text), out ConfigHandle handle));
        return new Config(handle);
    }

    /// <summary>Reads the text form if it is legal.</summary>
    /// <param name="text">As of <see cref="Parse"/>.</param>
    /// <param name="config">The config, or null.</param>
    /// <returns>Whether it is.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out Config? config)
    {
        config = null;
        if (text is null || text.Contains('\0', StringComparison.Ordinal))
        {
            return false;
        }

        int status = NativeMethods.bnq_config_from_text(text, out ConfigHandle handle);
        if (status is NativeMethods.BNQ_ERROR_OUT_OF_MEMORY or NativeMethods.BNQ_ERROR_INTERNAL)
        {
            throw Native.Error(status); // says nothing about the text
        }

        config = status == NativeMethods.BNQ_OK ? new Config(handle) : null;
        return config is not null;
    }

    /// <summary>A config with the options of a dictionary; others are at their defaults.</summary>
    /// <param name="options">Values, as <see cref="Set"/> takes them, by the options' names.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static Config FromDictionary(IEnumerable<KeyValuePair<string, string>> options) =>
        OptionsHandle.Filled(new Config(), options, static (filled, option, value) => filled.Set(option, value));

    /// <summary>The values of all options by their names, as <see cref="FromDictionary"/> takes them.</summary>
    public Dictionary<string, string> ToDictionary() =>
        Library.Options.ToDictionary(option => option.Name, option => Get(option.Name), StringComparer.Ordinal);

    /// <summary>
    /// The text form, which <see cref="Parse"/> reads: the format first, then every option that is not at its
    /// default, such as "format=int4,group_size=64".
    /// </summary>
    public override unsafe string ToString() => Handle.IsClosed
        ? nameof(Config)
        : Native.Text((byte* text, ulong size, out ulong needed) =>
            NativeMethods.bnq_config_to_text(Handle, text, size, out needed));

    /// <summary>The next config of the ladder nf4 (and whatever has less than 8 bits a weight), int8_outliers,
    /// int8_per_channel, none.</summary>
    public Config StepUp()
    {
        Native.Check(NativeMethods.bnq_config_step_up(Handle, out ConfigHandle handle));
        return new Config(handle);
    }

    /// <summary>
    /// What is accepted but hardly meant, for people: "percentile = 0.999 is of a hundred, did you mean 99.9?"; empty
    /// where there is nothing to say.
    /// </summary>
    public string GetAdvice() => Options.GetAdvice();

    /// <summary>Throws where options and format do not go together.</summary>
    /// <exception cref="UnsupportedException">With what quantizing would say.</exception>
    /// <exception cref="InvalidArgumentException">The format is <see cref="Format.None"/>.</exception>
    public void Check() => Native.Check(NativeMethods.bnq_config_check(Handle));

    /// <summary>
    /// Bits that a weight of a large matrix (4096 x 4096) takes, with its share of scales and all other parts,
    /// without outliers. Exceptions as <see cref="Check"/>.
    /// </summary>
    public double GetBitsPerWeight()
    {
        Native.Check(NativeMethods.bnq_config_bits_per_weight(Handle, out double bits));
        return bits;
    }

    /// <summary>Whether all options of both are equal.</summary>
    public bool Equals(Config? other)
    {
        if (other is null || ReferenceEquals(this, other) || Handle.IsClosed || other.Handle.IsClosed)
        {
            return ReferenceEquals(this, other);
        }

        Native.Check(NativeMethods.bnq_config_equal(Handle, other.Handle, out int equal));
        return equal != 0;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Config);

    /// <summary>Of the options, so that it changes with them.</summary>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);
}
