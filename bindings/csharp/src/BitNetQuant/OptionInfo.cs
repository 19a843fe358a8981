using System.Collections.Immutable;

namespace BitNetQuant;

/// <summary>An option of a <see cref="Config"/>, <see cref="Calibrator"/> or <see cref="Optimizer"/>, as the library
/// describes it.</summary>
/// <param name="Name">Its name, such as "group_size".</param>
/// <param name="Description">One sentence about it.</param>
/// <param name="IsInteger">Whether its values are integers; otherwise they are floating-point numbers.</param>
/// <param name="Minimum">The least legal value.</param>
/// <param name="Maximum">The greatest legal value.</param>
/// <param name="Default">The value in a new object.</param>
/// <param name="ValueNames">The names of its values from <paramref name="Minimum"/> on, such as "tensor",
/// "channel", "group"; empty where the values are plain numbers.</param>
/// <param name="ValueDescriptions">What each of <paramref name="ValueNames"/> means.</param>
public sealed record OptionInfo(
    string Name, string Description, bool IsInteger, double Minimum, double Maximum, double Default,
    ImmutableArray<string> ValueNames, ImmutableArray<string> ValueDescriptions);
