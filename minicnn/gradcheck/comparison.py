"""The comparison of one gradient of the backward with the numerical gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .functions import Function
from .numerical import Method

Differentiate = Callable[[Function, str, np.ndarray, Method], np.ndarray]

AXES_OF_INPUTS = {
    2: ("sample", "feature"),
    3: ("sample", "step", "channel"),
    4: ("sample", "row", "column", "channel"),
}
AXES_OF_KERNELS = {
    2: ("input", "output"),
    3: ("step", "input channel", "filter"),
    4: ("row", "column", "input channel", "filter"),
}


@dataclass
class Comparison:
    """The gradient with respect to one array: the backward's (`analytic`) and the numerical one (`expected`)."""

    function: Function
    argument: str
    method: Method
    y: np.ndarray
    dy: np.ndarray
    analytic: np.ndarray | None
    entries: np.ndarray
    """The flat indices of the entries that are compared."""
    differentiate: Differentiate

    @property
    def quantity(self) -> str:
        return self.function.quantity(self.argument)

    @property
    def value(self) -> np.ndarray:
        return self.function.arrays[self.argument]

    @property
    def is_input(self) -> bool:
        return self.argument == next(iter(self.function.arrays))

    @property
    def is_whole(self) -> bool:
        """Whether all entries are compared; only then can spatial patterns be recognised."""
        return len(self.entries) == self.value.size

    @cached_property
    def jacobian(self) -> np.ndarray:
        """∂y/∂a for each compared entry a: (entries, *y's shape)."""
        return self.differentiate(self.function, self.argument, self.entries, self.method)

    def true_gradient(self, dy: np.ndarray) -> np.ndarray:
        """The numerical gradient of the compared entries for this dy: (entries,)."""
        return np.tensordot(self.jacobian, dy, axes=dy.ndim)

    def true_gradient_now(self) -> np.ndarray:
        """The numerical gradient of the function in its present state, e.g. with one part changed: (entries,)."""
        jacobian = self.differentiate(self.function, self.argument, self.entries, self.method)
        return np.tensordot(jacobian, self.dy, axes=self.dy.ndim)

    @cached_property
    def expected(self) -> np.ndarray:
        """The numerical gradient of the compared entries: (entries,)."""
        return self.true_gradient(self.dy)

    @property
    def found(self) -> np.ndarray:
        """The backward's gradient of the compared entries: (entries,)."""
        assert self.analytic is not None
        return self.analytic.reshape(-1)[self.entries]

    @property
    def expected_array(self) -> np.ndarray:
        """The numerical gradient in its array's shape, if all entries are compared."""
        return self.expected.reshape(self.value.shape)

    @property
    def found_array(self) -> np.ndarray:
        """The backward's gradient in its array's shape, if all entries are compared."""
        return self.found.reshape(self.value.shape)

    @property
    def noise(self) -> float:
        """Differences up to this size are rounding errors of the numerical gradient."""
        return self.method.noise * float(np.abs(self.dy * self.y).sum() + 1e-100)  # more than 0, even where y is 0

    @cached_property
    def error(self) -> float:
        """max |found − expected|, relative to the gradient's largest entry; infinite if they can't be compared."""
        if self.analytic is None or self.analytic.shape != self.value.shape or not np.isfinite(self.analytic).all():
            return np.inf
        floor = self.noise / self.method.tolerance
        return float(np.abs(self.found - self.expected).max() / (self._scale(self.found, self.expected) + floor))

    @property
    def is_wrong(self) -> bool:
        return not self.error <= self.method.tolerance

    @cached_property
    def wrong(self) -> np.ndarray:
        """Which entries are wrong, in the gradient's shape."""
        scale = self._scale(self.found, self.expected)
        return np.abs(self.found_array - self.expected_array) > self.method.tolerance * scale + self.noise

    def axis_name(self, axis: int) -> str:
        """The name of an axis of x or of a kernel, derived from the number of axes."""
        names = AXES_OF_INPUTS if self.is_input else AXES_OF_KERNELS
        rank = self.value.ndim
        return names[rank][axis] if rank in names else f"entry of axis {axis}"

    def alike(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether two arrays, not all zero, are equal within ten times the accuracy of numerical gradients."""
        scale = self._scale(a, b)
        if a.shape != b.shape or scale <= 10 * self.noise:
            return False
        return bool(np.abs(a - b).max() <= 10 * (self.method.tolerance * scale + self.noise))

    @staticmethod
    def _scale(a: np.ndarray, b: np.ndarray) -> float:
        return float(max(np.abs(a).max(initial=0), np.abs(b).max(initial=0)))
