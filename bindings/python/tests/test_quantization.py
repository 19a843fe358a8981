"""Charl's names, by the integration tests of its report."""
import dataclasses

import numpy as np
import pytest

import bitnet_quant as bq
from bitnet_quant.quantization import (CalibrationMethod, Calibrator, QuantConfig,
                                       QuantGranularity, QuantizationMetrics, QuantizedTensor,
                                       QuantParams, QuantScheme, QuantType, dequantize,
                                       dequantize_tensor, post_training_quantization, quantize,
                                       quantize_tensor, quantize_tensor_auto,
                                       quantize_tensor_percentile)

HALVES = [QuantType.FP16, QuantType.BF16]


def noise(count):
    return np.random.default_rng(11).standard_normal(count, dtype=np.float32)


def test_numbers_by_the_formulas_of_the_report():
    int8 = QuantParams(0.5, 3, QuantType.INT8)
    for value, code in [(0.0, 3), (1.0, 5), (-2.3, -2), (1e9, 127), (-1e9, -128)]:
        assert quantize(value, int8) == code
        assert dequantize(code, int8) == (code - 3) * 0.5
    int4 = QuantParams(0.25, 0, QuantType.INT4)
    values = np.array([0.3, -0.6, 9.0, -9.0, 0.0], np.float32)
    assert list(quantize_tensor(values, int4)) == [1, -2, 7, -7, 0]
    # Codes that others made use the least one, too.
    assert list(dequantize_tensor([1, -8], int4)) == [0.25, -2.0]
    assert dequantize(-128, QuantParams(2.0, 0, QuantType.INT8)) == -256


@pytest.mark.parametrize("call, what", [
    (lambda: dequantize(8, QuantParams(0.25, 0, QuantType.INT4)), "8"),
    (lambda: dequantize(1000, QuantParams(0.5, 3, QuantType.INT8)), "1000"),
    (lambda: quantize(1.0, QuantParams(-1.0, 0, QuantType.INT8)), "scale"),
    (lambda: quantize(1.0, QuantParams(1.0, 300, QuantType.INT8)), "zero_point is 300"),
    (lambda: quantize(1.0, QuantParams(1.0, 9, QuantType.INT4)), "9"),
    (lambda: CalibrationMethod.Percentile(99.9), "99.9.*0.999"),
    (lambda: quantize_tensor_percentile(noise(4), (4,), QuantType.INT8, 99.9), "99.9.*0.999"),
    (lambda: QuantConfig.int4_per_group(0).to_config(), "group_size"),
    (lambda: quantize_tensor_auto(noise(4), (3,), QuantType.INT8), "3")])
def test_what_cannot_be_is_an_error_that_says_so(call, what):
    with pytest.raises(ValueError, match=what):
        call()


@pytest.mark.parametrize("quant_type", HALVES)
def test_halves_have_no_codes(quant_type):
    params = QuantParams(1.0, 0, quant_type)
    for call in (lambda: quantize(1.0, params), lambda: dequantize(1, params)):
        with pytest.raises(bq.UnsupportedError, match=quant_type.name):
            call()


def test_weights_are_as_small_and_as_good_as_the_report_says():
    weights, decibels = noise(10_000), {}
    for quant_type, reduction in ((QuantType.INT8, 4), (QuantType.INT4, 8), (QuantType.FP16, 2),
                                  (QuantType.BF16, 2)):
        made = quantize_tensor_auto(weights, (100, 100), quant_type)
        assert made.memory_reduction() == reduction and made.shape == (100, 100)
        assert made.packed == (quant_type == QuantType.INT4)
        assert made.size_bytes() * reduction == 40_000 and made.data.dtype == np.int8
        metrics = made.metrics(weights)
        assert isinstance(metrics, QuantizationMetrics)
        assert metrics.mse == pytest.approx(np.mean(
            (weights.reshape(100, 100) - made.dequantize().astype(np.float64)) ** 2))
        decibels[quant_type] = metrics.sqnr_db
        # Unpacked codes of the same parameters are the same tensor.
        if reduction >= 4:
            unpacked = QuantizedTensor(quantize_tensor(weights, made.params), made.shape,
                                       made.params, False)
            assert np.array_equal(unpacked.dequantize(), made.dequantize())
        with pytest.raises(ValueError):
            dataclasses.replace(made, shape=(99, 100)).dequantize()
    assert (decibels[QuantType.FP16] > decibels[QuantType.BF16] > decibels[QuantType.INT8]
            > decibels[QuantType.INT4])
    assert decibels[QuantType.INT8] > 30


