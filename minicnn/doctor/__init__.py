"""What works on this machine, and what does not and why: python -m minicnn.doctor.

machine.py   versions, processors, backends     cases.py      one small input for every operation of the contract
checks.py    the operations, right and how fast networks.py   a training step of each of the report's seven models
report.py    all of it as JSON                  text.py       all of it for a terminal

    findings = examine()             # a dictionary, as in the JSON report
    findings["failures"]             # empty where everything works
"""

from .examination import examine

__all__ = ["examine"]
