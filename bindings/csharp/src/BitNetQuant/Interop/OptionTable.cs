using System.Collections.Immutable;

namespace BitNetQuant.Interop;

/// <summary>The options of one kind of handle, as the library names, bounds and describes them.</summary>
internal static unsafe class OptionTable
{
    /// <summary>All of a kind (<c>BNQ_OPTIONS_*</c>).</summary>
    internal static ImmutableArray<OptionInfo> Read(int kind)
    {
        var result = ImmutableArray.CreateBuilder<OptionInfo>();
        for (uint i = 0; i < NativeMethods.bnq_option_count(kind); i++)
        {
            Native.Check(NativeMethods.bnq_option_at(kind, i, out int option));
            result.Add(Read(kind, option));
        }

        return result.ToImmutable();
    }

    private static OptionInfo Read(int kind, int option)
    {
        int type;
        double minimum, maximum, value;
        Native.Check(NativeMethods.bnq_option_bounds(kind, option, &type, &minimum, &maximum, &value));
        bool integer = type == NativeMethods.BNQ_OPTION_INT;
        var names = ImmutableArray.CreateBuilder<string>();
        var descriptions = ImmutableArray.CreateBuilder<string>();
        for (long i = (long)minimum; integer && i <= maximum; i++)
        {
            if (Native.TextOrNull(NativeMethods.bnq_option_value_name(kind, option, i)) is not { } name)
            {
                break;
            }

            names.Add(name);
            descriptions.Add(Native.Text(NativeMethods.bnq_option_value_description(kind, option, i)));
        }

        return new OptionInfo(
            Native.Text(NativeMethods.bnq_option_name(kind, option)),
            Native.Text(NativeMethods.bnq_option_description(kind, option)),
            integer, minimum, maximum, value, names.ToImmutable(), descriptions.ToImmutable());
    }
}
