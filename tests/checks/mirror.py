#!/usr/bin/env python3
"""The tests mirror the core: core/DIR/FILE.cc is tested by tests/DIR/FILE_test.cc, or
stands in ELSEWHERE with the test that has it, and why.

An entry whose sources or test are not there, or whose test does not speak of what it is
said to test, is an error; one that is no longer needed is said.
"""
import fnmatch
import sys

from common import ROOT, project_files, report

# The test that has the sources instead, a word of that test, the sources, why there.
ELSEWHERE = [
    ("conformance/formats_test.cc", "ForEachTarget", "kernels/*",
     "kernels run below the formats, on every target, against a reference of their own"),
    ("conformance/formats_test.cc", "NumFormats", "formats/*",
     "every row of the registry is walked"),
    ("conformance/formats_test.cc", "Quantizer", "tensor/quantizer", "bytes of every config"),
    ("conformance/formats_test.cc", "FindParams", "tensor/find_params", "likewise"),
    ("conformance/formats_test.cc", "outlier_threshold", "tensor/outliers", "likewise"),
    ("conformance/formats_test.cc", "InputTypes", "tensor/source", "likewise"),
    ("tensor/quantize_test.cc", "QuantizeSlices", "tensor/slices", "with their first sinks"),
    ("tensor/quantize_test.cc", "Part::k", "tensor/parts", "what tensors are made of"),
    ("tensor/quantize_test.cc", "QuantizedTensor", "tensor/tensor", "likewise"),
    ("model/convert_test.cc", "QuantizeFile", "model/tensor_entry", "what conversions write"),
    ("model/part_conversion_test.cc", "PartsOf", "model/model_part", "what parts are for"),
    ("model/part_conversion_test.cc", "report", "model/report_record", "what a part tells"),
    ("model/expert_stacks_test.cc", "AreNotGuessed", "model/expert_table", "which stacks"),
    ("model/source_model_test.cc", "DequantizeFile", "model/dequantize_file", "what comes back"),
    ("model/analyze_test.cc", "Sensitivity", "model/sensitivity", "what analyzing measures"),
    ("model/allocate_test.cc", "KeepsTies", "model/ties", "what allocations keep together"),
    ("io/system_test.cc", "SystemTest", "io/system_*", "each system's half of one header"),
    ("capi/file_test.cc", "hold_outputs", "io/held_outputs", "outputs of every kind, together"),
    ("model/conversion_test.cc", "Report", "model/report", "the same, also when gone on with"),
    ("conformance/calibration_test.cc", "Observe", "calibration/batch",
     "sums and histograms of every target, axis and type"),
    ("conformance/calibration_test.cc", "Statistics", "calibration/stats", "likewise"),
    ("support/targets.h", "ForceTarget", "base/targets", "every test of all targets uses it"),
    ("capi/vectors_test.cc", "config", "scheme/config", "vectors/config.json"),
    ("capi/registry_test.cc", "bnq_format_supports", "scheme/support",
     "what quantizing says is what the query says"),
    ("capi/options_test.cc", "calibrator", "base/options", "options of every kind in one sweep"),
    ("capi/options_test.cc", "calibrator", "calibration/options", "likewise"),
    ("capi/options_test.cc", "optimizer", "optimize/options", "likewise"),
    ("capi/options_test.cc", "cache", "cache/options", "likewise"),
    ("capi/options_test.cc", "training", "training/options", "likewise"),
    ("training/fake_quantize_test.cc", "ClipsAsPyTorch", "tensor/clipping",
     "with the goldens of fake quantization"),
    ("cache/cache_test.cc", "TEST(MemoryTier", "cache/memory_tier", "what the cache keeps"),
    ("capi/context_test.cc", "fork", "base/process", "a child that works is what it is for"),
    ("calibration/methods_test.cc", "TEST(KlTensorRt,", "calibration/kl", "rows of methods.h"),
    ("calibration/methods_test.cc", "TEST(Mse,", "calibration/mse", "rows of methods.h"),
    ("calibration/methods_test.cc", "TEST(Percentile,", "calibration/percentile",
     "rows of methods.h"),
    ("calibration/methods_test.cc", "TEST(MovingAverage,", "calibration/moving_average",
     "rows of methods.h"),
    ("calibration/methods_test.cc", "TEST(Adaptive,", "calibration/adaptive", "rows of methods.h"),
    ("calibration/calibrator_test.cc", "minmax", "calibration/min_max",
     "the method that the others are compared with"),
    ("calibration/histogram_test.cc", "ExactSum", "calibration/exact_sum",
     "what histograms add up with"),
    ("capi/post_training_test.cc", "bnq_calibration_create", "calibration/calibration_set",
     "with the files that it reads and writes"),
    ("capi/post_training_test.cc", "compare_histogram", "calibration/compare",
     "its results are the ABI's"),
    ("capi/post_training_test.cc", "bnq_tensor_quantize_static", "tensor/static",
     "with the calibrated ranges"),
    ("conformance/formats_test.cc", "percentile=90", "tensor/percentile", "bytes of every config"),
    ("conformance/formats_test.cc", "scale_rule=absmean", "tensor/segment", "likewise"),
    ("calibration/methods_test.cc", "PyTorch", "calibration/mse_pytorch", "rows of methods.h"),
    ("optimize/optimize_test.cc", "NeverWorse", "optimize/segments", "what all of them share"),
    ("optimize/optimize_test.cc", "NeverWorse", "optimize/subject", "likewise"),
    ("capi/post_training_test.cc", "post_training", "model/post_training", "whole models"),
    ("capi/options_test.cc", "interchange", "interchange/options", "options of every kind"),
    ("model/source_model_test.cc", "DequantizeFile", "model/plain_array", "what comes back"),
    ("interchange/compressed_tensors_test.cc", "ActOrder", "interchange/module_*",
     "what layouts of modules share"),
    ("interchange/awq_test.cc", "ThereAndBack", "interchange/transcode", "with GPTQ and BitNet"),
    ("io/bnq_reader_test.cc", "Entries", "io/bnq_format", "what a reader may accept"),
    ("io/model_file_test.cc", "npy", "io/*container", "rows, found by what a file begins with"),
    ("io/model_file_test.cc", "HDF5", "io/foreign", "what is no row is named"),
    ("interchange/gguf_test.cc", "EveryWrittenType", "interchange/ggml_blocks", "its blocks"),
    ("interchange/gguf_test.cc", "Goldens", "interchange/ggml_k_blocks", "likewise"),
    ("interchange/gguf_test.cc", "WhichBlocksHoldWhat", "interchange/ggml_export", "likewise"),
    ("interchange/gguf_export_test.cc", "LlamaFromItsConfig", "interchange/gguf_names",
     "what exports call tensors"),
    ("io/gguf_reader_test.cc", "GgmlTypes", "io/ggml_types", "what its tensors are of"),
    ("io/output_test.cc", "TEST", "io/temporary_file", "what every output is written to"),
    ("capi/file_test.cc", "bnq_writer_create_memory", "model/model_writer",
     "every kind of output through the ABI"),
    ("optimize/methods_test.cc", "TEST(Gptq,", "optimize/gptq", "rows of methods.h"),
    ("optimize/methods_test.cc", "TEST(Awq,", "optimize/awq", "rows of methods.h"),
    ("optimize/methods_test.cc", "TEST(Hqq,", "optimize/hqq", "rows of methods.h"),
    ("optimize/methods_test.cc", "TEST(Gradient,", "optimize/gradient", "rows of methods.h"),
    ("optimize/methods_test.cc", "TEST(Layer,", "optimize/layer", "what the methods share"),
    ("optimize/optimize_test.cc", "GridIsAsGood", "optimize/grid", "rows of methods.h"),
    ("optimize/optimize_test.cc", "NeverWorse", "optimize/objective", "what all of them keep to"),
    ("optimize/optimize_test.cc", "NeverWorse", "optimize/params", "likewise"),
    ("optimize/optimize_test.cc", "RefusesWhatDoesNotGoTogether", "optimize/request",
     "what is refused"),
    ("ops/linear_test.cc", "WorkspaceBytes", "ops/inputs", "rows of a linear layer"),
    ("ops/linear_test.cc", "ForEachKernel", "ops/linear_run", "every kernel, every shape"),
    ("ops/linear_test.cc", "ForEachKernel", "ops/outputs", "likewise"),
    ("ops/convolution_test.cc", "IsItsDefinition", "ops/patches", "every way to cut them"),
    ("ops/convolution_test.cc", "IsItsDefinition", "ops/depthwise", "with all convolutions"),
    ("ops/linear_test.cc", "EveryFormat", "ops/weights", "every format and granularity"),
    ("capi/options_test.cc", "bnq_operator", "ops/options", "options of every kind"),
    ("ops/linear_test.cc", "ForEachKernel", "kernels/dot*", "families and targets"),
    ("ops/linear_test.cc", "Floats", "kernels/float_dot", "lanes of fused products"),
    ("capi/activations_test.cc", "bnq_activate", "ops/activation", "its results are the ABI's"),
    ("conformance/functions_test.cc", "LayerNorm", "ops/normalize",
     "every target, beside a reference"),
]


def main():
    problems = []
    tests = set(project_files("tests/**/*_test.cc"))
    used = set()
    for source in project_files("core/**/*.cc"):
        stem = source[len("core/"):-len(".cc")]
        own = f"tests/{stem}_test.cc"
        entries = [entry for entry in ELSEWHERE if fnmatch.fnmatch(stem, entry[2])]
        used.update(entry[2] for entry in entries)
        if own not in tests and not entries:
            problems.append(f"{source}: there is no {own}, and mirror.py names no other test")
        if own in tests and any("*" not in entry[2] for entry in entries):
            print(f"note: {own} is there; mirror.py need not name another test of {source}")
    for test, word, stems, _ in ELSEWHERE:
        if stems not in used:
            problems.append(f"mirror.py: there is no core/{stems}.cc")
        path = ROOT / "tests" / test
        if not path.exists() or word not in path.read_text("utf-8"):
            problems.append(f"mirror.py: tests/{test} does not test {stems}: it lacks '{word}'")
    sys.exit(report(problems))


if __name__ == "__main__":
    main()
