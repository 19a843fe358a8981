"""bitnet_quant.torch where there is no torch."""
import os
import subprocess
import sys

from conftest import ROOT


def test_the_package_needs_no_torch_and_its_torch_says_that_it_does():
    script = ("import sys; sys.modules['torch'] = None; import bitnet_quant, bitnet_quant.engine, "
              "bitnet_quant.layers; assert 'bitnet_quant.torch' not in sys.modules\n"
              "try: import bitnet_quant.torch\n"
              "except ImportError as error: print(error)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          check=True, env={
                              **os.environ, "PYTHONPATH": str(ROOT / "bindings/python/src")})
    assert "bitnet_quant.torch needs torch, PyTorch 1.13 or newer" in done.stdout
