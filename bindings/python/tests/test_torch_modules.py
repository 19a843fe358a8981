"""Quantized modules of torch: what modules of torch can do, on packed codes."""
import copy
import io
import itertools
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import bitnet_quant as bq
from conftest import ROOT

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from bitnet_quant import torch as bqt  # noqa: E402

SOURCE = ROOT / "bindings" / "python" / "src"
CONFIGS = ["nf4_double_quant", "int8_outliers", "int8_per_channel", "int4_per_group_32",
           "ternary", "fp8", "bf16", "int4_offset_per_group_64", "codebook4_per_group_20"]


def layers():
    """Modules of odd shapes with inputs of theirs."""
    torch.manual_seed(0)
    return [
        (nn.Linear(37, 11), torch.randn(3, 5, 37)),
        (nn.Linear(33, 1, bias=False), torch.randn(33)),
        (nn.Linear(8, 5), torch.randn(0, 8)),
        (nn.Linear(5, 0), torch.randn(2, 5)),
        (nn.Linear(40, 6), torch.randn(40, 7).t()),
        (nn.Conv1d(8, 6, 3, padding="same", padding_mode="circular"), torch.randn(2, 8, 19)),
        (nn.Conv1d(3, 5, 4, stride=3, padding=2, dilation=2), torch.randn(3, 21)),
        (nn.Conv2d(8, 16, (3, 2), stride=(2, 1), padding=(1, 0), groups=4, bias=False),
         torch.randn(2, 8, 9, 7)),
        (nn.Conv2d(3, 4, (3, 5), padding="same", dilation=(1, 2)), torch.randn(3, 9, 8)),
        (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), torch.randn(1, 2, 6, 6)),
        (nn.Conv2d(2, 3, 3, padding="valid").to(memory_format=torch.channels_last),
         torch.randn(1, 2, 6, 6).to(memory_format=torch.channels_last)),
        (nn.Embedding(10, 7, padding_idx=1), torch.tensor([[1, 2, 9], [0, 9, 3]])),
    ]


def dequantized(module):
    """What the module is to give: torch's on the dequantized weight."""
    return bqt.dequantize_module(module, torch.float32)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("index", range(len(layers())))
def test_a_module_gives_what_torchs_gives_on_the_dequantized_weight(config, index):
    layer, x = layers()[index]
    weight = layer.weight.detach().clone()
    module = bqt.quantize_module(layer, config)
    assert isinstance(module, bqt.QuantizedModule) and type(layer) is module.float_type
    assert torch.equal(layer.weight, weight)  # the layer is as it was
    y = module(x)
    torch.testing.assert_close(y, dequantized(module)(x), rtol=1e-4, atol=1e-5)
    assert y.shape == layer(x).shape and y.dtype == layer(x).dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("index", range(len(layers())))
def test_a_change_of_type_touches_no_code(dtype, index):
    layer, x = layers()[index]
    module = bqt.quantize_module(layer, "nf4_double_quant")
    y, codes = module(x), module.weight.detach().clone()
    nn.Sequential(module).to(dtype)
    assert module.weight.dtype == torch.uint8 and torch.equal(module.weight, codes)
    other = module(x.to(dtype) if x.is_floating_point() else x)
    assert other.dtype == dtype
    torch.testing.assert_close(other.float(), y, rtol=0.02, atol=0.05)
    if module.bias is not None:
        assert module.bias.dtype == dtype
    assert bqt.dequantize_module(module).weight.dtype == dtype
    assert bqt.dequantize_module(module, torch.float32).weight.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_every_type_of_floats_are_quantized(dtype):
    layer = nn.Linear(64, 8).to(dtype)
    module = bqt.quantize_module(layer, "int8_per_channel")
    tensor = bq.quantize(layer.weight.detach().float().numpy(), "int8_per_channel")
    assert np.array_equal(module.tensor.unpack(), tensor.unpack())


@pytest.mark.parametrize("config", CONFIGS)
def test_copies_pickles_and_states_give_the_same_bits(config, tmp_path):
    torch.manual_seed(1)
    layer, x = nn.Linear(130, 24), torch.randn(4, 130)
    with torch.no_grad():
        layer.weight[:, 7] *= 200  # an outlier
    module = bqt.quantize_module(layer, config)
    y = module(x)
    assert torch.equal(copy.deepcopy(module)(x), y)
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), y)
    saved = io.BytesIO()
    torch.save(module.state_dict(), saved)
    saved.seek(0)
    # Into a module of another format.
    for state in (torch.load(saved, weights_only=True), through_safetensors(module, tmp_path)):
        other = bqt.quantize_module(nn.Linear(130, 24), "int4_per_group_128")
        assert not torch.equal(other(x), y)
        other.load_state_dict(state)
        assert other.config == module.config and torch.equal(other(x), y)
    twin = copy.deepcopy(module)
    with torch.no_grad():
        twin.bias += 1
    assert torch.equal(twin(x), dequantized_plus(module, x, y)) and torch.equal(module(x), y)


