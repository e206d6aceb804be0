"""The base class of all layers: named parameters, a shape rule, one forward and one backward."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cache, wraps
from typing import Any, ClassVar
from weakref import ref

import numpy as np

from .. import arguments, initializers, regularizers
from ..backends import active, check_memory, to_device, to_host
from ..backends.contract import WITH_ACTIVATION, Array, Backend, Saved, Step
from ..compatibility import missing_member
from ..config import check_precision, floatx
from ..configurable import Accepted, Configurable
from ..errors import explain, shown
from ..fixed import Weights
from ..parameters import Parameter, replace_all, snapshot_of
from .input import Mode, Value, values_in

Shape = tuple[int, ...]

CHANNELS_LAST = {
    "data_format": Accepted(
        ("channels_last", None),
        "Kernels are written for channels last, (N, H, W, C): numpy.moveaxis(x, 1, -1) makes that of (N, C, H, W).",
    )
}
"""What layers with a channel axis accept of Keras's `data_format`."""

NO_CONSTRAINTS = {"kernel_constraint": None, "bias_constraint": None}

NO_LORA = {"lora_rank": None, "lora_alpha": None, "quantization_config": None}

SIGNATURES = {
    "build": ("input_shape",),
    "compute_output_shape": ("input_shape",),
    "call": ("x", "training"),
    "call_backward": ("dy", "need_dx"),
}
"""The arguments that a layer's methods are called with."""


TRIED = (1009, 2003)
"""Two numbers for lengths that are not known: primes, which a window's strides rarely map to one length."""

KNOWN_LENGTHS = (
    "Give the Input the lengths that weights depend on. GlobalAveragePooling2D, unlike Flatten, makes samples of one "
    "length of images of any size."
)

COMPUTING = {"forward", "backward", "call", "call_backward"}
"""The methods that compute what a layer's steps describe."""


