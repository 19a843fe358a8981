"""The table of the seeds' calls in bindings/README.md: the tests that it names exist."""
import re

import pytest

from conftest import ROOT

BINDINGS = ROOT / "bindings"
TEXT = (BINDINGS / "README.md").read_text("utf-8").partition("## The seeds' calls")[2]
TITLES = re.findall(r"^### (.*)", TEXT, re.M)
SECTIONS = dict(zip(TITLES, re.split(r"^### .*", TEXT, flags=re.M)[1:]))

#: What the documents name, by the sections about them that are Python's.
DOCUMENTED = {
    "Ryzanstein: quantization API": """
        QuantizationConfig to_cpp_config from_cpp_config QuantConfig TernaryWeight values scales
        rows cols group_size get_scale size num_scales QuantizedActivation scale zero_point
        QuantizationEngine quantize_weights dequantize_weights quantize_activations
        dequantize_activations compute_error quantize_and_measure get_cache_stats clear_cache
        BatchQuantizer quantize_dict quantize_layer_weights create_default_config
        create_aggressive_config estimate_model_size original_mb ternary_mb compression_ratio""",
    "Ryzanstein: session summary": """
        QuantConfig TernaryWeight QuantizedActivation quantize_weights_ternary
        quantize_activations_int8 dequantize_weights dequantize_activations
        compute_quantization_error""",
    "SLI: quantization module": """
        QuantizationMode QuantizationConfig mode compute_dtype compress_statistics
        quant_storage_dtype double_quant quant_type llm_int8_threshold llm_int8_skip_modules
        to_dict from_dict LayerQuantizer quantize_layer dequantize_layer is_quantized
        get_quantized_size_ratio AdaptiveQuantizer base_config attention_config ffn_config
        quantize_model QuantizationRegistry register get list_configs get_int8_config
        get_nf4_config get_fp4_config get_mixed_precision_config LayerCache cache_dir
        max_cache_size_gb max_memory_cache_size_gb cache_layer get_layer UniversalSLIProcessor
        model_name quantization_config BITSANDBYTES_AVAILABLE""",
    "Charl: quantization report": """
        QuantType INT8 INT4 FP16 BF16 QuantParams QuantizedTensor packed CalibrationMethod MinMax
        MovingAverageMinMax Percentile Histogram Calibrator observe compute_params reset quantize
        dequantize quantize_tensor dequantize_tensor quantize_tensor_auto
        quantize_tensor_percentile post_training_quantization QuantizationMetrics QuantScheme
        Symmetric Asymmetric QuantGranularity PerTensor PerChannel PerGroup QuantConfig
        int8_symmetric int4_per_group fp16""",
}


def rows(section):
    """The cells of a section's table, without its two rows of heading."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@pytest.mark.parametrize("name", SECTIONS)
def test_every_call_of_the_table_has_a_test_that_exists(name):
    table = rows(SECTIONS[name])
    assert table
    for call, *_, tests in table:
        named = re.findall(r"`([^`:]+)::(\w+)`", tests)
        assert named, f"{call}: no test is named"
        for path, function in named:
            source = (BINDINGS / path).read_text("utf-8")
            assert re.search(rf"\b{function}\b\s*\(", source), f"{call}: {path}::{function}"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_name_of_a_document_is_in_its_table(name):
    calls = " ".join(row[0] for row in rows(SECTIONS[name]))
    missing = [each for each in DOCUMENTED[name].split()
               if not re.search(rf"\b{each}\b", calls)]
    assert not missing
