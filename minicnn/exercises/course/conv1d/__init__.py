"""A network of a one-dimensional convolution, ReLU, a mean and a dense layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...exercise import Exercise, Part
from ...grading import Function, Work, doctor, equal, given, normal, results
from . import solution

LAYER = ("dx", "dkernel", "dbias")
NETWORK = ("network: dx", "network: dkernel1", "network: dbias1", "network: dkernel2", "network: dbias2")
GIVEN = ("relu", "dense")


def check(work: Work) -> Iterator[Part]:
    """The layer, then the network, each with its forward first and the doctor after it."""
    forward = work.function("conv1d", "x", "kernel", "bias")
    backward = work.function("conv1d_backward", "dy", "saved")
    network = work.function("network", "x", "kernel1", "bias1", "kernel2", "bias2")
    network_backward = work.function("network_backward", "dlogits", "saved")
    layer = normal(0, (2, 6, 3), (3, 3, 4), (4,))
    yield (part := _compared("y", forward, layer, solution.conv1d))
    work.stop_unless(part)
    yield from (parts := list(doctor(forward, backward, [layer], LAYER)))
    work.stop_unless(*parts)
    given("relu", work.function("relu", "x")(layer[0])[0], solution.relu(layer[0])[0])
    given("dense", work.function("dense", "x", "kernel", "bias")(*_dense())[0], solution.dense(*_dense())[0])
    whole = normal(1, (3, 9, 5), (2, 5, 4), (4,), (4, 6), (6,))  # and OL is 8: no length comes twice
    yield (part := _compared("logits", network, whole, solution.network))
    work.stop_unless(part)
    yield from doctor(network, network_backward, [whole], NETWORK)


def _dense() -> list[np.ndarray]:
    return normal(2, (3, 4), (4, 5), (5,))


def _compared(name: str, function: Function, arrays: list[np.ndarray], right: Function) -> Part:
    y, _ = results(function, [a.copy() for a in arrays], (name, "saved"))
    return equal(name, y, right(*arrays)[0], f"For x {arrays[0].shape} and a kernel {arrays[1].shape}.")


HINTS = """
In conv1d a loop over the K places of the kernel is enough: at the place i, all outputs at once get
x[:, i : i + OL, :] @ kernel[i], (N, OL, C) times (C, F). Start y with the bias: np.zeros((N, OL, F)) + bias.

Its backward has the same loop. At the place i, dx[:, i : i + OL, :] += dy @ kernel[i].T. For dkernel[i], both x and
dy have the axes n and p in common: np.einsum("npc,npf->cf", x[:, i : i + OL, :], dy), or reshape both to (N · OL,
…) and multiply.

network: z, saved1 = conv1d(x, kernel1, bias1); a, saved2 = relu(z); m = a.mean(axis=1), (N, F); logits, saved3 =
dense(m, kernel2, bias2). Keep the three saved, and the length OL, in saved.

network_backward takes the same way back: dense_backward gives dm, dkernel2, dbias2. Each of the OL positions has a
part 1/OL in the mean, so da[n, p, f] = dm[n, f] / OL for every p: np.repeat(dm[:, None, :] / OL, OL, axis=1). Then
relu_backward, then conv1d_backward.
"""

PRAISE = """
You have written a convolutional network and its whole backpropagation. The Baseline of minicnn's examples is such a
network: it reads an image of Fashion-MNIST as a sequence of 28 rows. With exercises 3, 10 and 11 you could train
yours.
"""

EXERCISE = Exercise("conv1d", "A Conv1D network", ("y", *LAYER, "logits", *NETWORK), check, HINTS, PRAISE)
