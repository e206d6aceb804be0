"""The GPU backend: the textbook's operations as CUDA C kernels, one or two launches each.

kernels.py    compiling and launching CUDA C     products.py   the tiled GEMM of convolution and dense
windows.py    window and pixel indices           memory.py     transfer between host and device
naive_conv.py the convolution without tiles      failures.py   errors of CUDA and CuPy as BackendError
"""

from ..operations import assemble
from .failures import as_sentences

assemble(__name__, translated=as_sentences)
