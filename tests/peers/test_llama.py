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
import tiny_llama

pytestmark = pytest.mark.usefixtures("need_llama")

TOKENS = np.random.default_rng(3).integers(0, tiny_llama.VOCABULARY, 24)
WRITTEN_BY_GGML = [*ggml.NUMBERS][:3] + [name for name in ggml.BLOCKS if name != "q8_1"]
NO_VOCABULARY = {
    "general.architecture": (gguf.STRING, "llama"), "general.quantization_version": (gguf.U32, 2),
    "llama.block_count": (gguf.U32, tiny_llama.LAYERS),
    "llama.context_length": (gguf.U32, 64),
    "llama.embedding_length": (gguf.U32, tiny_llama.WIDTH),
    "llama.feed_forward_length": (gguf.U32, tiny_llama.HIDDEN),
    "llama.attention.head_count": (gguf.U32, tiny_llama.HEADS),
    "llama.attention.head_count_kv": (gguf.U32, tiny_llama.KV_HEADS),
    "llama.attention.layer_norm_rms_epsilon": (gguf.F32, tiny_llama.EPSILON),
    "llama.rope.dimension_count": (gguf.U32, tiny_llama.HEAD),
    "llama.rope.freq_base": (gguf.F32, tiny_llama.THETA),
    "llama.vocab_size": (gguf.U32, tiny_llama.VOCABULARY),
    "tokenizer.ggml.model": (gguf.STRING, "no_vocab"),
}


def size(logits):
    return np.sqrt(np.mean(logits**2))


def allowed(values, type_name):
    """How far llama.cpp's logits may be from those of numpy, as the module says; and
    these."""
    exact = tiny_llama.forward(values, TOKENS)
    rounding = activations.ROUNDING[ggml.DOT_TYPES[type_name]]
    rounded = tiny_llama.forward(values, TOKENS, lambda name, x: rounding(x), activations.half)
    return 1.5 * size(rounded - exact) + 1.8e-3 * size(exact), exact


def check(path, values, type_name):
    """What llama.cpp computes with the file, all tokens at once and one by one."""
    most, exact = allowed(values, type_name)
    with llama.Model(path) as model:
        for at_once in (True, False):
            difference = size(model.logits(TOKENS, at_once) - exact)
            print(f"{type_name}: {difference / size(exact):.2e} of {most / size(exact):.2e}")
            assert difference <= most, (type_name, at_once)


def restored(name, weight):
    """The inverse of tiny_llama.permuted."""
    order = tiny_llama.permuted(name, np.arange(len(weight), dtype=np.float32)[:, None])
    out = np.empty_like(weight)
    out[order[:, 0].astype(int)] = weight
    return out


def by_ggml(weights, type_name):
    """The bytes of a file whose matrices ggml has quantized, and their values."""
    tensors, values = {}, {}
    for name, weight in weights.items():
        number, rows = 0, tiny_llama.permuted(name, weight)
        values[name] = weight
        if weight.ndim == 2 and type_name in ggml.BLOCKS:
            number, rows = ggml.BLOCKS[type_name], ggml.quantize(type_name, rows)
            values[name] = restored(name, ggml.dequantize(type_name, rows))
        elif weight.ndim == 2 and type_name in ("f16", "bf16"):
            number = ggml.NUMBERS[type_name]
            rows = rows.astype(np.float16) if type_name == "f16" else layouts.bf16(rows)
            values[name] = restored(name, layouts.as_float32(rows))
            rows = getattr(rows, "bits", rows)
        tensors[tiny_llama.gguf_name(name)] = (number, weight.shape, rows.tobytes())
    return gguf.to_bytes(NO_VOCABULARY, tensors), values


@pytest.mark.parametrize("type_name", WRITTEN_BY_GGML)
def test_files_that_ggml_quantized(tmp_path, type_name):
    content, values = by_ggml(tiny_llama.weights("trained"), type_name)
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    check(path, values, type_name)


def test_codes_in_a_wrong_order_would_be_seen():
    """That what is allowed is little: a matrix whose blocks have their halves exchanged."""
    weights = tiny_llama.weights("trained")
    most, exact = allowed(weights, "q4_K")
    for module in tiny_llama.MATRICES:
        name = f"model.layers.1.{module}.weight"
        wrong = weights[name].reshape(-1, 2, 16)[:, ::-1].reshape(weights[name].shape)
        difference = size(tiny_llama.forward({**weights, name: wrong}, TOKENS) - exact)
        print(f"{module}: {difference / size(exact):.2e} of {most / size(exact):.2e}")
        assert difference > 2 * most, name
