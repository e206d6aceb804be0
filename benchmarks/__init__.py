"""minicnn compared with other libraries (rivals): the same networks, verified as equal, then timed in turns.

    python -m benchmarks --quick

rival          the interface of a rival: build, train, predict, return weights
rivals/        one file for each library; a new file here is a new rival
worker         the process of a rival; it communicates in lines of JSON
workers        the driver's side: starts the workers, sends them requests
environments   the rivals' virtual environments, with pinned versions
networks       the networks: the seven models, a standard CNN, networks to scale
agreement      checks before the timing that outputs and gradients are equal
rounds         turns A B A B, medians and spread
measures/      one file for each measurement: training, inference, start-up, …
results        the measurements, as JSON
report         the measurements, as a page; figures draws them

Rivals, and the modules that their workers import, do not import minicnn: their environments do not have it.
"""
