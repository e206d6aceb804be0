"""Exercises that grade themselves: python -m minicnn.exercises start my-exercises.

`course/` has one folder for each exercise: the learner's stub, the solution, the hints and the check. `grading.py`
has what checks are made of; the gradient doctor is the grader. `worker.py` runs a check in a process of its own,
`runner.py` starts it with a time limit. `folder.py` keeps the learner's files and progress, `command_line.py` is the
program.
"""

from .course import COURSE
from .exercise import Exercise, Outcome, Part

__all__ = ["COURSE", "Exercise", "Outcome", "Part"]