class Layer(Configurable):
    """Base class of all layers.

    A subclass makes its parameters in `build`, states its output shape in `compute_output_shape`, and calls a pair of
    operations in `call` and `call_backward`. Everything else, mainly the checks, is done here.
    """

    set_by_base = frozenset({"weights"})
    accepted_at_default: ClassVar[dict[str, Any]] = {"activity_regularizer": None, "autocast": True}

    axes: tuple[str, ...] | None = None
    """The names of the input's axes, "batch" first; None if any rank is accepted."""

    channel_axis = -1
    """The axis whose length the parameters were built for."""

    training_by_default = False
    """Whether a call without `training` is one of training: in Keras, that of a layer of data augmentation is."""

    activation = "linear"
    """The activation at the end of the layer."""

    curve: tuple[str, float] | None = None
    """Name and alpha of an activation that is computed after the layer's operation."""

    any_size = True
    """Whether its steps hold for images of any size; else for those of the size that it was built with."""

    stored_weights: dict[str, np.ndarray] | None = None
    """Weights of a saved model, by name; when the layer is built, it takes these instead of initial values."""

    _values: tuple[ref[Value], ...] = ()
    """The Values that this layer computes in graphs; weak, so that a model that nobody holds is freed at once."""

    _building = False
    """Whether `build` is called by `ensure_built`, which marks the layer built."""

    ops: Backend
    """The backend of the last forward; the backward runs on the same one."""

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: Any = None,
        input_shape: Sequence[int] | None = None,
        input_dim: int | None = None,
        trainable: bool = True,
    ) -> None:
        kind = type(self).__name__
        self.name = default_name(kind) if name is None else arguments.text(f"{kind} name", name)
        self.dtype = np.dtype(check_precision(f"{kind} dtype", floatx() if dtype is None else dtype))
        self.requested_input_shape = None
        if input_dim is not None:  # Keras's short form for flat samples
            input_shape = (arguments.whole(f"{self} input_dim", input_dim),)
        if input_shape is not None:
            self.requested_input_shape = arguments.shape(f"{self} input_shape", input_shape)
        self.trainable = trainable
        self.weights: list[Parameter] = Weights()  # in Keras's order
        self.input_shape: tuple[int | None, ...] | None = None  # set when built; the batch axis is None
        self.output_shape: tuple[int | None, ...] | None = None
        self.saved: Saved = None
        self._last_input: tuple[Any, ...] = ((None, ()),)
        self._last_output: tuple[Any, ...] = (None, ())

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass that overrides `call` or `forward` does not inherit `steps`; its `build` marks the layer built."""
        super().__init_subclass__(**options)
        if "build" in vars(cls):
            cls.build = _marking_built(cls.build)  # type: ignore[method-assign]  # wrapped on purpose
        if vars(cls).keys() & {"call", "forward"} and "steps" not in vars(cls):
            cls.steps = Layer.steps  # type: ignore[method-assign]  # not the parent's

    # what a subclass defines

    def build(self, input_shape: Shape) -> None:
        """Make the parameters for inputs of this shape (with a batch axis of any length)."""
        if not self._building:
            self.ensure_built(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The output shape for an input shape. Raises ValueError if the layer does not accept such inputs."""
        return input_shape

    def call(self, x: Array, training: bool) -> Array:
        """Compute y from x with one operation and keep its `saved` in self.saved."""
        raise NotImplementedError(explain(str(self), "a method call(self, x, training)", "none", "Return y from it."))

    def call_backward(self, dy: Array, need_dx: bool) -> Array | None:
        """Call that operation's backward: return dx (None is allowed unless need_dx), set the parameters' `grad`."""
        expected = "a method call_backward(self, dy, need_dx)"
        raise NotImplementedError(explain(str(self), expected, "none", "Return dx from it."))

    def steps(self) -> tuple[Step, ...] | None:
        """The layer's inference as steps of the backend's contract; None if it cannot be written as such steps."""
        return None

    # what a user calls

    def forward(self, x: Array, training: bool = False) -> Array:
        """y = layer(x). Builds the layer on its first input; raises ValueError or TypeError if x does not fit."""
        as_before = (_kind(x), self.dtype, active()) == self._last_input  # then the checks would pass again
        if not as_before:
            x = self._check_batch(x)
        training = arguments.flag("training", training)
        if training:
            for weight in self.weights:
                if not weight.trainable:  # batch norm's statistics change now, the other weights in the optimiser step
                    weight.hold()
        y = self.call(x, training)
        if training and not as_before:
            self._check_inner_layers()
        if not as_before or _kind(y) != self._last_output:
            self._check_result("call", "y", y, self._shape_after(shape_of(x)))
            self._last_input, self._last_output = (_kind(x), self.dtype, self.ops), _kind(y)
        return y

    def _check_inner_layers(self) -> None:
        """Raise TypeError if a layer inside this one has parameters, which would not be trained."""
        for inner in self._inner_layers() if self.trainable else ():
            if any(not any(own is parameter for own in self.weights) for parameter in inner.parameters()):
                remedy = "A layer inside a layer is not trained. Write a function that calls the layers on a value, "
                remedy += "def block(x): return Dropout(0.5)(Dense(3)(x)), or freeze it with trainable = False."
                raise TypeError(explain(str(self), "parameters of its own", f"those of {inner} inside it", remedy))

    def _inner_layers(self) -> list[Layer]:
        """The layers in this one's attributes, alone or in lists."""
        lists = (value if isinstance(value, (list, tuple)) else [value] for value in vars(self).values())
        return [one for several in lists for one in several if isinstance(one, Layer)]

    def _check_batch(self, x: Array) -> Array:
        """x as an array; builds the layer. Raises ValueError or TypeError if x does not fit."""
        x = arguments.array(self, "input", x, self.dtype)
        self.check_input(x)
        self.ensure_built(x.shape)
        ops = active()
        check_memory(self, "input", x, ops=ops)
        if ops is not getattr(self, "ops", None):
            self.check_weights_memory()
            self.ops = ops
        return x

    def backward(self, dy: Array, need_dx: bool = True) -> Array | None:
        """dx, the gradient with respect to the last forward's input, from dy, that with respect to its output.

        Sets the parameters' `grad`. With need_dx=False, dx may be skipped (None): the first layer does not need it.
        """
        if self.saved is None:
            remedy = "Call forward(x) first; in a layer of your own, call sets self.saved, to () if nothing is kept."
            raise RuntimeError(f"{self}: backward needs a forward before it. {remedy}")
        if _kind(dy) != self._last_output:
            dy = self._check_upstream(dy)
        dx = self.call_backward(dy, arguments.flag("need_dx", need_dx))
        if need_dx:
            self._check_dx(dx)
        for parameter in self.parameters():
            self._check_result("call_backward", f"{parameter.name}.grad", parameter.grad, parameter.value.shape)
        return dx

    def _check_dx(self, dx: Any) -> None:
        """Raise TypeError unless dx is like the last forward's input."""
        self._check_result("call_backward", "dx", dx, self._last_input[0][1])

    def _check_upstream(self, dy: Array) -> Array:
        """dy as an array. Raises ValueError or TypeError unless it is like the last forward's y."""
        dy = arguments.array(self, "dy", dy, self.dtype)
        if tuple(dy.shape) != self._last_output[1]:
            raise ValueError(
                explain(
                    f"{self} backward",
                    f"dy of y's shape {self._last_output[1]}",
                    f"dy of shape {tuple(dy.shape)}",
                    "dy is the gradient of the loss with respect to y, so it has y's shape.",
                )
            )
        if dy.dtype != self.dtype:
            raise TypeError(self.dtype_message(f"{self} backward", "dy", dy.dtype))
        check_memory(self, "dy", dy, ops=self.ops)
        return dy

    def parameters(self) -> list[Parameter]:
        """The trainable parameters, in a fixed order."""
        return [weight for weight in self.weights if weight.trainable] if self.trainable else []

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The trainable parameters, as `parameters`, by Keras's name."""
        return self.parameters()

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """All other weights: batch norm's moving statistics, or all weights of a layer that is not trainable."""
        trainable = self.parameters()
        return [weight for weight in self.weights if not any(weight is other for other in trainable)]

    @property
    def variables(self) -> list[Parameter]:
        """All weights, by Keras's other name."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Parameter]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Parameter]:
        return self.non_trainable_weights

    @property
    def losses(self) -> list[Array]:
        """The penalty of each trainable parameter with a regularizer; `fit` adds them to the loss."""
        return [p.regularizer(p.value) for p in self.parameters() if p.regularizer is not None]

    def get_config(self) -> dict[str, Any]:
        """All arguments as plain data, defaults included: `from_config` makes an equal layer, with new weights."""
        mine = {"name": self.name, "dtype": str(self.dtype), "trainable": self.trainable}
        return {**super().get_config(), **mine}

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in Keras's order and shapes."""
        return [np.array(to_host(array)) for array in snapshot_of(self.weights)]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights, in Keras's order and shapes. Raises ValueError if number or shapes differ."""
        arrays = check_weights(str(self), self.weights, weights)
        replace_all(self.weights, [to_device(array, self.dtype, copy=True) for array in arrays])

    def count_params(self) -> int:
        """The number of elements of all weights."""
        return sum(int(weight.value.size) for weight in self.weights)

    def get_state(self) -> dict[str, Any]:
        """State besides the weights that the next forward depends on, as plain data (dropout's mask counter)."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned."""

    # what the base does for all of them

    @property
    def built(self) -> bool:
        """Whether the layer has its parameters: a layer without `build` needs none, so it is built at once.

        Layers written for Keras set it in build; that is not needed here.
        """
        return self.input_shape is not None or type(self).build is Layer.build

    @built.setter
    def built(self, value: bool) -> None:
        arguments.flag(f"{self} built", value)

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = arguments.flag(f"{self} trainable", value)

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy: without the last forward, whose backward belongs to the original."""
        state = dict(vars(self))  # at once: another thread may be training
        state.pop("ops", None)
        return state | {"saved": None, "_last_input": ((None, ()),), "_last_output": (None, ()), "_values": ()}

    def ending_in(self, activation: str) -> Layer | None:
        """A copy of a built layer with another activation at its end, sharing its weights; None if it cannot have one.

        Also None for a layer with its own forward or backward: it may use its activation in another way.
        """
        steps = self.described_steps()
        if steps is None:
            return None
        other = copy(self)
        other.activation = activation
        *before, (operation, weights, options) = steps
        expected = (*before, (operation, weights, (*options[:-1], activation)))
        return other if operation in (*WITH_ACTIVATION, "activation") and other.steps() == expected else None

    def described_steps(self) -> tuple[Step, ...] | None:
        """The layer's steps; None if its forward or backward has been replaced and may do something else."""
        replaced = _computes_differently(type(self)) or bool(vars(self).keys() & COMPUTING)
        return None if replaced else self.steps() or None

    def ensure_built(self, input_shape: Sequence[int | None]) -> None:
        """Build the layer if it is not yet; the batch axis and others may be None."""
        if self.input_shape is not None:
            return
        if not isinstance(input_shape, (tuple, list)) or not input_shape:
            raise ValueError(
                explain(f"{self} build", "the input's shape", shown(input_shape), "Example: (None, 28, 28, 1).")
            )
        for method, names in SIGNATURES.items():
            arguments.function(f"{self} {method}", getattr(self, method), *names)
        shape, output_shape = with_batch(1, input_shape), self._shape_for(input_shape)
        self._building = True
        try:
            self.build(shape)
        except TypeError as error:  # arithmetic with None
            if shape == with_lengths(0, shape):
                raise
            raise ValueError(explain(str(self), "known lengths for weights", f"{shape}", KNOWN_LENGTHS)) from error
        finally:
            self._building = False
        for inner in self._inner_layers():
            if not inner.built and type(inner).build is not Layer.build:  # inference would build it in a copy
                expected, remedy = f"a method build that builds {inner} inside it", "inner.build(input_shape) does it."
                raise TypeError(explain(str(self), expected, "none", remedy))
        self.input_shape = with_batch(None, input_shape)
        self.output_shape = output_shape

    def add_weight(
        self,
        name: str | None = None,
        shape: Shape = (),
        initializer: Any = "glorot_uniform",
        trainable: bool = True,
        regularizer: Any = None,
        dtype: Any = None,
    ) -> Parameter:
        """A new parameter of this layer on the device, with its initial or its stored value, in the layer's dtype.

        Without a name it is called weight, weight_1, … Raises ValueError for a wrong argument.
        """
        if name is None:
            count = len(self.weights)
            name = f"weight_{count}" if count else "weight"
        where, name = f"{self} {name}", f"{self.name}/{arguments.text('add_weight name', name)}"
        if dtype is not None and check_precision(f"{where} dtype", dtype) != self.dtype:
            remedy = "A layer computes in one dtype: leave the argument out, or make the layer with it."
            raise ValueError(explain(f"{where} dtype", f"{self.dtype}, the layer's", shown(dtype), remedy))
        if None in shape:
            raise ValueError(explain(where, "a shape without None", f"{tuple(shape)}", KNOWN_LENGTHS))
        shape = arguments.shape(f"{where} shape", shape, unknown=False)
        if self.stored_weights is None:
            array = initializers.initial_values(where, initializer, shape, self.dtype)
        else:
            initializers.get(initializer)  # raises if it does not exist
            array = self.stored_weights.pop(name, None)  # type: ignore[arg-type]
            check_array(name, array, shape, self.dtype)
        weight = Parameter(name, to_device(array, self.dtype, copy=True), trainable, regularizers.get(regularizer))
        self.weights = Weights([*self.weights, weight])
        return weight

    def check_input(self, x: Array) -> None:
        """Raise ValueError or TypeError unless the layer accepts x."""
        if x.dtype != self.dtype:
            raise TypeError(self.dtype_message(str(self), "input", x.dtype))
        self.check_rank(x.shape)
        if not x.shape:
            raise ValueError(explain(str(self), "an input with a batch axis", "a number", "Write [x] for x."))
        if x.shape[0] == 0:
            raise ValueError(explain(str(self), "at least one sample", f"shape {x.shape}", "Leave out empty batches."))
        self.check_channels(x.shape)

    def check_channels(self, shape: Sequence[int | None]) -> None:
        """Raise ValueError if the layer has weights that were built for another number of channels."""
        if not self.weights or self.input_shape is None:
            return
        built_for = self.input_shape[self.channel_axis]
        if shape[self.channel_axis] != built_for:
            raise ValueError(
                explain(
                    str(self),
                    f"{built_for} channels on axis {self.channel_axis}, as it was built with",
                    f"input of shape {tuple(shape)}",
                    "Arrays are channels last; give as many channels as in the first batch, or make a new layer.",
                )
            )

    def _shape_for(self, input_shape: Any) -> tuple[int | None, ...]:
        """The output's shape, batch axis None, for inputs with None for unknown lengths.

        Two numbers are tried for the unknown lengths. An axis of the output that differs depends on them: it is None.
        Raises ValueError if the layer does not accept such inputs.
        """
        one, other = (with_lengths(length, with_batch(1, input_shape)) for length in TRIED)
        if one == other:
            return with_batch(None, self._shape_after(one))
        try:
            pairs = zip(self.compute_output_shape(one), self.compute_output_shape(other), strict=True)
        except ValueError as error:
            numbers = " and ".join(map(str, TRIED))
            raise ValueError(f"{error} Here {numbers} stand for the unknown lengths of {input_shape}.") from error
        return with_batch(None, [a if a == b else None for a, b in pairs])

    def _shape_after(self, input_shape: Shape) -> Shape:
        output_shape = self.compute_output_shape(input_shape)
        return arguments.shape(f"{self} compute_output_shape", output_shape, unknown=False)

    def _check_result(self, method: str, what: str, array: Any, shape: Shape) -> None:
        """Raise TypeError unless a subclass's method has made an array of this shape, in the layer's dtype."""
        dtypes = (self.dtype, np.dtype("float64")) if self.dtype.kind == "c" else (self.dtype,)  # complex: gradcheck
        if getattr(array, "shape", None) == shape and getattr(array, "dtype", None) in dtypes:
            return
        is_array = hasattr(array, "shape") and hasattr(array, "dtype")
        found = f"{array.dtype} of shape {tuple(array.shape)}" if is_array else type(array).__name__
        remedy = "compute_output_shape says so." if method == "call" else "A gradient has the shape of its array."
        raise TypeError(explain(f"{self} {method}", f"{what}: {self.dtype} of shape {tuple(shape)}", found, remedy))

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to replace a parameter by something else, and to set a dtype policy, which would have no effect."""
        if name == "dtype_policy":
            raise missing_member(self, "Layer", name)
        if isinstance(vars(self).get(name), Parameter) and not isinstance(value, (Parameter, type(None))):
            remedy = f"To change its value: layer.{name}.value = array."
            raise TypeError(explain(f"{self} {name}", "a Parameter", shown(value), remedy))
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        remedy = f"To make a parameter in build: self.{name} = self.add_weight({name!r}, shape, initializer)."
        raise missing_member(self, "Layer", name, remedy)

    def check_weights_memory(self) -> None:
        """Raise TypeError if a weight is not in the active backend's memory; called when the backend has changed."""
        for weight in self.weights:
            remedy = "After a change of device, model.set_weights(model.get_weights()) moves the weights."
            check_memory(self, weight.name.split("/")[-1], weight.value, remedy)

    def check_rank(self, shape: Sequence[int | None]) -> None:
        """Raise ValueError unless the shape has as many axes as the layer's `axes`."""
        if self.axes is None or len(shape) == len(self.axes):
            return
        if len(shape) == len(self.axes) - 1 and "channels" in self.axes:
            remedy = "If the channel axis is missing, add it: x[..., numpy.newaxis]."
        else:
            remedy = "Flatten or reshape the input before it."
        raise ValueError(
            explain(
                str(self),
                f"{len(self.axes)} axes ({', '.join(self.axes)})",
                f"{len(shape)} axes, shape {tuple(shape)}",
                remedy,
            )
        )

    def dtype_message(self, where: str, what: str, found: Any) -> str:
        return explain(
            where,
            f"{what} of dtype {self.dtype}",
            str(found),
            f'Convert it with .astype("{self.dtype}"), or make the layer with dtype="{found}".',
        )

    def check_input_count(self, count: int) -> None:
        """Raise ValueError unless the layer takes so many inputs."""
        if count != 1:
            remedy = "Join values first: Add()([a, b]), or Concatenate()([a, b])."
            raise ValueError(explain(str(self), "one input", f"{count}", remedy))

    def __call__(self, inputs: Any, training: bool | None = None, mask: None = None, **others: Any) -> Any:
        """forward(inputs, training), for numbers of any dtype, which are converted to the layer's.

        Called on an Input or a Value: the Value that the layer will compute in a graph; with training=False, as in
        inference also while the model is trained.
        """
        if others:
            remedy = "A layer computes y from one input; give numbers of your own to its constructor."
            raise TypeError(explain(str(self), "the arguments inputs and training", ", ".join(others), remedy))
        arguments.only(f"{self} mask", mask, None, "There are no masks: give samples of one length.")
        values = values_in(str(self), inputs)
        if values:
            return self.value_of(values, check_mode(str(self), training))
        return self.forward(self._converted(inputs), self.training_by_default if training is None else training)

    def _converted(self, inputs: Any) -> Any:
        """The input as an array of the layer's dtype. Raises TypeError unless it is numbers."""
        return to_device(arguments.array(self, "input", inputs, self.dtype), self.dtype)

    def value_of(self, sources: tuple[Value, ...], training: Mode = None) -> Value:
        """The Value that this layer computes from these; builds the layer."""
        self.check_input_count(len(sources))
        shapes = [source.shape for source in sources]
        output_shape = self.build_for(shapes if len(shapes) > 1 else shapes[0])
        value = Value(self, sources, (shapes[0][0], *output_shape[1:]), training)
        self.calls_to(value)
        return value

    def calls_to(self, value: Value) -> None:
        """Note that this layer computes a Value of a graph."""
        existing = [reference for reference in self._values if reference() is not None]
        if not any(reference() is value for reference in existing):
            self._values = (*existing, ref(value))

    @property
    def output(self) -> Value:
        """The Value of this layer's first call on a Value, for Model(model.inputs, layer.output).

        Raises AttributeError if it has not been called, or if no graph with its value exists any more.
        """
        existing = (value for reference in self._values if (value := reference()) is not None)
        value = next(existing, None)
        if value is None:
            raise AttributeError
        return value

    @property
    def input(self) -> Any:
        """The Value that this layer gets in the call of `output`; a list of several. Raises the errors of `output`."""
        sources = self.output.sources
        return list(sources) if len(sources) > 1 else sources[0]

    def build_for(self, input_shape: Any) -> tuple[int | None, ...]:
        """Build the layer if it is not yet, for inputs of this shape with batch axis None; returns the output's shape.

        Raises ValueError if the layer does not accept such inputs.
        """
        self.check_rank(input_shape)
        self.ensure_built(input_shape)
        self.check_channels(input_shape)
        return self._shape_for(input_shape)

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.name!r}"

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{type(self).__name__}({arguments})"


