"""Every operation again, on a device that does nothing before the program synchronises."""

from __future__ import annotations

import pytest
from test_gpu_operations import ABOUT_BACKENDS, backend  # noqa: F401

pytestmark = pytest.mark.usefixtures("lazily")

globals().update(ABOUT_BACKENDS)
