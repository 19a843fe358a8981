using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>What becomes of inputs that are floats. Inputs of codes are codes whatever this says.</summary>
public enum InputMode
{
    /// <summary>They stay what they are.</summary>
    Float = NativeMethods.BNQ_INPUT_FLOAT,

    /// <summary>int8 codes of each row, symmetric.</summary>
    Int8 = NativeMethods.BNQ_INPUT_INT8,

    /// <summary>int8 codes of each row, asymmetric.</summary>
    Int8Asymmetric = NativeMethods.BNQ_INPUT_INT8_ASYMMETRIC,

    /// <summary>int8 codes of each row as BitNet b1.58 makes them.</summary>
    BitNet = NativeMethods.BNQ_INPUT_BITNET,

    /// <summary>int8 codes by <see cref="OperatorOptions.InputScale"/> and <see cref="OperatorOptions.InputZeroPoint"/>.</summary>
    Static = NativeMethods.BNQ_INPUT_STATIC,
}

/// <summary>What outputs are.</summary>
public enum OutputType
{
    /// <summary>Floats of the output matrix's type.</summary>
    Float = NativeMethods.BNQ_OUTPUT_FLOAT,

    /// <summary><see cref="sbyte"/> codes.</summary>
    Int8 = NativeMethods.BNQ_OUTPUT_INT8,

    /// <summary><see cref="byte"/> codes.</summary>
    UInt8 = NativeMethods.BNQ_OUTPUT_UINT8,
}

/// <summary>The order of the dimensions of images, and of a convolution's weights.</summary>
public enum ImageLayout
{
    /// <summary>Channels, rows, columns; weights [outputs, channels / groups, rows, columns].</summary>
    Nchw = NativeMethods.BNQ_LAYOUT_NCHW,

    /// <summary>Rows, columns, channels; weights [outputs, rows, columns, channels / groups].</summary>
    Nhwc = NativeMethods.BNQ_LAYOUT_NHWC,
}
