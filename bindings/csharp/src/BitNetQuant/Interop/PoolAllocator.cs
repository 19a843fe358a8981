using System;
using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

/// <summary>Memory pools as the library's allocators. What outlives its context has more from the system.</summary>
internal static unsafe class PoolAllocator
{
    private const int Alignment = 16; // malloc's

    private static readonly NumberedObjects<MemoryPool<byte>> Pools = new();

    /// <summary>The number of a pool, until <see cref="Remove"/>.</summary>
    internal static nint Add(MemoryPool<byte> pool) => Pools.Add(pool);

    internal static void Remove(nint number) => Pools.Remove(number);

    internal static BnqAllocator Of(nint number) =>
        new() { Alloc = &Allocate, Free = &Free, Opaque = (void*)number };

    // Before a block stands the handle of what it is in, null for the system's; the begin of that is not aligned.
    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static void* Allocate(void* opaque, ulong bytes)
    {
        try
        {
            nuint needed = checked((nuint)bytes + (2 * Alignment));
            if (!Pools.TryGet((nint)opaque, out MemoryPool<byte>? pool))
            {
                var memory = (byte*)NativeMemory.AlignedAlloc(needed, Alignment);
                *(nint*)(memory + Alignment - sizeof(nint)) = 0;
                return memory + Alignment;
            }

            var block = new Block(pool, checked((int)needed));
            try
            {
                nint behind = (nint)block.Pointer + sizeof(nint);
                nint address = behind + (-behind & (Alignment - 1));
                *(nint*)(address - sizeof(nint)) = GCHandle.ToIntPtr(GCHandle.Alloc(block));
                return (void*)address;
            }
            catch
            {
                block.Dispose();
                throw;
            }
        }
        catch
        {
            return null; // the operation fails for want of memory
        }
    }

    [UnmanagedCallersOnly(CallConvs = new[] { typeof(CallConvCdecl) })]
    private static void Free(void* opaque, void* address)
    {
        nint handle = address == null ? 0 : *((nint*)address - 1);
        if (handle == 0)
        {
            NativeMemory.AlignedFree(address == null ? null : (byte*)address - Alignment);
            return;
        }

        GCHandle owner = GCHandle.FromIntPtr(handle);
        var block = (Block)owner.Target!;
        owner.Free();
        try
        {
            block.Dispose();
        }
        catch
        {
            // What a pool throws must not unwind through native frames, and nobody can be told.
        }
    }

    private sealed class Block : IDisposable
    {
        private readonly IMemoryOwner<byte> _owner;
        private MemoryHandle _pin;

        internal Block(MemoryPool<byte> pool, int bytes)
        {
            _owner = pool.Rent(bytes);
            try
            {
                if (_owner.Memory.Length < bytes)
                {
                    throw new InvalidOperationException($"The pool gave less than {bytes} bytes.");
                }

                _pin = _owner.Memory.Pin();
            }
            catch
            {
                _owner.Dispose();
                throw;
            }
        }

        internal void* Pointer => _pin.Pointer;

        public void Dispose()
        {
            _pin.Dispose();
            _owner.Dispose();
        }
    }
}
