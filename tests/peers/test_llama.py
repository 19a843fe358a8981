"""llama.cpp computes with a GGUF file what numpy computes with its tensors' values.

The two differ because llama.cpp rounds what it multiplies by: activations to 8 bits (or to
16 where weights have 16), keys, values and the work of attention to float16. How far that
carries through two layers is chaotic in its digits, since a code that falls the other way
falls by a whole step; but its size is not: numpy rounds the same way at the same places,
and what that changes its own logits by is what llama.cpp's may be off, on average over
1536 logits. Attention's float16 is the rest: per layer queries, keys, values,
probabilities and sums, each off by 2^-11/sqrt(3) of itself, so 9e-4 of the whole in two
layers; twice that is allowed.
"""
import activations
import ggml
import gguf
import layouts
import llama
import numpy as np
import pytest
import tiny_model

pytestmark = pytest.mark.usefixtures("need_llama")

TOKENS = np.random.default_rng(3).integers(0, tiny_model.VOCABULARY, 24)
WRITTEN_BY_GGML = [*ggml.NUMBERS][:3] + [name for name in ggml.BLOCKS if name != "q8_1"]


def size(logits):
    return np.sqrt(np.mean(logits**2))


def allowed(values, type_name):
    """How far llama.cpp's logits may be from those of numpy, as the module says; and
    these."""
    exact = tiny_model.forward(values, TOKENS)
    rounding = activations.ROUNDING[ggml.DOT_TYPES[type_name]]
    rounded = tiny_model.forward(values, TOKENS, rounding, activations.half)
    return 1.5 * size(rounded - exact) + 1.8e-3 * size(exact), exact


def check(path, values, type_name):
    """What llama.cpp computes with the file, all tokens at once and one by one."""
    most, exact = allowed(values, type_name)
    with llama.Model(path) as model:
        for at_once in (True, False):
            difference = size(model.logits(TOKENS, at_once) - exact)
            print(f"{type_name}: {difference / size(exact):.2e} of {most / size(exact):.2e}")
            assert difference <= most, (type_name, at_once)


def by_ggml(architecture, weights, type_name):
    """The bytes of a file whose matrices ggml has quantized, and their values."""
    tensors, values = {}, {}
    for name, weight in weights.items():
        order = tiny_model.gguf_order(architecture, name, len(weight))
        number, rows = 0, weight[order]
        read = rows
        if weight.ndim == 2 and type_name in ggml.BLOCKS:
            number, rows = ggml.BLOCKS[type_name], ggml.quantize(type_name, rows)
            read = ggml.dequantize(type_name, rows)
        elif weight.ndim == 2 and type_name in ("f16", "bf16"):
            number = ggml.NUMBERS[type_name]
            rows = rows.astype(np.float16) if type_name == "f16" else layouts.bf16(rows)
            read, rows = layouts.as_float32(rows), getattr(rows, "bits", rows)
        values[name] = np.empty_like(weight)
        values[name][order] = read
        tensors[tiny_model.gguf_name(name)] = (number, weight.shape, rows.tobytes())
    return gguf.to_bytes(tiny_model.gguf_metadata(architecture), tensors), values


def check_by_ggml(tmp_path, architecture, type_name):
    content, values = by_ggml(architecture, tiny_model.weights(architecture, "trained"),
                              type_name)
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    check(path, values, type_name)


@pytest.mark.parametrize("type_name", WRITTEN_BY_GGML)
def test_files_that_ggml_quantized(tmp_path, type_name):
    check_by_ggml(tmp_path, "llama", type_name)


@pytest.mark.parametrize("architecture", tiny_model.ARCHITECTURES)
def test_models_are_what_llama_cpp_takes_them_for(tmp_path, architecture):
    check_by_ggml(tmp_path, architecture, "f32")


def test_codes_in_a_wrong_order_would_be_seen():
    """That what is allowed is little: a matrix whose blocks have their halves exchanged."""
    weights = tiny_model.weights("llama", "trained")
    most, exact = allowed(weights, "q4_K")
    for module in tiny_model.MATRICES:
        name = f"model.layers.1.{module}.weight"
        wrong = weights[name].reshape(-1, 2, 16)[:, ::-1].reshape(weights[name].shape)
        difference = size(tiny_model.forward({**weights, name: wrong}, TOKENS) - exact)
        print(f"{module}: {difference / size(exact):.2e} of {most / size(exact):.2e}")
        assert difference > 2 * most, name
