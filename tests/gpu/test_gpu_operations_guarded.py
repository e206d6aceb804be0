"""Every operation again, in memory whose borders fault and which is full of NaNs: nothing may be read unwritten."""

from __future__ import annotations

import pytest
from test_gpu_operations import ABOUT_BACKENDS, backend  # noqa: F401

pytestmark = pytest.mark.usefixtures("guarded")

globals().update(ABOUT_BACKENDS)
