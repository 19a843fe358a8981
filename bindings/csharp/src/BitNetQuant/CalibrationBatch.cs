namespace BitNetQuant;

/// <summary>Values that are observed together: a batch of a <see cref="CalibrationDataset"/>.</summary>
/// <param name="Name">Of the activations; null where they have none.</param>
/// <param name="Values">Their shape, type and data: the caller's array, or one of its own read from a file.</param>
public readonly record struct CalibrationBatch(string? Name, SourceArray Values);
