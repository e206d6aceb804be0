"""Finds out what works on this machine, what does not, and why: python -m minicnn.doctor.

machine.py       versions, processors, backends
cases.py         one small input for every operation of the contract
checks.py        the operations: comparison with the textbook, and times
networks.py      a training step of each of the report's seven models
rounding.py      float32 compared with TF32, on the GPU
examination.py   all of it as one dictionary; report.py: as JSON; text.py: for a terminal

    findings = examine()             # a dictionary, as in the JSON report
    findings["failures"]             # empty if everything works
"""

from .examination import examine

__all__ = ["examine"]
