"""Model 7, ours: five convolutions with batch norm, trained by the recipe of today's speed records.

289,962 parameters. docs/model7.md says what each ingredient brings and how they were chosen: on the last 10,000
training images, never on the test images.
"""

from argparse import Namespace

import numpy as np
from experiment import report, run

from minicnn import Input, Model, Sequential
from minicnn.callbacks import Callback, WeightAveraging
from minicnn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPooling2D,
    RandomFlip,
    RandomTranslation,
    ReLU,
)
from minicnn.losses import CategoricalCrossentropy
from minicnn.optimizers import AdamW
from minicnn.optimizers.schedules import CosineDecay


def convolution(filters: int, pool: bool = False) -> list[Layer]:
    """Batch norm has a bias of its own. Pooling comes before it, so that it has a quarter of the pixels to read."""
    return [
        Conv2D(filters, 3, padding="same", use_bias=False),
        *([MaxPooling2D(2)] if pool else []),
        BatchNormalization(momentum=0.9),  # the statistics of about the last 10 steps: there are few steps
        ReLU(),
    ]


def build_model() -> Sequential:
    return Sequential(
        [
            Input((28, 28, 1)),
            RandomFlip("horizontal"),  # a mirrored shirt is a shirt
            RandomTranslation(1 / 28, 1 / 28, fill_mode="constant", interpolation="nearest"),  # by up to a pixel
            *convolution(32, pool=True),  # -> 14 × 14 × 32: most of the work is done on small images
            *convolution(64),
            *convolution(64, pool=True),  # -> 7 × 7 × 64
            *convolution(128),
            *convolution(128, pool=True),  # -> 3 × 3 × 128
            Flatten(),  # -> 1,152
            Dense(10, activation="softmax"),
        ],
        name="model7",
    )


def compile_model(model: Model, options: Namespace, steps: int) -> list[Callback]:
    """Compile the model for so many steps per epoch; returns the callbacks of its training."""
    steps *= options.epochs
    one_cycle = CosineDecay(  # up for a fifth of the training, then down to 0
        options.learning_rate / 25, 0.8 * steps, warmup_target=options.learning_rate, warmup_steps=0.2 * steps
    )
    model.compile(
        AdamW(one_cycle, weight_decay=0.02),
        CategoricalCrossentropy(label_smoothing=0.1),  # some labels are wrong: no probability has to reach 1
        metrics=["accuracy"],
    )
    return [WeightAveraging(start_from_epoch=options.epochs - 1)]  # the mean over the last epoch


def accuracy_with_mirror_images(model: Model, x: np.ndarray, y: np.ndarray) -> float:
    """The accuracy of the mean of an image's and its mirror image's probabilities: two opinions for twice the time."""
    p = model.predict(x, batch_size=128) + model.predict(x[:, :, ::-1], batch_size=128)
    return float(np.mean(p.argmax(axis=1) == y.argmax(axis=1)))


if __name__ == "__main__":
    trained, test = run(build_model, report.MODEL_7, compile_model)
    print(f"Accuracy with mirror images: {accuracy_with_mirror_images(trained, *test):.4f}")
