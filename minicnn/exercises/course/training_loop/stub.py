"""Exercise 11: the training loop.

One epoch goes through all samples once, in a random order, in batches. For each batch:

    logits ← forward             x to the output of the network
    loss   ← the loss of logits and labels
    dy     ← its gradient with respect to the logits
    backward with dy             now every parameter has its gradient
    step                         the optimiser changes every parameter

    x        (N, …)    the samples
    labels   (N,)      their classes

The objects are minicnn's; these are the methods that you need:

    model.forward(x, training=True) -> logits      loss.forward(labels, logits) -> a number
    model.backward(dy)                             loss.backward() -> dy
    model.parameters()                             optimizer.step(parameters)

Three things are easily forgotten. The order has to be drawn anew in each epoch: rng.permutation(N) has the numbers
from 0 to N − 1 in random order. The last batch is smaller if N is not a multiple of the batch size. And the loss of
a batch is a mean over its samples: what is the mean over the epoch, if the batches are not equally large?

YOUR TASK: complete train. It returns a list with the mean loss of each epoch. Then run

    python -m minicnn.exercises check training_loop
"""

import numpy as np


def train(model, loss, optimizer, x, labels, epochs, batch_size, rng):
    """Train the model in place -> the mean loss of each epoch, a list of numbers."""
    losses: list = []
    return losses
