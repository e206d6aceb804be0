"""Dropout with a counter-based generator: the mask is a function of (seed, call, index), nothing has to be stored.

The same numbers come out in every backend, on every thread count, and again when training resumes.
"""

from __future__ import annotations

import numpy as np

from ..contract import Array, Saved


def mix(bits: Array) -> Array:
    """Scramble 32-bit integers so that every input bit reaches every output bit (C. Wellons' lowbias32, 2018)."""
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D)
    bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B)
    return bits ^ (bits >> np.uint32(16))


def stream_keys(seed: int, call: int) -> tuple[int, int]:
    """The two 32-bit keys of one dropout call: streams of other calls and other layers share nothing with it."""
    low, high = np.uint32(seed & 0xFFFFFFFF), np.uint32((seed >> 32) & 0xFFFFFFFF)
    words = np.array([low, np.uint32(call & 0xFFFFFFFF)], np.uint32)
    first = mix(words[:1] ^ mix(words[1:] ^ mix(np.array([high], np.uint32))))
    return int(first[0]), int(mix(first + np.uint32(0x9E3779B9))[0])


def random_bits(seed: int, call: int, indices: Array) -> Array:
    """A uniform 32-bit integer for each index: bits[i] = mix(mix(i ⊕ key₁) + key₂)."""
    key1, key2 = stream_keys(seed, call)
    return mix(mix(indices.astype(np.uint32) ^ np.uint32(key1)) + np.uint32(key2))


def keep_threshold(rate: float) -> int:
    """Elements whose random bits reach this are kept: a share `rate` of all 2³² values lies below it."""
    return min(int(rate * 2**32), 2**32 - 1)


def dropout(x: Array, rate: float, seed: int, call: int) -> tuple[Array, Saved]:
    """Silence each element with probability `rate`, scale the others by 1 / (1 − rate) so that the mean stays.

    y = x · mask, mask[i] = 1 / (1 − rate) where kept, else 0 (inverted dropout; Srivastava et al., 2014)
    x of any shape -> y of the same shape
    """
    kept = random_bits(seed, call, np.arange(x.size)).reshape(x.shape) >= np.uint32(keep_threshold(rate))
    mask = kept * x.real.dtype.type(1 / (1 - rate))
    return x * mask, mask


def dropout_backward(dy: Array, saved: Saved) -> Array:
    """dx = dy · mask: what was silenced gets nothing, what was scaled is scaled again."""
    return dy * saved
