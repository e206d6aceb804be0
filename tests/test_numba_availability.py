"""If Numba is missing, broken, untested or switched off, one sentence says why, and the textbook computes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minicnn.backends.availability import NUMBA_VERSIONS

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("numba")

# argv[1] runs before minicnn looks for Numba. The default is chosen twice: the sentence must appear once.
SCRIPT = """
import sys, warnings
exec(sys.argv[1])
import numpy as np, minicnn
from minicnn.layers import Dense
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    y = Dense(2).forward(np.ones((1, 3), np.float32))
    Dense(2).forward(y)
assert minicnn.backend_name() == "numpy" and y.shape == (1, 2)
assert len(caught) == 1, caught
print(caught[0].message)
try:
    minicnn.use_backend("numba")
except minicnn.BackendError as error:
    print(error)
"""

TROUBLE = {
    "switched off": ("import os; os.environ['NUMBA_DISABLE_JIT'] = '1'", "NUMBA_DISABLE_JIT switches off: unset it"),
    "an unknown threading layer": (
        "import os; os.environ['NUMBA_THREADING_LAYER'] = 'x'", "NUMBA_THREADING_LAYER names 'x'"
    ),
    "a threading layer that is not installed": (
        "import os, sys; os.environ['NUMBA_THREADING_LAYER'] = 'tbb'; sys.modules['numba.np.ufunc.tbbpool'] = None",
        "NUMBA_THREADING_LAYER names 'tbb'",
    ),
    "too old": ("import numba; numba.__version__ = '0.60.0'", r"below 0\.\d+; this is Numba 0\.60\.0"),
    "too new": (f"import numba; numba.__version__ = '{NUMBA_VERSIONS[1]}rc1'", "Numba .*rc1. Install another"),
    "a private class that is gone": (
        "import numba.core.caching as c; del c.NullCache",
        "a small kernel fails: ImportError: cannot import name 'NullCache'",
    ),
    "a private function that is gone": (
        "import numba.core.compiler as c; del c.CompileResult._reduce, c.CompileResult._rebuild",
        "a small kernel fails: AttributeError: .*_re",
    ),
    "wrong results": (
        "import minicnn.backends.cpu as cpu; cpu.dropout = lambda x, *_: (x, None)", "compiles a small kernel wrongly"
    ),
}  # fmt: skip


def sentences(trouble: str, *paths: Path) -> list[str]:
    """What the textbook's warning and the numba backend's refusal say; nothing else may be said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT)))}
    command = [sys.executable, "-c", SCRIPT, trouble]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    warning, refusal = done.stdout.splitlines()
    assert warning.startswith("minicnn computes with plain NumPy, many times slower. ")
    assert warning.endswith(refusal)
    return [warning, refusal]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_the_textbook_computes_after_one_sentence(trouble):
    spoil, reason = TROUBLE[trouble]
    assert re.search(reason, sentences(spoil)[1])


def test_a_numba_that_cannot_be_imported(tmp_path):
    """Numba's own error for a NumPy that is too new for it."""
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.4 or less. Got NumPy 2.9.')")
    refusal = sentences("pass", tmp_path)[1]
    assert "cannot be imported: ImportError: Numba needs NumPy 2.4 or less. Got NumPy 2.9. Try: pip install" in refusal


def test_the_tested_versions_are_those_that_are_installed():
    first, end = NUMBA_VERSIONS
    assert f'"numba>={first},<{end}"' in (ROOT / "pyproject.toml").read_text("utf-8")
