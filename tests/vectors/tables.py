"""The 4-bit floating-point formats of bitsandbytes, as bits.

A table made anew from its definition differs in last bits, so they are copied.

SPDX-License-Identifier: MIT
"""
import numpy as np

F32 = np.float32


def _floats(words):
    return np.array([int(w, 16) for w in words.split()], np.uint32).view(F32)


NF4 = _floats("BF800000 BF3239B1 BF066B30 BECA32A0 BE91A24D BE3D353F BDBA7871 00000000 "
              "3DA2FAFF 3E24CAE3 3E7C04DD 3EAD033A 3EE1A4B8 3F1007AB 3F3913B3 3F800000")
# Above threshold i the code is i + 1 or more: the literals of its CUDA kernel, as
# a C compiler reads them. Four are not the float32 midpoints of the codes next to
# them (-0.8480964004993439f is nearer to zero by a bit when it is read as a double
# first), which is why these are bits too.
NF4_THRESHOLDS = _floats("BF591CD9 BF1C5270 BEEB8480 BEADEA76 BE703CEC BE0D38BC BD3A7871 "
                         "3D22FAFF 3DF64863 3E5067E0 3E9582D4 3EC753F9 3F006D03 3F248DAF "
                         "3F5C89D9")

# Bit 3 is the sign; the magnitudes are not in the order of their codes.
FP4 = _floats("00000000 3BAAAAAB 3F2AAAAB 3F800000 3EAAAAAB 3F000000 3E2AAAAB 3E800000 "
              "80000000 BBAAAAAB BF2AAAAB BF800000 BEAAAAAB BF000000 BE2AAAAB BE800000")
# The literals of its CUDA kernel, not all of which are midpoints, with the
# codes between them.
FP4_THRESHOLDS = np.array([0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667,
                           0.583333, 0.8333333], F32)
FP4_CODES = np.array([0, 1, 6, 7, 4, 5, 2, 3])

TABLES = {"nf4": NF4, "fp4": FP4}
ZERO_CODE = {"nf4": 7, "fp4": 0}


def encode(v, format):
    """The codes of values within -1..1, or beyond it of the ends."""
    if format == "nf4":
        return (v[:, None] > NF4_THRESHOLDS).sum(axis=1)
    # The kernel is compiled so that a subnormal number is 0, without a sign.
    negative = v <= -np.finfo(F32).tiny
    return FP4_CODES[(np.abs(v)[:, None] > FP4_THRESHOLDS).sum(axis=1)] + 8 * negative


def check():
    middles = (NF4[1:].astype(np.float64) + NF4[:-1]) / 2
    assert (np.abs(NF4_THRESHOLDS - middles) <= np.spacing(np.abs(NF4_THRESHOLDS)) / 2).all()
    raw = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3], F32) / F32(12)
    assert (FP4[:8] == raw).all() and (FP4[8:] == -raw).all()
    assert (np.diff(FP4[FP4_CODES]) > 0).all()
    for name, table in TABLES.items():
        assert (encode(table, name) == np.where(table == 0, ZERO_CODE[name],
                                                np.arange(16))).all()
