"""minicnn: convolutional networks from scratch, to read, to check and to train."""

__version__ = "0.1.0"
