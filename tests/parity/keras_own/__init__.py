"""Runs Keras's own tests on minicnn: `python -m tests.parity.keras_own`, a part of `make parity`.

names.py     which of Keras's test files are about names that minicnn has
stand_in.py  the package `keras` that these files import: minicnn behind Keras's names
arrays.py    its arrays, `keras.ops` and `keras.backend`: NumPy's
checks.py    its `TestCase`
plugin.py    writes down how each test ended
outcomes.py  passed, other words, not offered or failed, and why
__main__.py  runs the files in a process of their own and prints the share
"""
