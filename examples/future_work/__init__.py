"""The report's future work, done and measured, on Model 5: what each idea brings, over several seeds.

recipes      the network with one change each: penalties, dropout, schedules, augmentation, …
training     one training of one recipe
searches     grid search and Bayesian search over learning rate and batch size, on held-out training images
transfer     seven classes first, then three new ones from few images
results      the JSON file: everything measured so far, nothing is measured twice
text         the page, from the JSON file
program      all of it, from the command line to the page
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the examples import each other as scripts do
