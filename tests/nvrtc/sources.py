"""The kernels of minicnn's GPU backend."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

KERNELS = "minicnn.backends.gpu.kernels"


def all_sources() -> dict[str, tuple[str, tuple[str, ...]]]:
    """CUDA C and the compiler's options of each source, by name."""
    if find_spec(KERNELS.rpartition(".")[0]) is None:
        raise SystemExit(f"nvrtc: expected the sources of {KERNELS}, and there is no such module.")
    import_module(KERNELS.rpartition(".")[0])  # its modules register their sources when they are imported
    return import_module(KERNELS).all_sources()
