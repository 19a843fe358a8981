"""Plans as text: what they decide of tensors, and which texts are none.

Each plan stands here twice: as text, and as rules that are matched by the definitions
in bnq.h, section 9. Kinds of real tensors' names are written down by hand; the rules
look them up there.

SPDX-License-Identifier: MIT
"""
import math
import re

from refusals import BAD, BITS, EXISTS, NOT_FOUND, PRESETS, TEXTS

# Names of Hugging Face, Meta, ggml, timm and their like, by what the tensor does.
KINDS = {
    "embedding": ["model.embed_tokens.weight", "transformer.wte.weight", "wpe",
                  "bert.embeddings.word_embeddings.weight", "token_embd.weight",
                  "shared.weight"],
    "attention": ["model.layers.0.self_attn.q_proj.weight", "h.11.attn.c_attn.weight",
                  "layers.3.attention.wq.weight", "blk.7.attn_output.weight",
                  "encoder.layer.0.attention.self.query.bias", "decoder.QProj"],
    "ffn": ["model.layers.0.mlp.gate_proj.weight", "h.0.mlp.c_fc.weight",
            "layers.3.feed_forward.w1.weight", "blk.7.ffn_down.weight",
            "model.layers.1.block_sparse_moe.experts.5.w2.weight", "fc1.weight"],
    "norm": ["model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight", "ln_f.bias",
             "bn1.running_mean"],
    "head": ["lm_head.weight", "output.weight", "classifier.weight", "score.weight"],
    "router": ["model.layers.1.block_sparse_moe.gate.weight", "blk.1.ffn_gate_inp.weight",
               "layers.0.mlp.router.weight"],
    "state_space": ["layers.0.mixer.conv1d.weight", "layers.0.mixer.A_log",
                    "blk.0.ssm_conv1d.weight"],
    "vision": ["vision_tower.layers.0.self_attn.q_proj.weight", "visual.blocks.0.mlp.fc1.weight"],
    "other": ["conv1.weight", "x", "monkey.weight", "steps"],
}


def canonical(config):
    """A config of config.json as its options; "none" and None as they are."""
    if config in (None, "none"):
        return config
    known = {**PRESETS, **{text: become for text, become in TEXTS.values()}}
    return config if config.startswith("format=") else known[config]


def regex(glob):
    """* any characters, ? any one, [a-z] one of a set, [!a-z] and [^a-z] one not of it; \\
    quotes the next but in a set; a [ that is not closed is itself."""
    out, i = "", 0
    while i < len(glob):
        c = glob[i]
        # The first ] of a set is one of it.
        begin = i + 1 + (glob[i + 1:i + 2] in ("!", "^"))
        close = glob.find("]", begin + 1) if c == "[" else -1
        if close > 0:
            body = re.sub(r"([\\\[\]^])", r"\\\1", glob[begin:close])
            out += "[" + ("^" if begin > i + 1 else "") + body + "]"
            i = close
        elif c == "\\" and i + 1 < len(glob):
            i += 1
            out += re.escape(glob[i])
        else:
            out += {"*": ".*", "?": "."}.get(c, re.escape(c))
        i += 1
    return out


def is_glob(pattern):
    return any(c in pattern for c in "*?[\\")


def rule(pattern, config, kinds=(), **bounds):
    """config: as in config.json, "none", or a number: the least bits."""
    return {"pattern": pattern, "config": config, "kinds": kinds, "bounds": bounds}


def holds(rule, name, kind, shape, rank):
    bounds = {"min_rank": 2 if is_glob(rule["pattern"]) else 1, "max_rank": 8, **rule["bounds"]}
    named = re.fullmatch(regex(rule["pattern"]), name, re.DOTALL) is not None
    named |= not is_glob(rule["pattern"]) and name == rule["pattern"] + ".weight"
    ranked = bounds["min_rank"] <= rank <= bounds["max_rank"]
    sized = "min_size" not in bounds and "max_size" not in bounds
    if shape is not None:
        sized = (bounds.get("min_size", 0) <= math.prod(shape)
                 <= bounds.get("max_size", 2**64 - 1))
    return named and ranked and sized and (not rule["kinds"] or kind in rule["kinds"])


def decide(rules, name, kind, shape, rank):
    """The first rule that holds, but those of least bits."""
    for index, one in enumerate(rules):
        least = isinstance(one["config"], float)
        if not least and holds(one, name, kind, shape, rank):
            return index, canonical(one["config"])
    return -1, None