def dequantized_plus(module, x, y):
    """y with a bias that is greater by 1, as the library adds it."""
    return bqt.from_numpy(bq.QuantLinear(module.tensor, module.bias.detach().numpy() + 1)(
        x.numpy()), torch.float32)


def through_safetensors(module, folder):
    """A module's state, written to safetensors and read again."""
    with bq.Writer(folder / "state.safetensors") as writer:
        for name, tensor in module.state_dict().items():
            writer.add(name, tensor.numpy())
    with bq.open_file(folder / "state.safetensors") as file:
        return {name: torch.tensor(np.array(file[name])) for name in file}


def test_a_state_that_is_no_weight_is_an_error_that_says_so():
    module = bqt.quantize_module(nn.Linear(8, 4), "int8_per_channel")
    before = {name: value.clone() for name, value in module.state_dict().items()}
    for state, what in [
            (nn.Linear(8, 4).state_dict(), "not quantized"),
            (bqt.quantize_module(nn.Linear(8, 5), "int8_per_channel").state_dict(), r"\[5, 8\]"),
            ({**before, "weight": before["weight"][:-1]}, "codes"),
            ({"bias": before["bias"]}, "weight")]:
        with pytest.raises(RuntimeError, match=what):
            module.load_state_dict(state)
    after = module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_what_is_written_into_memory_is_used():
    layer, x = nn.Linear(32, 8), torch.randn(2, 32)
    module = bqt.quantize_module(layer, "int8_per_channel")
    y = module(x)
    with torch.no_grad():
        module.bias.zero_()
        torch.testing.assert_close(module(x), y - layer.bias, rtol=1e-4, atol=1e-5)
        module.weight.copy_(module.weight.flip(0))
        assert not torch.equal(module(x), y - layer.bias)


def test_memory_that_is_not_aligned_is_used():
    layer, x = nn.Linear(96, 8), torch.randn(2, 96)
    for config in ("int8_per_channel", "int4_offset_per_group_64", "codebook4_per_group_20"):
        module = bqt.quantize_module(layer, config)
        y = module(x)
        for parameter in module.parameters(recurse=False):
            if parameter.dtype == torch.uint8:
                moved = torch.empty(parameter.numel() + 1, dtype=torch.uint8)[1:]
                parameter.data = moved.copy_(parameter.data)
        assert module.weight.data_ptr() % 4 == 1
        assert torch.equal(module(x), y)


def test_inputs_that_become_codes():
    layer, x = nn.Linear(64, 8), torch.randn(5, 64)
    module = bqt.quantize_module(layer, "int8_per_channel", input="int8")
    expected = bq.QuantLinear(module.tensor, layer.bias.detach().numpy(), input="int8")(x.numpy())
    assert np.array_equal(module(x).detach().numpy(), expected)
    assert "input='int8'" in repr(module)


def test_results_do_not_depend_on_torchs_threads():
    layer, x = nn.Linear(300, 200), torch.randn(64, 300)
    module, threads = bqt.quantize_module(layer, "nf4"), torch.get_num_threads()
    try:
        results = []
        for count in (1, 3):
            torch.set_num_threads(count)
            results.append(copy.deepcopy(module)(x))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


@pytest.mark.parametrize("index", [i for i, (layer, x) in enumerate(layers())
                                   if x.is_floating_point() and x.numel()])
def test_gradients_are_those_of_the_dequantized_weight(index):
    layer, x = layers()[index]
    module = bqt.quantize_module(layer, "nf4")
    plain = dequantized(module)
    gradients = []
    for each in (module, plain):
        inputs = x.clone().requires_grad_()
        each(inputs).square().sum().backward()
        gradients.append((inputs.grad, None if each.bias is None else each.bias.grad))
    for ours, theirs in zip(*gradients):
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    assert module.weight.grad is None
    with torch.no_grad():
        assert not module(x).requires_grad
    with torch.inference_mode():
        assert bqt.quantize_module(layer, "nf4")(x).shape == layer(x).shape


