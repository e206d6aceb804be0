"""Geometry of sliding windows, shared by layers and backends: output length and padding, as in TensorFlow."""

from __future__ import annotations


def output_length(length: int, window: int, stride: int, padding: str) -> int:
    """How many windows fit along an axis.

    valid: floor((length − window) / stride) + 1        same: ceil(length / stride)
    """
    if padding == "same":
        return -(-length // stride)
    return (length - window) // stride + 1


def pad_amounts(length: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """How many elements to pad before and after an axis; "same" puts an odd one at the end, as TensorFlow does."""
    if padding == "valid":
        return 0, 0
    windows = output_length(length, window, stride, padding)
    total = max((windows - 1) * stride + window - length, 0)
    return total // 2, total - total // 2
