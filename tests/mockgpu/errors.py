"""The error that the pretend device raises."""

from __future__ import annotations


class PretendDeviceError(RuntimeError):
    """A program did what a GPU would punish, or asked for what the pretend device does not have."""
