// Section 14 of bnq.h.

namespace BitNetQuant.Interop;

internal static unsafe partial class NativeMethods
{
    // 14. Operators

    internal const int BNQ_FUNCTION_NONE = 0;
    internal const int BNQ_FUNCTION_RELU = 1;
    internal const int BNQ_FUNCTION_RELU6 = 2;
    internal const int BNQ_FUNCTION_LEAKY_RELU = 3;
    internal const int BNQ_FUNCTION_SQUARED_RELU = 4;
    internal const int BNQ_FUNCTION_GELU = 5;
    internal const int BNQ_FUNCTION_GELU_TANH = 6;
    internal const int BNQ_FUNCTION_SILU = 7;
    internal const int BNQ_FUNCTION_SIGMOID = 8;
    internal const int BNQ_FUNCTION_TANH = 9;
    internal const int BNQ_FUNCTION_HARD_SWISH = 10;
}
