"""SLI's quantization module: every call that its document shows, and what its own
implementation gets wrong."""
import dataclasses
import json

import pytest

import bitnet_quant as bq

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from bitnet_quant.torch import (AdaptiveQuantizer, LayerQuantizer, QuantizationConfig,  # noqa: E402
                                QuantizationMode, QuantizationRegistry, QuantizedConv2d,
                                QuantizedEmbedding, QuantizedLinear, dequantize_layer,
                                get_fp4_config, get_int8_config, get_mixed_precision_config,
                                get_nf4_config, quantize_layer)

MODES = list(QuantizationMode)
QUANTIZING = MODES[1:]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.o_proj = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x):
        return self.o_proj(self.q_proj(x))


class Model(nn.Module):
    """Names as models have them, also at the top."""

    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(20, 16)
        self.self_attn = Attention()
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.norm = nn.LayerNorm(16)
        self.other = nn.Linear(16, 16)
        self.lm_head = nn.Linear(16, 20, bias=False)

    def forward(self, tokens):
        return self.lm_head(self.other(self.norm(self.mlp(self.self_attn(
            self.embed_tokens(tokens))))))


def test_modes_and_defaults_are_the_documented_ones():
    assert [mode.value for mode in MODES] == ["none", "int8", "int8_dynamic", "nf4", "fp4",
                                              "int4"]
    assert dataclasses.asdict(QuantizationConfig()) == {
        "mode": QuantizationMode.NONE, "compute_dtype": torch.float16,
        "compress_statistics": True, "quant_storage_dtype": torch.uint8, "double_quant": True,
        "quant_type": "nf4", "llm_int8_threshold": 6.0, "llm_int8_skip_modules": None}


def test_a_dictionary_restores_every_field():
    config = QuantizationConfig(QuantizationMode.INT8, torch.bfloat16, False, torch.int8, False,
                                "fp4", 8.0, ["lm_head", "norm"])
    data = json.loads(json.dumps(config.to_dict()))
    assert data["mode"] == "int8" and data["compute_dtype"] == "torch.bfloat16"
    assert QuantizationConfig.from_dict(data) == config
    assert QuantizationConfig().to_dict()["llm_int8_skip_modules"] == []
    assert QuantizationConfig.from_dict(QuantizationConfig().to_dict()) == QuantizationConfig()
    assert QuantizationConfig.from_dict({}) == QuantizationConfig()
    with pytest.raises(ValueError, match="torch.lint"):
        QuantizationConfig.from_dict({"compute_dtype": "torch.lint"})


@pytest.mark.parametrize("mode, text, bits", [
    (QuantizationMode.INT8, "format=int8,granularity=token,outlier_threshold=6", 0.5),
    (QuantizationMode.INT8_DYNAMIC, "format=int8,granularity=channel", 0.5),
    (QuantizationMode.NF4, "format=nf4,granularity=block,group_size=64,double_quant=on", 0.25),
    (QuantizationMode.FP4, "format=fp4,granularity=block,group_size=64,double_quant=on", 0.25),
    (QuantizationMode.INT4, "format=int4,group_size=32", 0.25),
    (QuantizationMode.NONE, "format=none", 1)])
def test_what_a_mode_is_and_its_ratio(mode, text, bits):
    config = QuantizationConfig(mode)  # quant_type is nf4, also of FP4, where SLI makes nf4
    assert config.to_config().text == text
    quantizer = LayerQuantizer(config)
    assert quantizer.get_quantized_size_ratio(nn.Linear(4, 4)) == bits
    if mode in (QuantizationMode.NF4, QuantizationMode.FP4):
        plain = dataclasses.replace(config, compress_statistics=False)
        assert not plain.to_config().double_quant
        assert not dataclasses.replace(config, double_quant=False).to_config().double_quant


def test_the_threshold_is_that_of_outliers():
    layer = nn.Linear(64, 8)
    with torch.no_grad():
        layer.weight[0, 5], layer.weight[0, 9] = 7.0, 9.0
    for threshold, columns in ((6.0, [5, 9]), (8.0, [9])):
        made = quantize_layer(layer, "int8", llm_int8_threshold=threshold)
        assert list(made.tensor.outlier_columns) == columns


