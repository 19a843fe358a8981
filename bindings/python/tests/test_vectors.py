"""The shared vectors: what every client of the library must reproduce."""
import collections
import pickle
import subprocess
import sys

import bitnet_quant as bq
import numpy as np
import pytest
from bitnet_quant._loader import library
from conftest import VECTORS, cases


def by_name(file):
    return pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in cases(file)])


def floats(values):
    return np.array([float(v) for v in values], np.float32)


def bits(values):
    return np.array([int(v, 16) for v in values], np.uint32)


def to_bf16(values):
    """float32 values that are exactly bfloat16, as such."""
    return (values.view(np.uint32) >> 16).astype(np.uint16)


CONVERT = {"F32": lambda values: values, "F64": lambda values: values.astype(np.float64),
           "F16": lambda values: values.astype(np.float16), "BF16": to_bf16}


def source(case):
    """The array of a case, of the case's dtype."""
    return CONVERT[case.get("dtype", "F32")](floats(case["input"])).reshape(case["shape"])


def stored_scales(case):
    """The bytes of the scales as they are stored."""
    if "scale_bytes" in case:
        return np.frombuffer(bytes.fromhex(case["scale_bytes"]), np.uint8)
    return bits(case["scales"]).view(np.uint8)


def stored_offsets(case):
    """The same of the offsets."""
    if "offset_bytes" in case:
        return np.frombuffer(bytes.fromhex(case["offset_bytes"]), np.uint8)
    return bits(case.get("offsets", [])).view(np.uint8)


def tensor_scale(case):
    """In a list, or none."""
    return bits([case["tensor_scale"]] if "tensor_scale" in case else []).view(
        np.float32).tolist()


def further_parts(case):
    """The parts besides codes, scales and zero points."""
    parts = {}
    if case.get("outlier_columns"):
        parts["outlier_columns"] = np.array(case["outlier_columns"], np.uint32)
        parts["outlier_values"] = np.frombuffer(
            bytes.fromhex(case["outlier_values"]),
            np.float16 if case["outlier_dtype"] == "F16" else np.uint16)
    if "offsets" in case:
        parts["offsets"] = stored_offsets(case)
    if "tensor_scale" in case:
        parts["tensor_scale"] = np.array(tensor_scale(case), np.float32)
    if "codebook" in case:
        parts["codebook"] = bits(case["codebook"]).view(np.float32)
    return parts


def has_parts_of_its_own(case):
    """For which quantize_into has no arrays."""
    return (float(case["config"].get("outlier_threshold", 0)) > 0
            or any(len(part) for part in further_parts(case).values()))


def check_values(found, case):
    """That these are the float32 of the case; a NaN may be any."""
    expected = bits(case["dequantized"])
    nan = np.isnan(expected.view(np.float32))
    assert np.isnan(found.ravel()).tolist() == nan.tolist()
    assert found.ravel().view(np.uint32)[~nan].tolist() == expected[~nan].tolist()


def check(tensor, case):
    """That the tensor is what the case says, whatever there is to see of it."""
    assert tensor.shape == tuple(case["shape"])
    if "codes" in case:
        assert tensor.unpack().ravel().tolist() == case["codes"]
    else:
        with pytest.raises(bq.UnsupportedError, match=case["config"]["format"]):
            tensor.unpack()
    assert tensor.codes.tobytes().hex() == case["packed"]
    assert tensor.scales.view(np.uint32).tolist() == bits(case["scales"]).tolist()
    assert tensor.scale_data.tolist() == stored_scales(case).tolist()
    offsets = bits(case.get("offsets", []))
    assert tensor.offsets.view(np.uint32).tolist() == offsets.tolist()
    assert tensor.offset_data.tobytes() == stored_offsets(case).tobytes()
    assert tensor_scale(case) == ([] if tensor.tensor_scale is None else [tensor.tensor_scale])
    assert tensor.codebook.view(np.uint32).tolist() == bits(case.get("codebook", [])).tolist()
    assert tensor.zero_points.tolist() == case["zero_points"]
    assert tensor.outlier_columns.tolist() == case.get("outlier_columns", [])
    assert tensor.outlier_dtype == case.get("outlier_dtype")
    assert tensor.outlier_values.tobytes().hex() == case.get("outlier_values", "")
    values = tensor.dequantize()
    assert values.shape == tuple(case["shape"])
    check_values(values, case)


def check_error(error, case):
    assert library().bnq_status_name(error.status).decode() == case["status"]
    assert case["message"] in str(error)


@pytest.fixture(params=[1, 3], ids=["1_thread", "3_threads"])
def context(request):
    return bq.Context(threads=request.param)


