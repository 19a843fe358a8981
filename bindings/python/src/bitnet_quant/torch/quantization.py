"""The names of SLI's quantization module."""
from __future__ import annotations

import dataclasses
import importlib.util
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Mapping, Optional, Union

import torch
from torch import nn

from .. import registry
from .._options import OptionValue
from ..config import Config
from ..conversion import Plan
from ..sensitivity import layer_kind
from .modules import Decision, QuantizedModule, dequantize_module, kind_of, replace_modules

#: Whether bitsandbytes could be imported. It is never used: LayerQuantizer.is_quantized
#: tells what is quantized.
BITSANDBYTES_AVAILABLE = importlib.util.find_spec("bitsandbytes") is not None


class QuantizationMode(Enum):
    """What layers become."""

    NONE = "none"
    INT8 = "int8"  # LLM.int8: columns with outliers stay in 16 bits
    INT8_DYNAMIC = "int8_dynamic"  # inputs become int8, too, row by row
    NF4 = "nf4"
    FP4 = "fp4"
    INT4 = "int4"


def _dtype_of(text: Any) -> torch.dtype:
    """The reverse of str(dtype)."""
    if isinstance(text, torch.dtype):
        return text
    found = getattr(torch, str(text).rpartition("torch.")[2], None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"{text!r} is no data type of torch; such as 'torch.float16' is accepted")
    return found


@dataclass
class QuantizationConfig:
    """What layers become, in SLI's words; to_config() has the library's.

    compute_dtype: of layers that are dequantized. Quantized ones take any type of floats,
        and give results in it.
    compress_statistics, double_quant: of nf4 and fp4: scales in 8 bits, if both are on.
    quant_storage_dtype: uint8 is accepted.
    quant_type: "nf4" or "fp4"; the mode decides, where SLI's takes nf4 for FP4.
    llm_int8_threshold: of INT8: columns of the weight with such values stay in 16 bits.
    llm_int8_skip_modules: substrings of layers' names that stay as they are, in any mode.
    """

    mode: QuantizationMode = QuantizationMode.NONE
    compute_dtype: torch.dtype = torch.float16
    compress_statistics: bool = True
    quant_storage_dtype: torch.dtype = torch.uint8
    double_quant: bool = True
    quant_type: str = "nf4"
    llm_int8_threshold: float = 6.0
    llm_int8_skip_modules: Optional[list[str]] = None

    def to_dict(self) -> dict[str, Any]:
        """All fields, as for JSON: "int8", "torch.float16", and [] for no modules."""
        return {**{each.name: getattr(self, each.name) for each in dataclasses.fields(self)},
                "mode": self.mode.value, "compute_dtype": str(self.compute_dtype),
                "quant_storage_dtype": str(self.quant_storage_dtype),
                "llm_int8_skip_modules": list(self.llm_int8_skip_modules or [])}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> QuantizationConfig:
        """The reverse, of every field; those left out are at their defaults. TypeError for a
        name that there is not."""
        fields = dict(data)
        if "mode" in fields:
            fields["mode"] = QuantizationMode(fields["mode"])
        for name in ("compute_dtype", "quant_storage_dtype"):
            if name in fields:
                fields[name] = _dtype_of(fields[name])
        if not fields.get("llm_int8_skip_modules"):
            fields["llm_int8_skip_modules"] = None
        return cls(**fields)

    def to_config(self) -> Config:
        """The library's config; format "none" for NONE. ValueError."""
        if self.quant_storage_dtype != torch.uint8:
            raise ValueError(f"quant_storage_dtype is {self.quant_storage_dtype}; torch.uint8 is "
                             "accepted")
        if self.quant_type not in ("nf4", "fp4"):
            raise ValueError(f"quant_type is {self.quant_type!r}; 'nf4' and 'fp4' are accepted")
        presets: dict[QuantizationMode, tuple[str, dict[str, OptionValue]]] = {
            QuantizationMode.NONE: ("none", {}),
            QuantizationMode.INT8: ("int8_outliers",
                                    {"outlier_threshold": self.llm_int8_threshold}),
            QuantizationMode.INT8_DYNAMIC: ("int8_per_channel", {}),
            QuantizationMode.NF4: ("nf4", self._nested()),
            QuantizationMode.FP4: ("fp4", self._nested()),
            QuantizationMode.INT4: ("int4_per_group_32", {}),
        }
        preset, options = presets[QuantizationMode(self.mode)]
        return Config.preset(preset, **options)

    def _nested(self) -> dict[str, OptionValue]:
        return {"double_quant": self.double_quant and self.compress_statistics}

    @property
    def input(self) -> str:
        """What layers' inputs become: the operators' option."""
        return "int8" if self.mode == QuantizationMode.INT8_DYNAMIC else "float"

    def to_plan(self) -> Plan:
        """The rules for a whole model, as for quantize_file and Layers."""
        plan = _skipping(self)
        plan.add("*", self.to_config(), min_rank=2)
        return plan

    def step_up(self) -> QuantizationConfig:
        """The next of the library's ladder, NF4 (and what else has less than 8 bits), INT8,
        INT8_DYNAMIC, NONE."""
        above = self.to_config().step_up()
        for mode in QuantizationMode:
            if QuantizationConfig(mode).to_config() == above:
                return dataclasses.replace(self, mode=mode)
        raise ValueError(f"no mode is {above}")


