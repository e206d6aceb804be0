"""DeZero, a NumPy framework for teaching, in its own training loop. A sequence is an image of width 1."""

from __future__ import annotations

import numpy as np

from .. import channels_first
from ..rival import Rival, Variant

PINS = ("dezero==0.0.13", "numpy<3", "matplotlib", "Pillow")  # DeZero does not declare its requirements
IMPORT = "import numpy; numpy.int = int; import dezero"  # DeZero uses numpy.int, which NumPy 1.24 removed
VARIANTS = {"dezero": Variant("DeZero", "dezero", PINS, imports=IMPORT)}


class Library(Rival):
    def __init__(self, variant, threads):
        vars(np).setdefault("int", int)
        import dezero

        self.dezero = dezero

    def versions(self):
        return {"dezero": "0.0.13", "numpy": np.__version__}

    def build(self, network, weights, optimizer):
        self.shapes, rest = [weight.shape for weight in weights], iter(weights)
        self.layers, self.slots, self.moved = [], [], []
        for name, config, _, spatial in channels_first.walk(network):
            count = {"Conv1D": 2, "Conv2D": 2, "Dense": 2, "BatchNormalization": 4}.get(name, 0) - (
                not config.get("use_bias", True)
            )
            parameters = [self._parameter(name, next(rest), spatial) for _ in range(count)]
            self.slots += [(name, parameter, spatial) for parameter in parameters]
            self.moved += parameters[:2]  # not batch norm's statistics, which come third and fourth
            self.layers.append(self._layer(name, config, parameters))
        optimizers = self.dezero.optimizers
        self.optimizer = optimizers.Adam(eps=1e-7) if optimizer == "adam" else optimizers.SGD(lr=1.0)
        self.optimizer.setup(self)

    def params(self):
        """The trainable parameters; the optimiser calls this."""
        return self.moved

    def train(self, x, y, batch_size, tick):
        x, labels, functions = self._arrange(x), y.argmax(axis=1), self.dezero.functions
        order = np.random.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            loss = functions.softmax_cross_entropy(self._forward(x[batch]), labels[batch])
            for parameter in self.moved:
                parameter.cleargrad()
            loss.backward()
            self.optimizer.update()
            tick()

    def predict(self, x):
        with self.dezero.test_mode(), self.dezero.no_grad():
            return self.dezero.functions.softmax(self._forward(self._arrange(x))).data

    def get_weights(self):
        arrays = [(p.data.T if name == "Dense" else p.data, spatial) for name, p, spatial in self.slots]
        return [channels_first.to_channels_last(*a, shape) for a, shape in zip(arrays, self.shapes, strict=True)]

    def _parameter(self, name, weight, spatial):
        data = channels_first.to_channels_first(weight, spatial)
        if weight.ndim > 1 and name == "Conv1D":
            data = data[..., np.newaxis]
        elif weight.ndim > 1 and name == "Dense":
            data = data.reshape(len(data), -1).T
        return self.dezero.Parameter(data.copy())

    def _arrange(self, x):
        x = np.ascontiguousarray(channels_first.images_first(x))
        return x if x.ndim == 4 else x[..., np.newaxis]

    def _forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def _layer(self, name, config, parameters):
        """The layer as a function of x."""
        functions = self.dezero.functions
        padding = config.get("padding") == "same" and config["kernel_size"] // 2
        pool = config.get("pool_size")
        function = {
            "Conv1D": lambda x: functions.conv2d(x, *parameters),
            "Conv2D": lambda x: functions.conv2d(x, *parameters, pad=padding),
            "MaxPooling1D": lambda x: functions.pooling(x, (pool, 1), (pool, 1)),
            "MaxPooling2D": lambda x: functions.pooling(x, pool, pool),
            "BatchNormalization": lambda x: self._batch_norm(x, *parameters),
            "Dropout": lambda x: functions.dropout(x, config["rate"]),
            "Dense": lambda x: functions.linear(x, *parameters),
            "Flatten": functions.flatten,
            "GlobalAveragePooling2D": lambda x: functions.sum(x, axis=(2, 3)) / (x.shape[2] * x.shape[3]),
            "ReLU": functions.relu,
        }[name]
        return (lambda x: functions.relu(function(x))) if config.get("activation") == "relu" else function

    def _batch_norm(self, x, gamma, beta, mean, variance):
        return self.dezero.functions.batch_nrom(x, gamma, beta, mean.data, variance.data, decay=0.99, eps=1e-3)
