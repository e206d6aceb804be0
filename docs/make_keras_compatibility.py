"""Writes docs/keras-compatibility.md: python docs/make_keras_compatibility.py"""

from __future__ import annotations

from pathlib import Path

from minicnn.compatibility import table

TARGET = Path(__file__).with_name("keras-compatibility.md")

HEADING = """# Keras's names in minicnn

Every public name of Keras 3 and whether minicnn has it. A script that uses only those runs
after `import minicnn as keras`. Arguments that minicnn does not have are accepted if they have Keras's default value.
This page is made from the modules themselves by `docs/make_keras_compatibility.py`; [Keras to minicnn](keras.md)
explains the larger differences.

Arrays are always channels last, `(N, H, W, C)`, Keras's default. `data_format="channels_first"` is not offered:
the kernels read all channels of a pixel at once, and a second order of axes would double the code to read.

"""

if __name__ == "__main__":
    TARGET.write_text(HEADING + table(), encoding="utf-8")
