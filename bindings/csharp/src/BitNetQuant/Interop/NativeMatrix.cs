namespace BitNetQuant.Interop;

/// <summary>A call of the library that reads one matrix and writes another; it returns the status.</summary>
internal unsafe delegate int MatricesCall(BnqMatrix* x, BnqMatrix* y);

/// <summary>A call of the library that borrows a matrix; it returns the status.</summary>
internal unsafe delegate int MatrixCall(BnqMatrix* matrix);

/// <summary>Lends matrices to the library for the time of a call.</summary>
internal static unsafe class NativeMatrix
{
    /// <summary>Throws what the call's status calls for.</summary>
    internal static void Lend(MatrixView matrix, MatrixCall call)
    {
        fixed (byte* data = matrix.Bytes)
        fixed (float* scales = matrix.Scales)
        fixed (int* zeroPoints = matrix.ZeroPoints)
        {
            BnqMatrix raw = Raw(matrix, data, scales, zeroPoints);
            Native.Check(call(&raw));
        }
    }

    /// <inheritdoc cref="Lend(MatrixView, MatrixCall)"/>
    internal static void Lend(MatrixView x, MatrixView y, MatricesCall call)
    {
        fixed (byte* data = y.Bytes)
        fixed (float* scales = y.Scales)
        fixed (int* zeroPoints = y.ZeroPoints)
        {
            BnqMatrix to = Raw(y, data, scales, zeroPoints);
            BnqMatrix* pointer = &to;
            Lend(x, from => call(from, pointer));
        }
    }

    internal static BnqMatrix Raw(MatrixView matrix, void* data, float* scales, int* zeroPoints) => new()
    {
        Data = data, Scales = scales, ZeroPoints = zeroPoints, Rows = (ulong)matrix.Rows,
        Columns = (ulong)matrix.Columns, RowStride = (ulong)matrix.RowStride, Dtype = (int)matrix.DataType,
    };
}
