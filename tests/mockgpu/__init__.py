"""A pretend CUDA device: runs the unmodified CuPy wheel, and kernels in CUDA C, on this machine's processor.

    import mockgpu

    mockgpu.install()  # before anything imports cupy
    import cupy

    with mockgpu.knobs(order=2, guard=1):  # threads in shuffled order, guard pages around allocations
        ...
    print(mockgpu.counts()["launches"])

`docs/pretend-device.md` says how it works, what it proves and what it cannot prove. In the order of reading:
installing.py takes the steps; conditions.py says where it refuses to; pointers.py swaps CuPy's entrances to CUDA for
those of the device's core, whose C sources lie in core/; nvrtc.py stands in the place of NVIDIA's compiler, and
kernels.py compiles CUDA C with g++, with the headers of cuda/; cublas.py and products.py multiply matrices; refusals.py
makes what cannot be run raise.
"""

from .controls import counts, knobs, reset
from .errors import PretendDeviceError
from .installing import install, is_installed

__all__ = ["PretendDeviceError", "counts", "install", "is_installed", "knobs", "reset"]
