"""What we export is what peers read: GGUF files in ggml and llama.cpp, initializers in ONNX
Runtime."""
import bitnet_quant as bq
import ggml
import gguf
import numpy as np
import pytest
import test_onnx_runtime
import tiny_model
from test_llama import check

# The types of GGUF files that are written, by configs whose codes they hold.
CONFIGS = {
    "f16": "f16",
    "bf16": "bf16",
    "q8_0": "int8,group_size=32,scale_dtype=f16",
    "q4_0": "int4,group_size=32,scale_dtype=f16",
    "q4_1": "int4,group_size=32,scheme=offset,scale_dtype=f16",
    "q5_0": "int5,group_size=32,scale_dtype=f16",
    "q5_1": "int5,group_size=32,scheme=offset,scale_dtype=f16",
    "q2_0": "ternary,granularity=group,group_size=64,scale_dtype=f16",
    "tq1_0": "ternary,granularity=group,group_size=256,scale_dtype=f16,packing=base3",
    "tq2_0": "ternary,granularity=group,group_size=256,scale_dtype=f16",
    "mxfp4": "e2m1,group_size=32,scale_dtype=e8m0",
    "nvfp4": "e2m1,group_size=16,scale_dtype=e4m3",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """architecture, kind of weights -> the folder of that model, made once."""
    made = {}

    def folder(architecture, kind):
        if (architecture, kind) not in made:
            path = tmp_path_factory.mktemp("models") / f"{architecture}-{kind}"
            tiny_model.write_folder(path, architecture, kind)
            made[architecture, kind] = path
        return made[architecture, kind]
    return folder


def dense(path):
    """name -> the values of a model's tensors."""
    def values(file, name):
        tensor = file[name]
        if isinstance(tensor, bq.QuantizedTensor):
            return tensor.dequantize()
        if file.info(name).dtype == "BF16":
            return (np.array(tensor).astype(np.uint32) << 16).view(np.float32)
        return np.array(tensor)

    with bq.open_file(path) as file:
        return {name: values(file, name) for name in file}


def exported(folder, config, layout, path, **options):
    """Quantizes a folder, exports what became of it, and gives the values that it had."""
    quantized = path.parent / "quantized"
    if config:
        plan = bq.Plan()
        # llama.cpp takes no scale of the embedding, which NVFP4 has.
        plan.add("*embed_tokens*", CONFIGS["q8_0"] if "e4m3" in config else config)
        plan.add("*", config, min_rank=2)
        bq.quantize_file(folder, quantized, plan)
    report = bq.export_file(quantized if config else folder, path, layout, **options)
    for row in report:
        assert row.verdict in (None, "exact"), (row.name, row.verdict, row.note)
    return dense(quantized if config else folder)


def rows_of(content, shape, type_name):
    """The rows of a tensor of blocks, without what fills it up."""
    values, size = ggml.block(type_name)
    return content[:shape[0] * shape[1] // values * size].reshape(shape[0], -1)


@pytest.mark.usefixtures("need_ggml")
@pytest.mark.parametrize("type_name", CONFIGS)
def test_ggml_reads_each_row_as_we_do(tmp_path, models, type_name):
    path = tmp_path / "model.gguf"
    values = exported(models("llama", "trained"), CONFIGS[type_name], "gguf", path)
    _, tensors = gguf.read(path)
    ours = dense(path)
    scales = {name for name in tensors if name.endswith(".scale")}
    assert len(tensors) - len(scales) == len(values) == len(ours)
    blocks = 0
    for name, expected in values.items():
        gguf_name = tiny_model.gguf_name(name)
        number, shape, content = tensors[gguf_name]
        order = tiny_model.gguf_order("llama", name, len(expected))
        np.testing.assert_array_equal(ours[gguf_name], expected[order])
        if number == ggml.BLOCKS.get(type_name):
            theirs = ggml.dequantize(type_name, rows_of(content, shape, type_name))
            scale = tensors.get(gguf_name.replace(".weight", ".scale"))
            if scale is not None:
                # It comes behind the products in a block, which are rounded before.
                theirs *= scale[2][:4].view(np.float32)
                np.testing.assert_allclose(theirs, expected[order], rtol=2**-23, atol=0)
            else:
                np.testing.assert_array_equal(theirs, expected[order])
            blocks += 1
        else:
            assert number in (0, ggml.NUMBERS.get(type_name), ggml.BLOCKS["q8_0"]), name
    assert blocks or type_name in ggml.NUMBERS


@pytest.mark.usefixtures("need_llama")
@pytest.mark.parametrize("kind", ("random", "trained"))
@pytest.mark.parametrize("type_name", CONFIGS)
def test_llama_cpp_computes_with_each_type(tmp_path, models, type_name, kind):
    path = tmp_path / "model.gguf"
    values = exported(models("llama", kind), CONFIGS[type_name], "gguf", path)
    check(path, values, type_name)


@pytest.mark.usefixtures("need_llama")
@pytest.mark.parametrize("config,type_name", ((None, "f32"), (CONFIGS["q8_0"], "q8_0")))
@pytest.mark.parametrize("architecture", tiny_model.ARCHITECTURES)
def test_llama_cpp_computes_with_each_architecture(tmp_path, models, architecture, config,
                                                   type_name):
    path = tmp_path / "model.gguf"
    values = exported(models(architecture, "trained"), config, "gguf", path)
    check(path, values, type_name)


@pytest.mark.usefixtures("need_onnx_runtime")
@pytest.mark.parametrize("bits,block,asymmetric", test_onnx_runtime.CASES)
def test_onnx_runtime_computes_with_our_initializers(tmp_path, bits, block, asymmetric):
    outputs, inputs = test_onnx_runtime.OUTPUTS, test_onnx_runtime.INPUTS
    numbers = np.random.default_rng(bits + block)
    weights = numbers.standard_normal((outputs, inputs), np.float32) + 0.3 * asymmetric
    tensor = bq.quantize(weights, format=f"int{bits}", group_size=block,
                         scheme="asymmetric" if asymmetric else "symmetric")
    with bq.Writer(tmp_path / "model.bnq") as writer:
        writer.add("a.weight", tensor)
    path = tmp_path / "model.safetensors"
    report = bq.export_file(tmp_path / "model.bnq", path, "ort")
    assert [row.verdict for row in report] == ["exact"]
    with bq.open_file(path, raw=True) as file:
        kinds = (f"Q{bits}", "scales", "zero_points")[:3 if asymmetric else 2]
        assert sorted(file) == sorted(f"a.weight_{kind}" for kind in kinds)
        initializers = {kind: np.array(file[f"a.weight_{kind}"]) for kind in kinds}
    values = tensor.dequantize()
    theirs = test_onnx_runtime.matmul_nbits(np.eye(inputs, dtype=np.float32), initializers,
                                            outputs, bits, block)
    np.testing.assert_array_equal(theirs, values.T)
