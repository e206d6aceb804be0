"""minicnn against its rivals: the same networks, proven equal, then timed in turns.

    python -m benchmarks --quick

rival          what a rival has to do: build, train, predict, show its weights
rivals/        one file for each library; a new file here is a new rival
worker         the process that a rival lives in; it talks in lines of JSON
crew           the driver's side: starts the workers, passes questions on
environments   the rivals' virtual environments, pinned
networks       what is built: the seven models, and layers to scale
agreement      no timing before outputs and gradients are equal
rounds         A B A B, medians and spread
measures/      one file for each question: training, inference, start-up, …
results        the figures, as JSON
report         the figures, as a page; figures draws them

Rivals, and what their workers import, know nothing of minicnn: their environments do not have it.
"""
