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
    internal const int BNQ_OPERATOR_INPUT = 1;
    internal const int BNQ_OPERATOR_INPUT_SCALE = 2;
    internal const int BNQ_OPERATOR_INPUT_ZERO_POINT = 3;
    internal const int BNQ_OPERATOR_FUNCTION = 4;
    internal const int BNQ_OPERATOR_SLOPE = 5;
    internal const int BNQ_OPERATOR_OUTPUT = 6;
    internal const int BNQ_OPERATOR_OUTPUT_SCALE = 7;
    internal const int BNQ_OPERATOR_OUTPUT_ZERO_POINT = 8;
    internal const int BNQ_OPERATOR_AMX = 9;
    internal const int BNQ_OPERATOR_STRIDE_HEIGHT = 10;
    internal const int BNQ_OPERATOR_STRIDE_WIDTH = 11;
    internal const int BNQ_OPERATOR_PAD_TOP = 12;
    internal const int BNQ_OPERATOR_PAD_LEFT = 13;
    internal const int BNQ_OPERATOR_PAD_BOTTOM = 14;
    internal const int BNQ_OPERATOR_PAD_RIGHT = 15;
    internal const int BNQ_OPERATOR_DILATION_HEIGHT = 16;
    internal const int BNQ_OPERATOR_DILATION_WIDTH = 17;
    internal const int BNQ_OPERATOR_GROUPS = 18;
    internal const int BNQ_OPERATOR_LAYOUT = 19;
    internal const int BNQ_INPUT_FLOAT = 0;
    internal const int BNQ_INPUT_INT8 = 1;
    internal const int BNQ_INPUT_INT8_ASYMMETRIC = 2;
    internal const int BNQ_INPUT_BITNET = 3;
    internal const int BNQ_INPUT_STATIC = 4;
    internal const int BNQ_OUTPUT_FLOAT = 0;
    internal const int BNQ_OUTPUT_INT8 = 1;
    internal const int BNQ_OUTPUT_UINT8 = 2;
    internal const int BNQ_LAYOUT_NCHW = 0;
    internal const int BNQ_LAYOUT_NHWC = 1;

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

    [LibraryImport(LibraryName)]
    internal static partial int bnq_operator_create(out OperatorHandle options);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_operator_clone(OperatorHandle options, out OperatorHandle clone);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_operator_destroy(nint options);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_operator_options(OperatorHandle options);

    [LibraryImport(LibraryName)]
    internal static partial nint bnq_operator_settings(OperatorHandle options);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_operator_check(
        OperatorHandle options, ConfigHandle config, out int integers);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_linear_create(
        ContextHandle context, OperatorHandle options, TensorHandle weight, BnqArray* bias,
        out LinearHandle linear);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_linear_destroy(nint linear);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_linear_inputs(LinearHandle linear);

    [LibraryImport(LibraryName)]
    internal static partial ulong bnq_linear_outputs(LinearHandle linear);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_linear_workspace(LinearHandle linear, ulong rows, out ulong bytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_linear_run(
        LinearHandle linear, ContextHandle context, BnqMatrix* x, BnqMatrix* y, void* workspace,
        ulong workspaceBytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_linear_run_many(
        nint* linears, ulong count, ContextHandle context, BnqMatrix* x, BnqMatrix* ys, void* workspace,
        ulong workspaceBytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_embedding(
        ContextHandle context, TensorHandle table, long* indices, ulong count, BnqMatrix* y);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_convolution_create(
        ContextHandle context, OperatorHandle options, TensorHandle weight, BnqArray* bias,
        out ConvolutionHandle convolution);

    [LibraryImport(LibraryName)]
    internal static partial void bnq_convolution_destroy(nint convolution);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_convolution_output(
        ConvolutionHandle convolution, ulong height, ulong width, out ulong outChannels,
        out ulong outHeight, out ulong outWidth);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_convolution_workspace(
        ConvolutionHandle convolution, ulong items, ulong height, ulong width, out ulong bytes);

    [LibraryImport(LibraryName)]
    internal static partial int bnq_convolution_run(
        ConvolutionHandle convolution, ContextHandle context, BnqMatrix* x, ulong height, ulong width,
        BnqMatrix* y, void* workspace, ulong workspaceBytes);
}
