"""Fashion-MNIST, MNIST and CIFAR-10: find, download, check and load them."""

from ..compatibility import reporter
from . import cifar10, fashion_mnist, mnist
from .fashion_mnist import CLASS_NAMES, FashionMNIST, SampleDataWarning, load_fashion_mnist
from .idx import DataFileError
from .labels import to_categorical

__all__ = [
    "CLASS_NAMES",
    "DataFileError",
    "FashionMNIST",
    "SampleDataWarning",
    "cifar10",
    "fashion_mnist",
    "load_fashion_mnist",
    "mnist",
    "to_categorical",
]

__getattr__ = reporter(__name__, __all__)
