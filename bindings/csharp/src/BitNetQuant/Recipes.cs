using System;
using System.Collections.Immutable;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>Configs and plans that somebody has given names, beside the presets of the library; in memory, and as text
/// that people write and edit.</summary>
/// <remarks>May be used by several threads at once only while none of them changes it.</remarks>
/// <example><code>
/// using Recipes recipes = Recipes.Parse("""
///     [configs]
///     small = int3,group_size=32
///     [plan careful]
///     * kind=attention -> int8_per_channel
///     * -> small
///     """);
/// using Plan plan = recipes.GetPlan("careful");
/// </code></example>
public sealed unsafe class Recipes : IDisposable
{
    /// <summary>Without any.</summary>
    public Recipes()
    {
        Native.Check(NativeMethods.bnq_recipes_create(out RecipesHandle handle));
        Handle = handle;
    }

    internal RecipesHandle Handle { get; }

    /// <summary>The names of the configs, sorted.</summary>
    public ImmutableArray<string> ConfigNames => Names(
        NativeMethods.bnq_recipes_config_count(Handle),
        index => Native.Text(NativeMethods.bnq_recipes_config_name(Handle, index)));

    /// <summary>The names of the plans, sorted.</summary>
    public ImmutableArray<string> PlanNames => Names(
        NativeMethods.bnq_recipes_plan_count(Handle),
        index => Native.Text(NativeMethods.bnq_recipes_plan_name(Handle, index)));

    /// <summary>Those of a text, as <see cref="AddText"/> reads it.</summary>
    /// <param name="text">Its lines.</param>
    public static Recipes Parse(string text) => Filled(recipes => recipes.AddText(text));

    /// <summary>Those of a file of such a text.</summary>
    /// <param name="path">The file.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    public static Recipes Load(string path, Context? context = null) =>
        Filled(recipes => recipes.AddFile(path, context));

    /// <summary>Adds a copy of a config, in place of the one that has the name.</summary>
    /// <param name="name">Letters, digits and _ . -</param>
    /// <param name="config">The config.</param>
    /// <returns>This.</returns>
    /// <exception cref="AlreadyExistsException">It is the name of a preset or format.</exception>
    public Recipes Add(string name, Config config)
    {
        ArgumentNullException.ThrowIfNull(config);
        Native.Check(NativeMethods.bnq_recipes_add_config(Handle, Native.Argument(name), config.Handle));
        return this;
    }

    /// <summary>Adds a copy of a plan, in place of the one that has the name.</summary>
    /// <param name="name">Letters, digits and _ . -, or empty.</param>
    /// <param name="plan">The plan.</param>
    /// <returns>This.</returns>
    public Recipes Add(string name, Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Native.Check(NativeMethods.bnq_recipes_add_plan(Handle, Native.Argument(name), plan.Handle));
        return this;
    }

    /// <summary>Adds what a text says: lines of a plan in sections that begin with <c>[plan NAME]</c>, and
    /// <c>NAME = CONFIG</c> in sections that begin with <c>[configs]</c>; what stands before the first section is the
    /// plan "". Names that stand further up may be used.</summary>
    /// <param name="text">Its lines.</param>
    /// <returns>This.</returns>
    /// <exception cref="InvalidArgumentException">A line is not legal. The message names it; nothing is
    /// added.</exception>
    public Recipes AddText(string text)
    {
        Native.Check(NativeMethods.bnq_recipes_add_text(Handle, Native.Argument(text)));
        return this;
    }

    /// <summary>The same of a file, of at most 16 MiB.</summary>
    /// <param name="path">The file.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <returns>This.</returns>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    public Recipes AddFile(string path, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_recipes_load(ContextHandle.Of(context), Handle, Native.Argument(path)));
        return this;
    }

    /// <summary>Writes the text into a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Whether an existing file is replaced.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="AlreadyExistsException">The file exists, without
    /// <see cref="WriteOptions.Overwrite"/>.</exception>
    public void Save(string path, WriteOptions options = WriteOptions.None, Context? context = null) =>
        Native.Check(NativeMethods.bnq_recipes_save(
            ContextHandle.Of(context), Handle, Native.Argument(path), (int)options));

    /// <summary>The config of a text as <see cref="Config.Parse"/> reads it, whose first item may be one of these
    /// names.</summary>
    /// <param name="text">Such as "small,clip=2".</param>
    public Config GetConfig(string text)
    {
        Native.Check(NativeMethods.bnq_recipes_config(Handle, Native.Argument(text), out ConfigHandle handle));
        return new Config(handle);
    }

    /// <summary>A copy of a plan.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="NotFoundException">There is none; the message lists those that there are.</exception>
    public Plan GetPlan(string name)
    {
        Native.Check(NativeMethods.bnq_recipes_plan(Handle, Native.Argument(name), out PlanHandle handle));
        return new Plan(handle);
    }

    /// <summary>The text form, which gives the same again.</summary>
    public override string ToString() => Handle.IsClosed
        ? nameof(Recipes)
        : Native.Text((byte* text, ulong size, out ulong needed) =>
            NativeMethods.bnq_recipes_to_text(Handle, text, size, out needed));

    /// <summary>Frees them.</summary>
    public void Dispose() => Handle.Dispose();

    private static ImmutableArray<string> Names(ulong count, Func<ulong, string> name)
    {
        var result = ImmutableArray.CreateBuilder<string>(Native.Length(count, "The recipes"));
        for (ulong i = 0; i < count; i++)
        {
            result.Add(name(i));
        }

        return result.MoveToImmutable();
    }

    private static Recipes Filled(Action<Recipes> fill)
    {
        var recipes = new Recipes();
        try
        {
            fill(recipes);
            return recipes;
        }
        catch
        {
            recipes.Dispose();
            throw;
        }
    }
}
