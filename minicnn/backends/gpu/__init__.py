"""The GPU backend: the textbook's operations as CUDA C kernels of our own, a launch or two each.

kernels.py    how CUDA C becomes a kernel        products.py   the tiled matrix product that convolution and dense share
windows.py    where windows and pixels meet      memory.py     between host and device
"""

from ..operations import assemble

assemble(__name__)
