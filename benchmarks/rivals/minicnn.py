"""minicnn, trained through fit."""

from __future__ import annotations

import os

import numpy as np

from ..rival import Rival, Variant

VARIANTS = {"minicnn": Variant("minicnn", environment="minicnn", imports="import minicnn")}


class Library(Rival):
    def __init__(self, variant, threads):
        import minicnn

        self.minicnn = minicnn
        if without := os.environ.get("LADDER_WITHOUT"):  # a row of the ladder
            from ..plain_code import put_in_place

            put_in_place(without)

    def versions(self):
        from importlib.metadata import version

        return {"minicnn": self.minicnn.__version__} | {name: version(name) for name in ("numpy", "numba")}

    def build(self, network, weights, optimizer):
        layers = self.minicnn.layers
        stack = [getattr(layers, layer["class"])(**layer["config"]) for layer in network["layers"]]
        self.model = self.minicnn.Sequential([self.minicnn.Input(network["input_shape"]), *stack])
        self.model.set_weights(weights)
        self.model.compile(self._optimizer(optimizer), "categorical_crossentropy")

    def train(self, x, y, batch_size, tick):
        from minicnn.callbacks import Callback

        class Tick(Callback):
            def on_train_batch_end(self, batch, logs=None):
                tick()

        self.model.fit(x, y, batch_size=batch_size, verbose=0, callbacks=[Tick()])

    def backpropagate(self, x):
        dy = np.random.default_rng(0).standard_normal(self.model.forward(x).shape, np.float32)

        def run():
            self.model.forward(x, training=True)
            self.model.backward(dy)

        return run

    def predict(self, x):
        return self.model.predict_on_batch(x)

    def get_weights(self):
        return self.model.get_weights()

    def _optimizer(self, optimizer):
        return self.minicnn.optimizers.SGD(1.0) if optimizer == "sgd" else self.minicnn.optimizers.get(optimizer)
