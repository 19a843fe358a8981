"""Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), the counter-based generator of stochastic rounding.

SPDX-License-Identifier: MIT
"""
import numpy as np

WORD = 2**32 - 1


def philox4x32_10(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & WORD, a >> 32 ^ c[3] ^ k[1], a & WORD]
        k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
    return c


def uniform(seed, index):
    """The number in [0, 1), of 24 bits, that belongs to an element."""
    block = index // 4
    words = philox4x32_10((block & WORD, block >> 32, 0, 0), (seed & WORD, seed >> 32))
    return np.float32(words[index % 4] >> 8) * np.float32(2.0**-24)


def check():
    """The known answers that its authors publish (Random123, kat_vectors)."""
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0]
    known = [
        ([0] * 6, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([WORD] * 6, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (pi, [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
    ]
    for words, answer in known:
        assert philox4x32_10(words[:4], words[4:]) == answer, words
