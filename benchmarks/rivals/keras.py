"""Keras 3 on its three backends, trained through fit on NumPy arrays."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from ..rival import Rival, Variant

KERAS = "keras==3.15.1"
BACKENDS = {
    "tensorflow": (
        "TensorFlow",
        "tensorflow-cpu==2.21.0; sys_platform != 'darwin' and platform_machine != 'aarch64'",
        "tensorflow==2.21.0; sys_platform == 'darwin' or platform_machine == 'aarch64'",
    ),
    "jax": ("JAX", "jax==0.10.2"),
    "torch": ("PyTorch", "torch==2.13.0"),
}
VARIANTS = {
    f"keras-{backend}": Variant(
        f"Keras, {title}",
        environment=backend,
        requirements=(KERAS, *requirements),
        variables={"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
        imports="import keras",
    )
    for backend, (title, *requirements) in BACKENDS.items()
}


class Library(Rival):
    def __init__(self, variant, threads):
        import keras

        self.keras = keras
        if keras.backend.backend() == "torch":
            import torch

            torch.set_num_threads(threads)

    def versions(self):
        backend = self.keras.backend.backend()
        return {"keras": self.keras.__version__, backend: import_module(backend).__version__}

    def build(self, network, weights, optimizer):
        self.keras.utils.clear_session()
        layers = self.keras.layers
        stack = [getattr(layers, layer["class"])(**layer["config"]) for layer in network["layers"]]
        self.model = self.keras.Sequential([self.keras.Input(network["input_shape"]), *stack])
        self.model.set_weights(weights)
        self.model.compile(self._optimizer(optimizer), "categorical_crossentropy")

    def train(self, x, y, batch_size, tick):
        from keras.callbacks import Callback

        class Tick(Callback):
            async_safe = True  # otherwise Keras waits for every batch's loss

            def on_train_batch_end(self, batch, logs=None):
                tick()

        self.model.fit(x, y, batch_size=batch_size, verbose=0, callbacks=[Tick()])

    def predict(self, x):
        return self.model.predict_on_batch(x)  # faster than predict, and than calling the model

    def get_weights(self):
        return self.model.get_weights()

    def _optimizer(self, optimizer):
        optimizers = self.keras.optimizers
        if isinstance(optimizer, str):
            return {"adam": optimizers.Adam, "sgd": partial(optimizers.SGD, 1.0)}[optimizer]()
        config = dict(optimizer["config"])
        schedule = config.pop("learning_rate")
        rate = getattr(optimizers.schedules, schedule["class"])(**schedule["config"])
        return getattr(optimizers, optimizer["class"])(rate, **config)
