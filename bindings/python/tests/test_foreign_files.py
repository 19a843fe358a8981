"""Files of other ecosystems (tests/golden/interchange) are model files like any other."""
import json

import bitnet_quant as bq
import numpy as np
import pytest
from conftest import ROOT

GOLDEN = ROOT / "tests" / "golden" / "interchange"
CASES = json.loads((GOLDEN / "manifest.json").read_text("utf-8"))


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
            assert tensor.dtype == values.dtype
            np.testing.assert_array_equal(tensor, values)
