"""Data-parallel training: several processes, each with its own copy of the model, share the samples of every batch.

    with DataParallel(shards=4) as parallel:         # started with mpiexec -n 2 python train.py
        model = parallel.replicate(model)            # process 0's model, on every process
        model.fit(x, y, verbose="auto" if parallel.rank == 0 else 0)

A batch is cut into shards, and their number does not depend on the number of processes. The gradient of each shard is
computed by itself, with the same arrays of the same shapes wherever it is computed. Then the gradients are added in
pairs, and the sums again in pairs:

    shard   0   1     2   3
            └──+──┘   └──+──┘
               └────+────┘

One process adds all of this tree. Two processes have two neighbouring shards each: each adds its half, and they
exchange the halves' sums. Every addition has the same operands, so the weights are equal bit for bit.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from math import prod
from time import monotonic, sleep
from typing import Any
from zlib import crc32

import numpy as np

from . import arguments
from .backends import backend_name, to_device, to_host, use_backend
from .backends.contract import Array
from .diagnosis import non_finite_error
from .errors import explain
from .extras import imported
from .layers.base import with_batch
from .layers.random import RandomLayer
from .losses import Loss
from .network import Network
from .parameters import Parameter


class DataParallel:
    """The processes that mpiexec started, as a context manager; without mpiexec, there is one.

    `rank` is this process's number, from 0, and `size` the number of processes. `shards`, a power of two, is the number
    of parts that a batch is cut into: another number is another training. `timeout` is how many seconds a process waits
    for another one before it ends the run. An exception on one process ends all of them. Each process computes on one
    core: the numba backend gets one thread, because its sums depend on the number of threads.

    Raises ImportError without mpi4py, ValueError if the processes do not divide the shards.
    """

    def __init__(self, shards: int = 4, timeout: float = 300.0) -> None:
        self.shards = arguments.whole("DataParallel shards", shards)
        self.timeout = arguments.non_negative("DataParallel timeout", timeout)
        self.mpi = imported("mpi4py.MPI", "mpi", "DataParallel")
        self.world = self.mpi.COMM_WORLD
        self.rank, self.size = self.world.rank, self.world.size
        if shards & (shards - 1):
            remedy = "Choose one of them: shards are added in pairs."
            raise ValueError(explain("DataParallel shards", "a power of two: 1, 2, 4, 8, …", shards, remedy))
        if shards % self.size:
            divisors = ", ".join(str(n) for n in range(1, shards + 1) if shards % n == 0)
            remedy = "Start another number of processes (mpiexec -n), or choose other shards, for another training."
            raise ValueError(
                explain("DataParallel", f"{divisors} processes for {shards} shards", f"{self.size} processes", remedy)
            )
        each = shards // self.size
        self.own_shards = range(self.rank * each, (self.rank + 1) * each)
        self._block = ExitStack()

    def __enter__(self) -> DataParallel:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        """End all processes if this one fails: the others would wait for it."""
        self._block.close()
        if error is None or self.size == 1 or (isinstance(error, SystemExit) and not error.code):
            return
        interrupted = isinstance(error, KeyboardInterrupt)
        message = f"{error}\n" if interrupted and str(error) else ""
        if not interrupted and not isinstance(error, SystemExit):  # which has printed its message
            message = "".join(traceback.format_exception(error))
        end = "been interrupted" if interrupted else "failed"
        message += f"Process {self.rank} of {self.size} has {end}, so all of them end."
        print(message, file=sys.stderr, flush=True)
        sys.stdout.flush()
        sleep(0.5)  # mpiexec drops what it has not passed on when Abort comes
        self.world.Abort(130 if interrupted else 2)

    def broadcast(self, value: Any) -> Any:
        """Process 0's value on every process; what the others give is not used."""
        self._wait([self.world.Ibarrier()], "the other processes")
        return self.world.bcast(value)

    def replicate(self, model: Any) -> Any:
        """Process 0's model on every process, with its optimiser and random numbers; its `fit` shares the batches.

        What the other processes give is not used and may be None. After the block, the model is an ordinary one again.
        From here on, the numba backend computes with one thread.
        """
        if backend_name() == "numba":
            self._block.enter_context(use_backend("numba", threads=1))
        if model is not None:
            model.parallel = None
        model = self.broadcast(model)
        model.parallel = self
        self._block.callback(setattr, model, "parallel", None)
        return model

    def share(self, model: Any, train: Any, validation: Any, **options: Any) -> None:
        """Let `fit` give each process its part of these batches.

        Raises TypeError for an iterable of batches; ValueError for batches of fewer samples than shards, or if the
        processes call fit with different weights, options or sizes of data.
        """
        if not hasattr(train, "samples"):
            remedy = (
                'Processes read their samples by number. np.load(path, mmap_mode="r") reads no others from the disk.'
            )
            raise TypeError(explain("fit with DataParallel", "arrays x and y", "an iterable of batches", remedy))
        counts = len(model.input_names), len(model.output_numbers)
        if counts != (1, 1):
            remedy = "Concatenate them: the inputs in the data, the outputs by a layer."
            expected, found = "a model of one input and one output", f"{counts[0]} and {counts[1]}"
            raise ValueError(explain("fit with DataParallel", expected, found, remedy))
        smallest = min(train.samples, train.batch_size)
        if smallest < self.shards:
            expected, found = f"at least {self.shards} samples in a batch, one per shard", f"{smallest}"
            raise ValueError(explain("fit with DataParallel", expected, found, "Give a larger batch_size."))
        mine = {**options, "batch_size": train.batch_size, "samples": train.samples, "steps": train.steps}
        mine["weights with the checksum"] = crc32(b"".join(array.tobytes() for array in model.get_weights()))
        self._wait([self.world.Ibarrier()], "the other processes")
        for rank, theirs in enumerate(self.world.allgather(mine)):
            for name in mine:
                if theirs[name] != mine[name]:
                    where, expected = f"fit on process {self.rank}", f"{name} {theirs[name]}, as on process {rank}"
                    raise ValueError(explain(where, expected, mine[name], "Call fit alike on all processes."))
        for batches in (train, validation):
            if hasattr(batches, "samples"):
                batches.parallel = self

    def own(self, start: int, stop: int) -> slice:
        """Which of the samples start … stop − 1 are in this process's shards."""
        bounds = self._bounds(stop - start)
        return slice(start + bounds[self.own_shards.start], start + bounds[self.own_shards.stop])

    def _bounds(self, samples: int) -> list[int]:
        """Where the shards of a batch begin; the last number is their end."""
        return [samples * shard // self.shards for shard in range(self.shards + 1)]

    def _parts(self, x: Array, samples: int) -> Iterator[tuple[int, slice, Array]]:
        """This process's shards: number, rows in the batch, and the samples, taken from x."""
        bounds = self._bounds(samples)
        first = bounds[self.own_shards.start]
        for shard in self.own_shards:
            start, stop = bounds[shard : shard + 2]
            yield shard, slice(start, stop), x[start - first : stop - first]

    def train_step(self, model: Any, x: Array, y: Array, sample_weight: Any = None) -> tuple[Array, Array]:
        """One step; returns the loss and the outputs of the whole batch, as `Trainer.train_step`.

        x has the samples of this process's shards only; y and sample_weight are those of the whole batch.
        """
        network, loss = model.objective()
        before = State(network)
        buffers = []
        for shard, rows, samples in self._parts(x, len(y)):
            part = Sums(model, len(y))
            if len(samples):  # the last batch may have fewer samples than shards
                before.restore(shard)
                weights = None if sample_weight is None else sample_weight[rows]
                share = share_of(loss, sample_weight, rows, len(y))
                y_pred = network.forward(samples, training=True)
                part.loss[...] = to_host(loss.forward(y[rows], y_pred, weights)) * share
                part.outputs[rows] = to_host(y_pred)  # zeros elsewhere: the sum has the rows of all shards
                network.backward(loss.backward() * share, need_dx=False)
                for sums, parameter in zip(part.grads, network.parameters(), strict=True):
                    sums[...] = to_host(parameter.grad)
                for sums, weight in zip(part.statistics, before.weights, strict=True):
                    sums[...] = to_host(weight.value) * (len(samples) / len(y))
            buffers.append(part.buffer)
        total = Sums(model, len(y), to_device(self.all_reduce(tree_sum(buffers))))
        before.replace(total.statistics, self.shards)
        value = network.add_penalties(total.loss)
        if not np.isfinite(to_host(value)):
            x = to_device(np.concatenate(self.world.allgather(to_host(x))))
            raise non_finite_error(model, x, float(to_host(value)), model.optimizer.iterations + 1)
        for parameter, grad in zip(network.parameters(), total.grads, strict=True):
            parameter.grad = grad
        network.add_penalty_gradients()
        model.optimizer.step(model.parameters())
        return value, total.outputs

    def infer(self, network: Network, x: Array, samples: int) -> Array:
        """The outputs of a batch of so many samples; x has those of this process's shards only."""
        outputs = np.zeros(with_batch(samples, network.output_shape), network.dtype)
        for _, rows, own in self._parts(x, samples):
            if len(own):
                outputs[rows] = to_host(network.infer(own))
        return to_device(self.all_reduce(outputs))

    def all_reduce(self, mine: np.ndarray) -> np.ndarray:
        """The sum of all processes' arrays: the upper part of the tree. a + b and b + a are equal bit for bit."""
        distance = 1
        while distance < self.size:
            partner, theirs = self.rank ^ distance, np.empty_like(mine)
            requests = [self.world.Irecv(theirs, partner), self.world.Isend(mine, partner)]
            self._wait(requests, f"process {partner}")
            mine, distance = mine + theirs, 2 * distance
        return mine

    def _wait(self, requests: list[Any], whom: str) -> None:
        """Wait for communication to end. Raises TimeoutError after `timeout` seconds."""
        end = monotonic() + self.timeout
        while not self.mpi.Request.Testall(requests):
            if monotonic() > end:
                expected, found = f"an answer of {whom} within {self.timeout:g} seconds", "none"
                remedy = "It is stopped, or computes for longer: DataParallel(timeout=…) waits longer."
                raise TimeoutError(explain(f"Process {self.rank} of {self.size}", expected, found, remedy))
            sleep(0)  # lets another process compute, if there are more processes than cores


def tree_sum(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of 2ⁿ arrays, in pairs: (a₀ + a₁) + (a₂ + a₃)."""
    while len(arrays) > 1:
        arrays = [a + b for a, b in zip(arrays[::2], arrays[1::2], strict=True)]
    return arrays[0]


class Sums:
    """What a step adds up over the shards, views of one contiguous buffer: gradients, statistics, loss, outputs."""

    def __init__(self, model: Any, samples: int, buffer: Any = None) -> None:
        parameters, statistics = model.parameters(), moving_statistics(model)
        shapes = [tuple(weight.value.shape) for weight in (*parameters, *statistics)]
        shapes += [(), with_batch(samples, model.output_shape)]
        ends = np.cumsum([prod(shape) for shape in shapes]).tolist()
        self.buffer = np.zeros(ends[-1], model.dtype) if buffer is None else buffer
        places = zip([0, *ends[:-1]], ends, shapes, strict=True)
        *views, self.loss, self.outputs = (self.buffer[start:end].reshape(shape) for start, end, shape in places)
        self.grads, self.statistics = views[: len(parameters)], views[len(parameters) :]


class State:
    """What a forward in training changes, from before it: moving statistics, and how many masks dropout has drawn."""

    def __init__(self, network: Network) -> None:
        self.weights = moving_statistics(network)
        self.values = [to_device(weight.value, copy=True) for weight in self.weights]
        self.random = [layer for layer in network.layers if isinstance(layer, RandomLayer)]
        self.calls = [layer.calls for layer in self.random]
        for weight in self.weights:
            weight.hold()

    def restore(self, shard: int) -> None:
        """Begin a shard: it does not see the statistics of others, and has masks of its own."""
        self.replace(self.values, shard)

    def replace(self, values: Sequence[Array], masks: int) -> None:
        """Set the statistics to these values, and the number of masks drawn."""
        for weight, value in zip(self.weights, values, strict=True):
            weight.value = to_device(value, copy=True)
        for layer, calls in zip(self.random, self.calls, strict=True):
            layer.calls = calls + masks


def moving_statistics(network: Network) -> list[Parameter]:
    """The weights that a forward in training changes: batch norm's moving mean and variance."""
    layers = (layer for layer, mode in zip(network.layers, network.modes, strict=True) if mode is None)
    return [weight for layer in layers if layer.trainable for weight in layer.non_trainable_weights]


def share_of(loss: Loss, sample_weight: Any, rows: slice, samples: int) -> float:
    """The factor of a shard's loss in the batch's: its share of the number that the loss divides by."""
    if loss.reduction == "sum":
        return 1.0
    if loss.reduction == "mean_with_sample_weight" and sample_weight is not None:
        return float(sample_weight[rows].sum() / (sample_weight.sum() or 1.0))
    return (rows.stop - rows.start) / samples
