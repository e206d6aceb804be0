"""The textbook backend, the specification: each operation and its backward in plain NumPy, with all shapes."""

from ..operations import assemble

assemble(__name__)
