namespace BitNetQuant;

/// <summary>How far a long operation has come.</summary>
/// <param name="Done">Bytes of input done.</param>
/// <param name="Total">Bytes of input in all.</param>
/// <param name="Item">The tensor being worked on.</param>
public readonly record struct ModelProgress(long Done, long Total, string Item);
