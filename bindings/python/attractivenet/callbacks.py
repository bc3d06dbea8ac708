# SPDX-License-Identifier: MIT
"""What fit() calls while it trains: Keras' callbacks by their names and defaults, and the base of your own."""

from __future__ import annotations

import os
from typing import Any, Callable

from ._call import Path, call, encode_path, ffi, lib


def check_model_name(what: str, path: str | bytes) -> None:
    """Refuse a name of a Keras file for a model that is written as safetensors."""
    if os.fsdecode(path).endswith((".h5", ".keras", ".hdf5")):
        raise ValueError(f"{what} is {path!r}, but a safetensors file is written: end it with .safetensors")


class Callback:
    """Base of callbacks. fit() calls the methods that a callback has; it need not derive from this.

    self.model is the model, self.params has "epochs", "steps" and "verbose". epoch and batch count from 0. logs has
    "loss", and at the end of an epoch also "val_loss" (with validation data) and "learning_rate". A callback may
    predict, evaluate, save, set model.optimizer.learning_rate and model.stop_training; what it raises ends the
    training.
    """

    model: Any = None
    params: dict[str, Any] = {}

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None: ...
    def on_train_end(self, logs: dict[str, float] | None = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None: ...
    def on_test_begin(self, logs: dict[str, float] | None = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None: ...
    def on_test_end(self, logs: dict[str, float] | None = None) -> None: ...


class LambdaCallback(Callback):
    """A callback from functions: LambdaCallback(on_epoch_end=lambda epoch, logs: ...)."""

    def __init__(self, **functions: Callable[..., Any]) -> None:
        for name, function in functions.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise TypeError(f"{name!r} is not a method of a callback")
            setattr(self, name, function)


class LearningRateScheduler(Callback):
    """Before each epoch set the learning rate to schedule(epoch, rate)."""

    def __init__(self, schedule: Callable[[int, float], float]) -> None:
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(self.schedule(epoch, optimizer.learning_rate))


class Native:
    """A callback that the library does itself: a run that is resumed has its state, too."""

    monitor = "val_loss"

    def _set(self, options: Any, kept: list[Any]) -> None:
        """Set the options of training; kept holds what they point to."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class EarlyStopping(Native):
    """End the training when monitor ("val_loss"; "loss" without validation data) has not fallen by more than min_delta
    for patience epochs. restore_best_weights: the model then has the weights of the best epoch."""

    def __init__(self, monitor: str = "val_loss", min_delta: float = 0.0, patience: int = 0,
                 restore_best_weights: bool = False) -> None:
        self.monitor = monitor
        self.min_delta = min_delta
        self.patience = patience
        self.restore_best_weights = restore_best_weights

    def _set(self, options: Any, kept: list[Any]) -> None:
        options.early_stop_patience = self.patience
        options.early_stop_min_delta = self.min_delta
        options.restore_best = int(self.restore_best_weights)


class ModelCheckpoint(Native, Callback):
    """Write the model to filepath (safetensors) after each epoch; with save_best_only, if monitor is the best so far,
    or below initial_value_threshold.

    filepath may hold "{epoch:02d}" (from 1), "{val_loss:.3f}" and other names of logs: a file for each epoch.
    """

    def __init__(self, filepath: Path, monitor: str = "val_loss", save_best_only: bool = False,
                 initial_value_threshold: float | None = None) -> None:
        self.filepath = os.fspath(filepath)
        self.monitor = monitor
        self.save_best_only = save_best_only
        self.initial_value_threshold = initial_value_threshold
        check_model_name("filepath", self.filepath)

    @property
    def _is_template(self) -> bool:
        return "{" in self.filepath

    def _set(self, options: Any, kept: list[Any]) -> None:
        if self._is_template:
            return
        kept.append(encode_path(self.filepath))
        options.checkpoint_path = kept[-1]
        options.save_best_only = int(self.save_best_only)
        if self.initial_value_threshold is not None:
            options.checkpoint_best = self.initial_value_threshold

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self._is_template:
            self._state = ffi.new("an_best_checkpoint *")
            lib.an_best_checkpoint_init(self._state, ffi.sizeof("an_best_checkpoint"), int(self.save_best_only))
            if self.initial_value_threshold is not None:
                self._state.best = self.initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if not self._is_template or logs is None:
            return
        if self.save_best_only and not lib.an_best_checkpoint_update(self._state, logs[self.monitor]):
            return
        try:
            path = self.filepath.format(epoch=epoch + 1, **logs)
        except KeyError as unknown:
            raise ValueError(f"filepath is {self.filepath!r}, but there is no {unknown}; "
                             f"it may hold {', '.join(map(repr, ['epoch', *logs]))}") from None
        self.model.save(path)


class ReduceLROnPlateau(Native):
    """Multiply the learning rate by factor when monitor has not fallen by more than min_delta for patience epochs."""

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, min_delta: float = 1e-4,
                 cooldown: int = 0, min_lr: float = 0.0) -> None:
        self.monitor = monitor
        self.factor = factor
        self.patience = patience
        self.min_delta = min_delta
        self.cooldown = cooldown
        self.min_lr = min_lr

    def _set(self, options: Any, kept: list[Any]) -> None:
        options.reduce_rate_patience = self.patience
        options.reduce_rate_cooldown = self.cooldown
        options.reduce_rate_factor = self.factor
        options.reduce_rate_min_delta = self.min_delta
        options.reduce_rate_min = self.min_lr


class CSVLogger(Native):
    """Write all epochs of the history to a CSV file after each epoch: stage,epoch,loss,val_loss,rate,seconds."""

    monitor = ""

    def __init__(self, filename: Path) -> None:
        self.filename = os.fspath(filename)

    def _set(self, options: Any, kept: list[Any]) -> None:
        kept.append(encode_path(self.filename))
        options.csv_path = kept[-1]


class TensorBoard(Native):
    """Write event files for TensorBoard to log_dir/train and log_dir/validation."""

    monitor = ""

    def __init__(self, log_dir: Path = "logs") -> None:
        self.log_dir = os.fspath(log_dir)

    def _set(self, options: Any, kept: list[Any]) -> None:
        kept.append(encode_path(self.log_dir))
        options.tensorboard_dir = kept[-1]


class BackupAndRestore(Native):
    """Write all that the next step depends on to path-1.safetensors and path-2.safetensors, every seconds and after
    each epoch; a fit that begins with the same arguments continues from there, bit for bit, also in an epoch.

    delete_checkpoint: remove the files when the training has ended. Otherwise a fit that has ended is not repeated:
    for a script with several stages, give each its own path and keep the files.
    """

    monitor = ""

    def __init__(self, path: Path, seconds: float = 60.0, delete_checkpoint: bool = True) -> None:
        self.path = os.fspath(path)
        self.seconds = seconds
        self.delete_checkpoint = delete_checkpoint

    def _set(self, options: Any, kept: list[Any]) -> None:
        kept.append(encode_path(self.path))
        options.resume_path = kept[-1]
        options.resume_seconds = self.seconds

    def _remove(self) -> None:
        call(lib.an_checkpoint_remove, encode_path(self.path))


__all__ = ["BackupAndRestore", "CSVLogger", "Callback", "EarlyStopping", "LambdaCallback", "LearningRateScheduler",
           "ModelCheckpoint", "ReduceLROnPlateau", "TensorBoard"]
