"""Sequential: layers in a row. Forward goes through them from first to last, backward from last to first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import saving
from .backends import to_device
from .backends.contract import Array
from .errors import explain
from .inference import infer
from .layers import Input, Layer, Parameter
from .layers.base import check_weights
from .random import draw_seed
from .summary import summary_text
from .training import Trainer


class Sequential(Trainer):
    """A stack of layers, with Keras's names and explicit gradients.

        model = Sequential([Input((28, 28, 1)), Conv2D(32, 3, activation="relu"), Flatten(), Dense(10)])
        y = model.forward(x, training=True)     # x (N, 28, 28, 1) -> y (N, 10)
        dx = model.backward(dy)                 # dy (N, 10) -> dx, and every parameter's grad

    Without an Input, the first batch decides the shapes.
    """

    def __init__(self, layers: Sequence[Layer | Input | Sequential] = (), *, name: str = "sequential") -> None:
        self.name = name
        self.layers: list[Layer] = []
        self.input_shape: tuple[int | None, ...] | None = None
        self.seed = draw_seed()
        for layer in layers:
            self.add(layer)

    def __init_subclass__(cls, **options: Any) -> None:
        """A class with another `forward` infers by it."""
        super().__init_subclass__(**options)
        if "forward" in vars(cls) and "infer" not in vars(cls):
            cls.infer = cls._forward_only  # type: ignore[method-assign]

    def add(self, layer: Layer | Input | Sequential) -> None:
        """Append a layer; another Sequential is appended layer by layer, sharing its weights.

        Raises ValueError or TypeError if the layer does not fit behind the others.
        """
        if isinstance(layer, Input):
            self._promise_input(layer.shape)
        elif isinstance(layer, Sequential):
            if layer.input_shape and not self.layers and not self.input_shape:
                self._promise_input(layer.input_shape[1:])
            for inner in layer.layers:
                self._append(inner)
        elif isinstance(layer, Layer):
            if layer.requested_input_shape and not self.layers:
                self._promise_input(layer.requested_input_shape)
            self._append(layer)
        else:
            raise TypeError(explain(self.name, "a layer", repr(layer), "Layers are objects: Flatten(), not Flatten."))
        self._build_what_can_be()

    def forward(self, x: Array, training: bool = False) -> Array:
        """y = model(x). x (N, …) of any real dtype is made the model's; training switches dropout and batch norm.

        Raises ValueError or TypeError, naming the layer, if x does not fit.
        """
        if not self.layers:
            raise RuntimeError(f"{self.name} has no layers yet. Call add(layer) first.")
        self.check_input(x)
        x = to_device(x, self.dtype)
        for layer in self.layers:
            x = layer.forward(x, training)
        self.input_shape = self.input_shape or self.layers[0].input_shape
        return x

    def infer(self, x: Array) -> Array:
        """y = model(x) where no backward follows: the same up to rounding, but faster, for nothing is kept.

        What an earlier forward kept stays, or is forgotten where only the layers themselves can do it.

        Raises what forward raises.
        """
        y = infer(self, x)
        return self._forward_only(x) if y is None else y

    def _forward_only(self, x: Array) -> Array:
        """forward, and what it kept forgotten."""
        y = self.forward(x)
        self._forget()
        return y

    def backward(self, dy: Array, need_dx: bool = True) -> Array | None:
        """Send the gradient by the output back through all layers; fills every parameter's `grad`, returns dx.

        With need_dx=False it stops at the first layer that has something to learn, and returns None.
        """
        learning = [index for index, layer in enumerate(self.layers) if layer.parameters()]
        last_stop = 0 if need_dx else min(learning, default=len(self.layers))
        for index in range(len(self.layers) - 1, last_stop - 1, -1):
            dy = self.layers[index].backward(dy, need_dx=need_dx or index > last_stop)
        return dy if need_dx else None

    def parameters(self) -> list[Parameter]:
        """What training moves, layer by layer: each has `name`, `value` and, after a backward, `grad`."""
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    @property
    def weights(self) -> list[Parameter]:
        """All weights in Keras's order: the parameters and batch norm's moving statistics."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def dtype(self) -> np.dtype:
        """The dtype that all layers compute in."""
        return self.layers[0].dtype

    @property
    def trainable(self) -> bool:
        """Whether any layer learns; setting it sets it for all layers."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = value

    @property
    def built(self) -> bool:
        return bool(self.layers) and all(layer.built for layer in self.layers)

    @property
    def output_shape(self) -> tuple[int | None, ...] | None:
        return self.layers[-1].output_shape if self.layers else None

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Build all layers for inputs of this shape, batch axis (None) included, as in Keras."""
        self._promise_input(tuple(input_shape)[1:])
        self._build_what_can_be()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name or at that index. Raises ValueError if there is none."""
        if index is not None and -len(self.layers) <= index < len(self.layers):
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise ValueError(explain(f"{self.name} get_layer", "the name or index of a layer", repr(name or index), names))

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in Keras's order and shapes."""
        return [array for layer in self.layers for array in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights, in Keras's order and shapes: mini.set_weights(keras_model.get_weights()) makes a twin.

        Raises ValueError if number or shapes differ; then nothing is changed.
        """
        rest = check_weights(self.name, self.weights, weights)
        for layer in self.layers:
            mine, rest = rest[: len(layer.weights)], rest[len(layer.weights) :]
            layer.set_weights(mine)

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        return sum(layer.count_params() for layer in self.layers)

    def summary(self, *, print_fn: Any = print) -> None:
        """Print Keras's table: layers, output shapes, numbers of parameters, totals."""
        print_fn(summary_text(self))

    def save(self, filepath: str | Path) -> None:
        """Write architecture, weights and the state of optimiser, random numbers and callbacks to a file for `load`.

        The file is in the safetensors format ("model.safetensors") and appears complete or not at all.
        Raises ValueError if there is something in the model that a file cannot hold, OSError if it cannot be written.
        """
        saving.save_model(self, filepath)

    @staticmethod
    def load(filepath: str | Path) -> Sequential:
        """The model that `save` wrote; training goes on bit for bit where it stopped, on the same backend.

        Raises OSError if the file cannot be read, ModelFileError if it is damaged or is not one of minicnn's.
        """
        return load_model(filepath)

    def save_weights(self, filepath: str | Path) -> None:
        """Write the weights alone to a file, as `save` does."""
        saving.save_weights(self, filepath)

    def load_weights(self, filepath: str | Path) -> None:
        """Read the weights from a file that save_weights or save wrote, into this model of the same architecture.

        Raises OSError or ModelFileError, and changes nothing, if they cannot be read or are not of the same names,
        shapes and dtypes.
        """
        saving.load_weights(self, filepath)

    def __call__(self, x: Array, training: bool = False) -> Array:
        return self.forward(x, training)

    def __repr__(self) -> str:
        return f"Sequential({self.layers!r}, name={self.name!r})"

    def _promise_input(self, shape: Sequence[int | None]) -> None:
        if self.input_shape is not None and self.input_shape[1:] != tuple(shape):
            raise ValueError(
                explain(
                    self.name,
                    f"inputs of shape {self.input_shape}",
                    f"a second input shape, {shape}",
                    "Give one Input.",
                )
            )
        self.input_shape = (None, *shape)

    def _append(self, layer: Layer) -> None:
        if self.layers and layer.dtype != self.dtype:
            raise TypeError(
                explain(
                    f"{self.name}, {layer}",
                    f"dtype {self.dtype}, as of the layers before it",
                    str(layer.dtype),
                    'Make all layers of one dtype: minicnn.config.set_floatx("float64"), or dtype=… on each.',
                )
            )
        taken = {other.name for other in self.layers}
        if layer.name in taken:
            if layer.arguments.get("name"):
                raise ValueError(
                    explain(self.name, "layers of different names", f"two named {layer.name!r}", "Rename one of them.")
                )
            layer.name = next(name for i in range(1, len(taken) + 1) if (name := f"{layer.name}_{i}") not in taken)
        self.layers.append(layer)

    def _build_what_can_be(self) -> None:
        """Build every layer whose input shape is known: all of them, once there is an Input without None in it."""
        if self.input_shape is not None and None not in self.input_shape[1:]:
            self.build_layers(self.input_shape)

    def build_layers(self, shape: Sequence[int | None]) -> None:
        """Build the layers that are not built yet, the first for inputs of this shape; only its batch axis is None."""
        for layer in self.layers:
            layer.check_rank(shape)
            layer.ensure_built(shape)
            shape = (None, *layer.compute_output_shape((1, *shape[1:]))[1:])  # type: ignore[arg-type]

    def check_input(self, x: Array) -> None:
        """Raise ValueError or TypeError, with expectation, finding and remedy, unless x has the shape of a batch."""
        if not hasattr(x, "shape") or not hasattr(x, "dtype"):
            raise TypeError(explain(self.name, "an array", type(x).__name__, "Convert it with numpy.asarray first."))
        if self.input_shape is None:
            return
        fits = len(x.shape) == len(self.input_shape) and all(
            expected in (None, found) for expected, found in zip(self.input_shape, x.shape, strict=True)
        )
        if not fits:
            expected = ("batch", *("any" if length is None else length for length in self.input_shape[1:]))
            missing_axis = tuple(x.shape[1:]) + (1,) == self.input_shape[1:]
            raise ValueError(
                explain(
                    f"{self.name}, {self.layers[0]}",
                    f"input of shape ({', '.join(map(str, expected))})",
                    f"shape {tuple(x.shape)}",
                    "Add the channel axis: x[..., numpy.newaxis]."
                    if missing_axis
                    else "Reshape or resize the samples.",
                )
            )


def load_model(filepath: str | Path) -> Sequential:
    """The model that `Sequential.save` wrote; training goes on bit for bit where it stopped, on the same backend.

    Raises OSError if the file cannot be read, ModelFileError if it is damaged or is not one of minicnn's.
    """
    model = Sequential()
    saving.restore_model(model, filepath)
    return model
