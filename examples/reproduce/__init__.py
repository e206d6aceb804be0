"""The whole report again: its models over several seeds, ensembles, a support vector machine, every figure.

options      the command line
variants     what the text leaves open, as networks
network      one training, resumable after every epoch
svm          support vector machines
plan         all trainings, in order
progress     what is done, and the time left for the whole
results      all numbers, from the saved predictions
verdicts     whether a row of the report is reproduced
figures      the figures
document     the parts of a text; content and contradictions fill them
page         the text as HTML; markdown as Markdown
program      all of it, from the command line to the page
keras_reference   the same models in Keras: a program of its own
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the examples import each other as scripts do
