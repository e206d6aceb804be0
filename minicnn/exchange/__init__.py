"""Models arrive from other frameworks and leave for them: ONNX, Keras's files, PyTorch's state dicts.

Nothing in a file is ever executed, and a damaged or foreign file is a ModelFileError.
"""

from .onnx import export_onnx
from .pytorch import load_pytorch, save_pytorch

__all__ = ["export_onnx", "load_pytorch", "save_pytorch"]