def test_post_training_quantization_follows_its_calibration_data():
    weights = noise(5000)
    batches = np.split(weights, 10)
    auto = quantize_tensor_auto(weights, (5000,), QuantType.INT8)
    same = post_training_quantization(weights, batches, QuantType.INT8, CalibrationMethod.MinMax)
    assert same.params == auto.params and np.array_equal(same.data, auto.data)
    for method, most in ((CalibrationMethod.MovingAverageMinMax, 0.99),
                         (CalibrationMethod.Percentile(0.999), 0.99),
                         (CalibrationMethod.Histogram, 1)):  # nothing is to be clipped here
        made = post_training_quantization(weights, batches, QuantType.INT8, method)
        assert made.params.scale <= most * auto.params.scale
        assert made.metrics(weights).sqnr_db > 25
    histogram = post_training_quantization(weights, [np.append(weights, np.float32(40))],
                                           QuantType.INT8, CalibrationMethod.Histogram)
    assert histogram.params.scale < 10 / 127
    with pytest.raises(bq.NoDataError):
        post_training_quantization(weights, [], QuantType.INT8, CalibrationMethod.MinMax)
    for quant_type in HALVES:
        halves = post_training_quantization(weights, batches, quant_type,
                                            CalibrationMethod.MinMax)
        assert halves.params == QuantParams(1.0, 0, quant_type)
    calibrator = Calibrator(CalibrationMethod.MinMax, QuantType.INT8, False)
    calibrator.observe(np.array([-1, 3], np.float32))
    assert calibrator.compute_params().zero_point == -64
    calibrator.reset()
    with pytest.raises(bq.NoDataError):
        calibrator.compute_params()


def test_outliers_are_clipped_and_the_others_are_better_for_it():
    weights = noise(10_000)
    weights[::2000] = 100
    inliers = np.abs(weights) < 50

    def error(made):
        return np.sum((weights - made.dequantize())[inliers] ** 2)

    everything = quantize_tensor_auto(weights, (10_000,), QuantType.INT8)
    most = quantize_tensor_percentile(weights, (10_000,), QuantType.INT8, 0.999)
    assert error(most) < error(everything) / 10
    assert quantize_tensor_percentile(weights, (10_000,), QuantType.FP16, 0.999).params.scale == 1


def test_configs_are_the_librarys():
    for config, text in [
            (QuantConfig.int8_symmetric(), "int8,granularity=tensor"),
            (QuantConfig.int4_per_group(64), "int4,group_size=64"),
            (QuantConfig.fp16(), "f16"),
            (QuantConfig(QuantType.BF16, granularity=QuantGranularity.PerChannel), "bf16"),
            (QuantConfig(QuantType.INT8, QuantScheme.Asymmetric, QuantGranularity.PerChannel),
             "int8,scheme=asymmetric,granularity=channel")]:
        assert config.to_config() == bq.Config.from_text(text)
    tensor = QuantConfig(scheme=QuantScheme.Asymmetric,
                         granularity=QuantGranularity.PerChannel).quantize(
        noise(64).reshape(4, 16))
    assert tensor.zero_points.size == 4
    groups = QuantConfig.int4_per_group(128).quantize(noise(1000).reshape(1, -1))
    assert groups.scales.size == 8
