"""The maths of minicnn: one contract, three implementations.

contract.py      the operations that every backend offers      choice.py     the choice of a backend
operations.py    how a backend is assembled from its modules   transfer.py   between the memories of host and device
checks.py        every argument, against the contract          networks.py   the same for a network in inference
textbook/        NumPy, to be read                             cpu/, gpu/    Numba and CUDA, to be fast
"""

from .choice import (
    DEVICES,
    MODULES,
    active,
    backend_name,
    device_name,
    tf32_allowed,
    thread_limit,
    use_backend,
    use_device,
)
from .transfer import check_memory, to_device, to_host

__all__ = [
    "DEVICES",
    "MODULES",
    "active",
    "backend_name",
    "check_memory",
    "device_name",
    "tf32_allowed",
    "thread_limit",
    "to_device",
    "to_host",
    "use_backend",
    "use_device",
]
