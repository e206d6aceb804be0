"""Model and Sequential: networks that are built, trained, printed and saved; a graph, and layer by layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import arguments, saving
from .compatibility import reporter
from .configurable import from_description
from .custom_objects import custom_object_scope, get_registered_name
from .errors import explain
from .fixed import Layers
from .graph import in_order, the_inputs, the_outputs
from .inputs import input_names, shapes_in
from .layers import CLASSES, Input, Layer
from .layers.base import check_mode
from .layers.input import Mode, Value
from .network import Sources, gather
from .several import each, listed
from .summary import summary_text
from .training import Trainer


class Model(Trainer):
    """A graph of layers, with Keras's functional API and explicit gradients. Layers are called on values:

        inputs = Input((28, 28, 1))
        x = Conv2D(32, 3, padding="same", activation="relu")(inputs)
        y = Conv2D(32, 3, padding="same")(x)
        x = Add()([x, y])                                      # a residual connection
        outputs = Dense(10)(Flatten()(x))
        model = Model(inputs, outputs)

    Several inputs or outputs are lists, Model([a, b], [x, y]). Each of its layers is called once. Two models may share
    layers: the outputs of all layers are those of Model(model.inputs, [layer.output for layer in model.layers]).
    """

    nodes: tuple[Value, ...] = ()
    """The Inputs and the value of each layer, as far as they exist: the graph of `inputs`, `outputs`, layer.output."""

    def __init__(self, inputs: Any = None, outputs: Any = None, *, name: str = "model") -> None:
        super().__init__(name=name)
        if inputs is None or outputs is None:
            remedy = (
                "Example: Model(inputs, outputs). Instead of a class with Keras's call, write a function that calls "
            )
            remedy += "layers on an Input and returns the Model: its backward comes from the graph."
            raise TypeError(explain(type(self).__name__, "inputs and outputs", "none", remedy))
        (starts, names), ends = the_inputs(self.name, inputs), the_outputs(self.name, outputs)
        nodes = in_order(self.name, starts, ends)
        numbers = {value: number for number, value in enumerate(nodes)}
        self.set_inputs(starts, names)
        for value in nodes[len(starts) :]:
            self.append(value.layer, tuple(numbers[source] for source in value.sources), value.training)
        self.set_outputs([numbers[end] for end in ends])
        self.nodes = tuple(nodes)

    @classmethod
    def without_layers(cls) -> Any:
        """An empty model, to which a file's layers are appended."""
        model = cls.__new__(cls)
        Trainer.__init__(model, name=cls.__name__.lower())
        return model

    def append(self, layer: Layer, sources: Sources, training: Mode = None) -> None:
        """Append a layer that gets the values of these numbers, without building it. Its value is the output. With
        training=False, it is always in inference.

        Raises ValueError or TypeError if there are no such values, or if the layer does not fit to the others.
        """
        layer.check_input_count(len(sources))
        for source in sources:
            arguments.whole(f"{self.name}, sources of {layer}", source, least=0, most=self._last_number())
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
            remedy = "A layer keeps the state of one backward only: make a second layer."
            raise ValueError(explain(self.name, "every layer once", f"{layer} twice", remedy))
        taken = {other.name for other in self.layers}
        if layer.name in taken:
            if layer.arguments.get("name"):
                raise ValueError(
                    explain(self.name, "layers of different names", f"two named {layer.name!r}", "Rename one of them.")
                )
            layer.name = next(name for i in range(1, len(taken) + 1) if (name := f"{layer.name}_{i}") not in taken)
            for weight in layer.weights:
                weight.name = f"{layer.name}/{weight.name.rpartition('/')[2]}"
        self.layers, self.sources = Layers([*self.layers, layer]), (*self.sources, sources)
        self.modes = (*self.modes, check_mode(f"{self.name}, {layer}", training))
        self.output_numbers = (self._last_number(),)

    def _last_number(self) -> int:
        """The number of the last value so far."""
        return len(self.input_names) + len(self.layers) - 1

    def set_outputs(self, numbers: Sequence[int]) -> None:
        """Return the values of these numbers. Raises ValueError unless all layers are needed for them."""
        where, inputs = f"{self.name} outputs", len(self.input_names)
        for number in numbers:
            arguments.whole(where, number, least=inputs, most=self._last_number())
        used = {*numbers, *(source for own in self.sources for source in own)}
        for number, layer in enumerate(self.layers, inputs):
            if number not in used:
                raise ValueError(explain(where, "every layer on a path to an output", f"{layer}", "Leave it out."))
        self.output_numbers = tuple(numbers)

    def check_one_way(self, where: str) -> None:
        """Raise ValueError unless this model has one input and one output, as a part of a sequence has."""
        counts = len(self.input_names), len(self.output_numbers)
        if counts != (1, 1):
            found = f"{counts[0]} and {counts[1]} of {self.name}"
            remedy = "Call it on values, x, y = model([a, b]), and make a Model of what follows."
            raise ValueError(explain(where, "models of one input and one output", found, remedy))

    def set_input(self, value: Input) -> None:
        """Begin with this Input. Raises ValueError if there is one of another shape already."""
        self.set_input_shape(value.shape[1:])
        if not self.nodes:
            self.nodes, self.input_names = (value,), (value.name or "input",)

    def set_inputs(self, inputs: Sequence[Input], names: Sequence[str]) -> None:
        """Begin with these Inputs, in an empty model."""
        self.input_names = tuple(arguments.text(f"{self.name} input", name) for name in names)
        shapes = [(None, *one.shape[1:]) for one, _ in zip(inputs, names, strict=True)]
        self.input_shape = shapes if len(shapes) > 1 else shapes[0]
        self.nodes = tuple(inputs)

    def set_input_shape(self, shape: Sequence[int | None]) -> None:
        """Fix the shape of the samples. Raises ValueError if there is another one already."""
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

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Build all layers for inputs of this shape, batch axis (None) included, as in Keras."""
        self.set_input_shape(arguments.shape(f"{self.name} build, input_shape", input_shape)[1:])
        self.build_if_shape_is_known()

    def build_if_shape_is_known(self) -> None:
        """Build all layers if there is an input shape."""
        if self.input_shape is not None:
            self.build_layers(self.input_shape)

    def build_layers(self, shape: Any) -> None:
        """Build the layers that are not built yet for inputs of this shape, with None for unknown lengths."""
        shapes = list(listed(shape))
        for layer, sources in zip(self.layers, self.sources, strict=True):
            shapes.append(layer.build_for(gather(shapes, sources)))
        self._connect()

    def ensure_built(self, x: Any) -> None:
        if not self.built:
            super().ensure_built(x)
            self._connect()

    def _connect(self) -> None:
        """Call the layers that have not been called yet on their values, if the input shape is known."""
        if self.input_shape is None or len(self.nodes) > self._last_number():
            return
        nodes = list(self.nodes) or [Input(self.input_shape[1:])]
        for number in range(len(nodes) - len(self.input_names), len(self.layers)):
            sources = tuple(nodes[source] for source in self.sources[number])
            nodes.append(self.layers[number].value_of(sources, self.modes[number]))
        self.nodes = tuple(nodes)

    @property
    def inputs(self) -> list[Value]:
        """The Inputs, for Model(model.inputs, …). Raises AttributeError if the input shape is not known."""
        self._connect()
        if not self.nodes:
            raise AttributeError
        return list(self.nodes[: len(self.input_names)])

    @property
    def outputs(self) -> list[Value]:
        """The values of the outputs, for a larger Model(model.inputs, …). Raises AttributeError as `inputs`."""
        _ = self.inputs
        return [self.nodes[number] for number in self.output_numbers]

    @property
    def input(self) -> Any:
        """The Input; of several, the list. Raises AttributeError as `inputs`."""
        return self.inputs if len(self.input_names) > 1 else self.inputs[0]

    @property
    def output(self) -> Any:
        """The value of the output; of several, the list. Raises AttributeError as `inputs`."""
        return self.outputs if len(self.output_numbers) > 1 else self.outputs[0]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name or at this index. Raises ValueError if there is none."""
        if index is not None:
            count = len(self.layers)
            return self.layers[arguments.whole(f"{self.name} get_layer index", index, least=-count, most=count - 1)]
        named = {layer.name: layer for layer in self.layers}
        return named[arguments.choice(f"{self.name} get_layer", name, named, "the name of a layer")]

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: None = None,
    ) -> None:
        """Print Keras's table: layers, output shapes, numbers of parameters, totals; by print_fn(text) if it is given.

        With show_trainable=True a column says whether each layer is trained. The columns are as wide as their content,
        and models inside models are shown layer by layer, whatever line_length, positions and expand_nested are.
        """
        arguments.only("summary layer_range", layer_range, None, "The table has all layers.")
        trainable = arguments.flag("summary show_trainable", show_trainable)
        write = print if print_fn is None else arguments.function("summary print_fn", print_fn, "text")
        write(summary_text(self, trainable))

    def get_config(self) -> dict[str, Any]:
        """The architecture as plain data: `from_config` makes an equal model, with new weights."""
        layers = [{"class": get_registered_name(type(layer)), "config": layer.get_config()} for layer in self.layers]
        shape = None if self.input_shape is None else each(without_batch, self.input_shape)
        graph = {"input_names": self.input_names, "sources": self.sources, "outputs": self.output_numbers}
        return {"name": self.name, "input_shape": shape, "layers": layers, **graph, "modes": self.modes}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, type] | None = None) -> Any:
        """The model that `get_config` described, with new weights; `custom_objects` has classes of one's own by name.

        Raises ValueError or TypeError for other data.
        """
        with custom_object_scope(custom_objects):
            return cls._from_config(config)

    @classmethod
    def _from_config(cls, config: dict[str, Any]) -> Any:
        model = cls.without_layers()
        model.name = arguments.text(f"{cls.__name__} from_config, name", config.get("name"))
        if config["input_shape"] is not None:
            shapes = shapes_in(config["input_shape"])
            model.set_inputs([Input(shape) for shape in shapes], config.get("input_names", input_names(len(shapes))))
        modes = config.get("modes", [None] * len(config["layers"]))
        for description, sources, mode in zip(config["layers"], config["sources"], modes, strict=True):
            model.append(from_description(description, CLASSES, "layer"), tuple(sources), mode)
        if "outputs" in config:
            model.set_outputs(config["outputs"])
        model.build_if_shape_is_known()
        return model

    def to_json(self) -> str:
        """The architecture as a JSON text, for `model_from_json`."""
        return json.dumps({"class": type(self).__name__, "config": self.get_config()})

    def save(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Write architecture, weights and the state of optimiser, random numbers and callbacks to a file for `load`.

        The file is in the safetensors format ("model.safetensors"), or if its name ends in ".keras" in Keras's, or in
        ".h5" in Keras's older one; these have no states of random numbers and callbacks. It appears complete or not at
        all.
        Raises ValueError if the model holds something that a file cannot store, OSError if it cannot be written.
        """
        saving.save_model(self, filepath, overwrite)

    @staticmethod
    def load(filepath: str | Path) -> Any:
        """The model that `save` wrote; training goes on bit for bit where it stopped, on the same backend.

        Raises OSError if the file cannot be read, ModelFileError if it is damaged or of another program than Keras.
        """
        return load_model(filepath)

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Write only the weights: to "model.weights.h5" in Keras's format, to any other file in minicnn's."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: str | Path, skip_mismatch: bool = False) -> None:
        """Read the weights from a file of save_weights or save into this model of the same architecture.

        It may be one of Keras, or a PyTorch state dict as safetensors: see `minicnn.exchange.load_pytorch`.
        Raises OSError if the file cannot be read, ModelFileError if it is damaged or its weights differ from the
        model's in names, shapes or dtypes. Then the model is unchanged.
        """
        saving.load_weights(self, filepath, skip_mismatch)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layers!r}, name={self.name!r})"


class Sequential(Model):
    """A stack of layers, with Keras's names and explicit gradients.

        model = Sequential([Input((28, 28, 1)), Conv2D(32, 3, activation="relu"), Flatten(), Dense(10)])
        y = model.forward(x, training=True)     # x (N, 28, 28, 1) -> y (N, 10)
        dx = model.backward(dy)                 # dy (N, 10) -> dx, and every parameter's grad

    Without an Input, the first batch determines the shapes.
    """

    def __init__(self, layers: Sequence[Layer | Input | Model] = (), *, name: str = "sequential") -> None:
        super(Model, self).__init__(name=name)
        for layer in arguments.sequence(self.name, layers, object, "layers"):
            self._add(layer)
        self.build_if_shape_is_known()

    def add(self, layer: Layer | Input | Model) -> None:
        """Append a layer; another model is appended layer by layer, sharing its weights.

        Raises ValueError or TypeError if the layer does not fit the layers before it. Then the model is unchanged.
        """
        before = dict(vars(self))
        try:
            self._add(layer)
            self.build_if_shape_is_known()
        except BaseException:  # whatever a layer's build raises, the layer is not part of the model
            vars(self).update(before)
            raise

    def pop(self) -> Layer:
        """Remove the last layer and return it. Raises ValueError if there is none."""
        if not self.layers:
            raise ValueError(explain(f"{self.name} pop", "at least one layer", "none", "Add layers first."))
        last = self.layers[-1]
        self.layers, self.sources, self.modes = Layers(self.layers[:-1]), self.sources[:-1], self.modes[:-1]
        self.output_numbers, self.nodes = (len(self.layers),), self.nodes[: len(self.layers) + 1]
        return last

    def _add(self, layer: Any) -> None:
        """Append without building: a list of layers is built at once."""
        before = len(self.layers)
        if isinstance(layer, Input):
            self.set_input(layer)
        elif isinstance(layer, Model):
            layer.check_one_way(self.name)
            if layer.input_shape and not self.layers and not self.input_shape:
                self.set_input_shape(layer.input_shape[1:])
            for inner, sources, mode in list(zip(layer.layers, layer.sources, layer.modes, strict=True)):
                self.append(inner, tuple(before + source for source in sources), mode)
        elif isinstance(layer, Layer):
            if layer.requested_input_shape and not self.layers:
                self.set_input_shape(layer.requested_input_shape)
            self.append(layer, (before,))
        else:
            raise TypeError(explain(self.name, "a layer", repr(layer), "Layers are objects: Flatten(), not Flatten."))


def without_batch(shape: Any) -> Any:
    """The shape of a sample."""
    return shape[1:]


def model_from_json(json_string: str, custom_objects: Mapping[str, type] | None = None) -> Any:
    """The model whose `to_json` this is, with new weights. Raises ValueError or TypeError for another text."""
    description = json.loads(json_string)
    kinds = {cls.__name__: cls for cls in (Model, Sequential)}
    return kinds[arguments.choice("model_from_json", description.get("class"), kinds, "a model's class")].from_config(
        description["config"], custom_objects
    )


def clone_model(
    model: Model, input_tensors: None = None, clone_function: None = None, call_function: None = None
) -> Any:
    """A model of the same layers with new weights, not compiled. The other arguments of Keras's are not offered."""
    for given in (input_tensors, clone_function, call_function):
        arguments.only("clone_model, arguments besides the model", given, None, "Make the other model by hand.")
    own = {get_registered_name(type(layer)): type(layer) for layer in model.layers}
    return type(model).from_config(model.get_config(), own)


def save_model(model: Model, filepath: str | Path, overwrite: bool = True) -> None:
    """model.save(filepath), as in Keras."""
    model.save(filepath, overwrite)


def load_model(
    filepath: str | Path,
    custom_objects: Mapping[str, type] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model that `save` wrote, a Sequential or a Model; training goes on bit for bit, on the same backend.

    Also reads Keras's .keras and older .h5 files, of models of layers that minicnn has; then the optimiser's state is
    Keras's.
    `custom_objects` has classes of one's own that the file names, by name: {"Scale": Scale}.
    With compile=False, the model has no optimiser, loss or metrics. No code in a file is ever run, so safe_mode has no
    effect.
    Raises OSError if the file cannot be read, ModelFileError if it is damaged or of another program than Keras.
    """
    with custom_object_scope(custom_objects):
        return _loaded(filepath, compile)


def _loaded(filepath: str | Path, compile: bool) -> Any:
    content = saving.read_model(filepath)
    if not arguments.flag("load_model compile", compile):
        content = {name: part for name, part in content.items() if name not in saving.COMPILED}
    model = (Model if "sources" in content else Sequential).without_layers()
    saving.restore_model(model, content, filepath)
    return model


__getattr__ = reporter(__name__, ("Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"))
