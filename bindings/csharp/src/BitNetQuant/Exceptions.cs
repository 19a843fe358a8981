using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;

namespace BitNetQuant;

/// <summary>
/// A failure that the library reported. There is a subclass for each <see cref="BitNetQuant.Status"/>,
/// and <see cref="Exception.Message"/> is the library's own text, which names the parameter, tensor or
/// file, its value, and what is accepted.
/// </summary>
/// <remarks>
/// <para>The scheme of this package:</para>
/// <list type="bullet">
/// <item>What the library judges and refuses is a <see cref="BitNetQuantException"/>, with two exceptions
/// that .NET itself gives a meaning to: <see cref="BitNetQuant.Status.Cancelled"/> is an
/// <see cref="OperationCanceledException"/>, and <see cref="BitNetQuant.Status.OutOfMemory"/> an
/// <see cref="OutOfMemoryException"/>.</item>
/// <item>What must not even reach the library (null, a buffer whose length does not fit the shape, a
/// negative dimension) is an <see cref="ArgumentException"/> or a class derived from it, and a call on a
/// disposed object an <see cref="ObjectDisposedException"/>.</item>
/// <item>A native library that is missing or does not fit is a <see cref="NativeLibraryException"/>.</item>
/// </list>
/// </remarks>
public class BitNetQuantException : Exception
{
    /// <summary>An exception for a status.</summary>
    /// <param name="status">What the library answered.</param>
    /// <param name="message">What went wrong.</param>
    public BitNetQuantException(Status status, string message) : base(message) => Status = status;

    /// <summary>What the library answered.</summary>
    public Status Status { get; }

    [SuppressMessage("Usage", "CA2201", Justification = "Memory is what was wanting; .NET code asks for this class.")]
    internal static Exception Create(Status status, string message) => status switch
    {
        Status.InvalidArgument => new InvalidArgumentException(message),
        Status.Unsupported => new UnsupportedException(message),
        Status.OutOfMemory => new OutOfMemoryException(message),
        Status.CorruptFile => new CorruptFileException(message),
        Status.InputOutput => new InputOutputException(message),
        Status.NoData => new NoDataException(message),
        Status.Cancelled => new OperationCanceledException(message),
        Status.Internal => new InternalErrorException(message),
        Status.NonFinite => new NonFiniteException(message),
        Status.NotFound => new NotFoundException(message),
        Status.AlreadyExists => new AlreadyExistsException(message),
        _ => new BitNetQuantException(status, message),
    };
}

/// <summary>A parameter is out of its range or contradicts another (<see cref="Status.InvalidArgument"/>).</summary>
public sealed class InvalidArgumentException : BitNetQuantException
{
    internal InvalidArgumentException(string message) : base(Status.InvalidArgument, message) { }
}

/// <summary>Legal, but this library or this format cannot do it (<see cref="Status.Unsupported"/>).</summary>
public sealed class UnsupportedException : BitNetQuantException
{
    internal UnsupportedException(string message) : base(Status.Unsupported, message) { }
}

/// <summary>A file is truncated, damaged, or says what cannot be (<see cref="Status.CorruptFile"/>).</summary>
public sealed class CorruptFileException : BitNetQuantException
{
    internal CorruptFileException(string message) : base(Status.CorruptFile, message) { }
}

/// <summary>The system could not open, read, write or rename a file (<see cref="Status.InputOutput"/>).</summary>
public sealed class InputOutputException : BitNetQuantException
{
    internal InputOutputException(string message) : base(Status.InputOutput, message) { }
}

/// <summary>A result was asked for before there was any data (<see cref="Status.NoData"/>).</summary>
public sealed class NoDataException : BitNetQuantException
{
    internal NoDataException(string message) : base(Status.NoData, message) { }
}

/// <summary>A defect of the library; please report it (<see cref="Status.Internal"/>).</summary>
public sealed class InternalErrorException : BitNetQuantException
{
    internal InternalErrorException(string message) : base(Status.Internal, message) { }
}

/// <summary>NaN or infinity in values to be quantized or compared (<see cref="Status.NonFinite"/>).</summary>
public sealed class NonFiniteException : BitNetQuantException
{
    internal NonFiniteException(string message) : base(Status.NonFinite, message) { }
}

/// <summary>No file, tensor, format, option or data type of that name (<see cref="Status.NotFound"/>).</summary>
public sealed class NotFoundException : BitNetQuantException
{
    internal NotFoundException(string message) : base(Status.NotFound, message) { }
}

/// <summary>The output exists and may not be overwritten, or is also the input (<see cref="Status.AlreadyExists"/>).</summary>
public sealed class AlreadyExistsException : BitNetQuantException
{
    internal AlreadyExistsException(string message) : base(Status.AlreadyExists, message) { }
}

/// <summary>
/// The native library could not be found or loaded, is not libbnq, or has an ABI that this package was
/// not written for. Thrown by whatever call is the first to need it; the next one tries again.
/// </summary>
public sealed class NativeLibraryException : DllNotFoundException
{
    internal NativeLibraryException(string message, IReadOnlyList<string> attempts) : base(message) =>
        Attempts = attempts;

    /// <summary>Every path that was tried, each with why it did not serve.</summary>
    public IReadOnlyList<string> Attempts { get; }
}
