using System;
using System.Collections.Generic;
using System.Linq;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>
/// Quantizes with parameters that a method searched for, starting at those of the config's own rule and never ending
/// worse than there. A set of options: the typed properties name those of this release;
/// <see cref="Library.OptimizationOptions"/>, <see cref="Set"/>, <see cref="Get"/> and the dictionary forms reach every
/// option that the loaded library has. A method does not look at those of others.
/// </summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
/// <example><code>
/// using var optimizer = new Optimizer { Method = OptimizationMethod.Hqq };
/// using OptimizationResult result = optimizer.Optimize(weights, [rows, columns], config);
/// Console.WriteLine($"{result.MseBefore} -> {result.MseAfter}");
/// </code></example>
public sealed partial class Optimizer : IDisposable
{
    /// <summary>An optimizer with every option at its default.</summary>
    public Optimizer()
    {
        Native.Check(NativeMethods.bnq_optimizer_create(out OptimizerHandle handle));
        Handle = handle;
    }

    private Optimizer(OptimizerHandle handle) => Handle = handle;

    internal OptimizerHandle Handle { get; }

    /// <summary>How parameters are searched for; default <see cref="OptimizationMethod.Grid"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public OptimizationMethod Method
    {
        get => (OptimizationMethod)GetInteger(NativeMethods.BNQ_OPTIMIZATION_METHOD);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_METHOD, (long)value);
    }

    /// <summary>
    /// What is made small, by <see cref="OptimizationMethod.Grid"/> and <see cref="OptimizationMethod.Hqq"/>; default
    /// <see cref="OptimizationObjective.Mse"/>.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public OptimizationObjective Objective
    {
        get => (OptimizationObjective)GetInteger(NativeMethods.BNQ_OPTIMIZATION_OBJECTIVE);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_OBJECTIVE, (long)value);
    }

    /// <summary>For <see cref="OptimizationMethod.Grid"/>; default <see cref="OptimizationScope.Segment"/>.</summary>
    /// <exception cref="InvalidArgumentException">The value is not one of the enumeration.</exception>
    public OptimizationScope Scope
    {
        get => (OptimizationScope)GetInteger(NativeMethods.BNQ_OPTIMIZATION_SCOPE);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_SCOPE, (long)value);
    }

    /// <summary>For <see cref="OptimizationMethod.Grid"/>: steps from the whole range of the values down to
    /// <see cref="MinRatio"/> of it, 1..1000; default 32.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Steps
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPTIMIZATION_STEPS);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_STEPS, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Grid"/>: the least part of the range of the values, 0.0001..0.99; default
    /// 0.02.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double MinRatio
    {
        get => GetFloat(NativeMethods.BNQ_OPTIMIZATION_MIN_RATIO);
        set => SetFloat(NativeMethods.BNQ_OPTIMIZATION_MIN_RATIO, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Grid"/>: how often the neighbourhood of the best is then searched in half
    /// steps, 0..20; default 4.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Refinements
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPTIMIZATION_REFINEMENTS);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_REFINEMENTS, value);
    }

    /// <summary>For <see cref="OptimizationMethod.Grid"/>: how far zero points are moved, 0..255; default 2.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int ZeroPointSteps
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPTIMIZATION_ZERO_POINT_STEPS);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_ZERO_POINT_STEPS, value);
    }

    /// <summary>Of the histograms of <see cref="OptimizationObjective.KL"/>, 16..65536; default 2048.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Bins
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPTIMIZATION_BINS);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_BINS, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Gradient"/> and <see cref="OptimizationMethod.Hqq"/>: at most so many,
    /// 1..100000; 0, the default, for the method's own, 60 and 20.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Iterations
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPTIMIZATION_ITERATIONS);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_ITERATIONS, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Gradient"/>: that of Adam, in parts of a scale, 1e-6..1; default 0.01.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double LearningRate
    {
        get => GetFloat(NativeMethods.BNQ_OPTIMIZATION_LEARNING_RATE);
        set => SetFloat(NativeMethods.BNQ_OPTIMIZATION_LEARNING_RATE, value);
    }

    /// <summary>For <see cref="OptimizationMethod.Hqq"/>: the weight of the penalty; default 10.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Beta
    {
        get => GetFloat(NativeMethods.BNQ_OPTIMIZATION_BETA);
        set => SetFloat(NativeMethods.BNQ_OPTIMIZATION_BETA, value);
    }

    /// <summary>For <see cref="OptimizationMethod.Hqq"/>: the norm p of the error, 0.05..1; default 0.7.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Norm
    {
        get => GetFloat(NativeMethods.BNQ_OPTIMIZATION_NORM);
        set => SetFloat(NativeMethods.BNQ_OPTIMIZATION_NORM, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Hqq"/>: what <see cref="Beta"/> is multiplied by each iteration, 1..10;
    /// default 1.01.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Kappa
    {
        get => GetFloat(NativeMethods.BNQ_OPTIMIZATION_KAPPA);
        set => SetFloat(NativeMethods.BNQ_OPTIMIZATION_KAPPA, value);
    }

    /// <summary>For <see cref="OptimizationMethod.Gptq"/>: added to the diagonal, in parts of its mean, 0..100; default
    /// 0.01.</summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public double Damping
    {
        get => GetFloat(NativeMethods.BNQ_OPTIMIZATION_DAMPING);
        set => SetFloat(NativeMethods.BNQ_OPTIMIZATION_DAMPING, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Gptq"/>: columns whose errors are passed on at once, 1..65536, which is a
    /// matter of speed; default 128.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Block
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPTIMIZATION_BLOCK);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_BLOCK, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Gptq"/>: whether columns are taken by descending diagonal; default false, as
    /// they come.
    /// </summary>
    public bool ActOrder
    {
        get => GetInteger(NativeMethods.BNQ_OPTIMIZATION_ACT_ORDER) != 0;
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_ACT_ORDER, value ? 1 : 0);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Awq"/>: how many exponents 0, 1/n, ... are tried, 1..1000; default 20.
    /// </summary>
    /// <exception cref="InvalidArgumentException">The value is out of bounds.</exception>
    public int Ratios
    {
        get => (int)GetInteger(NativeMethods.BNQ_OPTIMIZATION_RATIOS);
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_RATIOS, value);
    }

    /// <summary>
    /// For <see cref="OptimizationMethod.Awq"/>: whether the input scales are also a part of the tensor, which
    /// <see cref="QuantizedLinear"/> divides by; default false.
    /// </summary>
    public bool AttachInputScales
    {
        get => GetInteger(NativeMethods.BNQ_OPTIMIZATION_ATTACH_INPUT_SCALES) != 0;
        set => SetInteger(NativeMethods.BNQ_OPTIMIZATION_ATTACH_INPUT_SCALES, value ? 1 : 0);
    }

    /// <summary>Sets an option by its name and a value's name or number.</summary>
    /// <param name="option">A name of <see cref="Library.OptimizationOptions"/>, such as "method".</param>
    /// <param name="value">Such as "hqq", "0.7" or "on"; numbers in the invariant culture.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">The value is not legal; the message says what is.</exception>
    public void Set(string option, string value) => Settings.Set(option, value);

    /// <summary>The value of an option as <see cref="Set"/> takes it.</summary>
    /// <param name="option">A name of <see cref="Library.OptimizationOptions"/>, such as "method".</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    public string Get(string option) => Options.GetText(option);

    /// <summary>An optimizer with the options of a dictionary; others are at their defaults.</summary>
    /// <param name="options">Values, as <see cref="Set"/> takes them, by the options' names.</param>
    /// <exception cref="NotFoundException">There is no such option.</exception>
    /// <exception cref="InvalidArgumentException">A value is not legal; the message says what is.</exception>
    public static Optimizer FromDictionary(IEnumerable<KeyValuePair<string, string>> options) =>
        OptionsHandle.Filled(new Optimizer(), options, static (filled, option, value) => filled.Set(option, value));

    /// <summary>The values of all options by their names, as <see cref="FromDictionary"/> takes them.</summary>
    public Dictionary<string, string> ToDictionary() => Library.OptimizationOptions.ToDictionary(
        option => option.Name, option => Get(option.Name), StringComparer.Ordinal);

    /// <summary>An optimizer of its own with the same options and metric.</summary>
    public Optimizer Clone()
    {
        Native.Check(NativeMethods.bnq_optimizer_clone(Handle, out OptimizerHandle clone));
        clone.Use(Handle.Metric);
        return new Optimizer(clone);
    }

    /// <summary>Frees the optimizer. Tensors that it made stay.</summary>
    public void Dispose() => Handle.Dispose();

    private OptionsHandle Options => OptionsHandle.Of(Handle, NativeMethods.bnq_optimizer_options);

    private OptionsHandle Settings => OptionsHandle.Of(Handle, NativeMethods.bnq_optimizer_settings);

    private long GetInteger(int option) => Options.GetInteger(option);

    private double GetFloat(int option) => Options.GetFloat(option);

    private void SetInteger(int option, long value) => Settings.Set(option, value);

    private void SetFloat(int option, double value) => Settings.Set(option, value);
}