@pytest.mark.parametrize("field, value", [("quant_storage_dtype", torch.bfloat16),
                                          ("quant_type", "nf3")])
def test_what_cannot_be_is_an_error(field, value):
    config = QuantizationConfig(QuantizationMode.NF4, **{field: value})
    with pytest.raises(ValueError, match=field):
        LayerQuantizer(config).quantize_layer(nn.Linear(4, 4))


def test_the_quick_start():
    layer = nn.Linear(1024, 4096)
    quantizer = LayerQuantizer(QuantizationConfig(mode=QuantizationMode.NF4))
    quantized = quantizer.quantize_layer(layer)
    assert quantizer.is_quantized(quantized) and not quantizer.is_quantized(layer)
    assert quantizer.get_quantized_size_ratio(quantized) == 0.25
    full = quantizer.dequantize_layer(quantized)
    assert type(full) is nn.Linear and full.weight.dtype == torch.float16
    assert (full.weight - layer.weight).abs().max() < 0.01


@pytest.mark.parametrize("mode", QUANTIZING)
@pytest.mark.parametrize("layer, into", [
    (nn.Linear(24, 8), QuantizedLinear), (nn.Embedding(9, 24), QuantizedEmbedding),
    (nn.Conv2d(4, 8, 3), QuantizedConv2d)])
def test_one_line_quantizes_and_dequantizes(mode, layer, into):
    for named in (mode, mode.value):
        quantized = quantize_layer(layer, named, compute_dtype=torch.bfloat16)
        assert isinstance(quantized, into)
    restored = dequantize_layer(quantized, compute_dtype=torch.float32)
    assert type(restored) is type(layer) and restored.weight.dtype == torch.float32
    assert dequantize_layer(quantized).weight.dtype == torch.float16
    assert (restored.weight - layer.weight).abs().max() < 0.3 * layer.weight.abs().max()
    assert quantize_layer(nn.Linear(4, 4)).config.format == "int8"  # the default


def test_nothing_to_do_is_the_same_object():
    layer, none = nn.Linear(4, 4), LayerQuantizer()
    assert none.quantize_layer(layer) is layer and none.dequantize_layer(layer) is layer
    model = Model()
    assert LayerQuantizer().quantize_layer(model) is model
    assert type(model.other) is nn.Linear
    norm = nn.LayerNorm(4)
    assert LayerQuantizer(get_nf4_config()).quantize_layer(norm) is norm


def test_names_to_be_skipped_are_substrings():
    quantizer = LayerQuantizer(QuantizationConfig(
        QuantizationMode.INT8, llm_int8_skip_modules=["lm_head", "norm"]))
    layer = nn.Linear(4, 4)
    assert quantizer.should_skip_layer("model.lm_head")
    assert not quantizer.should_skip_layer("model.head")
    assert quantizer.quantize_layer(layer, "model.lm_head") is layer
    assert quantizer.is_quantized(quantizer.quantize_layer(layer, "model.layers.0.fc1"))
    plan = quantizer.config.to_plan()
    assert plan.match("model.lm_head.weight", (4, 4)).config is None
    assert plan.match("model.layers.0.fc1.weight", (4, 4)).config == quantizer.config.to_config()


def test_a_layer_of_others_is_quantized_within():
    model, tokens = Model(), torch.tensor([[1, 2, 3]])
    y = model(tokens)
    assert LayerQuantizer(get_int8_config()).quantize_layer(model, "model") is model
    assert isinstance(model.other, QuantizedLinear)
    assert isinstance(model.self_attn.q_proj, QuantizedLinear)
    assert type(model.lm_head) is nn.Linear and type(model.embed_tokens) is nn.Embedding
    torch.testing.assert_close(model(tokens), y, rtol=0.1, atol=0.05)
    dequantize_layer(model, torch.float32)
    assert type(model.self_attn.q_proj) is nn.Linear
    torch.testing.assert_close(model(tokens), y, rtol=0.1, atol=0.05)


