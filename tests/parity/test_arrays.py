"""PyTorch's tensors as data: accepted if NumPy accepts them, else refused in a sentence."""

import numpy as np
import pytest
import torch

from minicnn import Input, Sequential
from minicnn.layers import Dense
from minicnn.utils import to_categorical

X, LABELS = np.random.default_rng(0).random((6, 4), dtype=np.float32), np.array([0, 1, 2, 0, 1, 2])


def model():
    made = Sequential([Input((4,)), Dense(3, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def test_tensors_are_data():
    made, x, labels = model(), torch.tensor(X), torch.tensor(LABELS)
    np.testing.assert_array_equal(made.predict(x), made.predict(X))
    np.testing.assert_array_equal(made.predict_on_batch(x), made.predict_on_batch(X))
    assert made.evaluate(x, labels, verbose=0) == made.evaluate(X, LABELS, verbose=0)
    np.testing.assert_array_equal(to_categorical(labels), to_categorical(LABELS))
    made.set_weights([torch.tensor(weights) for weights in made.get_weights()])
    made.train_step(x, labels)
    made.fit(x, labels, verbose=0)


@pytest.mark.parametrize("tensor", [torch.tensor(X, requires_grad=True), torch.tensor(X).to_sparse()])
def test_tensors_that_numpy_does_not_take(tensor):
    with pytest.raises(ValueError, match="x of numbers, found torch.Tensor that NumPy cannot read"):
        model().predict(tensor)
