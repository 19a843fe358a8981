using System;
using System.Globalization;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// What to quantize into: a set of options, each with bounds. They are checked one by one when set, and
/// together when used. The typed properties name the options of this release;
/// <see cref="Library.Options"/>, <see cref="Set"/> and <see cref="Get"/> reach every option that the loaded
/// library has.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
/// <example><code>using var config = new Config { Format = Format.Int8, GroupSize = 64 };</code></example>
public sealed class Config : IDisposable
{
    /// <summary>A config with every option at its default.</summary>
    public Config()
    {
        Native.Check(NativeMethods.bnq_config_create(out ConfigHandle handle));
        Handle = handle;
    }

    private Config(ConfigHandle handle) => Handle = handle;

    internal ConfigHandle Handle { get; }

    /// <summary>The format to quantize into; default <see cref="Format.Ternary"/>.</summary>
    /// <exception cref="BitNetQuantException">The library does not have it.</exception>
    public Format Format
    {
        get => (Format)GetInteger(NativeMethods.BNQ_OPT_FORMAT);
        set => SetInteger(NativeMethods.BNQ_OPT_FORMAT, (long)value);
    }

    /// <summary>How many elements share a scale; default <see cref="Granularity.Group"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public Granularity Granularity
    {
        get => (Granularity)GetInteger(NativeMethods.BNQ_OPT_GRANULARITY);
        set => SetInteger(NativeMethods.BNQ_OPT_GRANULARITY, (long)value);
    }

    /// <summary>
    /// Columns of a group, from <see cref="FormatInfo.MinGroupSize"/> up; default 128. The last group of a row
    /// is short where the size does not divide it.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public long GroupSize
    {
        get => GetInteger(NativeMethods.BNQ_OPT_GROUP_SIZE);
        set => SetInteger(NativeMethods.BNQ_OPT_GROUP_SIZE, value);
    }

    /// <summary>
    /// The dimension of per-channel parameters, -8..7, negative from the end; default 0 (the output channels of
    /// a weight matrix).
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Axis
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPT_AXIS);
        set => SetInteger(NativeMethods.BNQ_OPT_AXIS, value);
    }

    /// <summary>Whether codes have a zero point; default <see cref="Scheme.Symmetric"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public Scheme Scheme
    {
        get => (Scheme)GetInteger(NativeMethods.BNQ_OPT_SCHEME);
        set => SetInteger(NativeMethods.BNQ_OPT_SCHEME, (long)value);
    }

    /// <summary>Values beyond plus or minus this count as it; 0 (the default) for none.</summary>
    /// <exception cref="InvalidArgumentException">The value is negative or not finite.</exception>
    public double Clip
    {
        get
        {
            Native.Check(NativeMethods.bnq_config_get_float(Handle, NativeMethods.BNQ_OPT_CLIP, out double value));
            return value;
        }

        set => Native.Check(NativeMethods.bnq_config_set_float(Handle, NativeMethods.BNQ_OPT_CLIP, value));
    }

    /// <summary>What NaN and infinity do; default <see cref="NonFinitePolicy.Error"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public NonFinitePolicy NonFinite
    {
        get => (NonFinitePolicy)GetInteger(NativeMethods.BNQ_OPT_NON_FINITE);
        set => SetInteger(NativeMethods.BNQ_OPT_NON_FINITE, (long)value);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.Options"/>, such as "group_size".</param>
    /// <param name="value">Such as "64", "int8" or "asymmetric"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void Set(string option, string value) =>
        Native.Check(NativeMethods.bnq_config_set_text(Handle, Native.Argument(option), Native.Argument(value)));

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.Options"/>, such as "group_size".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => OptionInfo.ValueText(
        OptionInfo.Find(option),
        GetInteger,
        id =>
        {
            Native.Check(NativeMethods.bnq_config_get_float(Handle, id, out double value));
            return value;
        });

    /// <summary>A config of its own with the same values.</summary>
    public Config Clone()
    {
        Native.Check(NativeMethods.bnq_config_clone(Handle, out ConfigHandle handle));
        return new Config(handle);
    }

    /// <summary>The sizes of what quantizing an array of this shape gives.</summary>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <exception cref="BitNetQuantException">The config or the shape is not legal, or both do not fit.</exception>
    public unsafe QuantizedSizes GetSizes(ReadOnlySpan<long> shape)
    {
        ulong[] dimensions = Native.Shape(shape);
        ulong codes, scales, zeroPoints;
        fixed (ulong* pointer = dimensions)
        {
            Native.Check(NativeMethods.bnq_quantized_sizes(
                Handle, dimensions.Length, pointer, &codes, &scales, &zeroPoints));
        }

        return new QuantizedSizes((long)codes, (long)scales, (long)zeroPoints);
    }

    /// <summary>All options, such as "format=int8 granularity=group group_size=128 ...".</summary>
    public override string ToString() => Handle.IsClosed
        ? nameof(Config)
        : string.Join(' ', Library.Options.Select(
            option => string.Create(CultureInfo.InvariantCulture, $"{option.Name}={Get(option.Name)}")));

    /// <summary>Frees the config. Tensors and plans made with it have copies.</summary>
    public void Dispose() => Handle.Dispose();

    private long GetInteger(int option)
    {
        Native.Check(NativeMethods.bnq_config_get_int(Handle, option, out long value));
        return value;
    }

    private void SetInteger(int option, long value) =>
        Native.Check(NativeMethods.bnq_config_set_int(Handle, option, value));
}

/// <summary>The sizes of a quantized tensor.</summary>
/// <param name="CodeBytes">Bytes of packed codes.</param>
/// <param name="Scales">Number of scales.</param>
/// <param name="ZeroPoints">Number of zero points: as many as scales where the scheme is asymmetric, else 0.</param>
public readonly record struct QuantizedSizes(long CodeBytes, long Scales, long ZeroPoints);
