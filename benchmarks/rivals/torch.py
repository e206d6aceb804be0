"""PyTorch in a plain training loop: eager, with channels-last tensors, and through torch.compile."""

from __future__ import annotations

from functools import partial
from math import cos, pi

from .. import channels_first
from ..rival import Rival, Variant

LABELS = {
    "torch": "PyTorch",
    "torch-channels-last": "PyTorch, channels last",
    "torch-compile": "PyTorch, torch.compile",
}
VARIANTS = {name: Variant(label, "torch", ("torch==2.13.0",), imports="import torch") for name, label in LABELS.items()}


class Library(Rival):
    def __init__(self, variant, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.variant = torch, variant

    def versions(self):
        return {"torch": self.torch.__version__}

    def build(self, network, weights, optimizer):
        torch = self.torch
        torch.compiler.reset()
        self.images = len(network["input_shape"]) == 3
        modules = [module for layer in channels_first.walk(network) for module in self._modules(*layer)]
        self.network, self.shapes = torch.nn.Sequential(*modules), [weight.shape for weight in weights]
        for (tensor, spatial), weight in zip(self._slots(), weights, strict=True):
            tensor.data.copy_(torch.from_numpy(channels_first.to_channels_first(weight, spatial)).reshape(tensor.shape))
        # Channels last is a layout of images; sequences have none in PyTorch.
        self.images_last = self.variant != "torch" and self.images
        if self.images_last:
            self.network.to(memory_format=torch.channels_last)
        self.model = torch.compile(self.network) if self.variant == "torch-compile" else self.network
        parameters = list(self.network.parameters()) or [torch.nn.Parameter(torch.zeros(1))]  # a layer without any
        self.optimizer, self.rate = self._optimizer(optimizer, parameters)

    def train(self, x, y, batch_size, tick):
        torch, loss = self.torch, self.torch.nn.CrossEntropyLoss()
        x, y = self._arrange(x), torch.from_numpy(y)
        self.model.train()
        for batch in torch.randperm(len(x)).split(batch_size):
            self.optimizer.zero_grad()
            loss(self.model(x[batch]), y[batch]).backward()
            self.optimizer.step()
            self.rate.step()
            tick()

    def backpropagate(self, x):
        x = self._arrange(x).requires_grad_()
        dy = self.torch.randn_like(self.model(x))
        self.model.train()

        def run():
            x.grad = None
            self.model(x).backward(dy)

        return run

    def predict(self, x):
        self.model.eval()
        with self.torch.inference_mode():
            return self.model(self._arrange(x)).softmax(-1).numpy()

    def get_weights(self):
        arrays = [(tensor.detach().contiguous().numpy(), spatial) for tensor, spatial in self._slots()]
        return [channels_first.to_channels_last(*a, shape) for a, shape in zip(arrays, self.shapes, strict=True)]

    def _arrange(self, x):
        x = self.torch.from_numpy(channels_first.images_first(x))
        return x if self.images_last else x.contiguous()

    def _modules(self, name, config, channels, spatial):
        nn = self.torch.nn
        batch_norm = nn.BatchNorm2d if self.images else nn.BatchNorm1d
        if name.startswith("Conv"):
            conv = getattr(nn, name.replace("D", "d"))
            options = {"padding": config.get("padding", "valid"), "bias": config.get("use_bias", True)}
            options |= {"groups": config.get("groups", 1), "dilation": config.get("dilation_rate", 1)}
            main = conv(channels, config["filters"], spatial, **options)
        elif name == "Dense":
            main = nn.Linear(channels, config["units"])
        else:
            main = {
                "MaxPooling1D": lambda: nn.MaxPool1d(config["pool_size"]),
                "MaxPooling2D": lambda: nn.MaxPool2d(config["pool_size"]),
                "Dropout": lambda: nn.Dropout(config["rate"]),
                "BatchNormalization": lambda: batch_norm(channels, eps=1e-3, momentum=1 - config.get("momentum", 0.99)),
                "GroupNormalization": lambda: nn.GroupNorm(config["groups"], channels, eps=1e-3),
                "Flatten": nn.Flatten,
                "GlobalAveragePooling2D": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
                "ReLU": lambda: nn.LeakyReLU(slope) if (slope := config.get("negative_slope")) else nn.ReLU(),
                "AveragePooling2D": lambda: nn.AvgPool2d(config["pool_size"]),
                "Activation": lambda: ACTIVATIONS[config["activation"]](nn),
                "Softmax": lambda: nn.Softmax(-1),
            }[name]()
        main.spatial = spatial
        return [main, nn.ReLU()] if config.get("activation") == "relu" else [main]

    def _optimizer(self, optimizer, parameters):
        """The optimiser, and a scheduler that gives it the learning rate of every step."""
        optim, rate = self.torch.optim, lambda step: 1.0
        if optimizer == "adam":
            made = optim.Adam(parameters, lr=1e-3, eps=1e-7)
        elif optimizer == "sgd":
            made = optim.SGD(parameters, lr=1.0)
        else:
            config = optimizer["config"]
            rate = partial(cosine_decay, **config["learning_rate"]["config"])
            made = optim.AdamW(parameters, lr=1.0, eps=1e-7, weight_decay=config["weight_decay"])
        return made, optim.lr_scheduler.LambdaLR(made, rate)

    def _slots(self):
        """Every weight in Keras's order, with the spatial axes of its kernel."""
        for module in self.network:
            for name in ("weight", "bias", "running_mean", "running_var"):
                if (tensor := getattr(module, name, None)) is not None:
                    yield tensor, module.spatial


ACTIVATIONS = {
    "sigmoid": lambda nn: nn.Sigmoid(),
    "tanh": lambda nn: nn.Tanh(),
    "gelu": lambda nn: nn.GELU(),
    "silu": lambda nn: nn.SiLU(),
    "elu": lambda nn: nn.ELU(),
}


def cosine_decay(step, initial_learning_rate, decay_steps, warmup_target, warmup_steps):
    """Keras's schedule: on a straight line up to warmup_target, then down to 0 on half a cosine."""
    if step < warmup_steps:
        return initial_learning_rate + (warmup_target - initial_learning_rate) * step / warmup_steps
    return warmup_target * (1 + cos(pi * min((step - warmup_steps) / decay_steps, 1))) / 2