def test_what_fails_raises_and_names_the_tensor():
    layer = nn.Linear(4, 4)
    with torch.no_grad():
        layer.weight[2, 1] = float("inf")
    with pytest.raises(bq.NonFiniteError, match="model.layers.0.fc1.weight"):
        LayerQuantizer(get_nf4_config()).quantize_layer(layer, "model.layers.0.fc1")


def test_the_ladder_of_attention():
    expected = {QuantizationMode.NF4: QuantizationMode.INT8,
                QuantizationMode.FP4: QuantizationMode.INT8,
                QuantizationMode.INT4: QuantizationMode.INT8,
                QuantizationMode.INT8: QuantizationMode.INT8_DYNAMIC,
                QuantizationMode.INT8_DYNAMIC: QuantizationMode.NONE,
                QuantizationMode.NONE: QuantizationMode.NONE}
    for mode, above in expected.items():
        adaptive = AdaptiveQuantizer(QuantizationConfig(mode, torch.bfloat16))
        assert adaptive.attention_config.mode == above
        assert adaptive.attention_config.compute_dtype == torch.bfloat16
        assert adaptive.ffn_config is adaptive.base_config


@pytest.mark.parametrize("word, kind", [
    *((word, "attention") for word in ("attn", "attention", "query", "key", "value", "qkv")),
    *((word, "ffn") for word in ("ffn", "mlp", "feedforward", "fc")), ("other", "base")])
def test_layers_are_told_by_the_documented_words(word, kind):
    adaptive = AdaptiveQuantizer(QuantizationConfig(QuantizationMode.NF4),
                                 QuantizationConfig(QuantizationMode.INT8),
                                 QuantizationConfig(QuantizationMode.FP4))
    config = {"attention": adaptive.attention_config, "ffn": adaptive.ffn_config,
              "base": adaptive.base_config}[kind]
    for name in (word, f"model.layers.0.{word}", f"model.{word.upper()}.0"):
        assert adaptive.get_layer_config(name) is config


def test_a_model_by_kinds_of_layers_also_at_the_top():
    model = Model()
    quantizer = AdaptiveQuantizer(get_mixed_precision_config())  # as the document writes it
    assert quantizer.quantize_model(model) is model
    formats = {name: module.config.format for name, module in model.named_modules()
               if isinstance(module, (QuantizedLinear, QuantizedEmbedding))}
    assert formats == {"embed_tokens": "nf4", "self_attn.q_proj": "int8",
                       "self_attn.o_proj": "int8", "mlp.0": "nf4", "mlp.2": "nf4",
                       "other": "nf4", "lm_head": "nf4"}
    assert model(torch.tensor([[1, 2]])).shape == (1, 2, 20)


def test_predefined_configs():
    assert get_int8_config().llm_int8_skip_modules == ["lm_head", "embed_tokens"]
    assert [get().mode for get in (get_int8_config, get_nf4_config, get_fp4_config)] == [
        QuantizationMode.INT8, QuantizationMode.NF4, QuantizationMode.FP4]
    assert get_fp4_config().quant_type == "fp4" and get_nf4_config().double_quant
    mixed = get_mixed_precision_config()
    assert [each.mode for each in (mixed.base_config, mixed.attention_config,
                                   mixed.ffn_config)] == [
        QuantizationMode.NF4, QuantizationMode.INT8, QuantizationMode.NF4]


def test_the_registry_gives_back_the_very_object():
    assert QuantizationRegistry.list_configs()[:3] == ["int8", "nf4", "fp4"]
    custom = QuantizationConfig(QuantizationMode.INT8, llm_int8_threshold=8.0)
    QuantizationRegistry.register("my_custom_int8", custom)
    try:
        assert QuantizationRegistry.get("my_custom_int8") is custom
        assert "my_custom_int8" in QuantizationRegistry.list_configs()
    finally:
        del QuantizationRegistry._configs["my_custom_int8"]
    assert QuantizationRegistry.get("unknown") is None
    assert QuantizationRegistry.get("nf4").mode == QuantizationMode.NF4


def test_whether_bitsandbytes_is_there_is_told_and_nothing_else():
    from bitnet_quant.torch import BITSANDBYTES_AVAILABLE
    assert isinstance(BITSANDBYTES_AVAILABLE, bool)
