using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace BitNetQuant.Interop;

/// <summary>The options of a handle, which stays alive until this one is released. Made for one call: each method
/// releases it.</summary>
internal sealed class OptionsHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    private readonly SafeHandle _owner;

    private OptionsHandle(SafeHandle owner) : base(ownsHandle: true) => _owner = owner;

    /// <summary>What a function <c>bnq_*_options</c> or <c>bnq_*_settings</c> gives of a handle.</summary>
    internal static OptionsHandle Of<T>(T owner, Func<T, nint> function)
        where T : SafeHandle
    {
        var options = new OptionsHandle(owner);
        bool added = false;
        owner.DangerousAddRef(ref added);
        options.SetHandle(function(owner));
        return options;
    }

    /// <summary>What has options, with those of a dictionary; disposed of where one of them is refused.</summary>
    internal static T Filled<T>(
        T filled, IEnumerable<KeyValuePair<string, string>> options, Action<T, string, string> set)
        where T : IDisposable
    {
        try
        {
            ArgumentNullException.ThrowIfNull(options);
            foreach ((string option, string value) in options)
            {
                set(filled, option, value);
            }

            return filled;
        }
        catch
        {
            filled.Dispose();
            throw;
        }
    }

    internal long GetInteger(int option)
    {
        using (this)
        {
            Native.Check(NativeMethods.bnq_options_get_int(this, option, out long value));
            return value;
        }
    }

    internal double GetFloat(int option)
    {
        using (this)
        {
            Native.Check(NativeMethods.bnq_options_get_float(this, option, out double value));
            return value;
        }
    }

    /// <summary>By the option's name, as <see cref="Set(string, string)"/> takes it.</summary>
    internal unsafe string GetText(string option)
    {
        using (this)
        {
            Native.Argument(option);
            return Native.Text((byte* text, ulong size, out ulong needed) =>
                NativeMethods.bnq_options_get_text(this, option, text, size, out needed));
        }
    }

    /// <summary>What is accepted but hardly meant; empty where there is nothing to say.</summary>
    internal unsafe string GetAdvice()
    {
        using (this)
        {
            return Native.Text((byte* text, ulong size, out ulong needed) =>
                NativeMethods.bnq_options_advice(this, text, size, out needed));
        }
    }

    internal void Set(int option, long value)
    {
        using (this)
        {
            Native.Check(NativeMethods.bnq_options_set_int(this, option, value));
        }
    }

    internal void Set(int option, double value)
    {
        using (this)
        {
            Native.Check(NativeMethods.bnq_options_set_float(this, option, value));
        }
    }

    internal void Set(string option, string value)
    {
        using (this)
        {
            Native.Check(NativeMethods.bnq_options_set_text(this, Native.Argument(option), Native.Argument(value)));
        }
    }

    protected override bool ReleaseHandle()
    {
        _owner.DangerousRelease();
        return true;
    }
}
