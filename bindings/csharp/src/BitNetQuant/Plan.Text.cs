using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

// Plans as text, and rules by kinds of layers.
public sealed partial class Plan
{
    /// <summary>The plan of a text, as <see cref="AddText"/> reads it.</summary>
    /// <param name="text">Its lines.</param>
    /// <param name="recipes">Configs that it may name; null for none.</param>
    /// <example><code>
    /// using Plan plan = Plan.Parse("""
    ///     lm_head -> none
    ///     * kind=attention size>=65536 -> int8_per_channel
    ///     * -> nf4_double_quant
    ///     """);
    /// </code></example>
    public static Plan Parse(string text, Recipes? recipes = null) => Filled(plan => plan.AddText(text, recipes));

    /// <summary>The plan of a file of such a text.</summary>
    /// <param name="path">The file.</param>
    /// <param name="recipes">Configs that it may name; null for none.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    public static Plan Load(string path, Recipes? recipes = null, Context? context = null) =>
        Filled(plan => plan.AddFile(path, recipes, context));

    /// <summary>
    /// Puts what a text says behind what the plan has. Each line is a rule, <c>PATTERN [CONDITION ...] -> CONFIG</c>
    /// (or <c>none</c>, or <c>bits>=NUMBER</c>), or says words of kinds of layers (<c>kind KIND = WORD ...</c>) or what
    /// must have one config (<c>tie</c>, <c>tie_below</c>, <c>tie_all</c>); what follows a # is a comment. Section 9 of
    /// bnq.h has all of it.
    /// </summary>
    /// <param name="text">Lines of a plan.</param>
    /// <param name="recipes">Configs that it may name; null for none.</param>
    /// <returns>This plan.</returns>
    /// <exception cref="InvalidArgumentException">A line is not legal. The message names it; the plan is then as it
    /// was.</exception>
    /// <exception cref="NotFoundException">There is no config or kind of that name.</exception>
    public Plan AddText(string text, Recipes? recipes = null)
    {
        Native.Check(NativeMethods.bnq_plan_add_text(Handle, RecipesHandle.Of(recipes), Native.Argument(text)));
        return this;
    }

    /// <summary>The same of a file, of at most 16 MiB.</summary>
    /// <param name="path">The file.</param>
    /// <param name="recipes">Configs that it may name; null for none.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <returns>This plan.</returns>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    public Plan AddFile(string path, Recipes? recipes = null, Context? context = null)
    {
        Native.Check(NativeMethods.bnq_plan_load(
            ContextHandle.Of(context), Handle, RecipesHandle.Of(recipes), Native.Argument(path)));
        return this;
    }

    /// <summary>Writes the text into a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Whether an existing file is replaced.</param>
    /// <param name="context">Where memory comes from; null for the default.</param>
    /// <exception cref="AlreadyExistsException">The file exists, without
    /// <see cref="WriteOptions.Overwrite"/>.</exception>
    public void Save(string path, WriteOptions options = WriteOptions.None, Context? context = null) =>
        Native.Check(NativeMethods.bnq_plan_save(
            ContextHandle.Of(context), Handle, Native.Argument(path), (int)options));

    /// <summary>The text form, which gives the same plan again but for its importance.</summary>
    public override unsafe string ToString() => Handle.IsClosed
        ? nameof(Plan)
        : Native.Text((byte* text, ulong size, out ulong needed) =>
            NativeMethods.bnq_plan_to_text(Handle, text, size, out needed));

    /// <summary>Adds a rule that leaves what models are hurt by most, for the bytes it saves: embeddings, heads, norms,
    /// routers, state spaces' small matrices, and vision towers.</summary>
    /// <returns>This plan.</returns>
    public Plan AddModelDefaults()
    {
        Native.Check(NativeMethods.bnq_plan_add_model_defaults(Handle));
        return this;
    }

    /// <summary>Adds rules for attention, for feed-forward networks and for all other tensors of rank 2 and
    /// more.</summary>
    /// <param name="config">That of all others.</param>
    /// <param name="attention">That of attention; null for one step up (<see cref="Config.StepUp"/>).</param>
    /// <param name="feedForward">That of feed-forward networks; null for the one of all others.</param>
    /// <returns>This plan.</returns>
    public Plan AddAdaptive(Config config, Config? attention = null, Config? feedForward = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        Native.Check(NativeMethods.bnq_plan_add_adaptive(
            Handle, config.Handle, ConfigHandle.Of(attention), ConfigHandle.Of(feedForward)));
        return this;
    }

    /// <summary>What the tensor of this name does in its model, with the plan's own words before those of the
    /// library.</summary>
    /// <param name="name">The tensor's name.</param>
    public LayerKind GetLayerKind(string name) =>
        (LayerKind)NativeMethods.bnq_layer_kind(Handle, Native.Argument(name));

    private static Plan Filled(Action<Plan> fill)
    {
        var plan = new Plan();
        try
        {
            fill(plan);
            return plan;
        }
        catch
        {
            plan.Dispose();
            throw;
        }
    }
}

/// <summary>What a tensor does in its model, as far as its name tells: <see cref="Plan.GetLayerKind"/>.</summary>
public enum LayerKind
{
    /// <summary>None of the others.</summary>
    Other = NativeMethods.BNQ_LAYER_OTHER,

    /// <summary>Embeddings of tokens and positions.</summary>
    Embedding = NativeMethods.BNQ_LAYER_EMBEDDING,

    /// <summary>Queries, keys, values and outputs of attention.</summary>
    Attention = NativeMethods.BNQ_LAYER_ATTENTION,

    /// <summary>Feed-forward networks, experts among them.</summary>
    FeedForward = NativeMethods.BNQ_LAYER_FFN,

    /// <summary>Norms of layers, groups and batches.</summary>
    Norm = NativeMethods.BNQ_LAYER_NORM,

    /// <summary>What makes tokens or classes of the last layer.</summary>
    Head = NativeMethods.BNQ_LAYER_HEAD,

    /// <summary>What chooses experts.</summary>
    Router = NativeMethods.BNQ_LAYER_ROUTER,

    /// <summary>Convolutions and matrices of Mamba and its like.</summary>
    StateSpace = NativeMethods.BNQ_LAYER_STATE_SPACE,

    /// <summary>Vision towers.</summary>
    Vision = NativeMethods.BNQ_LAYER_VISION,
}
