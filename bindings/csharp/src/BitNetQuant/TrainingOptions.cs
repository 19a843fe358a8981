using System;
using System.Collections.Generic;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// How training quantizes: the estimator of gradients, noise in place of rounding, values that are quantized in part or at
/// random. The typed properties name the options of this release; <see cref="Library.TrainingOptions"/>,
/// <see cref="Set"/>, <see cref="Get"/> and the dictionary forms reach every option that the loaded library has.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
public sealed class TrainingOptions : IDisposable
{
    /// <summary>Every option at its default: values of codes, and a gradient that passes within the range.</summary>
    public TrainingOptions()
    {
        Native.Check(NativeMethods.bnq_training_create(out TrainingHandle handle));
        Handle = handle;
    }

    internal TrainingHandle Handle { get; }

    /// <summary>How gradients pass; default <see cref="GradientEstimator.Clipped"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public GradientEstimator Estimator
    {
        get => (GradientEstimator)Options.GetInteger(NativeMethods.BNQ_TRAINING_ESTIMATOR);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_ESTIMATOR, (long)value);
    }

    /// <summary>The slope of <see cref="GradientEstimator.Slope"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Slope
    {
        get => Options.GetFloat(NativeMethods.BNQ_TRAINING_SLOPE);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_SLOPE, value);
    }

    /// <summary>The width of <see cref="GradientEstimator.Soft"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Width
    {
        get => Options.GetFloat(NativeMethods.BNQ_TRAINING_WIDTH);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_WIDTH, value);
    }

    /// <summary>Whether gradients of scales, zero points and offsets have LSQ's factor 1 / sqrt(elements that share one
    /// * greatest code); default false.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public bool GradientFactor
    {
        get => Options.GetInteger(NativeMethods.BNQ_TRAINING_GRADIENT_FACTOR) != 0;
        set => Settings.Set(NativeMethods.BNQ_TRAINING_GRADIENT_FACTOR, value ? 1L : 0L);
    }

    /// <summary>Noise in place of rounding; default <see cref="TrainingNoise.None"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public TrainingNoise Noise
    {
        get => (TrainingNoise)Options.GetInteger(NativeMethods.BNQ_TRAINING_NOISE);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_NOISE, (long)value);
    }

    /// <summary>How much of it, in steps of codes.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double NoiseAmount
    {
        get => Options.GetFloat(NativeMethods.BNQ_TRAINING_NOISE_AMOUNT);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_NOISE_AMOUNT, value);
    }

    /// <summary>y = q + temperature * (x - q), where q is the value of the code: 0, the default, is hard, 1 is no
    /// quantization.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Temperature
    {
        get => Options.GetFloat(NativeMethods.BNQ_TRAINING_TEMPERATURE);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_TEMPERATURE, value);
    }

    /// <summary>That with which a value is quantized at all; default 1.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Probability
    {
        get => Options.GetFloat(NativeMethods.BNQ_TRAINING_PROBABILITY);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_PROBABILITY, value);
    }

    /// <summary>What it is drawn for; default <see cref="DrawnBy.Element"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public DrawnBy ProbabilityOf
    {
        get => (DrawnBy)Options.GetInteger(NativeMethods.BNQ_TRAINING_PROBABILITY_OF);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_PROBABILITY_OF, (long)value);
    }

    /// <summary>Of noise and probability, whose draws are the same for the same seed and position on every machine. Stochastic
    /// rounding has one in the config.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public long Seed
    {
        get => Options.GetInteger(NativeMethods.BNQ_TRAINING_SEED);
        set => Settings.Set(NativeMethods.BNQ_TRAINING_SEED, value);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.TrainingOptions"/>, such as "estimator".</param>
    /// <param name="value">Such as "soft"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void Set(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.TrainingOptions"/>, such as "estimator".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => Options.GetText(option);

    /// <summary>The options of a dictionary; others are at their defaults.</summary>
    /// <param name="options">Values, as <see cref="Set"/> takes them, by the options' names.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static TrainingOptions FromDictionary(IEnumerable<KeyValuePair<string, string>> options) =>
        OptionsHandle.Filled(new TrainingOptions(), options, static (filled, option, value) => filled.Set(option, value));

    /// <summary>The values of all options by their names, as <see cref="FromDictionary"/> takes them.</summary>
    public Dictionary<string, string> ToDictionary() => Library.TrainingOptions.ToDictionary(
        option => option.Name, option => Get(option.Name), StringComparer.Ordinal);

    /// <summary>A set of its own with the same options.</summary>
    public TrainingOptions Clone() => FromDictionary(ToDictionary());

    /// <summary>Frees the options. Quantizers that were made with them have copies.</summary>
    public void Dispose() => Handle.Dispose();

    private OptionsHandle Options => OptionsHandle.Of(Handle, NativeMethods.bnq_training_options);

    private OptionsHandle Settings => OptionsHandle.Of(Handle, NativeMethods.bnq_training_settings);
}
