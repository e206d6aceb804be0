"""The network of the lab, and the mistakes that are planted into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import minicnn
from minicnn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D

from .planting import planted

LAYERS: dict[str, tuple[Callable[[], Layer], tuple[int, ...]]] = {
    "first convolution": (lambda: Conv2D(8, 3, activation="relu"), (3, 7, 6, 1)),
    "pooling": (lambda: MaxPooling2D(3, strides=2), (3, 8, 7, 2)),
    "convolution": (lambda: Conv2D(16, 3, activation="relu"), (3, 7, 6, 2)),
    "batch norm": (lambda: BatchNormalization(momentum=0.9), (3, 5, 4, 2)),
    "flatten": (Flatten, (3, 4, 2)),
    "dropout": (lambda: Dropout(0.3), (3, 40)),
    "dense": (lambda: Dense(64, activation="relu"), (4, 5)),
    "logits": (lambda: Dense(10), (4, 5)),
}
"""The layers, and for each the shape of a small input for the doctor."""


@dataclass(frozen=True)
class Bug:
    """A mistake in a layer's gradient, in the loss or in an optimiser's step."""

    place: str
    """A layer of the network, "loss", or the rule of an optimiser, "adam" or "momentum"."""
    name: str
    """The identifier in the catalogue."""
    role: str = "x"
    """The gradient that is wrong: "x" or a parameter of the layer."""

    @property
    def key(self) -> str:
        return f"{self.place}: {self.name} in {self.role}"


BUGS = (
    Bug("loss", "losses.target-not-subtracted"),
    Bug("loss", "losses.softmax-over-samples"),
    Bug("loss", "losses.sigmoid-for-softmax"),
    Bug("loss", "shapes.batch-mean-forgotten"),
    Bug("loss", "shapes.sign-flipped"),
    Bug("dense", "dense.one-x-for-all-first", "kernel"),
    Bug("dense", "activations.activation-forgotten-in-dx"),
    Bug("dense", "shapes.all-zeros"),
    Bug("dense", "shapes.all-zeros", "bias"),
    Bug("dropout", "dropout.mask-forgotten"),
    Bug("dropout", "dropout.scale-forgotten"),
    Bug("batch norm", "normalization.path-through-mean-missing"),
    Bug("batch norm", "normalization.both-paths-missing"),
    Bug("batch norm", "normalization.std-forgotten"),
    Bug("batch norm", "normalization.dgamma-of-x", "gamma"),
    Bug("convolution", "convolution.dkernel-flipped-0-1", "kernel"),
    Bug("convolution", "convolution.dkernel-assigned", "kernel"),
    Bug("convolution", "activations.activation-forgotten-in-dkernel", "kernel"),
    Bug("convolution", "shapes.mean-over-batch", "kernel"),
    Bug("convolution", "shapes.only-one-sample-last", "kernel"),
    Bug("convolution", "convolution.dx-assigned"),
    Bug("convolution", "convolution.kernel-flipped-0-1"),
    Bug("convolution", "shapes.sign-flipped"),
    Bug("pooling", "pooling.window-assigned"),
    Bug("pooling", "pooling.whole-window"),
    Bug("pooling", "pooling.argmin"),
    Bug("pooling", "pooling.row-and-column-exchanged"),
    Bug("adam", "optimizers.bias-not-corrected"),
    Bug("adam", "optimizers.epsilon-inside-root"),
    Bug("adam", "optimizers.root-forgotten"),
    Bug("adam", "optimizers.betas-exchanged"),
    Bug("momentum", "optimizers.momentum-sign"),
    Bug("momentum", "optimizers.velocity-averaged"),
    Bug("momentum", "optimizers.old-velocity-used"),
)


def network(bug: Bug | None) -> minicnn.Sequential:
    """The network, in one of whose layers the bug is planted, unless it is none or in another place."""
    layers = {place: make() for place, (make, _) in LAYERS.items()}
    if bug is not None and bug.place in layers:
        planted(layers[bug.place], bug.name, bug.role)
    return minicnn.Sequential([minicnn.Input((28, 28, 1)), *layers.values()])
