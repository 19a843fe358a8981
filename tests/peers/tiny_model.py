#!/usr/bin/env python3
"""A language model of two layers, as small as blocks of 256 let it be: its weights, its
folder as Hugging Face has them, what it computes in numpy, and its names in GGUF files.

    tiny_model.py FOLDER [llama|qwen2|qwen3|bitnet] [random|trained|ternary]

None of it uses libbnq or a peer.
"""
import json
import pathlib
import sys
from typing import NamedTuple

import gguf
import numpy as np

F32 = np.float32
LAYERS, WIDTH, HIDDEN, HEADS, KV_HEADS, VOCABULARY = 2, 256, 512, 4, 2, 64
HEAD = WIDTH // HEADS
EPSILON, THETA = 1e-5, 10000.0


class Architecture(NamedTuple):
    """What the model types have that others lack."""

    name: str
    class_name: str
    # In GGUF files the two numbers that positions turn together are neighbours.
    permuted: bool = False
    biases: bool = False  # of queries, keys and values
    head_norms: bool = False  # of queries and keys
    sub_norms: bool = False  # of what attention and the gated layer give
    tied: bool = False  # the embedding is the last matrix, too


ARCHITECTURES = {row.name: row for row in (
    Architecture("llama", "LlamaForCausalLM", permuted=True),
    Architecture("qwen2", "Qwen2ForCausalLM", biases=True, tied=True),
    Architecture("qwen3", "Qwen3ForCausalLM", head_norms=True),
    Architecture("bitnet", "BitNetForCausalLM", sub_norms=True, tied=True),
)}
MATRICES = {"self_attn.q_proj": (WIDTH, WIDTH), "self_attn.k_proj": (KV_HEADS * HEAD, WIDTH),
            "self_attn.v_proj": (KV_HEADS * HEAD, WIDTH), "self_attn.o_proj": (WIDTH, WIDTH),
            "mlp.gate_proj": (HIDDEN, WIDTH), "mlp.up_proj": (HIDDEN, WIDTH),
            "mlp.down_proj": (WIDTH, HIDDEN)}
# Their names in GGUF files.
GGUF_NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
              "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
              "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
              "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
              "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
              "self_attn.attn_sub_norm": "attn_sub_norm", "mlp.ffn_sub_norm": "ffn_sub_norm"}


def config(architecture):
    """config.json."""
    row = ARCHITECTURES[architecture]
    return {
        "architectures": [row.class_name], "model_type": row.name, "hidden_act": "silu",
        "hidden_size": WIDTH, "intermediate_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD,
        "vocab_size": VOCABULARY, "max_position_embeddings": 64, "rms_norm_eps": EPSILON,
        "rope_theta": THETA, "tie_word_embeddings": row.tied, "torch_dtype": "float32",
        "bos_token_id": 1, "eos_token_id": 2}


def gguf_metadata(architecture):
    """Of a GGUF file, without a vocabulary."""
    def key(name):
        return f"{architecture}.{name}"
    return {
        "general.architecture": (gguf.STRING, architecture),
        "general.quantization_version": (gguf.U32, 2),
        key("block_count"): (gguf.U32, LAYERS), key("context_length"): (gguf.U32, 64),
        key("embedding_length"): (gguf.U32, WIDTH),
        key("feed_forward_length"): (gguf.U32, HIDDEN),
        key("attention.head_count"): (gguf.U32, HEADS),
        key("attention.head_count_kv"): (gguf.U32, KV_HEADS),
        key("attention.layer_norm_rms_epsilon"): (gguf.F32, EPSILON),
        key("rope.dimension_count"): (gguf.U32, HEAD), key("rope.freq_base"): (gguf.F32, THETA),
        key("vocab_size"): (gguf.U32, VOCABULARY),
        "tokenizer.ggml.model": (gguf.STRING, "no_vocab")}


def _matrix(numbers, kind, rows, columns):
    """A weight of each kind: Gaussian; as training leaves them, with directions that count
    more, heavy tails and a few large columns; ternary codes times one scale."""
    noise = numbers.standard_normal((rows, columns))
    if kind == "trained":
        rank = 8
        noise += (numbers.standard_normal((rows, rank)) @
                  numbers.standard_normal((rank, columns))) / np.sqrt(rank)
        noise *= np.exp(0.3 * numbers.standard_normal((rows, 1)))
        noise += numbers.standard_t(3, noise.shape) * 0.3
        noise[:, numbers.integers(0, columns, 3)] *= 4
    elif kind == "ternary":
        noise = np.clip(np.rint(noise), -1, 1)
    return (noise / np.sqrt(columns) / np.sqrt(np.mean(noise**2))).astype(F32)