def check_mode(where: str, training: Any) -> Mode:
    """`training` in a call on a value of a graph. Raises ValueError unless it is False or None."""
    if training not in (None, False):
        remedy = "The model tells its layers: model(x, training=True). training=False keeps them in inference."
        raise ValueError(explain(f"{where} training, in a graph", "False or None", shown(training), remedy))
    return None if training is None else False


def _marking_built(build: Any) -> Any:
    """A layer's build that, called by a user, also marks the layer built; called again, it does nothing."""

    @wraps(build)
    def marking_built(self: Layer, input_shape: Any) -> None:
        if self._building:
            build(self, input_shape)
        else:
            self.ensure_built(input_shape)

    return marking_built


@cache
def _computes_differently(cls: type) -> bool:
    """Whether a class or a base of it changes a computing method of the base that defines `steps`."""
    described = next(index for index, base in enumerate(cls.__mro__) if "steps" in vars(base))
    return any(vars(base).keys() & COMPUTING for base in cls.__mro__[:described])


def with_batch(samples: int | None, shape: Any) -> Any:
    """The shape with another batch axis; of a list of shapes, one for each input of a layer, all of them."""
    several = type(shape) is list and isinstance(shape[0], (tuple, list))
    return [with_batch(samples, one) for one in shape] if several else (samples, *shape[1:])


