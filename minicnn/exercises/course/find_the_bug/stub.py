"""Exercise 13: find the bug.

The forwards in this file are right. In each of the five backwards there is one mistake, drawn from the catalogue of
mistakes that people really make. All of them run without an error, and most of the networks would train. Your
folder has its own draw.

A bug is found faster with an experiment than by reading. The gradient check that grades you is a function:

    import numpy as np
    from minicnn.gradcheck import check_operation

    rng = np.random.default_rng(0)
    x, kernel, bias = rng.standard_normal((5, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    report = check_operation(dense, dense_backward, x, kernel, bias)
    print([(found.quantity, found.verdict) for found in report.findings])

print(report) shows what the check knows about the cause, too: try without it first. Which of the gradients is
wrong? Is it wrong for one sample, for a stride as large as the window, for a kernel with a single 1?

YOUR TASK: mend the five backwards. The formulas are those of exercises 1 to 8. Then run

    python -m minicnn.exercises check find_the_bug
"""
