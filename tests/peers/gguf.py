"""GGUF v3 files, written and read from the definition, with numpy alone."""
import struct

import numpy as np

# The types of values of metadata: the number, and how it is packed.
U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_PACKED = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?",
           U64: "Q", I64: "q", F64: "d"}


def _string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind, value):
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        element, values = value
        return (struct.pack("<iQ", element, len(values)) +
                b"".join(_value(element, each) for each in values))
    return struct.pack("<" + _PACKED[kind], value)


def to_bytes(metadata, tensors, alignment=32):
    """The bytes of a file.

    metadata: key -> (type, value); the value of an ARRAY is (type of elements, values).
    tensors: name -> (id of the ggml type, shape as numpy has it, bytes).
    alignment: other than 32, also the metadata must say so (general.alignment).
    """
    head = [b"GGUF", struct.pack("<Iqq", 3, len(tensors), len(metadata))]
    for key, (kind, value) in metadata.items():
        head += [_string(key), struct.pack("<i", kind), _value(kind, value)]
    offset, data = 0, []
    for name, (number, shape, content) in tensors.items():
        head += [_string(name), struct.pack("<I", len(shape)),
                 struct.pack(f"<{len(shape)}q", *reversed(shape)),
                 struct.pack("<iQ", number, offset)]
        data.append(bytes(content) + bytes(-len(content) % alignment))
        offset += len(data[-1])
    head = b"".join(head)
    return head + bytes(-len(head) % alignment) + b"".join(data)


def read(path):
    """metadata: key -> value; tensors: name -> (id, shape, uint8 array to the next one)."""
    content = np.fromfile(path, np.uint8)
    raw, at = content.tobytes(), 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, raw, at)
        at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def string():
        return take(f"{take('Q')}s").decode()

    def value(kind):
        if kind == STRING:
            return string()
        if kind == ARRAY:
            element, count = take("iQ")
            return [value(element) for _ in range(count)]
        return take(_PACKED[kind])

    magic, version, n_tensors, n_metadata = take("4sIqq")
    assert magic == b"GGUF" and version == 3, (magic, version)
    metadata, listed = {}, []
    for _ in range(n_metadata):
        key = string()
        metadata[key] = value(take("i"))
    for _ in range(n_tensors):
        name, rank = string(), take("I")
        shape = tuple(take("q") for _ in range(rank))[::-1]
        listed.append((name, shape, take("i"), take("Q")))
    alignment = metadata.get("general.alignment", 32)
    start = at + -at % alignment
    ends = [offset for *_, offset in listed[1:]] + [len(content) - start]
    return metadata, {name: (number, shape, content[start + offset:start + end])
                      for (name, shape, number, offset), end in zip(listed, ends)}
