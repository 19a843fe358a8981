"""ONNX models of one node, as the bytes of their protobuf messages, from onnx.proto."""
FLOAT, UINT8, INT8, FLOAT16, BFLOAT16, FLOAT8_E4M3, FLOAT8_E5M2 = 1, 2, 3, 10, 16, 17, 19
_TYPES = {"float32": FLOAT, "uint8": UINT8, "int8": INT8, "float16": FLOAT16}


def _varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _field(number, value):
    """An integer, or the bytes of a string or message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, str):
        value = value.encode()
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _message(*fields):
    return b"".join(_field(number, value) for number, value in fields)


def _tensor(name, array):
    return _message(*((1, size) for size in array.shape), (2, _TYPES[array.dtype.name]),
                    (8, name), (9, array.tobytes()))


def _attribute(name, value):
    return _message((1, name), (3, value), (20, 2))  # of type INT


def _value_info(name, kind, shape):
    dimensions = b"".join(_field(1, _field(1, size)) for size in shape)
    return _message((1, name), (2, _field(1, _message((1, kind), (2, dimensions)))))


def to_bytes(nodes, x_shape, y_shape, arrays, opsets, x_type=FLOAT, y_type=FLOAT):
    """The bytes of a model with the input "x" and the output "y".

    nodes: (operator, its domain, names of inputs, names of outputs, attributes: name ->
    integer). arrays: initializers by name. opsets: domain -> version.
    """
    graph = b""
    for operator, domain, inputs, outputs, attributes in nodes:
        graph += _field(1, _message(
            *((1, name) for name in inputs), *((2, name) for name in outputs), (4, operator),
            *((5, _attribute(*each)) for each in attributes.items()), (7, domain)))
    graph += _message((2, "g"), *((5, _tensor(*each)) for each in arrays.items()),
                      (11, _value_info("x", x_type, x_shape)),
                      (12, _value_info("y", y_type, y_shape)))
    return _message((1, 10), *((8, _message((1, domain), (2, version)))
                               for domain, version in opsets.items()), (7, graph))
