// Section 9 of bnq.h.

using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 9. Plans as text, recipes

    internal const int BNQ_LAYER_OTHER = 0;
    internal const int BNQ_LAYER_EMBEDDING = 1;
    internal const int BNQ_LAYER_ATTENTION = 2;
    internal const int BNQ_LAYER_FFN = 3;
    internal const int BNQ_LAYER_NORM = 4;
    internal const int BNQ_LAYER_HEAD = 5;
    internal const int BNQ_LAYER_ROUTER = 6;
    internal const int BNQ_LAYER_STATE_SPACE = 7;
    internal const int BNQ_LAYER_VISION = 8;
    internal const int BNQ_NUM_LAYERS = 9;

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_layer_kind(PlanHandle plan, string name);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_layer_kind_name(int kind);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_plan_add_model_defaults(PlanHandle plan);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_plan_add_adaptive(
        PlanHandle plan, ConfigHandle baseConfig, ConfigHandle attention, ConfigHandle ffn);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_config_step_up(ConfigHandle config, out ConfigHandle result);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_plan_to_text(PlanHandle plan, byte* text, ulong size, out ulong needed);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_add_text(PlanHandle plan, RecipesHandle recipes, string text);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_load(
        ContextHandle context, PlanHandle plan, RecipesHandle recipes, string path);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_plan_save(ContextHandle context, PlanHandle plan, string path, int flags);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_recipes_create(out RecipesHandle recipes);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_recipes_destroy(nint recipes);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_recipes_add_config(RecipesHandle recipes, string name, ConfigHandle config);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_recipes_add_plan(RecipesHandle recipes, string name, PlanHandle plan);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_recipes_add_text(RecipesHandle recipes, string text);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_recipes_to_text(RecipesHandle recipes, byte* text, ulong size, out ulong needed);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_recipes_load(ContextHandle context, RecipesHandle recipes, string path);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_recipes_save(
        ContextHandle context, RecipesHandle recipes, string path, int flags);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_recipes_config(RecipesHandle recipes, string text, out ConfigHandle config);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_recipes_plan(RecipesHandle recipes, string name, out PlanHandle plan);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_recipes_config_count(RecipesHandle recipes);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_recipes_config_name(RecipesHandle recipes, ulong index);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_recipes_plan_count(RecipesHandle recipes);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_recipes_plan_name(RecipesHandle recipes, ulong index);
}
