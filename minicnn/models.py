"""Sequential: a network that is put together layer by layer, trained, printed and saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import arguments, saving
from .errors import explain
from .layers import Input, Layer
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
        super().__init__(name=name)
        for layer in arguments.sequence(self.name, layers, object, "layers"):
            self.add(layer)

    def add(self, layer: Layer | Input | Sequential) -> None:
        """Append a layer; another Sequential is appended layer by layer, sharing its weights.

        Raises ValueError or TypeError if the layer does not fit behind the others.
        """
        if isinstance(layer, Input):
            self._promise_input(layer.shape)
        elif isinstance(layer, Sequential):
            if layer.input_shape and not self.layers and not self.input_shape:
                self._promise_input(layer.input_shape[1:])
            for inner in list(layer.layers):
                self._append(inner)
        elif isinstance(layer, Layer):
            if layer.requested_input_shape and not self.layers:
                self._promise_input(layer.requested_input_shape)
            self._append(layer)
        else:
            raise TypeError(explain(self.name, "a layer", repr(layer), "Layers are objects: Flatten(), not Flatten."))
        self._build_what_can_be()

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Build all layers for inputs of this shape, batch axis (None) included, as in Keras."""
        self._promise_input(arguments.shape(f"{self.name} build, input_shape", input_shape)[1:])
        self._build_what_can_be()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name or at that index. Raises ValueError if there is none."""
        if index is not None:
            count = len(self.layers)
            return self.layers[arguments.whole(f"{self.name} get_layer index", index, least=-count, most=count - 1)]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise ValueError(explain(f"{self.name} get_layer", "the name of a layer", repr(name), f"Known: {names}."))

    def summary(self, *, print_fn: Any = print) -> None:
        """Print Keras's table: layers, output shapes, numbers of parameters, totals."""
        arguments.function("summary print_fn", print_fn, "text")(summary_text(self))

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
        if any(layer is other for other in self.layers):
            remedy = "A layer keeps what its backward needs, for one place: make another one."
            raise ValueError(explain(self.name, "every layer once", f"{layer} twice", remedy))
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


def load_model(filepath: str | Path) -> Sequential:
    """The model that `Sequential.save` wrote; training goes on bit for bit where it stopped, on the same backend.

    Raises OSError if the file cannot be read, ModelFileError if it is damaged or is not one of minicnn's.
    """
    model = Sequential()
    saving.restore_model(model, filepath)
    return model
