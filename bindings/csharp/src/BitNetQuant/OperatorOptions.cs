using System;
using System.Collections.Generic;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// What an operator does beside its weights, such as a <see cref="QuantizedLinear"/>: a set of options, read when the
/// operator is made. The typed properties name those of this release; <see cref="Library.OperatorOptions"/>,
/// <see cref="Set"/>, <see cref="Get"/> and the dictionary forms reach every option that the loaded library has.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
public sealed class OperatorOptions : IDisposable
{
    /// <summary>Every option at its default.</summary>
    public OperatorOptions()
    {
        Native.Check(NativeMethods.bnq_operator_create(out OperatorHandle handle));
        Handle = handle;
    }

    private OperatorOptions(OperatorHandle handle) => Handle = handle;

    internal OperatorHandle Handle { get; }

    /// <summary>What becomes of inputs that are floats; default <see cref="InputMode.Float"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public InputMode Input
    {
        get => (InputMode)GetInteger(NativeMethods.BNQ_OPERATOR_INPUT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_INPUT, (long)value);
    }

    /// <summary>The scale of <see cref="InputMode.Static"/>, and of inputs of codes that have none; 0, the default, for
    /// none.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public float InputScale
    {
        get => (float)GetFloat(NativeMethods.BNQ_OPERATOR_INPUT_SCALE);
        set => SetFloat(NativeMethods.BNQ_OPERATOR_INPUT_SCALE, value);
    }

    /// <summary>The zero point that goes with it; default 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int InputZeroPoint
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_INPUT_ZERO_POINT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_INPUT_ZERO_POINT, value);
    }

    /// <summary>A function of every output; default <see cref="ActivationFunction.None"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public ActivationFunction Function
    {
        get => (ActivationFunction)GetInteger(NativeMethods.BNQ_OPERATOR_FUNCTION);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_FUNCTION, (long)value);
    }

    /// <summary>The slope of <see cref="ActivationFunction.LeakyRelu"/>; default 0.01.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public float Slope
    {
        get => (float)GetFloat(NativeMethods.BNQ_OPERATOR_SLOPE);
        set => SetFloat(NativeMethods.BNQ_OPERATOR_SLOPE, value);
    }

    /// <summary>What outputs are; default <see cref="OutputType.Float"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public OutputType Output
    {
        get => (OutputType)GetInteger(NativeMethods.BNQ_OPERATOR_OUTPUT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_OUTPUT, (long)value);
    }

    /// <summary>The scale of outputs that are codes, above 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public float OutputScale
    {
        get => (float)GetFloat(NativeMethods.BNQ_OPERATOR_OUTPUT_SCALE);
        set => SetFloat(NativeMethods.BNQ_OPERATOR_OUTPUT_SCALE, value);
    }

    /// <summary>Their zero point; default 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int OutputZeroPoint
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_OUTPUT_ZERO_POINT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_OUTPUT_ZERO_POINT, value);
    }

    /// <summary>Of convolutions: rows from an output to the next; default 1.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int StrideHeight
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_STRIDE_HEIGHT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_STRIDE_HEIGHT, value);
    }

    /// <summary>Of convolutions: columns from an output to the next; default 1.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int StrideWidth
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_STRIDE_WIDTH);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_STRIDE_WIDTH, value);
    }

    /// <summary>Of convolutions: rows of 0 above images; default 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int PadTop
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_PAD_TOP);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_PAD_TOP, value);
    }

    /// <summary>Of convolutions: columns of 0 left of images; default 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int PadLeft
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_PAD_LEFT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_PAD_LEFT, value);
    }

    /// <summary>Of convolutions: rows of 0 below images; default 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int PadBottom
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_PAD_BOTTOM);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_PAD_BOTTOM, value);
    }

    /// <summary>Of convolutions: columns of 0 right of images; default 0.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int PadRight
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_PAD_RIGHT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_PAD_RIGHT, value);
    }

    /// <summary>Of convolutions: rows from a weight to the next; default 1.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int DilationHeight
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_DILATION_HEIGHT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_DILATION_HEIGHT, value);
    }

    /// <summary>Of convolutions: columns from a weight to the next; default 1.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int DilationWidth
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_DILATION_WIDTH);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_DILATION_WIDTH, value);
    }

    /// <summary>Of convolutions: groups of channels; default 1.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Groups
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPERATOR_GROUPS);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_GROUPS, value);
    }

    /// <summary>Of convolutions: the order of the dimensions of images; default <see cref="ImageLayout.Nchw"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public ImageLayout Layout
    {
        get => (ImageLayout)GetInteger(NativeMethods.BNQ_OPERATOR_LAYOUT);
        set => SetInteger(NativeMethods.BNQ_OPERATOR_LAYOUT, (long)value);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.OperatorOptions"/>, such as "input".</param>
    /// <param name="value">Such as "bitnet" or "0.1"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void Set(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.OperatorOptions"/>, such as "input".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => Options.GetText(option);

    /// <summary>The options of a dictionary; others are at their defaults.</summary>
    /// <param name="options">Values, as <see cref="Set"/> takes them, by the options' names.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static OperatorOptions FromDictionary(IEnumerable<KeyValuePair<string, string>> options) =>
        OptionsHandle.Filled(new OperatorOptions(), options, static (filled, option, value) => filled.Set(option, value));

    /// <summary>The values of all options by their names, as <see cref="FromDictionary"/> takes them.</summary>
    public Dictionary<string, string> ToDictionary() => Library.OperatorOptions.ToDictionary(
        option => option.Name, option => Get(option.Name), StringComparer.Ordinal);

    /// <summary>A set of its own with the same options.</summary>
    public OperatorOptions Clone()
    {
        Native.Check(NativeMethods.bnq_operator_clone(Handle, out OperatorHandle clone));
        return new OperatorOptions(clone);
    }

    /// <summary>Whether a linear layer with weights of a config multiplies inputs that become codes as integers,
    /// whatever its shape.</summary>
    /// <param name="config">What the weights are quantized into.</param>
    /// <exception cref="InvalidArgumentException">There is no such layer: a scale is missing.</exception>
    /// <exception cref="UnsupportedException">There is no such layer.</exception>
    public bool MultipliesIntegers(Config config)
    {
        ArgumentNullException.ThrowIfNull(config);
        Native.Check(NativeMethods.bnq_operator_check(Handle, config.Handle, out int integers));
        return integers != 0;
    }

    /// <summary>Frees the options. Operators that were made with them stay.</summary>
    public void Dispose() => Handle.Dispose();

    private OptionsHandle Options => OptionsHandle.Of(Handle, NativeMethods.bnq_operator_options);

    private OptionsHandle Settings => OptionsHandle.Of(Handle, NativeMethods.bnq_operator_settings);

    private long GetInteger(int option) => Options.GetInteger(option);

    private double GetFloat(int option) => Options.GetFloat(option);

    private void SetInteger(int option, long value) => Settings.Set(option, value);

    private void SetFloat(int option, double value) => Settings.Set(option, value);
}
