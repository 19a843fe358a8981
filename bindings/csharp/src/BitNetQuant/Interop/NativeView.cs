using System;
using System.Buffers;
using System.Runtime.InteropServices;

namespace BitNetQuant.Interop;

/// <summary>
/// Memory of a native object, which stays for as long as the view is referred to, even if what it came from is disposed
/// or collected. A span is no reference to a view.
/// </summary>
internal sealed unsafe class NativeView<T> : MemoryManager<T> where T : unmanaged
{
    private readonly Lease _lease;
    private readonly T* _data;
    private readonly int _length;

    private NativeView(Lease lease, T* data, int length)
    {
        _lease = lease;
        _data = data;
        _length = length;
    }

    /// <summary>A view of <paramref name="length"/> elements that live as long as <paramref name="owner"/>.</summary>
    internal static ReadOnlyMemory<T> Of(SafeHandle owner, void* data, int length) =>
        length == 0 ? default : new NativeView<T>(new Lease(owner), (T*)data, length).Memory;

    public override Span<T> GetSpan()
    {
        var span = new Span<T>(_data, _length);
        GC.KeepAlive(_lease);
        return span;
    }

    public override MemoryHandle Pin(int elementIndex = 0) =>
        (uint)elementIndex <= (uint)_length
            ? new MemoryHandle(_data + elementIndex, default, this)
            : throw new ArgumentOutOfRangeException(nameof(elementIndex));

    // Native memory does not move.
    public override void Unpin() { }

    // Nobody is given more than a ReadOnlyMemory: the last one to go ends the lease.
    protected override void Dispose(bool disposing) { }

    /// <summary>Keeps a handle from being released.</summary>
    private sealed class Lease
    {
        private readonly SafeHandle _owner;

        internal Lease(SafeHandle owner)
        {
            bool added = false;
            owner.DangerousAddRef(ref added);
            _owner = owner;
        }

        ~Lease() => _owner?.DangerousRelease();
    }
}
