using System;
using System.Collections.Immutable;
using System.Globalization;

namespace BitNetQuant.Interop;

/// <summary>The options of one kind of object, as the library names and bounds them.</summary>
internal sealed unsafe class OptionTable
{
    internal static readonly OptionTable Config = new(
        &NativeMethods.bnq_option_count, &NativeMethods.bnq_option_at, &NativeMethods.bnq_option_name,
        &NativeMethods.bnq_option_id, &NativeMethods.bnq_option_bounds, &NativeMethods.bnq_option_value_name);

    internal static readonly OptionTable Calibration = new(
        &NativeMethods.bnq_calibration_option_count, &NativeMethods.bnq_calibration_option_at,
        &NativeMethods.bnq_calibration_option_name, &NativeMethods.bnq_calibration_option_id,
        &NativeMethods.bnq_calibration_option_bounds, &NativeMethods.bnq_calibration_option_value_name);

    internal static readonly OptionTable Optimization = new(
        &NativeMethods.bnq_optimization_option_count, &NativeMethods.bnq_optimization_option_at,
        &NativeMethods.bnq_optimization_option_name, &NativeMethods.bnq_optimization_option_id,
        &NativeMethods.bnq_optimization_option_bounds, &NativeMethods.bnq_optimization_option_value_name);

    private readonly delegate*<uint> _count;
    private readonly delegate*<uint, out int, int> _at;
    private readonly delegate*<int, byte*> _name;
    private readonly delegate*<string, out int, int> _id;
    private readonly delegate*<int, int*, double*, double*, double*, int> _bounds;
    private readonly delegate*<int, long, byte*> _valueName;

    private OptionTable(
        delegate*<uint> count, delegate*<uint, out int, int> at, delegate*<int, byte*> name,
        delegate*<string, out int, int> id, delegate*<int, int*, double*, double*, double*, int> bounds,
        delegate*<int, long, byte*> valueName)
    {
        _count = count;
        _at = at;
        _name = name;
        _id = id;
        _bounds = bounds;
        _valueName = valueName;
    }

    /// <summary>All of them.</summary>
    internal ImmutableArray<OptionInfo> Read()
    {
        var result = ImmutableArray.CreateBuilder<OptionInfo>();
        for (uint i = 0; i < _count(); i++)
        {
            Native.Check(_at(i, out int option));
            result.Add(Read(option));
        }

        return result.ToImmutable();
    }

    /// <summary>The number of an option's name.</summary>
    internal int Find(string name)
    {
        Native.Check(_id(Native.Argument(name), out int option));
        return option;
    }

    /// <summary>An option's value as it is set by text.</summary>
    internal string ValueText(int option, Func<int, long> getInteger, Func<int, double> getFloat)
    {
        int type;
        Native.Check(_bounds(option, &type, null, null, null));
        if (type != NativeMethods.BNQ_OPTION_INT)
        {
            return getFloat(option).ToString("R", CultureInfo.InvariantCulture);
        }

        long value = getInteger(option);
        return Native.TextOrNull(_valueName(option, value)) ?? value.ToString(CultureInfo.InvariantCulture);
    }

    private OptionInfo Read(int option)
    {
        int type;
        double minimum, maximum, value;
        Native.Check(_bounds(option, &type, &minimum, &maximum, &value));
        bool integer = type == NativeMethods.BNQ_OPTION_INT;
        var names = ImmutableArray.CreateBuilder<string>();
        for (long i = (long)minimum; integer && i <= maximum; i++)
        {
            if (Native.TextOrNull(_valueName(option, i)) is not { } name)
            {
                break;
            }

            names.Add(name);
        }

        return new OptionInfo(Native.Text(_name(option)), integer, minimum, maximum, value, names.ToImmutable());
    }
}