def plan(name, text, rules, tensors, written=None, kinds=(), recipes=None, source="bnq.h"):
    """tensors: (name, shape), or (name, rank). kinds: of names that the plan's own words
    tell. written: the plan's text, where it is another one."""
    told = {n: kind for kind, names in KINDS.items() for n in names}
    told.update(kinds)
    decisions = []
    for tensor, shape in tensors:
        rank = shape if isinstance(shape, int) else len(shape)
        shape = None if isinstance(shape, int) else shape
        index, config = decide(rules, tensor, told.get(tensor, "other"), shape, rank)
        decisions.append({"name": tensor, "shape": shape, "rank": rank, "rule": index,
                          "config": config})
    case = {"name": name, "source": source}
    if recipes is not None:
        case["recipes"] = recipes
    return {**case, "text": text, "written": text if written is None else written,
            "decisions": decisions, "kinds": dict(kinds)}


def plans():
    m, v = [16, 16], [16]
    return [
        plan("empty", "", [], [("x", m)]),
        plan("kinds_of_names", "", [], [],
             kinds={name: kind for kind, names in KINDS.items() for name in names},
             source="real models"),
        plan("the_first_rule_decides", "*.a -> nf4\n*.a -> f16\n* -> none\n",
             [rule("*.a", "nf4"), rule("*.a", "f16"), rule("*", "none")],
             [("x.a", m), ("x.b", m), ("x.a", v)]),
        plan("names_with_weight", "fc -> nf4\nlm_head.weight -> none\n*.fc -> f16\n",
             [rule("fc", "nf4"), rule("lm_head.weight", "none"), rule("*.fc", "f16")],
             [("fc", v), ("fc.weight", m), ("fc.weight", []), ("fc.weights", m),
              ("fc.weight.weight", m), ("lm_head", m), ("lm_head.weight", m),
              ("a.fc.weight", m), ("a.fc", v), ("a.fc", m)]),
        plan("globs", "a[0-3]? -> nf4\nb[!x-z]* -> f16\nb[^q] -> bf16\nc\\*[ -> fp8\n"
             "d[]]* -> fp8\n",
             [rule("a[0-3]?", "nf4"), rule("b[!x-z]*", "f16"), rule("b[^q]", "bf16"),
              rule("c\\*[", "fp8"), rule("d[]]*", "fp8")],
             [(n, m) for n in ("a1x", "a4x", "a1", "a1xx", "a2\u00e4", "bx", "by.w", "bw", "bq",
                               "b", "c*[", "cc[", "d]", "d", "d]x")]),
        plan("ranks", "x rank>=0 rank<=1 -> nf4\n* rank>=3 -> f16\nv -> bf16\n* rank<=2 -> fp8\n",
             [rule("x", "nf4", min_rank=0, max_rank=1), rule("*", "f16", min_rank=3),
              rule("v", "bf16"), rule("*", "fp8", max_rank=2)],
             [("x", []), ("x", v), ("x", m), ("x", [2, 3, 4]), ("v", []), ("v", v), ("y", v),
              ("y", 2), ("y", 3), ("y", [1] * 8)]),
        plan("sizes", "* size>=256 -> nf4\n* size<=15 -> f16\n* size>=16 size<=99 -> none\n"
             "* -> bf16\n",
             [rule("*", "nf4", min_size=256), rule("*", "f16", max_size=15),
              rule("*", "none", min_size=16, max_size=99), rule("*", "bf16")],
             [("x", m), ("x", [15, 17]), ("x", [3, 5]), ("x", [4, 4]), ("x", [9, 11]),
              ("x", [10, 10]), ("x", [0, 99]), ("x", 2), ("x", [2**32, 2**20])]),
        plan("kinds_decide", "* kind=norm,embedding,head rank>=0 -> none\n"
             "* kind=attention -> int8_per_channel\n* kind=ffn size>=256 -> nf4\n* -> f16\n",
             [rule("*", "none", ("norm", "embedding", "head"), min_rank=0),
              rule("*", "int8_per_channel", ("attention",)),
              rule("*", "nf4", ("ffn",), min_size=256), rule("*", "f16")],
             [(names[0], shape) for names in KINDS.values() for shape in (m, v, [3, 5])],
             written="* kind=embedding,norm,head rank>=0 -> none\n"
             "* kind=attention -> int8_per_channel\n* kind=ffn size>=256 -> nf4\n* -> f16\n"),
        plan("words_of_ones_own", "kind attention = mixer\nkind ffn = =top ^fc_x\n"
             "* kind=attention -> nf4\n* kind=ffn -> f16\n",
             [rule("*", "nf4", ("attention",)), rule("*", "f16", ("ffn",))],
             [(n, m) for n in ("h.0.mixer.w", "mixers.w", "h.top.w", "h.top_x.w", "fc_x.w",
                               "h.fc_x.w", "mixer.lm_head")],
             written="kind attention = mixer\nkind ffn = =top\nkind ffn = ^fc_x\n"
             "* kind=attention -> nf4\n* kind=ffn -> f16\n",
             kinds={"h.0.mixer.w": "attention", "mixers.w": "other", "h.top.w": "ffn",
                    "h.top_x.w": "other", "fc_x.w": "ffn", "h.fc_x.w": "ffn",
                    "mixer.lm_head": "attention"}),
        plan("blanks_and_comments", "\n  # all of it\n\t*.a\trank>=1  -> \tnf4  # a comment\r\n"
             "x#y -> f16\n\"a b #1\" -> bf16\n",
             [rule("*.a", "nf4", min_rank=1), rule("x#y", "f16"), rule("a b #1", "bf16")],
             [("x.a", v), ("x#y", m), ("a b #1", m), ("a b #1.weight", v), ("x", m)],
             written="*.a rank>=1 -> nf4\n\"x#y\" -> f16\n\"a b #1\" -> bf16\n"),
        plan("quotes", "\"with \\\"quotes\\\"\" -> nf4\n\"->\" -> f16\n\"kind\" -> fp8\n",
             [rule("with \"quotes\"", "nf4"), rule("->", "f16"), rule("kind", "fp8")],
             [("with \"quotes\"", m), ("->", v), ("kind.weight", m)],
             written="\"with \\\"quotes\\\"\" -> nf4\n\"->\" -> f16\nkind -> fp8\n"),
        plan("configs", "a -> format=int4,group_size=64\nb -> int4_per_group_128\n"
             "c -> format=none\nd -> bits=4\n",
             [rule("a", "format=int4,group_size=64"), rule("b", "int4_per_group_128"),
              rule("c", "none"), rule("d", BITS["4"])],
             [(n, m) for n in "abcd"],
             written="a -> format=int4,group_size=64\nb -> int4_per_group_128\nc -> none\n"
             f"d -> {BITS['4']}\n"),
        plan("least_bits_decide_nothing", "* -> bits>=4.5\na -> bits>=8\n* -> nf4\n",
             [rule("*", 4.5), rule("a", 8.0), rule("*", "nf4")], [("a", m), ("a", v)]),
        plan("ties", "tie q_proj [kv]_proj\ntie_below experts\ntie_all a.* \"b c\"\n* -> nf4\n",
             [rule("*", "nf4")], [("a.q_proj", m)]),
        plan("named_configs", "* kind=attention -> small,clip=2\n* -> small\n",
             [rule("*", "format=int3,group_size=32,clip=2", ("attention",)),
              rule("*", "format=int3,group_size=32")],
             [("conv1.weight", m), ("h.11.attn.c_attn.weight", m)],
             written="* kind=attention -> format=int3,group_size=32,clip=2\n"
             "* -> format=int3,group_size=32\n",
             recipes="[configs]\nsmall = int3,group_size=32\n"),
    ]