def with_lengths(length: int, shape: Any) -> Any:
    """The shape with this length in place of each None; of a list of shapes, all of them."""
    if type(shape) is list:
        return [with_lengths(length, one) for one in shape]
    return tuple(length if one is None else one for one in shape)


def shape_of(x: Any) -> Any:
    """The shape of an array; of a list of arrays, the inputs of one layer, the list of their shapes."""
    return [one.shape for one in x] if type(x) is list else x.shape


def _kind(array: Any) -> tuple[Any, ...]:
    """What the checks of an array depend on: its type, and so its memory, its shape and its dtype; of a list, all."""
    if type(array) is list:
        return tuple(_kind(one) for one in array)
    return type(array), getattr(array, "shape", None), getattr(array, "dtype", None)


def default_name(class_name: str) -> str:
    """Keras's snake-case name: Conv2D -> conv2d, MaxPooling2D -> max_pooling2d, ReLU -> re_lu."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def check_stored(where: str, stored: Any, expected: Mapping[str, Parameter]) -> None:
    """Raise ValueError unless `stored` has an array of the parameter's shape and dtype for each of these names."""
    if not isinstance(stored, dict) or stored.keys() != expected.keys():
        names = ", ".join(stored) if isinstance(stored, dict) else repr(stored)
        raise ValueError(f"{where}: expected {len(expected)} arrays, {', '.join(expected)}, found {names}.")
    for name, parameter in expected.items():
        check_array(name, stored[name], tuple(parameter.value.shape), parameter.value.dtype)