class LayerQuantizer:
    """Quantizes layers as one config says."""

    def __init__(self, config: Optional[QuantizationConfig] = None) -> None:
        self.config = QuantizationConfig() if config is None else config

    def quantize_layer(self, layer: nn.Module, layer_name: str = "") -> nn.Module:
        """A quantized module in place of a Linear, Conv1d, Conv2d or Embedding. In a module
        of others these are replaced, in place, all or, where one fails, none. The same
        object where there is nothing to do: mode NONE, a name to be skipped, or no such
        module. What fails raises and names the tensor, where SLI's returns the layer as it
        was."""
        return replace_modules(layer, self._decide, layer_name)

    def _decide(self, name: str, _: nn.Module) -> Optional[Decision]:
        return _decision(self.config, name)

    def dequantize_layer(self, layer: nn.Module) -> nn.Module:
        """The layer with its weights in floats of compute_dtype; one that is not quantized is
        the same object."""
        return dequantize_layer(layer, self.config.compute_dtype)

    def is_quantized(self, layer: nn.Module) -> bool:
        """Whether the layer, or one in it, is quantized."""
        return any(isinstance(module, QuantizedModule) for module in layer.modules())

    def get_quantized_size_ratio(self, layer: nn.Module) -> float:
        """Bits of the mode's codes over those of FP16: 1, 0.5 or 0.25, whatever the layer;
        scales come to that. QuantizedModule.nbytes has the bytes."""
        config = self.config.to_config()
        return next((each.code_bits / 16 for each in registry.formats()
                     if each.name == config.format), 1.0)

    def should_skip_layer(self, layer_name: str) -> bool:
        """Whether the name has one of llm_int8_skip_modules in it."""
        return _skipped(self.config, layer_name)


class AdaptiveQuantizer:
    """Quantizes a model's layers by what they are: attention, FFN, others. The library tells
    them by their names (`layer_kind`), by the words of SLI and more.

    base_config: of layers that are neither; or another AdaptiveQuantizer, whose configs are
        taken.
    attention_config: by default the base's, a step up: NF4, INT8, INT8_DYNAMIC, NONE.
    ffn_config: by default the base's.
    """

    def __init__(self, base_config: Union[QuantizationConfig, AdaptiveQuantizer],
                 attention_config: Optional[QuantizationConfig] = None,
                 ffn_config: Optional[QuantizationConfig] = None) -> None:
        if isinstance(base_config, AdaptiveQuantizer):
            attention_config = attention_config or base_config.attention_config
            ffn_config = ffn_config or base_config.ffn_config
            base_config = base_config.base_config
        self.base_config: QuantizationConfig = base_config
        self.attention_config: QuantizationConfig = attention_config or base_config.step_up()
        self.ffn_config: QuantizationConfig = ffn_config or base_config

    def get_layer_config(self, layer_name: str) -> QuantizationConfig:
        """That of a layer by its name."""
        kind = layer_kind(layer_name)
        return {"attention": self.attention_config, "ffn": self.ffn_config}.get(
            kind, self.base_config)

    def to_plan(self) -> Plan:
        """The rules for a whole model, as for quantize_file and Layers; names to be skipped
        are the base's, of all kinds of layers."""
        plan = _skipping(self.base_config)
        plan.add_adaptive(*(config.to_config() for config in (
            self.base_config, self.attention_config, self.ffn_config)))
        return plan

    def quantize_layer(self, layer: nn.Module, layer_name: str = "") -> nn.Module:
        """LayerQuantizer.quantize_layer with the config of each layer in it."""
        return replace_modules(layer, self._decide, layer_name)

    def quantize_model(self, model: nn.Module) -> nn.Module:
        """The model with its layers quantized, those at the top, too, which SLI's leaves
        out. They are replaced in place."""
        return self.quantize_layer(model)

    def _decide(self, name: str, _: nn.Module) -> Optional[Decision]:
        return _decision(self.get_layer_config(name), name)


