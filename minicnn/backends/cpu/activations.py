"""Activations as layers of their own: one pass each in NumPy already, and rarely met (the others are fused)."""

from ..textbook import activation, activation_backward, rectify, rectify_backward

__all__ = ["activation", "activation_backward", "rectify", "rectify_backward"]
