using System;
using System.Buffers;
using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

/// <summary>
/// What native objects borrow, such as the memory of a file and the tensors read from it,
/// which may outlive it. The last user to go frees it.
/// </summary>
internal abstract class SharedMemory
{
    private readonly object _lock = new();
    private int _users;

    internal SharedMemory AddUser()
    {
        lock (_lock)
        {
            _users++;
            return this;
        }
    }

    internal void RemoveUser()
    {
        lock (_lock)
        {
            if (--_users == 0)
            {
                Free();
            }
        }
    }

    protected abstract void Free();
}

/// <summary>The caller's memory, pinned.</summary>
internal sealed unsafe class PinnedMemory(ReadOnlyMemory<byte> memory) : SharedMemory
{
    private MemoryHandle _memory = memory.Pin();

    internal void* Pointer => _memory.Pointer;

    protected override void Free() => _memory.Dispose();
}

/// <summary>Memory outside the managed heap, which no array limits to 2 GiB.</summary>
internal sealed unsafe class NativeBlock : SharedMemory
{
    /// <summary>A cache line: more than any part of a tensor asks for.</summary>
    internal const ulong Alignment = 64;

    internal NativeBlock(ulong bytes) =>
        Pointer = (byte*)NativeMemory.AlignedAlloc(checked((nuint)bytes), (nuint)Alignment);

    internal byte* Pointer { get; }

    protected override void Free() => NativeMemory.AlignedFree(Pointer);
}
