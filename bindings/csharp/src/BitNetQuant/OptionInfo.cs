using System;
using System.Collections.Immutable;
using System.Globalization;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>An option of a <see cref="Config"/>, as the library describes it.</summary>
/// <param name="Name">Its name, such as "group_size".</param>
/// <param name="IsInteger">Whether its values are integers; otherwise they are floating-point numbers.</param>
/// <param name="Minimum">The least legal value.</param>
/// <param name="Maximum">The greatest legal value.</param>
/// <param name="Default">The value in a new config.</param>
/// <param name="ValueNames">The names of its values from <paramref name="Minimum"/> on, such as "tensor",
/// "channel", "group"; empty where the values are plain numbers.</param>
public sealed record OptionInfo(
    string Name, bool IsInteger, double Minimum, double Maximum, double Default, ImmutableArray<string> ValueNames)
{
    internal static unsafe OptionInfo Read(int option)
    {
        int type;
        double minimum, maximum, value;
        Native.Check(NativeMethods.bnq_option_bounds(option, &type, &minimum, &maximum, &value));
        bool integer = type == NativeMethods.BNQ_OPTION_INT;
        var names = ImmutableArray.CreateBuilder<string>();
        for (long i = (long)minimum; integer && i <= maximum; i++)
        {
            if (Native.TextOrNull(NativeMethods.bnq_option_value_name(option, i)) is not { } name)
            {
                break;
            }

            names.Add(name);
        }

        return new OptionInfo(
            Native.Text(NativeMethods.bnq_option_name(option)), integer, minimum, maximum, value, names.ToImmutable());
    }

    /// <summary>The number of an option's name.</summary>
    internal static int Find(string name)
    {
        Native.Check(NativeMethods.bnq_option_id(Native.Argument(name), out int option));
        return option;
    }

    /// <summary>An option's value as <see cref="Config.Set"/> takes it.</summary>
    internal static unsafe string ValueText(int option, Func<int, long> getInteger, Func<int, double> getFloat)
    {
        int type;
        Native.Check(NativeMethods.bnq_option_bounds(option, &type, null, null, null));
        if (type != NativeMethods.BNQ_OPTION_INT)
        {
            return getFloat(option).ToString("R", CultureInfo.InvariantCulture);
        }

        long value = getInteger(option);
        return Native.TextOrNull(NativeMethods.bnq_option_value_name(option, value))
            ?? value.ToString(CultureInfo.InvariantCulture);
    }
}
