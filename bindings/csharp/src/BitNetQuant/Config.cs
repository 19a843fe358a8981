using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// What to quantize into: a set of options, each with bounds. They are checked one by one when set, and
/// together when used. The typed properties name the options of this release;
/// <see cref="Library.Options"/>, <see cref="Set"/>, <see cref="Get"/> and the text and dictionary forms reach
/// every option that the loaded library has.
/// </summary>
/// <remarks>
/// <para>May be used by several threads at once only while none of them changes it.</para>
/// <para>Configs are equal if all their options are, so do not change one that is the key of a dictionary. A
/// disposed config equals only itself.</para>
/// </remarks>
/// <example><code>
/// using var config = new Config { Format = Format.Int8, GroupSize = 64 };
/// using Config named = Config.Parse("nf4_double_quant,group_size=128");
/// </code></example>
public sealed partial class Config : IDisposable
{
    /// <summary>A config with every option at its default.</summary>
    public Config()
    {
        Native.Check(NativeMethods.bnq_config_create(out ConfigHandle handle));
        Handle = handle;
    }

    internal Config(ConfigHandle handle) => Handle = handle;

    internal ConfigHandle Handle { get; }

    /// <summary>
    /// The format to quantize into; default <see cref="Format.Ternary"/>. With <see cref="Format.None"/> a plan
    /// carries tensors through; an array cannot be quantized into it.
    /// </summary>
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
    /// Columns of a group, elements of a block, or rows and columns of a tile, from
    /// <see cref="FormatInfo.MinGroupSize"/> up; default 128. The last group of a row, the last block, and the tiles
    /// at the edge are short where the size does not divide it.
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
        get => GetFloat(NativeMethods.BNQ_OPT_CLIP);
        set => SetFloat(NativeMethods.BNQ_OPT_CLIP, value);
    }

    /// <summary>What NaN and infinity do; default <see cref="NonFinitePolicy.Error"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public NonFinitePolicy NonFinite
    {
        get => (NonFinitePolicy)GetInteger(NativeMethods.BNQ_OPT_NON_FINITE);
        set => SetInteger(NativeMethods.BNQ_OPT_NON_FINITE, (long)value);
    }

    /// <summary>How codes are rounded, of integer formats; default <see cref="Rounding.HalfEven"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public Rounding Rounding
    {
        get => (Rounding)GetInteger(NativeMethods.BNQ_OPT_ROUNDING);
        set => SetInteger(NativeMethods.BNQ_OPT_ROUNDING, (long)value);
    }

    /// <summary>The seed of <see cref="Rounding.Stochastic"/>, 0 to 2^53; default 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public long Seed
    {
        get => GetInteger(NativeMethods.BNQ_OPT_SEED);
        set => SetInteger(NativeMethods.BNQ_OPT_SEED, value);
    }

    /// <summary>What scales are made from; default <see cref="ScaleRule.Default"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public ScaleRule ScaleRule
    {
        get => (ScaleRule)GetInteger(NativeMethods.BNQ_OPT_SCALE_RULE);
        set => SetInteger(NativeMethods.BNQ_OPT_SCALE_RULE, (long)value);
    }

    /// <summary>Of <see cref="ScaleRule.Percentile"/>, in percent, 0 to 100; default 99.9.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Percentile
    {
        get => GetFloat(NativeMethods.BNQ_OPT_PERCENTILE);
        set => SetFloat(NativeMethods.BNQ_OPT_PERCENTILE, value);
    }

    /// <summary>The codes of symmetric INT8 and INT4; default <see cref="SymmetricRange.Narrow"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public SymmetricRange SymmetricRange
    {
        get => (SymmetricRange)GetInteger(NativeMethods.BNQ_OPT_SYMMETRIC_RANGE);
        set => SetInteger(NativeMethods.BNQ_OPT_SYMMETRIC_RANGE, (long)value);
    }

    /// <summary>How scales are stored; default <see cref="ScaleDataType.Float32"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public ScaleDataType ScaleDataType
    {
        get => (ScaleDataType)GetInteger(NativeMethods.BNQ_OPT_SCALE_DTYPE);
        set => SetInteger(NativeMethods.BNQ_OPT_SCALE_DTYPE, (long)value);
    }

    /// <summary>
    /// Whether scales are stored in 8 bits with scales of their own (QLoRA; about 8.13 bits a scale); default
    /// false. Only with <see cref="ScaleDataType.Float32"/>.
    /// </summary>
    public bool DoubleQuant
    {
        get => GetInteger(NativeMethods.BNQ_OPT_DOUBLE_QUANT) != 0;
        set => SetInteger(NativeMethods.BNQ_OPT_DOUBLE_QUANT, value ? 1 : 0);
    }

    /// <summary>How codes become bytes; default <see cref="Packing.Default"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public Packing Packing
    {
        get => (Packing)GetInteger(NativeMethods.BNQ_OPT_PACKING);
        set => SetInteger(NativeMethods.BNQ_OPT_PACKING, (long)value);
    }

    /// <summary>
    /// A threshold t > 0 keeps every column of the last dimension in which some |x| >= t out of the codes, in 16 bits
    /// (LLM.int8); 0 (the default) keeps none. Of integer formats with <see cref="Granularity.Token"/>.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is negative or not finite.</exception>
    public double OutlierThreshold
    {
        get => GetFloat(NativeMethods.BNQ_OPT_OUTLIER_THRESHOLD);
        set => SetFloat(NativeMethods.BNQ_OPT_OUTLIER_THRESHOLD, value);
    }

    /// <summary>
    /// Whether <see cref="Format.E4M3"/> and <see cref="Format.E5M2"/> take what is beyond their greatest value for it
    /// (the default), instead of for NaN or infinity.
    /// </summary>
    public bool Saturate
    {
        get => GetInteger(NativeMethods.BNQ_OPT_SATURATE) != 0;
        set => SetInteger(NativeMethods.BNQ_OPT_SATURATE, value ? 1 : 0);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.Options"/>, such as "group_size".</param>
    /// <param name="value">Such as "64", "int8" or "asymmetric"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void Set(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.Options"/>, such as "group_size".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => Options.GetText(option);

    /// <summary>A config of its own with the same values.</summary>
    public Config Clone()
    {
        Native.Check(NativeMethods.bnq_config_clone(Handle, out ConfigHandle handle));
        return new Config(handle);
    }

    /// <summary>The sizes of what quantizing an array of this shape gives.</summary>
    /// <param name="shape">Up to 8 dimensions, each 0 or more.</param>
    /// <remarks>Without outliers, whose number depends on the data.</remarks>
    /// <exception cref="BitNetQuantException">The config or the shape is not legal, or both do not fit.</exception>
    public unsafe QuantizedSizes GetSizes(ReadOnlySpan<long> shape)
    {
        ulong[] dimensions = Native.Shape(shape);
        ulong codeBytes, scaleBytes, zeroPoints;
        fixed (ulong* pointer = dimensions)
        {
            Native.Check(NativeMethods.bnq_quantized_sizes(
                Handle, dimensions.Length, pointer, &codeBytes, &scaleBytes, &zeroPoints));
        }

        return new QuantizedSizes((long)codeBytes, (long)scaleBytes, (long)zeroPoints);
    }

    /// <summary>Frees the config. Tensors and plans made with it have copies.</summary>
    public void Dispose() => Handle.Dispose();

    private OptionsHandle Options => OptionsHandle.Of(Handle, NativeMethods.bnq_config_options);

    private OptionsHandle Settings => OptionsHandle.Of(Handle, NativeMethods.bnq_config_settings);

    private long GetInteger(int option) => Options.GetInteger(option);

    private double GetFloat(int option) => Options.GetFloat(option);

    private void SetInteger(int option, long value) => Settings.Set(option, value);

    private void SetFloat(int option, double value) => Settings.Set(option, value);
}

/// <summary>The sizes of a quantized tensor.</summary>
/// <param name="CodeBytes">Bytes of packed codes.</param>
/// <param name="ScaleBytes">Bytes of scales as they are stored.</param>
/// <param name="ZeroPoints">Number of zero points, a byte each: one for each scale where the scheme is asymmetric,
/// else 0.</param>
public readonly record struct QuantizedSizes(long CodeBytes, long ScaleBytes, long ZeroPoints);
