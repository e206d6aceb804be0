"""The textbook backend: each operation and its backward in plain NumPy, shapes beside each line. The specification."""

from ..operations import assemble

assemble(__name__)
