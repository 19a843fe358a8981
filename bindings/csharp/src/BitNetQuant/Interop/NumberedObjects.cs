using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Threading;

namespace BitNetQuant.Interop;

/// <summary>
/// What the library has the number of, not a pointer to: what a context has made may outlive it and call back still, and
/// then finds nothing.
/// </summary>
internal sealed class NumberedObjects<T>
    where T : class
{
    private readonly ConcurrentDictionary<nint, T> _objects = new();

    private long _last;

    /// <summary>The number of an object, until <see cref="Remove"/>; never 0.</summary>
    internal nint Add(T item)
    {
        var number = (nint)Interlocked.Increment(ref _last);
        _objects[number] = item;
        return number;
    }

    internal void Remove(nint number) => _objects.TryRemove(number, out _);

    internal bool TryGet(nint number, [NotNullWhen(true)] out T? item) => _objects.TryGetValue(number, out item);
}
