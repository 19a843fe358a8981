#!/usr/bin/env python3
"""A llama of two layers, as small as blocks of 256 let it be: its weights, its folder, and
what it computes, in numpy.

    tiny_llama.py FOLDER [random|trained|ternary]     writes config.json and weights

None of it uses libbnq or a peer.
"""
import json
import pathlib
import sys

import numpy as np

F32 = np.float32
LAYERS, WIDTH, HIDDEN, HEADS, KV_HEADS, VOCABULARY = 2, 256, 512, 4, 2, 64
HEAD = WIDTH // HEADS
EPSILON, THETA = 1e-5, 10000.0
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
    "hidden_size": WIDTH, "intermediate_size": HIDDEN, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD,
    "vocab_size": VOCABULARY, "max_position_embeddings": 64, "rms_norm_eps": EPSILON,
    "rope_theta": THETA, "tie_word_embeddings": False, "torch_dtype": "float32",
    "bos_token_id": 1, "eos_token_id": 2,
}
MATRICES = {"self_attn.q_proj": (WIDTH, WIDTH), "self_attn.k_proj": (KV_HEADS * HEAD, WIDTH),
            "self_attn.v_proj": (KV_HEADS * HEAD, WIDTH), "self_attn.o_proj": (WIDTH, WIDTH),
            "mlp.gate_proj": (HIDDEN, WIDTH), "mlp.up_proj": (HIDDEN, WIDTH),
            "mlp.down_proj": (WIDTH, HIDDEN)}
# Their names in GGUF files.
GGUF_NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
              "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
              "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
              "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


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


def weights(kind, seed=1):
    """name -> float32 array, with Hugging Face's names."""
    numbers = np.random.Generator(np.random.PCG64(seed))
    def norm():
        return (1 + 0.2 * numbers.standard_normal(WIDTH)).astype(F32)
    made = {"model.embed_tokens.weight": _matrix(numbers, kind, VOCABULARY, WIDTH)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name, shape in MATRICES.items():
            made[f"{prefix}{name}.weight"] = _matrix(numbers, kind, *shape)
        made[prefix + "input_layernorm.weight"] = norm()
        made[prefix + "post_attention_layernorm.weight"] = norm()
    made["model.norm.weight"] = norm()
    # Logits of several units: what is wrong shows.
    made["lm_head.weight"] = 4 * _matrix(numbers, kind, VOCABULARY, WIDTH)
    return made


def gguf_name(name):
    """Of a Hugging Face name, that of GGUF files."""
    whole = {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight",
             "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    _, _, layer, module = name.split(".", 3)
    return f"blk.{layer}.{GGUF_NAMES[module[:-len('.weight')]]}.weight"


def permuted(name, weight):
    """The rows of q_proj and k_proj as GGUF files of llamas have them: the two numbers that
    are turned together are neighbours there, and half a head apart here."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return weight
    heads = len(weight) // HEAD
    return weight.reshape(heads, 2, HEAD // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def _norm(x, weight):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON) * weight


def _rotate(x):
    """Rotary positions of [tokens, heads, HEAD]."""
    angles = np.outer(np.arange(len(x)), THETA ** (-np.arange(HEAD // 2) * 2 / HEAD))
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    low, high = x[..., :HEAD // 2], x[..., HEAD // 2:]
    return np.concatenate([low * cosine - high * sine, high * cosine + low * sine], axis=-1)


def forward(weights, tokens, activations=lambda name, x: x, cache=lambda x: x):
    """Logits [tokens, VOCABULARY], in float64.

    weights: by Hugging Face's names. activations: what becomes of the input of the named
    weight's product, and cache: of keys and values, as a peer rounds them.
    """
    def multiply(x, name):
        return activations(name, x) @ weights[name].astype(np.float64).T

    x = weights["model.embed_tokens.weight"][tokens].astype(np.float64)
    count = len(tokens)
    later = np.triu(np.full((count, count), -np.inf), 1)
    for layer in range(LAYERS):
        def name(module):
            return f"model.layers.{layer}.{module}.weight"
        h = _norm(x, weights[name("input_layernorm")])
        q = _rotate(multiply(h, name("self_attn.q_proj")).reshape(count, HEADS, HEAD))
        k, v = (multiply(h, name(f"self_attn.{each}")).reshape(count, KV_HEADS, HEAD)
                for each in ("k_proj", "v_proj"))
        k, v = (np.repeat(cache(each), HEADS // KV_HEADS, axis=1) for each in (_rotate(k), v))
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(HEAD) + later
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        attended = np.einsum("hij,jhd->ihd", scores, v).reshape(count, WIDTH)
        x = x + multiply(attended, name("self_attn.o_proj"))
        h = _norm(x, weights[name("post_attention_layernorm")])
        gate = multiply(h, name("mlp.gate_proj"))
        x = x + multiply(gate / (1 + np.exp(-gate)) * multiply(h, name("mlp.up_proj")),
                         name("mlp.down_proj"))
    return multiply(_norm(x, weights["model.norm.weight"]), "lm_head.weight")


def write_folder(path, kind):
    """A folder as Hugging Face has them, in float32."""
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "golden" / "interchange"))
    from files import safetensors

    path.mkdir(parents=True, exist_ok=True)
    made = weights(kind)
    safetensors(path / "model.safetensors", made, {"format": "pt"})
    (path / "config.json").write_text(json.dumps(CONFIG, indent=1))
    return made


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    write_folder(pathlib.Path(sys.argv[1]), (sys.argv[2:] + ["random"])[0])