def check_array(name: str, stored: Any, shape: Shape, dtype: np.dtype) -> None:
    """Raise ValueError unless the value stored under a name is an array of this shape and dtype."""
    found = f"{stored.dtype} {stored.shape}" if isinstance(stored, np.ndarray) else "no array"
    if found != f"{dtype} {tuple(shape)}":
        raise ValueError(explain(name, f"{dtype} {tuple(shape)}", found, "It is of another model, or damaged."))


def check_weights(where: str, weights: Sequence[Parameter], values: Any) -> list[Array]:
    """`values` as arrays. Raises ValueError or TypeError unless there is one of the right shape for every weight."""
    values = arguments.sequence(where, values, object, "arrays")
    if not weights and values:
        raise ValueError(explain(where, "no weights yet", f"{len(values)} arrays", "Build it first, with an Input."))
    if len(values) != len(weights):
        names = ", ".join(weight.name for weight in weights)
        raise ValueError(
            explain(where, f"{len(weights)} arrays ({names})", f"{len(values)} arrays", "Keep Keras's order.")
        )
    arrays = []
    for weight, value in zip(weights, values, strict=True):
        array = arguments.array(f"{where}, {weight.name}", "weights", value, weight.value.dtype)
        if array.shape != tuple(weight.value.shape):
            raise ValueError(
                explain(
                    f"{where}, {weight.name}",
                    f"shape {tuple(weight.value.shape)}",
                    f"shape {array.shape}",
                    "Kernels are (window…, in, out), as in Keras.",
                )
            )
        arrays.append(array)
    return arrays
