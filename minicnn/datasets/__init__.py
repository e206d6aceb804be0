"""Fashion-MNIST: find, download, check and load it."""

from ..compatibility import reporter
from . import fashion_mnist
from .fashion_mnist import CLASS_NAMES, FashionMNIST, SampleDataWarning, load_fashion_mnist
from .idx import DataFileError
from .labels import to_categorical

__all__ = [
    "CLASS_NAMES",
    "DataFileError",
    "FashionMNIST",
    "SampleDataWarning",
    "fashion_mnist",
    "load_fashion_mnist",
    "to_categorical",
]

__getattr__ = reporter(__name__, __all__)
