"""python -m examples.reproduce: see __init__.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the examples import each other as scripts do

from .program import main

main()
