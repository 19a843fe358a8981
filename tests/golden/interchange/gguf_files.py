"""The GGUF files: metadata of every type, plain numbers, blocks quantized by ggml itself,
I2_S from its definition, and a model split in two."""
import struct

import ggml
import gguf
import numpy as np
from files import safetensors
from layouts import F32, as_float32, bf16

I2_S = 36  # in microsoft/BitNet; the number belongs to a removed type of ggml's


def metadata(architecture="golden", **more):
    return {"general.architecture": (gguf.STRING, architecture),
            "general.quantization_version": (gguf.U32, 2), **more}


EVERY_TYPE = {
    "golden.u8": (gguf.U8, 200), "golden.i8": (gguf.I8, -100), "golden.u16": (gguf.U16, 60000),
    "golden.i16": (gguf.I16, -30000), "golden.u32": (gguf.U32, 4000000000),
    "golden.i32": (gguf.I32, -2000000000), "golden.f32": (gguf.F32, 0.15625),
    "golden.bool": (gguf.BOOL, True), "golden.string": (gguf.STRING, "ünïcode, \"quoted\""),
    "golden.u64": (gguf.U64, 2**64 - 1), "golden.i64": (gguf.I64, -2**63),
    "golden.f64": (gguf.F64, 0.1), "golden.empty": (gguf.STRING, ""),
    "golden.strings": (gguf.ARRAY, (gguf.STRING, ["a", "", "bc"])),
    "golden.floats": (gguf.ARRAY, (gguf.F32, [1.5, -0.0])),
    "golden.bools": (gguf.ARRAY, (gguf.BOOL, [True, False])),
    "golden.none": (gguf.ARRAY, (gguf.U8, [])),
}


def plain_numbers(numbers):
    """name -> (type, array, bytes): every type of numbers, of one to four dimensions."""
    wide = numbers.normal(3, 5)
    rows = {"f32": wide, "f16": wide.astype(np.float16), "bf16": bf16(wide),
            "f64": numbers.normal(2, 3).astype(np.float64) / 3,
            "i8": numbers.integers(-128, 128, 2, 3).astype(np.int8),
            "i16": numbers.integers(-2**15, 2**15, 7).astype(np.int16),
            "i32": numbers.integers(-2**31, 2**31, 2, 1, 3).astype(np.int32),
            "i64": numbers.integers(-2**40, 2**40, 1, 2, 2, 2).astype(np.int64)}
    return {name: (ggml.NUMBERS[name], array) for name, array in rows.items()}


def entries(arrays):
    """Of arrays, what gguf.to_bytes takes."""
    made = {}
    for name, (number, array) in arrays.items():
        bits = getattr(array, "bits", array)
        made[name] = (number, bits.shape, np.ascontiguousarray(bits).tobytes())
    return made


def inputs(numbers, name):
    """[2, 256]: what quantizers meet: noise, an outlier, zeros, equal values; ternary ones
    for types that hold nothing else."""
    values = numbers.normal(2, 256)
    values[0, 100] *= 20
    values[1, :64] = 0
    values[1, 64:128] = 0.75
    if name in ("tq1_0", "tq2_0", "q2_0"):
        values = np.clip(np.rint(values * 2), -1, 1) * F32([[0.0371], [1.5]])
    return values.astype(F32)


def blocks(numbers):
    """Each quantized type: the rows that ggml makes, and what ggml reads them as."""
    tensors, expected = {}, {}
    for name, number in ggml.BLOCKS.items():
        rows = ggml.quantize(name, inputs(numbers, name))
        expected[name] = ggml.dequantize(name, rows)
        tensors[name] = (number, expected[name].shape, rows.tobytes())
    return tensors, expected


def i2_s(codes, scale, span):
    """span: elements that share `span / 4` bytes, 128 (x86) or 64 (Arm); the first ones
    in the highest bits. Then the scale, in 32 bytes."""
    fields = (codes.reshape(-1, 4, span // 4) + 1).astype(np.uint8)
    packed = fields[:, 0] << 6 | fields[:, 1] << 4 | fields[:, 2] << 2 | fields[:, 3]
    return packed.tobytes() + struct.pack("<f", scale) + bytes(28)


def write(folder, make_case, with_ggml):
    """The cases. Without ggml, those of blocks are kept as they are."""
    folder.mkdir(exist_ok=True)

    def save(case, name, content):
        (folder / f"{name}.gguf").write_bytes(content)
        return case.finish(f"gguf/{name}.gguf")

    case = make_case("gguf-plain", "gguf")
    arrays = plain_numbers(case.numbers)
    case.expected = {name: array for name, (_, array) in arrays.items()}
    yield save(case, "plain", gguf.to_bytes(
        metadata(**EVERY_TYPE, **{"general.alignment": (gguf.U32, 64)}), entries(arrays), 64))

    case = make_case("gguf-blocks", "gguf")
    if with_ggml:
        tensors, case.expected = blocks(case.numbers)
        yield save(case, "blocks", gguf.to_bytes(metadata(), tensors))
    else:
        yield case.entry("gguf/blocks.gguf")

    for kind, span in (("x86", 128), ("arm", 64)):
        case = make_case(f"gguf-i2_s-{kind}", "gguf", {"i2_s": kind})
        codes, scale = case.numbers.integers(-1, 2, 3, 256), F32(0.0371)
        case.expected = {"weight": codes.astype(F32) * scale}
        yield save(case, f"i2_s-{kind}", gguf.to_bytes(
            metadata(), {"weight": (I2_S, codes.shape, i2_s(codes, scale, span))}))

    case = make_case("gguf-split", "gguf")
    for part in range(2):
        name = f"part{part}.weight"
        values = case.numbers.normal(2, 8)
        case.expected[name] = values
        last = save(case, f"split-0000{part + 1}-of-00002", gguf.to_bytes(
            {**(metadata() if part == 0 else {}), "split.no": (gguf.U16, part),
             "split.count": (gguf.U16, 2), "split.tensors.count": (gguf.I32, 2)},
            entries({name: (ggml.NUMBERS["f32"], values)})))
    last["path"] = "gguf/split-00001-of-00002.gguf"
    yield last
