// Section 11 of bnq.h.

using System.Runtime.InteropServices;

using unsafe MetricFn = delegate* unmanaged[Cdecl]<void*, float*, float*, ulong, double*, int>;
using unsafe ProgressFn = delegate* unmanaged[Cdecl]<void*, ulong, ulong, byte*, int>;

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 11. Parameter optimisation

    internal const int BNQ_OPTIMIZATION_METHOD = 1;
    internal const int BNQ_OPTIMIZATION_OBJECTIVE = 2;
    internal const int BNQ_OPTIMIZATION_SCOPE = 3;
    internal const int BNQ_OPTIMIZATION_STEPS = 4;
    internal const int BNQ_OPTIMIZATION_MIN_RATIO = 5;
    internal const int BNQ_OPTIMIZATION_REFINEMENTS = 6;
    internal const int BNQ_OPTIMIZATION_ZERO_POINT_STEPS = 7;
    internal const int BNQ_OPTIMIZATION_BINS = 8;
    internal const int BNQ_OPTIMIZATION_ITERATIONS = 9;
    internal const int BNQ_OPTIMIZATION_LEARNING_RATE = 10;
    internal const int BNQ_OPTIMIZATION_BETA = 11;
    internal const int BNQ_OPTIMIZATION_NORM = 12;
    internal const int BNQ_OPTIMIZATION_KAPPA = 13;
    internal const int BNQ_OPTIMIZATION_DAMPING = 14;
    internal const int BNQ_OPTIMIZATION_BLOCK = 15;
    internal const int BNQ_OPTIMIZATION_ACT_ORDER = 16;
    internal const int BNQ_OPTIMIZATION_RATIOS = 17;
    internal const int BNQ_OPTIMIZATION_ATTACH_INPUT_SCALES = 18;
    internal const int BNQ_OPTIMIZE_GRID = 0;
    internal const int BNQ_OPTIMIZE_GRADIENT = 1;
    internal const int BNQ_OPTIMIZE_HQQ = 2;
    internal const int BNQ_OPTIMIZE_GPTQ = 3;
    internal const int BNQ_OPTIMIZE_AWQ = 4;
    internal const int BNQ_OBJECTIVE_MSE = 0;
    internal const int BNQ_OBJECTIVE_KL = 1;
    internal const int BNQ_OBJECTIVE_COSINE = 2;
    internal const int BNQ_OBJECTIVE_CUSTOM = 3;
    internal const int BNQ_SCOPE_SEGMENT = 0;
    internal const int BNQ_SCOPE_TENSOR = 1;
    internal const int BNQ_FIGURE_OBJECTIVE_BEFORE = 0;
    internal const int BNQ_FIGURE_OBJECTIVE_AFTER = 1;
    internal const int BNQ_FIGURE_MSE_BEFORE = 2;
    internal const int BNQ_FIGURE_MSE_AFTER = 3;
    internal const int BNQ_FIGURE_SEGMENTS = 4;
    internal const int BNQ_FIGURE_IMPROVED = 5;
    internal const int BNQ_NUM_FIGURES = 6;

    [LibraryImport(LibraryName)]
    internal static partial int bnq_optimizer_create(out OptimizerHandle optimizer);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_optimizer_clone(OptimizerHandle optimizer, out OptimizerHandle clone);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_optimizer_options(OptimizerHandle optimizer);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_optimizer_settings(OptimizerHandle optimizer);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_optimizer_destroy(nint optimizer);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_optimizer_set_importance(
        OptimizerHandle optimizer, float* importance, ulong importanceCount);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_optimizer_set_metric(OptimizerHandle optimizer, MetricFn metric, void* opaque);

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_figure_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_figure_name(uint index);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_optimize(
        ContextHandle context, OptimizerHandle optimizer, ConfigHandle config, BnqArray* source,
        BnqArray* activations, ProgressFn progress, void* opaque, out TensorHandle tensor, float* inputScales,
        ulong inputScaleCount, double* figures, uint figureCount);
}
