"""What released versions wrote (tests/golden) reads as it did, reports included."""
import json

import bitnet_quant as bq
import numpy as np
import pytest
from conftest import ROOT

RELEASES = sorted(path.parent for path in (ROOT / "tests" / "golden").glob("*/model.bnq"))


def test_there_are_releases():
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
@pytest.mark.parametrize("name", ["model.bnq", "compressed.bnq"])
def test_models(release, name):
    values = bq.open_file(release / "values.safetensors")
    read = set()
    with bq.open_file(release / name) as file:
        file.verify()
        assert file.metadata == {"origin": "tests/golden/generate.py"}
        for tensor, held in file.items():
            if isinstance(held, bq.QuantizedTensor):
                assert held.dequantize().tobytes() == values[tensor].tobytes(), tensor
                read.add(tensor)
        np.testing.assert_array_equal(file["plain.i64"], np.arange(5) - 2)
    assert read == set(values)


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_calibrations(release):
    expected = json.loads((release / "ranges.json").read_text("utf-8"))
    for key, ends in expected.items():
        method, name = key.split()
        calibration = bq.Calibration.load(release / f"calibration.{method}.bnq")
        found = [end[0].tobytes().hex() for end in calibration[name].range()]
        assert found == ends, key


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_reports_describe_the_file(release):
    """The report that was written then says what the file says now."""
    report = json.loads((release / "report.json").read_text("utf-8"))
    file = bq.open_file(release / "model.bnq")
    assert report["kind"] == file.kind and report["metadata"] == file.metadata
    assert {tensor["name"] for tensor in report["tensors"]} == set(file)
    for tensor in report["tensors"]:
        info = file.info(tensor["name"])
        assert tuple(tensor["shape"]) == info.shape
        if isinstance(file[tensor["name"]], bq.QuantizedTensor):
            assert tensor["format"] == info.format
            assert bq.Config.from_text(tensor["config"]) == file.config(tensor["name"])
