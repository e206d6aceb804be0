"""Every operation again, in guarded memory full of NaNs: no result may depend on memory that was not written."""

from __future__ import annotations

import pytest
from test_gpu_operations import ABOUT_BACKENDS, backend  # noqa: F401

pytestmark = pytest.mark.usefixtures("guarded")

globals().update(ABOUT_BACKENDS)
