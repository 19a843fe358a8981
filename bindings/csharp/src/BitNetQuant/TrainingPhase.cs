using System;
using System.Collections.Generic;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// A phase of a <see cref="TrainingSchedule"/>: bits, what ends it, and what is quantized from its begin to its end. The
/// typed properties name the options of this release; <see cref="Library.PhaseOptions"/>, <see cref="Set"/>,
/// <see cref="Get"/> and the dictionary forms reach every option that the loaded library has.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
public sealed class TrainingPhase : IDisposable
{
    /// <summary>Every option at its default: 8 bits, without an end.</summary>
    public TrainingPhase()
    {
        Native.Check(NativeMethods.bnq_phase_create(out PhaseHandle handle));
        Handle = handle;
    }

    internal PhaseHandle Handle { get; }

    /// <summary>Of codes: 1, 1.58, 2, 3, 4, 5, 6, 8, 16, or 32 for no quantization; default 8.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Bits
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_BITS);
        set => Settings.Set(NativeMethods.BNQ_PHASE_BITS, value);
    }

    /// <summary>It ends after so many.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public long Steps
    {
        get => Options.GetInteger(NativeMethods.BNQ_PHASE_STEPS);
        set => Settings.Set(NativeMethods.BNQ_PHASE_STEPS, value);
    }

    /// <summary>It ends after so many losses in a row none of which was less than the best by
    /// <see cref="Improvement"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public long Patience
    {
        get => Options.GetInteger(NativeMethods.BNQ_PHASE_PATIENCE);
        set => Settings.Set(NativeMethods.BNQ_PHASE_PATIENCE, value);
    }

    /// <summary>The share of the best loss by which one is less that is better.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Improvement
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_IMPROVEMENT);
        set => Settings.Set(NativeMethods.BNQ_PHASE_IMPROVEMENT, value);
    }

    /// <summary>It ends once the quantization error is this or less; 0, the default: not by that.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double MaxError
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_MAX_ERROR);
        set => Settings.Set(NativeMethods.BNQ_PHASE_MAX_ERROR, value);
    }

    /// <summary><see cref="TrainingOptions.Temperature"/> in its first step. Without <see cref="Steps"/> it is at the end from
    /// the start; so below.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double TemperatureBegin
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_TEMPERATURE_BEGIN);
        set => Settings.Set(NativeMethods.BNQ_PHASE_TEMPERATURE_BEGIN, value);
    }

    /// <summary>The same in its last step.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double TemperatureEnd
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_TEMPERATURE_END);
        set => Settings.Set(NativeMethods.BNQ_PHASE_TEMPERATURE_END, value);
    }

    /// <summary>The share of the elements that are quantized in its first step.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double ShareBegin
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_SHARE_BEGIN);
        set => Settings.Set(NativeMethods.BNQ_PHASE_SHARE_BEGIN, value);
    }

    /// <summary>The same in its last step.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double ShareEnd
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_SHARE_END);
        set => Settings.Set(NativeMethods.BNQ_PHASE_SHARE_END, value);
    }

    /// <summary>The share of the layers that are quantized in its first step, from the first on.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double LayersBegin
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_LAYERS_BEGIN);
        set => Settings.Set(NativeMethods.BNQ_PHASE_LAYERS_BEGIN, value);
    }

    /// <summary>The same in its last step.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double LayersEnd
    {
        get => Options.GetFloat(NativeMethods.BNQ_PHASE_LAYERS_END);
        set => Settings.Set(NativeMethods.BNQ_PHASE_LAYERS_END, value);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.PhaseOptions"/>, such as "patience".</param>
    /// <param name="value">Such as "5"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void Set(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.PhaseOptions"/>, such as "patience".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => Options.GetText(option);

    /// <summary>The options of a dictionary; others are at their defaults.</summary>
    /// <param name="options">Values, as <see cref="Set"/> takes them, by the options' names.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static TrainingPhase FromDictionary(IEnumerable<KeyValuePair<string, string>> options) =>
        OptionsHandle.Filled(new TrainingPhase(), options, static (filled, option, value) => filled.Set(option, value));

    /// <summary>The values of all options by their names, as <see cref="FromDictionary"/> takes them.</summary>
    public Dictionary<string, string> ToDictionary() => Library.PhaseOptions.ToDictionary(
        option => option.Name, option => Get(option.Name), StringComparer.Ordinal);

    /// <summary>A set of its own with the same options.</summary>
    public TrainingPhase Clone() => FromDictionary(ToDictionary());

    /// <summary>Frees the options. Schedules that were made with them have copies.</summary>
    public void Dispose() => Handle.Dispose();

    private OptionsHandle Options => OptionsHandle.Of(Handle, NativeMethods.bnq_phase_options);

    private OptionsHandle Settings => OptionsHandle.Of(Handle, NativeMethods.bnq_phase_settings);
}
