"""The porting guides: what they show in Python runs."""
import re
import shutil

import numpy as np
import pytest

import bitnet_quant as bq
from conftest import DIGITS, ROOT

PAGES = sorted((ROOT / "bindings" / "porting").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_lines_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(DIGITS, "model.safetensors")
    rng = np.random.default_rng(0)
    names = {"bq": bq, "np": np, "weights": rng.standard_normal((64, 128), dtype=np.float32),
             "x": rng.standard_normal((4, 128), dtype=np.float32),
             "bias": np.zeros(64, np.float32),
             "batches": list(rng.standard_normal((3, 4, 128), dtype=np.float32))}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        if "bitnet_quant.torch" in block:
            torch = pytest.importorskip("torch")
            names["layer"] = torch.nn.Linear(128, 64)
            names["model"] = torch.nn.Sequential(torch.nn.Linear(128, 64))
        exec(compile(block, str(page), "exec"), names)
    if page.stem == "torch-quantization":
        assert isinstance(names["model"][0], bq.torch.QuantizedLinear)
        assert np.array_equal(names["codes"], names["tensor"].unpack())
        assert np.array_equal(names["fake"].values, names["values"])
        assert names["dx"].shape == names["fake"].values.shape


def test_the_index_names_every_page():
    text = (ROOT / "bindings" / "porting" / "README.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\S+\.md)\)", text)) == {
        page.name for page in PAGES if page.name != "README.md"}


def test_codes_of_bitsandbytes_are_these():
    """`nf4`, as the guide says: blocks of 64, absmax, two codes a byte, the first above."""
    values = np.linspace(-1, 1, 128, dtype=np.float32) * np.repeat([2, 3], 64).astype(np.float32)
    tensor = bq.quantize(values, "nf4")
    assert list(tensor.scales) == [np.abs(values[:64]).max(), np.abs(values[64:]).max()]
    codes = tensor.unpack()
    assert np.array_equal(tensor.codes, (codes[::2] << 4 | codes[1::2]).astype(np.uint8))