@by_name("quantize.json")
def test_quantize(case, context):
    tensor = bq.quantize(source(case), bq.Config.from_dict(case["config"]), dtype=case["dtype"],
                         context=context)
    check(tensor, case)
    if "codes" in case:
        assert tensor.unpack(context=context).ravel().tolist() == case["codes"]
    check_values(tensor.dequantize(context=context), case)


@by_name("quantize.json")
def test_quantize_into(case):
    config, expected = case["config"], stored_scales(case)
    codes = np.empty(len(case["packed"]) // 2, np.uint8)
    scales = np.empty(expected.size, np.uint8)
    zero_points = np.empty(len(case["zero_points"]), np.int8)

    def quantize():
        bq.quantize_into(source(case), codes, scales, zero_points, dtype=case["dtype"], **config)

    if has_parts_of_its_own(case):
        with pytest.raises(bq.InvalidArgumentError, match="outlier|offsets|tensor_scale|codebook"):
            quantize()
        return
    assert bq.quantized_sizes(case["shape"], **config) == (
        codes.size, scales.size, zero_points.size)
    quantize()
    assert codes.tobytes().hex() == case["packed"]
    assert scales.tolist() == expected.tolist()
    assert zero_points.tolist() == case["zero_points"]


def test_batches(context):
    """All cases of one config and dtype in one call."""
    batches = {}
    for case in cases("quantize.json"):
        batches.setdefault((case["dtype"], *case["config"].items()), []).append(case)
    assert max(map(len, batches.values())) > 1
    for (dtype, *config), batch in batches.items():
        tensors = bq.quantize_batch(map(source, batch), bq.Config.from_dict(dict(config)),
                                    dtype=dtype, context=context)
        values = bq.dequantize_batch(tensors, context=context)
        assert len(tensors) == len(values) == len(batch)
        for case, tensor, value in zip(batch, tensors, values):
            check(tensor, case)
            check_values(value, case)


@by_name("quantize.json")
def test_from_parts(case):
    zero_points = np.array(case["zero_points"], np.int8)
    packed = np.frombuffer(bytes.fromhex(case["packed"]), np.uint8)
    further = further_parts(case)
    parts = {"codes": packed, "scales": stored_scales(case), "zero_points": zero_points}
    check(bq.QuantizedTensor.from_parts({**parts, **further}, shape=case["shape"],
                                        **case["config"]), case)
    if not any(part.size for part in further.values()):
        check(bq.QuantizedTensor.from_packed(*parts.values(), shape=case["shape"],
                                             **case["config"]), case)


@by_name("quantize.json")
def test_from_codes(case):
    if has_parts_of_its_own(case):
        return
    if "codes" not in case:
        with pytest.raises(bq.UnsupportedError, match=case["config"]["format"]):
            bq.pack(np.zeros(case["shape"], np.int8), **case["config"])
        return
    codes = np.array(case["codes"], np.int8).reshape(case["shape"])
    assert bq.pack(codes, **case["config"]).tobytes().hex() == case["packed"]
    check(bq.QuantizedTensor.from_codes(codes, stored_scales(case),
                                        np.array(case["zero_points"], np.int8), **case["config"]),
          case)


@by_name("quantize.json")
def test_pickle(case):
    tensor = bq.quantize(source(case), bq.Config.from_dict(case["config"]), dtype=case["dtype"])
    check(pickle.loads(pickle.dumps(tensor)), case)


@by_name("quantize.json")
def test_files(case, tmp_path):
    tensor = bq.quantize(source(case), bq.Config.from_dict(case["config"]), dtype=case["dtype"])
    with bq.Writer(tmp_path / "a.bnq", compress=True) as writer:
        writer.add("a", tensor)
    with bq.open_file(tmp_path / "a.bnq") as file:
        check(file["a"], case)
        assert file.config("a") == file["a"].config == tensor.config


def exact_types(values):
    """The dtypes that hold these float32 values exactly."""
    held = ["F64"]
    with np.errstate(over="ignore"):
        if np.array_equal(values.astype(np.float16).astype(np.float32), values):
            held.append("F16")
    if not (values.view(np.uint32) & 0xFFFF).any():
        held.append("BF16")
    return held


@by_name("quantize.json")
def test_other_input_types_give_the_same(case):
    """Wherever a type holds the input exactly, the result is that of float32."""
    values = floats(case["input"]).reshape(case["shape"])
    for dtype in exact_types(values):
        tensor = bq.quantize(CONVERT[dtype](values), dtype=dtype, **case["config"])
        assert tensor.codes.tobytes().hex() == case["packed"], dtype
        assert tensor.scale_data.tolist() == stored_scales(case).tolist(), dtype


def test_other_input_types_are_all_covered():
    counts = collections.Counter(
        dtype for case in cases("quantize.json") for dtype in exact_types(floats(case["input"])))
    assert min(counts[dtype] for dtype in ("F16", "BF16")) > 10


def test_vectors_cover_what_this_binding_shows():
    """So that none of the checks above is about nothing."""
    found = cases("quantize.json")
    assert {case["config"]["format"] for case in found} >= {f.name for f in bq.formats()}
    assert any("scale_bytes" in case for case in found)
    assert any(case.get("outlier_dtype") == "F16" for case in found)


@by_name("config.json")
def test_config_from_text(case):
    if "canonical" in case:
        config = bq.Config.from_text(case["text"])
        assert config.text == case["canonical"]
        assert bq.Config.from_text(config.text) == config
        assert bq.Config.from_dict(config.to_dict()) == config
        return
    with pytest.raises(bq.BitNetQuantError) as caught:
        bq.Config.from_text(case["text"])
    check_error(caught.value, case)


@by_name("metrics.json")
def test_metrics(case, context):
    found = bq.compare(floats(case["original"]), floats(case["other"]), context=context)
    assert set(found) == set(case["metrics"])
    for name, expected in case["metrics"].items():
        assert found[name] == pytest.approx(float(expected), rel=1e-12, abs=0), name


@by_name("metrics.json")
def test_metrics_of_float64(case):
    found = bq.compare(floats(case["original"]).astype(float),
                       floats(case["other"]).astype(float))
    assert dict(found) == dict(bq.compare(floats(case["original"]), floats(case["other"])))


@by_name("errors.json")
def test_errors(case, context):
    with pytest.raises(bq.BitNetQuantError) as caught:
        bq.quantize(source(case), bq.Config.from_dict(case["config"]),
                    dtype=case.get("dtype"), context=context)
    check_error(caught.value, case)


def batches(case):
    return [floats(batch["input"]).reshape(batch["shape"]) for batch in case["batches"]]


def observed(case, context=None):
    calibrator = bq.Calibrator(**case["options"])
    for batch in batches(case):
        calibrator.observe(batch, context=context)
    return calibrator


def check_statistics(found, expected):
    assert set(expected) <= set(found)
    moments = ("mean", "variance", "absmean", "skewness", "kurtosis")
    for name, value in expected.items():
        value, tolerance = float(value), 1e-12 if name in moments else 0
        assert found[name] == pytest.approx(value, rel=tolerance, abs=tolerance, nan_ok=True), name


def check_calibrator(calibrator, case):
    """That the calibrator says what the case does of what it has observed."""
    found = calibrator.range()
    assert found.lo.tolist() == case["lo"] and found.hi.tolist() == case["hi"]
    assert calibrator.channels == len(case["lo"])
    assert calibrator.batches == sum(batch.size > 0 for batch in batches(case))
    for channel, expected in enumerate(case["statistics"]):
        check_statistics(calibrator.statistics(channel), expected)
    check_statistics(calibrator.statistics(), case["all_channels"])
    for channel, expected in enumerate(case["histograms"]):
        counts, edges = calibrator.histogram(channel)
        assert counts.tolist() == expected["counts"]
        assert edges.tolist() == [expected["first"] + i * expected["width"]
                                  for i in range(len(counts) + 1 if len(counts) else 0)]
    if not case["histograms"]:
        with pytest.raises(bq.UnsupportedError, match="histogram"):
            calibrator.histogram()
    for expected in case["params"]:
        scales, zero_points, config, offsets = calibrator.params(
            bq.Config.from_dict(expected["config"]))
        assert offsets.size == 0
        assert scales.view(np.uint32).tolist() == bits(expected["scales"]).tolist()
        assert zero_points.tolist() == expected["zero_points"]
        assert config == bq.Config.from_dict(expected["config"])


@by_name("calibration.json")
def test_calibration(case, context):
    check_calibrator(observed(case, context), case)


@by_name("calibration.json")
def test_calibrators_survive_copies_bytes_and_files(case, tmp_path):
    calibrator = observed(case)
    check_calibrator(calibrator.copy(), case)
    check_calibrator(pickle.loads(pickle.dumps(calibrator)), case)
    calibration = bq.Calibration(**case["options"])
    for batch in batches(case):
        calibration.observe("name", batch)
    assert calibration["name"].to_bytes() == calibrator.to_bytes()
    calibration.save(tmp_path / "saved.bnq")
    check_calibrator(bq.Calibration.load(tmp_path / "saved.bnq")["name"], case)


@by_name("calibration.json")
def test_merged_calibrators(case):
    """Each batch in a calibrator of its own, merged last to first."""
    merged = bq.Calibrator(**case["options"])
    parts = [observed({**case, "batches": [batch]}) for batch in case["batches"]]
    if merged.method in ("moving_average", "adaptive"):
        with pytest.raises(bq.UnsupportedError, match="order"):
            merged.merge(parts[0])
        return
    for part in reversed(parts):
        merged.merge(part)
    assert merged.to_bytes() == observed(case).to_bytes()


@by_name("calibration.json")
def test_calibration_datasets(case, tmp_path):
    expected = observed(case).to_bytes()
    for index, batch in enumerate(batches(case)):
        np.save(tmp_path / f"{index:03}.npy", batch)
    for dataset in (bq.CalibrationDataset(batches(case)), bq.CalibrationDataset(tmp_path)):
        calibrator = bq.Calibrator(**case["options"])
        dataset.feed(calibrator)
        assert calibrator.to_bytes() == expected


@by_name("post_training.json")
def test_post_training(case, context):
    """From batches to parameters, and from these to codes, with the calibrator that the
    library chooses."""
    config = bq.Config.from_dict(case["config"])
    calibrator = bq.Calibrator.for_config(config, method=case["method"])
    assert {name: str(calibrator.options[name]) for name in case["calibrator"]
            } == case["calibrator"]
    weights = np.ones(3, np.float32)
    params = bq.post_training_quantization(
        weights, batches(case), method=case["method"], activation_config=config,
        context=context).activations
    for batch in batches(case):
        calibrator.observe(batch, context=context)
    for found in (params, calibrator.params(config)):
        assert found.scales.view(np.uint32).tolist() == bits(case["scales"]).tolist()
        assert found.zero_points.tolist() == case["zero_points"]
        assert found.offsets.view(np.uint32).tolist() == bits(case["offsets"]).tolist()
    array = floats(case["input"]).reshape(case["shape"])
    for found in (bq.quantize_static(array, *params, context=context),
                  bq.quantize_calibrated(array, calibrator, config)):
        assert found.tensor.unpack().ravel().tolist() == case["codes"]
        assert (found.tensor.dequantize().ravel().view(np.uint32).tolist()
                == bits(case["dequantized"]).tolist())
        assert found.clamped == case["clamped"]


@by_name("optimization.json")
def test_optimization(case, context):
    """What each method finds, and what is gained by it."""
    config = bq.Config.from_dict(case["config"])
    given = case["activations"]
    inputs = None if given is None else floats(given["input"]).reshape(given["shape"])
    array = floats(case["input"]).reshape(case["shape"])
    weights = floats(case["importance"]) if "importance" in case else None
    found = bq.Optimizer(**case["options"]).quantize(array, config, activations=inputs,
                                                     importance=weights, context=context)
    assert found.tensor.unpack().ravel().tolist() == case["codes"]
    assert found.tensor.scales.view(np.uint32).tolist() == bits(case["scales"]).tolist()
    zero_points = found.tensor.zero_points
    assert ([] if zero_points is None else zero_points.tolist()) == case["zero_points"]
    scales = found.input_scales
    assert ([] if scales is None else scales.view(np.uint32).tolist()
            ) == bits(case["input_scales"]).tolist()
    attached = found.tensor.parts.get("input_scales", np.empty(0, np.float32))
    assert attached.view(np.uint32).tolist() == bits(case["attached"]).tolist()
    for name, expected in case["figures"].items():
        assert getattr(found.figures, name) == pytest.approx(expected, rel=1e-9), name


def test_optimization_cases_cover_every_method():
    methods = {case["options"]["method"] for case in cases("optimization.json")}
    assert methods == {method.value for method in bq.OptimizationMethod}


def test_calibration_cases_cover_every_method_and_statistic():
    found = cases("calibration.json")
    methods = {case["options"].get("method", "minmax") for case in found}
    assert methods == set(next(option.values for option in bq.calibration_options()
                               if option.name == "method"))
    assert {name for case in found for name in case["all_channels"]} == set(bq.statistics())


def test_vectors_are_what_the_generator_writes(tmp_path):
    subprocess.run([sys.executable, str(VECTORS / "generate.py"), str(tmp_path)], check=True)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in VECTORS.glob("*.json"))
    for name in written:
        assert (tmp_path / name).read_bytes() == (VECTORS / name).read_bytes(), name
