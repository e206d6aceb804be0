"""Each layer's part of a training step: the times of its calls, and their FLOP and bytes.

FLOP and bytes are the textbook's: 2 FLOP for every multiplication of a direct convolution or product, and every array
read or written once. An algorithm with less arithmetic (Winograd's) can therefore exceed the machine's peak.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from math import prod
from time import perf_counter
from typing import Any

import numpy as np

FLOAT = 4  # bytes
LEAD = 3  # warm-up steps that are not counted


def profile(model: Any, x: np.ndarray, y: np.ndarray, batch_size: int) -> dict[str, Any]:
    """Median milliseconds of a step, of each layer's forward and backward, of the optimiser, and of the rest."""
    steps: dict[str, list[float]] = defaultdict(list)
    first = next(layer for layer in model.layers if layer.parameters())
    network, loss = model.objective()
    wrapped: list[tuple[Any, str, str]] = [(model.optimizer, "step", "optimizer"), (model, "train_step", "step")]
    wrapped += [(layer, name, f"{layer.name}.{name}") for layer in network.layers for name in ("call", "call_backward")]
    for owner, name, label in wrapped:
        setattr(owner, name, _timed(getattr(owner, name), steps[label]))
    model.objective = lambda: (network, loss)  # its layers are the timed ones
    try:
        model.fit(x, y, batch_size=batch_size, verbose=0)
    finally:
        del model.objective
        for owner, name, _ in wrapped:
            delattr(owner, name)  # restores the class's method

    count = len(steps["step"]) - LEAD
    milliseconds = {label: 1e3 * float(np.median(times[-count:])) if times else 0.0 for label, times in steps.items()}
    layers = [
        {
            "name": layer.name,
            "class": type(layer).__name__,
            "forward": milliseconds[f"{layer.name}.call"],
            "backward": milliseconds[f"{layer.name}.call_backward"],
            **work(layer, batch_size, need_dx=layer is not first),
        }
        for layer in network.layers
    ]
    optimizer, step = milliseconds["optimizer"], milliseconds["step"]
    known = optimizer + sum(layer["forward"] + layer["backward"] for layer in layers)
    return {"step": step, "layers": layers, "optimizer": optimizer, "rest": max(step - known, 0.0)}


def work(layer: Any, batch_size: int, need_dx: bool) -> dict[str, float]:
    """FLOP and bytes of a layer's forward and backward; 0 FLOP for layers without a matrix product."""
    inputs, outputs = (batch_size * prod(shape[1:]) for shape in (layer.input_shape, layer.output_shape))
    kernel = getattr(layer, "kernel", None)
    size = 0 if kernel is None else kernel.value.size
    # Every output is a sum over the kernel's rows: size / filters of them.
    flops = 0 if kernel is None else 2 * outputs * size // kernel.value.shape[-1]
    return {
        "forward_flops": flops,
        "backward_flops": flops * (1 + need_dx),  # the kernel's gradient, and the input's
        "forward_bytes": FLOAT * (inputs + size + outputs),
        "backward_bytes": FLOAT * (outputs + inputs * (1 + need_dx) + size * (1 + need_dx)),
    }


def _timed(function: Callable[..., Any], times: list[float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        result = function(*args, **kwargs)
        times.append(perf_counter() - start)
        return result

    return timed
