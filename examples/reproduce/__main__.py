"""python -m examples.reproduce: the whole report again."""

from .program import main

main()
