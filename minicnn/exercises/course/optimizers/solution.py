"""A solution of exercise 10, optimisers."""

import numpy as np


def sgd(w, dw, config):
    """-> the new w, config."""
    w = w - config["learning_rate"] * dw
    return w, config


def momentum(w, dw, config):
    """-> the new w, config, which now has the velocity in config["v"]."""
    config["v"] = config["momentum"] * config.get("v", 0) - config["learning_rate"] * dw
    w = w + config["v"]
    return w, config


def adam(w, dw, config):
    """-> the new w, config, which now has config["t"], config["m"], config["v"]."""
    config["t"] += 1
    config["m"] = config["beta1"] * config.get("m", 0) + (1 - config["beta1"]) * dw
    config["v"] = config["beta2"] * config.get("v", 0) + (1 - config["beta2"]) * dw**2
    m = config["m"] / (1 - config["beta1"] ** config["t"])
    v = config["v"] / (1 - config["beta2"] ** config["t"])
    w = w - config["learning_rate"] * m / (np.sqrt(v) + config["epsilon"])
    return w, config