def test_bytes_fall_as_the_ratio_says():
    """The size of layers as SLI's document measures it."""
    def size(layer):
        return sum(each.numel() * each.element_size() for each in layer.parameters())

    layer = nn.Linear(1024, 512, bias=False).half()
    for config, ratio in (("nf4_double_quant", 0.25), ("fp4_double_quant", 0.25),
                          ("int8_per_channel", 0.5), ("ternary", 0.125)):
        module = bqt.quantize_module(layer, config)
        module(torch.zeros(1, 1024))
        assert size(module) == module.nbytes
        assert ratio <= size(module) / size(layer) < ratio * 1.05


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")
def test_the_processs_memory_falls_and_no_copy_in_floats_is_kept():
    script = textwrap.dedent("""
        import ctypes, gc, torch
        from torch import nn
        from bitnet_quant.torch import quantize_layer

        def resident():
            gc.collect()
            if hasattr(ctypes.CDLL(None), "malloc_trim"):
                ctypes.CDLL(None).malloc_trim(0)
            return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

        with torch.no_grad():
            quantize_layer(nn.Linear(64, 64), "nf4")(torch.zeros(1, 64))
            for mode in ("nf4", "int8_dynamic", "int4"):
                before = resident()
                layer = nn.Linear(8192, 4096, bias=False, dtype=torch.float16, device="meta")
                layer = layer.to_empty(device="cpu")
                layer.weight.zero_()
                floats = resident() - before
                layer = quantize_layer(layer, mode)
                layer(torch.zeros(1, 8192))
                print(floats, resident() - before)
                del layer
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})
    # Codes over those of FP16, and scales: in 8 bits for 64, none to speak of, 32 bits for 32.
    for line, ratio in zip(done.stdout.splitlines(), (4.13 / 16, 8 / 16, 5 / 16)):
        floats, codes = map(float, line.split())
        assert floats > 60  # MiB
        assert codes < ratio * floats + 3, done.stdout


def test_a_model_by_a_plan_in_place_with_ties():
    torch.manual_seed(2)
    model = nn.ModuleDict({"embed": nn.Embedding(50, 16), "mlp": nn.Sequential(
        nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16)), "norm": nn.LayerNorm(16),
        "head": nn.Linear(16, 50, bias=False)})
    model["head"].weight = model["embed"].weight
    model["again"] = model["mlp"][0]
    same = bqt.quantize_model(model, bq.Plan.from_text(
        "mlp.2.* -> none\n* rank>=2 -> int8_per_channel"))
    assert same is model
    assert isinstance(model["mlp"][0], bqt.QuantizedLinear) and model["again"] is model["mlp"][0]
    assert type(model["mlp"][2]) is nn.Linear
    assert isinstance(model["head"], bqt.QuantizedLinear)
    assert model["head"].weight is model["embed"].weight
    tokens = torch.tensor([1, 49])
    values = dequantized(model["embed"])(tokens)
    torch.testing.assert_close(model["head"](values), values @ dequantized(
        model["head"]).weight.t(), rtol=1e-4, atol=1e-5)


def test_one_failure_names_the_tensor_and_changes_nothing():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4)))
    with torch.no_grad():
        model[1][0].weight[1, 2] = float("nan")
    with pytest.raises(bq.NonFiniteError, match="1.0.weight"):
        bqt.quantize_model(model, "nf4")
    assert type(model[0]) is nn.Linear
    with pytest.raises(TypeError, match="LayerNorm"):
        bqt.quantize_module(nn.LayerNorm(4), "nf4", name="norm")
    with pytest.raises(ValueError, match="table.weight.*max_norm"):
        bqt.quantize_module(nn.Embedding(4, 4, max_norm=1.0), "nf4", name="table")


@pytest.mark.parametrize("quantized", [
    lambda model: bqt.quantize_model(model, "int8_per_channel"),
    lambda model: bqt.convert(bqt.prepare_qat(model, "int8_per_channel"))])
def test_what_reads_the_weights_of_other_modules_still_works(quantized):
    torch.manual_seed(3)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)
    encoder.eval()
    x, mask = torch.randn(2, 5, 16), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    with torch.no_grad():
        y = encoder(x, src_key_padding_mask=mask)
        quantized(encoder)
        assert isinstance(encoder.layers[0].linear1, bqt.QuantizedLinear)
        assert type(encoder.layers[0].self_attn.out_proj).__name__ == (
            "NonDynamicallyQuantizableLinear")
        z = encoder(x, src_key_padding_mask=mask)
    torch.testing.assert_close(z[~mask], y[~mask], rtol=0.1, atol=0.1)


def test_devices_other_than_the_cpu_are_errors_that_say_so():
    module = bqt.quantize_module(nn.Linear(4, 4), "nf4")
    with pytest.raises(ValueError, match="x is on meta"):
        module(torch.empty(1, 4, device="meta"))
    with pytest.raises(ValueError, match="weight is on meta"):
        copy.deepcopy(module).to("meta")(torch.zeros(1, 4))
    with pytest.raises(TypeError, match="int64"):
        module(torch.zeros(1, 4, dtype=torch.int64))


def test_arrays_of_torch_are_the_same_memory():
    for dtype, name in itertools.zip_longest(
            [torch.float32, torch.float16, torch.bfloat16, torch.float64],
            ["F32", "F16", "BF16", "F64"]):
        tensor = torch.randn(3, 4).to(dtype)
        array, found = bqt.to_numpy(tensor)
        assert found == name
        again = bqt.from_numpy(array, dtype)
        assert again.data_ptr() == tensor.data_ptr() and torch.equal(again, tensor)
