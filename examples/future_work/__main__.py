"""python -m examples.future_work: the report's future work, measured."""

from .program import main

main()
