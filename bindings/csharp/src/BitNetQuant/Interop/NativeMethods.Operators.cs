// Section 14 of bnq.h.

using System.Runtime.InteropServices;

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
    internal const int BNQ_NUM_FUNCTIONS = 11;

    [LibraryImport(LibraryName)]
    internal static partial uint bnq_function_count();

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_function_name(int function);

    [LibraryImport(LibraryName)]
    internal static partial byte* bnq_function_description(int function);

    [LibraryImport(LibraryName, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int bnq_function_id(string name, out int function);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_activate(
        ContextHandle context, int function, float slope, BnqMatrix* x, BnqMatrix* y);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_softmax(ContextHandle context, BnqMatrix* x, BnqMatrix* y);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_rms_norm(
        ContextHandle context, BnqMatrix* x, float* weight, double eps, BnqMatrix* y);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_layer_norm(
        ContextHandle context, BnqMatrix* x, float* weight, float* bias, double eps, BnqMatrix* y);
}
