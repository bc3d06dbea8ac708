# SPDX-License-Identifier: MIT
"""Optimizers and losses by Keras' names and defaults: what Model.compile() takes."""

from __future__ import annotations

from typing import Any, Callable, Union

import numpy as np

from ._call import address, call, choose, ffi, floats, lib, options

#: "auto", "mse", "mae", "huber", "categorical", "binary", or loss(target, prediction, weights) -> (loss, gradient).
Loss = Union[str, Callable[[Any, Any, Any], "tuple[float, Any]"]]

LOSSES = ("auto", "mse", "mae", "huber", "categorical", "binary")
#: Keras' names of them.
_LOSS_NAMES = {"mean_squared_error": "mse", "mean_absolute_error": "mae", "categorical_crossentropy": "categorical",
               "binary_crossentropy": "binary"}
SCHEDULES = ("constant", "cosine")


class CosineDecay:
    """A learning rate that rises over warmup_steps from warmup_start times the rate, then falls to alpha times the
    rate over decay_steps; 0: over the rest of the stage."""

    def __init__(self, initial_learning_rate: float, decay_steps: int = 0, alpha: float = 0.0, *, warmup_steps: int = 0,
                 warmup_start: float = 0.0) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.warmup_steps = warmup_steps
        self.warmup_start = warmup_start

    def _options(self) -> Any:
        return options("schedule_options", kind=lib.AN_SCHEDULE_COSINE, warmup_steps=self.warmup_steps,
                       decay_steps=self.decay_steps, warmup_start=self.warmup_start, final_fraction=self.alpha)

    def __call__(self, step: int) -> float:
        """The rate of a step, from 0; NaN where decay_steps is 0, which only a training knows."""
        return float(lib.an_schedule_rate(self._options(), self.initial_learning_rate, step))

    def __repr__(self) -> str:
        return f"CosineDecay({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Optimizer:
    """Base of Adam, SGD and AdamW. learning_rate may be set at any time, also in a callback. beta_1 and the like may not."""

    __slots__ = ("_trainer", "_fields", "_rate", "schedule")
    _kind = 0

    def __init__(self, learning_rate: float | CosineDecay, **fields: float) -> None:
        self._trainer: Any = None
        self._fields = fields
        self.schedule: CosineDecay | None = None
        if isinstance(learning_rate, CosineDecay):
            self.schedule = learning_rate
            learning_rate = learning_rate.initial_learning_rate
        self.learning_rate = learning_rate

    @property
    def learning_rate(self) -> float:
        """The rate of the next step, before a schedule is applied."""
        return self._rate if self._trainer is None else float(lib.an_trainer_learning_rate(self._trainer))

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        if self._trainer is not None:
            call(lib.an_trainer_set_learning_rate, self._trainer, float(rate))
        elif not 0 <= float(rate) < float("inf"):
            raise ValueError(f"learning_rate is {float(rate)}; it must be finite and at least 0")
        self._rate = float(rate)

    def _options(self) -> Any:
        return options("optimizer_options", kind=self._kind, **self._fields)

    def __getstate__(self) -> dict[str, Any]:
        return {"_trainer": None, "_fields": self._fields, "_rate": self.learning_rate, "schedule": self.schedule}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        rate = repr(self.schedule) if self.schedule is not None else f"{self.learning_rate:g}"
        return f"{type(self).__name__}({', '.join([rate] + [f'{name}={value!r}' for name, value in self._fields.items()])})"


class Adam(Optimizer):
    """Keras' Adam. global_clipnorm: the largest norm of all gradients together; 0: not clipped. layer_decay: the rate of
    each layer is that of the layer after it times this factor; 0: the same rate for all."""

    __slots__ = ()

    def __init__(self, learning_rate: float | CosineDecay = 1e-3, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float = 1e-7, *, global_clipnorm: float = 0.0, layer_decay: float = 0.0) -> None:
        super().__init__(learning_rate, beta1=beta_1, beta2=beta_2, epsilon=epsilon, clip_norm=global_clipnorm,
                         layer_decay=layer_decay)


class SGD(Optimizer):
    """Keras' SGD."""

    __slots__ = ()
    _kind = 1

    def __init__(self, learning_rate: float | CosineDecay = 1e-2, momentum: float = 0.0, nesterov: bool = False, *,
                 global_clipnorm: float = 0.0) -> None:
        super().__init__(learning_rate, momentum=momentum, nesterov=int(nesterov), clip_norm=global_clipnorm)


class AdamW(Optimizer):
    """Keras' AdamW. kernels_only: gamma, beta and bias do not decay. layer_decay: as of Adam."""

    __slots__ = ()
    _kind = 2

    def __init__(self, learning_rate: float | CosineDecay = 1e-3, weight_decay: float = 0.004, beta_1: float = 0.9,
                 beta_2: float = 0.999, epsilon: float = 1e-7, *, global_clipnorm: float = 0.0,
                 kernels_only: bool = False, layer_decay: float = 0.0) -> None:
        super().__init__(learning_rate, beta1=beta_1, beta2=beta_2, epsilon=epsilon, weight_decay=weight_decay,
                         clip_norm=global_clipnorm, decay_kernels_only=int(kernels_only), layer_decay=layer_decay)


def make_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """An optimizer of its name."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    names = ("adam", "sgd", "adamw")
    return (Adam, SGD, AdamW)[choose("optimizer", optimizer, names)]()


def name_loss(loss: Loss) -> Loss:
    """A loss that exists."""
    if callable(loss):
        return loss
    name = _LOSS_NAMES.get(loss, loss)
    choose("loss", name, LOSSES)
    return name


def loss_function(loss: Callable[[Any, Any, Any], tuple[float, Any]]) -> Callable[[Any], None]:
    """What the library calls, for a loss in Python."""

    def compute(batch: Any) -> None:
        n, outputs = batch.n, batch.outputs
        weights = floats(batch.weights, (n,)) if batch.weights != ffi.NULL else None
        value, gradient = loss(floats(batch.target, (n, outputs)), floats(batch.prediction, (n, outputs)), weights)
        batch.loss[0] = float(value)
        if batch.gradient != ffi.NULL:
            slopes = np.ascontiguousarray(gradient, dtype=np.float32)
            if slopes.shape != (n, outputs):
                raise ValueError(f"the loss returned a gradient with the shape {slopes.shape}; it must be {(n, outputs)}")
            ffi.memmove(batch.gradient, address(slopes, "float *"), 4 * n * outputs)

    return compute


__all__ = ["Adam", "AdamW", "CosineDecay", "Loss", "Optimizer", "SGD"]