def weights(architecture, kind, seed=1):
    """name -> float32 array, with Hugging Face's names."""
    row, numbers = ARCHITECTURES[architecture], np.random.Generator(np.random.PCG64(seed))

    def norm(size=WIDTH):
        return (1 + 0.2 * numbers.standard_normal(size)).astype(F32)

    made = {"model.embed_tokens.weight": _matrix(numbers, kind, VOCABULARY, WIDTH)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name, shape in MATRICES.items():
            made[f"{prefix}{name}.weight"] = _matrix(numbers, kind, *shape)
            if row.biases and name in ("self_attn.q_proj", "self_attn.k_proj",
                                       "self_attn.v_proj"):
                made[f"{prefix}{name}.bias"] = norm(shape[0]) - F32(1)
        norms = {"input_layernorm": WIDTH, "post_attention_layernorm": WIDTH}
        if row.head_norms:
            norms.update({"self_attn.q_norm": HEAD, "self_attn.k_norm": HEAD})
        if row.sub_norms:
            norms.update({"self_attn.attn_sub_norm": WIDTH, "mlp.ffn_sub_norm": HIDDEN})
        made.update({f"{prefix}{name}.weight": norm(size) for name, size in norms.items()})
    # Logits of several units: what is wrong shows.
    made["model.norm.weight"] = 4 * norm()
    if not row.tied:
        made["lm_head.weight"] = _matrix(numbers, kind, VOCABULARY, WIDTH)
    return made


def gguf_name(name):
    """Of a Hugging Face name, that of GGUF files."""
    whole = {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight",
             "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    layer, module = name.split(".", 3)[2:]
    module, part = module.rsplit(".", 1)
    return f"blk.{layer}.{GGUF_NAMES[module]}.{part}"


def gguf_order(architecture, name, rows):
    """Which row of a weight is where in GGUF files: their row i is ours gguf_order(...)[i]."""
    order = np.arange(rows)
    if ARCHITECTURES[architecture].permuted and (".q_proj." in name or ".k_proj." in name):
        order = order.reshape(rows // HEAD, 2, HEAD // 2).swapaxes(1, 2).reshape(rows)
    return order


def _norm(x, weight):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON) * weight


def _rotate(x):
    """Rotary positions of [tokens, heads, HEAD]."""
    angles = np.outer(np.arange(len(x)), THETA ** (-np.arange(HEAD // 2) * 2 / HEAD))
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    low, high = x[..., :HEAD // 2], x[..., HEAD // 2:]
    return np.concatenate([low * cosine - high * sine, high * cosine + low * sine], axis=-1)


def _attend(q, k, v):
    """Each token to itself and those before it: [tokens, heads, HEAD] -> [tokens, WIDTH]."""
    k, v = (np.repeat(each, HEADS // KV_HEADS, axis=1) for each in (k, v))
    scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(HEAD)
    scores += np.triu(np.full(scores.shape[1:], -np.inf), 1)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    return np.einsum("hij,jhd->ihd", scores, v).reshape(len(q), WIDTH)


def forward(weights, tokens, activations=lambda x: x, cache=lambda x: x):
    """Logits [tokens, VOCABULARY], in float64; the architecture shows in the names.

    weights: by Hugging Face's names. activations: what becomes of the inputs of products,
    and cache: of keys and values, as a peer rounds them.
    """
    weights = {name: weight.astype(np.float64) for name, weight in weights.items()}

    def multiply(x, module):
        return (activations(x) @ weights[module + ".weight"].T + weights.get(module + ".bias", 0))

    def norm(x, module):
        return _norm(x, weights[module + ".weight"]) if module + ".weight" in weights else x

    x = weights["model.embed_tokens.weight"][tokens]
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        attention, mlp = prefix + "self_attn.", prefix + "mlp."
        h = norm(x, prefix + "input_layernorm")
        q, k, v = (multiply(h, attention + each).reshape(len(tokens), -1, HEAD)
                   for each in ("q_proj", "k_proj", "v_proj"))
        q, k = _rotate(norm(q, attention + "q_norm")), _rotate(norm(k, attention + "k_norm"))
        attended = norm(_attend(q, cache(k), cache(v)), attention + "attn_sub_norm")
        x = x + multiply(attended, attention + "o_proj")
        h = norm(x, prefix + "post_attention_layernorm")
        gate = multiply(h, mlp + "gate_proj")
        gated = gate / (1 + np.exp(-gate)) * multiply(h, mlp + "up_proj")
        x = x + multiply(norm(gated, mlp + "ffn_sub_norm"), mlp + "down_proj")
    last = "lm_head" if "lm_head.weight" in weights else "model.embed_tokens"
    return multiply(norm(x, "model.norm"), last)


def write_folder(path, architecture, kind):
    """A folder as Hugging Face has them, in float32; the weights."""
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "golden" / "interchange"))
    from files import safetensors

    path.mkdir(parents=True, exist_ok=True)
    made = weights(architecture, kind)
    safetensors(path / "model.safetensors", made, {"format": "pt"})
    (path / "config.json").write_text(json.dumps(config(architecture), indent=1))
    return made


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    write_folder(pathlib.Path(sys.argv[1]),
                 *(sys.argv[2:] + ["llama", "random"][len(sys.argv) - 2:]))