class QuantizationRegistry:
    """Configs by name, for a process."""

    _configs: ClassVar[dict[str, Any]] = {}

    @classmethod
    def register(cls, name: str, config: Any) -> None:
        """Puts a config in place of what has that name."""
        cls._configs[name] = config

    @classmethod
    def get(cls, name: str) -> Any:
        """The very object that was registered; None for an unknown name."""
        return cls._configs.get(name)

    @classmethod
    def list_configs(cls) -> list[str]:
        """The names, in the order they came."""
        return list(cls._configs)


def get_int8_config() -> QuantizationConfig:
    """INT8, but for lm_head and embed_tokens."""
    return QuantizationConfig(QuantizationMode.INT8,
                              llm_int8_skip_modules=["lm_head", "embed_tokens"])


def get_nf4_config() -> QuantizationConfig:
    """NF4 with scales in 8 bits."""
    return QuantizationConfig(QuantizationMode.NF4)


def get_fp4_config() -> QuantizationConfig:
    """FP4 with scales in 8 bits."""
    return QuantizationConfig(QuantizationMode.FP4, quant_type="fp4")


def get_mixed_precision_config() -> AdaptiveQuantizer:
    """INT8 for attention, NF4 for the rest."""
    return AdaptiveQuantizer(get_nf4_config(), get_int8_config(), get_nf4_config())


for _name, _config in (("int8", get_int8_config()), ("nf4", get_nf4_config()),
                       ("fp4", get_fp4_config())):
    QuantizationRegistry.register(_name, _config)


def quantize_layer(layer: nn.Module, mode: Union[str, QuantizationMode] = "int8",
                   **kwargs: Any) -> nn.Module:
    """LayerQuantizer.quantize_layer, with a config of a mode; kwargs: its other fields."""
    return LayerQuantizer(QuantizationConfig(QuantizationMode(mode), **kwargs)).quantize_layer(
        layer)


def dequantize_layer(layer: nn.Module, compute_dtype: torch.dtype = torch.float16) -> nn.Module:
    """The layer with its weights in floats. Layers in it are replaced in place; what is not
    quantized is the same object."""
    if isinstance(layer, QuantizedModule):
        return dequantize_module(layer, compute_dtype)
    made: dict[int, nn.Module] = {}
    places = [(parent, name, child) for parent in layer.modules()
              for name, child in parent._modules.items() if isinstance(child, QuantizedModule)]
    for _, _, child in places:
        if id(child) not in made:
            made[id(child)] = dequantize_module(child, compute_dtype)
    for parent, name, child in places:
        parent._modules[name] = made[id(child)]
    return layer


def _skipped(config: QuantizationConfig, name: str) -> bool:
    return any(word in name for word in config.llm_int8_skip_modules or [])


def _skipping(config: QuantizationConfig) -> Plan:
    """A plan that leaves the names to be skipped as they are."""
    plan = Plan()
    for word in config.llm_int8_skip_modules or []:
        quoted = "".join(f"\\{each}" if each in "*?[\\" else each for each in word)
        plan.add(f"*{quoted}*", None)
    return plan


def _decision(config: QuantizationConfig, name: str) -> Optional[Decision]:
    if config.mode == QuantizationMode.NONE or _skipped(config, name):
        return None
    return Decision(config.to_config(), {"input": config.input})
