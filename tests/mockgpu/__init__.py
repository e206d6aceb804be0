"""A pretend CUDA device: runs the unmodified CuPy wheel, and kernels in CUDA C, on this machine's processor.

    import mockgpu

    mockgpu.install()  # before anything imports cupy
    import cupy

    with mockgpu.knobs(order=2, guard=1):  # threads in shuffled order, guard pages around allocations
        ...
    print(mockgpu.counts()["launches"])

`docs/pretend-device.md` says how it works, what it proves and what it cannot prove. The files,
in the order of reading: installing.py installs it step by step; conditions.py says where it cannot be installed;
pointers.py replaces CuPy's entry points to CUDA by those of the device's core, whose C sources are in core/; nvrtc.py
replaces NVIDIA's compiler, and kernels.py compiles CUDA C with g++ and the headers in cuda/; cublas.py and products.py
multiply matrices; refusals.py makes everything else raise.
"""

from .controls import counts, knobs, reset
from .errors import PretendDeviceError
from .installing import install, is_installed

__all__ = ["PretendDeviceError", "counts", "install", "is_installed", "knobs", "reset"]
