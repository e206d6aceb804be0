"""Time of forward and backward of single layers, compared with PyTorch's, on the shapes of a CNN."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..bench import Bench
from ..networks import BATCH_SIZE, Network

RIVALS = ("minicnn", "torch", "torch-channels-last")
IMAGES, SMALL, SEQUENCE, FEATURES = [28, 28, 32], [14, 14, 64], [26, 64], [1152]
LAYERS: list[tuple[str, list[int], dict[str, Any]]] = [
    ("Conv2D", [28, 28, 1], {"filters": 32, "kernel_size": 3, "padding": "same"}),
    ("Conv2D", IMAGES, {"filters": 32, "kernel_size": 3, "padding": "same"}),
    ("Conv2D", IMAGES, {"filters": 64, "kernel_size": 1}),
    ("Conv2D", SMALL, {"filters": 128, "kernel_size": 3, "padding": "same", "activation": "relu"}),
    ("Conv2D", SMALL, {"filters": 64, "kernel_size": 5, "padding": "same"}),
    ("Conv2D", IMAGES, {"filters": 32, "kernel_size": 3, "padding": "same", "groups": 32}),
    ("Conv2D", IMAGES, {"filters": 32, "kernel_size": 3, "padding": "same", "groups": 4}),
    ("Conv2D", IMAGES, {"filters": 32, "kernel_size": 3, "padding": "same", "dilation_rate": 2}),
    ("Conv1D", SEQUENCE, {"filters": 128, "kernel_size": 3, "activation": "relu"}),
    ("Dense", FEATURES, {"units": 128, "activation": "relu"}),
    ("MaxPooling2D", IMAGES, {"pool_size": 2}),
    ("MaxPooling1D", SEQUENCE, {"pool_size": 2}),
    ("AveragePooling2D", IMAGES, {"pool_size": 2}),
    ("GlobalAveragePooling2D", IMAGES, {}),
    ("BatchNormalization", IMAGES, {}),
    ("BatchNormalization", SEQUENCE, {}),
    ("GroupNormalization", IMAGES, {"groups": 8}),
    ("ReLU", IMAGES, {}),
    ("ReLU", IMAGES, {"negative_slope": 0.1}),
    ("Activation", IMAGES, {"activation": "sigmoid"}),
    ("Activation", IMAGES, {"activation": "tanh"}),
    ("Activation", IMAGES, {"activation": "gelu"}),
    ("Activation", IMAGES, {"activation": "silu"}),
    ("Activation", IMAGES, {"activation": "elu"}),
    ("Softmax", FEATURES, {}),
    ("Dropout", IMAGES, {"rate": 0.2}),
]


def measure(bench: Bench) -> None:
    workers = {rival: worker for rival, worker in bench.workers.items() if rival in RIVALS}
    for name, shape, config in LAYERS:
        case = f"{name}({', '.join(f'{key}={value!r}' for key, value in config.items())}) on {tuple(shape)}"
        network: Network = {"input_shape": shape, "layers": [{"class": name, "config": config}]}
        weights, data = bench.write_inputs(network, BATCH_SIZE)
        turns = {}
        for rival, worker in workers.items():
            with bench.may_fail(rival, case):
                worker.ask("data", path=data)
                worker.ask("build", network=network, weights=weights)
                worker.ask("backpropagate", calls=2)  # compiles
                call = worker.ask("backpropagate", calls=3)
                calls = int(np.clip(bench.settings.turn / 4 / call, 2, 500))
                turns[rival] = partial(worker.ask, "backpropagate", calls=calls)
        bench.record("layer", case, "ms", bench.time_turns(case, turns, share=1 / 8))
