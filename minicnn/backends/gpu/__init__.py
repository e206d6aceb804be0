"""The GPU backend: the textbook's operations as CUDA C kernels of our own, a launch or two each.

kernels.py    how CUDA C becomes a kernel        products.py   the tiled matrix product that convolution and dense share
windows.py    where windows and pixels meet      memory.py     between host and device
naive_conv.py the convolution for a first look   failures.py   what CUDA and CuPy raise, in sentences
"""

from ..operations import assemble
from .failures import as_sentences

assemble(__name__, translated=as_sentences)