NO_PLANS = {  # name: (text, status, message)
    "no_arrow": ("* nf4", BAD, "line 1: \"* nf4\""),
    "no_pattern": ("-> nf4", BAD, "a pattern before ->"),
    "no_config": ("a -> f16\n* ->", BAD, "line 2: "),
    "unknown_config": ("* -> int5x", NOT_FOUND, "int5x"),
    "unknown_condition": ("* rank>2 -> nf4", BAD, "rank>2"),
    "rank_out_of_bounds": ("* rank>=9 -> nf4", BAD, "0 to 8"),
    "size_no_number": ("* size>=1e3 -> nf4", BAD, "size>=1e3"),
    "size_negative": ("* size<=-1 -> nf4", BAD, "size<=-1"),
    "unknown_kind": ("* kind=atention -> nf4", NOT_FOUND, "attention"),
    "least_bits_of_none": ("* -> bits>=0", BAD, "bits>=0"),
    "least_bits_no_number": ("* -> bits>=nan", BAD, "bits>=nan"),
    "bits_that_no_config_has": ("* -> bits=7", BAD, "bits = 7"),
    "a_kind_without_words": ("kind ffn =", BAD, "kind KIND = WORD"),
    "a_word_that_is_none": ("kind ffn = a.b", BAD, "a.b"),
    "a_tie_of_nothing": ("tie", BAD, "tie needs words"),
    "an_open_quote": ("\"a -> nf4", BAD, "line 1: "),
}
NO_RECIPES = {
    "a_presets_name": ("[configs]\nnf4 = int4", EXISTS, "nf4"),
    "a_bad_name": ("[configs]\na b = int4", BAD, "a b"),
    "an_unknown_section": ("[plans a]", BAD, "[plans a]"),
    "no_equals_sign": ("[configs]\nsmall", BAD, "line 2: "),
    "a_plan_without_a_name": ("[plan]", BAD, "[plan]"),
}


def cases():
    out = plans()
    out += [{"name": name, "source": "bnq.h", "text": text, "status": status, "message": message}
            for name, (text, status, message) in NO_PLANS.items()]
    out += [{"name": "recipes_" + name, "source": "bnq.h", "recipes": recipes, "text": "",
             "status": status, "message": message}
            for name, (recipes, status, message) in NO_RECIPES.items()]
    names = [case["name"] for case in out]
    assert len(names) == len(set(names)), "a name twice"
    return out
