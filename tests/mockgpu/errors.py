"""The error that the pretend device raises."""

from __future__ import annotations


class PretendDeviceError(RuntimeError):
    """A program made a mistake that is an error on a GPU, or used something that the pretend device does not have."""
