"""Files of other ecosystems (tests/golden/interchange) are model files like any other, and
written as they are read."""
import json
import re

import bitnet_quant as bq
import numpy as np
import pytest
from conftest import ROOT

GOLDEN = ROOT / "tests" / "golden" / "interchange"
CASES = json.loads((GOLDEN / "manifest.json").read_text("utf-8"))


LAYOUTS = [each.name for each in bq.layouts() if each.readable and each.writable]


def assert_same_bytes(got, expected):
    """Also of zeros' signs, and of NaNs."""
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    assert got.tobytes() == expected.tobytes()


def values_of(path):
    with bq.open_file(path) as file:
        return {name: tensor.dequantize() if isinstance(tensor, bq.QuantizedTensor) else tensor
                for name, tensor in file.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_they_are_read_to_the_last_bit(case, tmp_path):
    path = GOLDEN / case["path"]
    if case["options"]:  # what files do not say is said to an import
        path = tmp_path / "imported.bnq"
        bq.import_file(GOLDEN / case["path"], path, **case["options"])
    with bq.open_file(path) as file, bq.open_file(GOLDEN / case["expected"]) as expected:
        assert set(file) == set(expected)
        for name, values in expected.items():
            tensor = file[name]
            if isinstance(tensor, bq.QuantizedTensor):
                tensor = tensor.dequantize()
            assert_same_bytes(tensor, values)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_an_export_calls_exact_is(case, layout, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    (ours / "config.json").write_text('{"model_type": "none"}')
    bq.import_file(GOLDEN / case["path"], ours / "model.bnq", **case["options"])
    planned = bq.export_file(ours, None, layout, dry_run=True)
    refused = [row.name for row in planned if row.verdict == "not representable"]
    if refused:
        with pytest.raises(bq.UnsupportedError, match=re.escape(refused[0])):
            bq.export_file(ours, theirs, layout)
        assert not theirs.exists()
        return
    report = bq.export_file(ours, theirs, layout)
    assert [(row.name, row.verdict) for row in report] == \
        [(row.name, row.verdict) for row in planned]
    before, after = values_of(ours), values_of(theirs)
    for row in report:
        if row.verdict == "exact":
            renamed = re.search('named "(.*)" there', row.note or "")
            name = renamed[1] if renamed else row.name
            assert_same_bytes(after[name], before[row.name])
