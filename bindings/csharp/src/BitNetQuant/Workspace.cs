using System;
using BitNetQuant.Interop;

namespace BitNetQuant;

/// <summary>Memory for runs of operators, one at a time, in place of memory that every run allocates.</summary>
public sealed unsafe class Workspace : IDisposable
{
    private NativeBlock? _block;

    /// <summary>Memory outside the managed heap, aligned as the library asks for.</summary>
    /// <param name="byteCount">Its bytes.</param>
    public Workspace(long byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        _block = new NativeBlock((ulong)byteCount);
        _block.AddUser();
        ByteCount = byteCount;
    }

    /// <summary>Frees it, if <see cref="Dispose"/> has not.</summary>
    ~Workspace() => _block?.RemoveUser();

    /// <summary>Its bytes.</summary>
    public long ByteCount { get; }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        _block?.RemoveUser();
        _block = null;
        GC.SuppressFinalize(this);
    }

    /// <summary>The memory for the time of a call; none for null.</summary>
    internal static Lease Lend(Workspace? workspace) => workspace is null
        ? default
        : new Lease(workspace._block ?? throw new ObjectDisposedException(nameof(Workspace)), workspace.ByteCount);

    internal readonly ref struct Lease
    {
        private readonly NativeBlock? _block;

        internal Lease(NativeBlock block, long byteCount)
        {
            block.AddUser();
            _block = block;
            ByteCount = (ulong)byteCount;
        }

        internal void* Pointer => _block is null ? null : _block.Pointer;

        internal ulong ByteCount { get; }

        public void Dispose() => _block?.RemoveUser();
    }
}
