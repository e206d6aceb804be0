"""Model 5 with residual connections: every convolution is followed by a second one with a shortcut around it.

435,306 parameters. It is not in the report; it is trained as Model 5 and compared with it. docs/branches.md explains
the gradients of the shortcuts.
"""

from experiment import report, run

from minicnn import Input, Model
from minicnn.layers import Add, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ReLU
from minicnn.layers.input import Value


def block(x: Value, filters: int) -> Value:
    """Two convolutions; the second one's output is added to its input. Pooling halves the image."""
    x = Conv2D(filters, 3, padding="same", activation="relu")(x)
    y = Conv2D(filters, 3, padding="same")(x)
    x = ReLU()(Add()([x, y]))
    return MaxPooling2D(2)(x)


def build_model() -> Model:
    inputs = Input((28, 28, 1))
    x = block(inputs, 32)  # -> 14 × 14 × 32
    x = block(x, 64)  # -> 7 × 7 × 64
    x = block(x, 128)  # -> 3 × 3 × 128: the last row and column are dropped
    x = Dense(128, activation="relu")(Flatten()(x))
    outputs = Dense(10, activation="softmax")(Dropout(0.2)(x))
    return Model(inputs, outputs, name="model5_residual")


if __name__ == "__main__":
    run(build_model, report.MODEL_5_RESIDUAL)
