# SPDX-License-Identifier: MIT
"""Steps 5 and 6 of the tutorial: train, and what a training leaves."""

from __future__ import annotations

import math
import sys
from typing import Any, Callable, Sequence

import numpy as np

from ._call import (NULL, Callbacks, Path, adopt, as_array, call, call_long, encode_path, ffi, lib, options, own,
                    thread)
from ._progress import Progress, Shown, in_notebook, tqdm_bar
from .callbacks import BackupAndRestore, Callback, ModelCheckpoint, Native
from .data import Dataset, Loader, Samples
from .evaluation import Plot, plot_curves
from .optimizers import LOSSES, loss_function

_REPORT = ("stage", "epoch", "improved", "saved", "stopped", "reason", "steps", "loss", "val_loss", "rate", "seconds")
_REASONS = {0: "", 1: "the last epoch was reached", 2: "early stopping", 3: "the loss was NaN or infinite",
            4: "stop_training was set"}


class History:
    """The epochs of a training, across all stages.

    history: lists by name, a value per epoch: "loss", "val_loss" (NaN in stages without validation; absent if there was
    none at all), "learning_rate". epoch: 0, 1, 2, ... stage: from 1. seconds: wall time of each epoch. reason: why the
    last stage ended.
    """

    def __init__(self) -> None:
        self._reports: list[dict[str, Any]] = []

    @property
    def history(self) -> dict[str, list[float]]:
        columns = {"loss": "loss", "val_loss": "val_loss", "learning_rate": "rate"}
        found = {name: [report[column] for report in self._reports] for name, column in columns.items()}
        if all(math.isnan(value) for value in found["val_loss"]):
            del found["val_loss"]
        return found

    @property
    def epoch(self) -> list[int]:
        return list(range(len(self._reports)))

    @property
    def stage(self) -> list[int]:
        return [report["stage"] for report in self._reports]

    @property
    def seconds(self) -> list[float]:
        return [report["seconds"] for report in self._reports]

    @property
    def reason(self) -> str:
        return _REASONS[self._reports[-1]["reason"]] if self._reports else ""

    @property
    def best(self) -> float:
        """The lowest val_loss (without validation: loss); infinity if there is none."""
        values = self.history.get("val_loss", self.history["loss"])
        return min((value for value in values if not math.isnan(value)), default=math.inf)

    def plot(self, path: Path | None = None, *, log_y: bool = False, title: str | None = None,
             y_label: str = "loss") -> Plot:
        """Plot the loss curves, with a line where a stage begins; a notebook shows the result. path: also write it."""
        names = {"loss": "training", "val_loss": "validation"}
        curves = {names[name]: values for name, values in self.history.items() if name in names}
        marks = [k + 1 for k in range(1, len(self.stage)) if self.stage[k] != self.stage[k - 1]]
        plot = plot_curves(curves, marks=marks, log_y=log_y, title="Loss over the epochs" if title is None else title,
                           x_label="epoch", y_label=y_label)
        if path is not None:
            plot.save(path)
        return plot

    def to_csv(self, path: Path) -> None:
        """Write stage,epoch,loss,val_loss,rate,seconds, as the program attractivenet does."""
        call(lib.an_history_write_csv, self._native(), encode_path(path))

    @classmethod
    def read_csv(cls, path: Path) -> History:
        """Read a log written by to_csv(), by the program attractivenet or by Keras' CSVLogger."""
        self = cls()
        self._take(own("history", lib.an_history_read_csv, encode_path(path)))
        return self

    def _native(self) -> Any:
        handle = own("history", lib.an_history_create)
        for report in self._reports:
            call(lib.an_history_append, handle, options("epoch_report", **report))
        return handle

    def _take(self, handle: Any) -> None:
        report = options("epoch_report")
        self._reports = []
        for k in range(lib.an_history_count(handle)):
            call(lib.an_history_copy_epoch, handle, k, report)
            self._reports.append({name: getattr(report, name) for name in _REPORT})

    def __len__(self) -> int:
        return len(self._reports)

    def __repr__(self) -> str:
        if not self._reports:
            return "<History: no epochs>"
        last = self._reports[-1]
        val = "" if math.isnan(last["val_loss"]) else f", val_loss {last['val_loss']:.4g} (best {self.best:.4g})"
        return f"<History: {len(self)} epochs, loss {last['loss']:.4g}{val}; {self.reason}>"


# --- data -------------------------------------------------------------------------------------------------------


def _check_unused(x: Any, **given: Any) -> None:
    """Refuse what a Loader would ignore."""
    for name, value in given.items():
        if isinstance(x, Loader) and value is not None:
            raise ValueError(f"{name} is {value!r}, but a Loader has its own: give it to Loader()")


def loader_of(model: Any, x: Any, y: Any, weights: Any, batch_size: int | None, shuffle: bool) -> Loader:
    """The loader of what fit() and evaluate() take."""
    batch_size = 32 if batch_size is None else batch_size
    if isinstance(x, (Loader, Samples)):
        if y is not None:
            raise ValueError(f"y is given, but a {type(x).__name__} has scores of its own")
        if weights is not None:
            raise ValueError(f"sample_weight is given with a {type(x).__name__}: use Dataset.set_weights()")
        return x if isinstance(x, Loader) else Loader(x, batch_size=batch_size, shuffle=shuffle)
    if y is None:
        raise ValueError("y is missing: images in arrays have no scores")
    images, labels = as_array(x), as_array(y)
    if labels.ndim == 1 and model.outputs > 1:  # classes by their indices
        if labels.dtype.kind not in "iu" or (len(labels) and not 0 <= labels.min() <= labels.max() < model.outputs):
            raise ValueError(f"y [count] must be class indices, whole numbers from 0 to {model.outputs - 1}")
        labels = np.eye(model.outputs)[labels]
    if images.dtype == np.uint8:
        data = Dataset.from_arrays(images, labels)
        if weights is not None:
            data.set_weights(weights)
        return Loader(data, batch_size=batch_size, shuffle=shuffle)
    return Loader.from_arrays(images, labels, weights, batch_size=batch_size, shuffle=shuffle)


def evaluate(model: Any, x: Any, y: Any, batch_size: int | None, weights: Any, progress: Progress) -> float:
    """Model.evaluate()."""
    _check_unused(x, batch_size=batch_size)
    loader = loader_of(model, x, y, weights, batch_size, False)
    handle, source = model._open_handle(), loader._bind(model.scale)
    value = ffi.new("double *")
    loss = options("loss_options")
    if callable(model.loss):
        ours = Callbacks(loss=loss_function(model.loss))
        loss.fn, loss.user = lib.py_loss, ours.handle
    else:
        loss.kind = LOSSES.index(model.loss)
    with Shown(progress, "evaluate") as shown:
        call_long(lib.py_model_evaluate, handle, source, loss, value, lib.py_progress, shown.callbacks.handle)
    return float(value[0])


# --- what is called while it trains -----------------------------------------------------------------------------


class _Events:
    """Turns the library's events into calls of the callbacks' methods."""

    def __init__(self, callbacks: Sequence[Any]) -> None:
        self.callbacks = callbacks
        self.methods: dict[str, list[Callable[..., Any]]] = {}
        self.is_testing = False

    def find(self, name: str) -> list[Callable[..., Any]]:
        """The methods of this name that do something."""
        if name not in self.methods:
            found = [getattr(callback, name, None) for callback in self.callbacks]
            idle = getattr(Callback, name)
            self.methods[name] = [one for one in found if one is not None and getattr(one, "__func__", one) is not idle]
        return self.methods[name]

    def tell(self, name: str, *arguments: Any) -> None:
        for method in self.find(name):
            method(*arguments)

    def __call__(self, event: Any) -> None:
        kind, epoch = event.kind, event.epoch - 1
        if kind == lib.AN_EVENT_STEP:
            step = event.step
            if self.find("on_train_batch_end"):
                self.tell("on_train_batch_end", step - 1, {"loss": event.loss})
            if step < event.steps and self.find("on_train_batch_begin"):
                self.tell("on_train_batch_begin", step, {})
        elif kind == lib.AN_EVENT_VALIDATION:
            if not self.is_testing:
                self.is_testing = True
                self.tell("on_test_begin", {})
            self.tell("on_test_batch_end", event.step - 1, {})
        elif kind == lib.AN_EVENT_EPOCH_BEGIN:
            self.tell("on_epoch_begin", epoch, {})
            self.tell("on_train_batch_begin", 0, {})
        elif kind == lib.AN_EVENT_EPOCH_END:
            report = event.report
            logs = {"loss": report.loss, "learning_rate": report.rate}
            if not math.isnan(report.val_loss):
                logs["val_loss"] = report.val_loss
            if self.is_testing:
                self.is_testing = False
                self.tell("on_test_end", {name: value for name, value in logs.items() if name == "val_loss"})
            self.tell("on_epoch_end", epoch, logs)


class _NotebookBar:
    """Progress in a notebook: a bar for the epoch, and a line for each one that is done."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar: Any = None

    def __call__(self, event: Any) -> None:
        kind = event.kind
        if kind == lib.AN_EVENT_EPOCH_END:
            self.close()
            report = event.report
            val = "" if math.isnan(report.val_loss) else f"  val_loss {report.val_loss:.4f}"
            best = "  *" if report.improved else ""
            print(f"epoch {report.epoch}/{self.epochs}  {report.seconds:.0f} s  loss {report.loss:.4f}{val}{best}")
        elif kind in (lib.AN_EVENT_STEP, lib.AN_EVENT_FEATURES):
            if self.bar is None or self.bar.n >= event.step:
                self.close()
                title = "features" if kind == lib.AN_EVENT_FEATURES else f"epoch {event.epoch}/{self.epochs}"
                self.bar = tqdm_bar(total=event.steps, desc=title, unit=" batches", leave=False)
            if kind == lib.AN_EVENT_STEP:
                self.bar.set_postfix_str(f"loss {event.loss:.4f}", refresh=False)
            self.bar.update(event.step - self.bar.n)
            if kind == lib.AN_EVENT_FEATURES and event.step == event.steps:
                self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _set_verbose(how: Any, verbose: Any) -> None:
    """What the library prints."""
    if verbose not in ("auto", 0, 1, 2):  # also False and True
        raise ValueError(f"verbose is {verbose!r}; it must be 'auto', 0, 1 or 2")
    kinds = {"auto": lib.AN_VERBOSE_BAR, 0: lib.AN_VERBOSE_NONE, 1: lib.AN_VERBOSE_KERAS, 2: lib.AN_VERBOSE_KERAS}
    how.verbose = kinds["auto" if verbose == "auto" else int(verbose)]
    how.text = lib.py_text
    if verbose != 2 and sys.stdout.isatty():
        how.text_is_terminal = 2 if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else 1


def _check_callbacks(callbacks: Any) -> Sequence[Any]:
    """Callbacks as a sequence, each of which does something."""
    if callbacks is None:
        return ()
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError(f"callbacks is a {type(callbacks).__name__}; it must be a list of callbacks")
    names = [name for name in vars(Callback) if name.startswith(("on_", "set_"))]
    for callback in callbacks:
        if isinstance(callback, type):
            raise TypeError(f"a callback is the class {callback.__name__}; it must be an object: "
                            f"{callback.__name__}(...)")
        if not (isinstance(callback, Native) or any(hasattr(callback, name) for name in names)):
            raise TypeError(f"a callback is {callback!r}, which has none of the methods of a Callback")
    return callbacks


def _monitor(callback: Any, has_validation: bool) -> None:
    monitored = "val_loss" if has_validation else "loss"
    if callback.monitor and callback.monitor != monitored:
        raise ValueError(f"{type(callback).__name__} monitors {callback.monitor!r}; "
                         f"{'with' if has_validation else 'without'} validation data it must be {monitored!r}")


# --- fit --------------------------------------------------------------------------------------------------------


def fit(model: Any, x: Any, y: Any, batch_size: int | None, epochs: int, verbose: Any, callbacks: Sequence[Any] | None,
        validation_data: Any, shuffle: bool | None, sample_weight: Any, history: History | None, update_batch_norm: bool,
        accumulate: int, average: float, finetune_from: int, replicas: int, sync_batch_norm: bool) -> History:
    """Model.fit()."""
    handle = model._open_handle()
    callbacks = _check_callbacks(callbacks)
    _check_unused(x, batch_size=batch_size, shuffle=shuffle)
    train = loader_of(model, x, y, sample_weight, batch_size, True if shuffle is None else shuffle)
    val = None
    if validation_data is not None:
        if isinstance(validation_data, list):
            raise TypeError("validation_data is a list; it must be data, or a tuple (x, y) or (x, y, weights)")
        parts = validation_data if isinstance(validation_data, tuple) else (validation_data,)
        if len(parts) > 3:
            raise ValueError(f"validation_data has {len(parts)} parts; it must be data, (x, y) or (x, y, weights)")
        vx, vy, vw = (*parts, None, None)[:3]
        val = loader_of(model, vx, vy, vw, batch_size, False)
    so_far = history if history is not None else History()
    result = History()
    native = so_far._native()
    optimizer = model.optimizer
    if optimizer._trainer is not None:
        raise ValueError("the optimizer is in use by another training")

    kept: list[Any] = []
    stage = so_far.stage[-1] + 1 if len(so_far) else 1
    info = model._info()
    how = options("train_options", stage=stage, first_epoch=len(so_far), max_epochs=epochs,
                  base=info.base, precision=info.precision, recompute=info.recompute,
                  early_stop_patience=-1, update_batch_norm=int(update_batch_norm), accumulate=accumulate,
                  average=average, finetune_from=finetune_from, replicas=replicas,
                  sync_batch_norm=int(sync_batch_norm), learning_rate=optimizer.learning_rate)
    kept.append(optimizer._options())
    how.optimizer = kept[-1]
    if optimizer.schedule is not None:
        kept.append(optimizer.schedule._options())
        how.schedule = kept[-1]
    done: set[type] = set()
    for callback in callbacks:
        if isinstance(callback, Native):
            if not (isinstance(callback, ModelCheckpoint) and callback._is_template):
                if type(callback) in done:
                    raise ValueError(f"two callbacks are {type(callback).__name__}; there can be one")
                done.add(type(callback))
            if not (isinstance(callback, ModelCheckpoint) and not callback.save_best_only):
                _monitor(callback, val is not None)
            callback._set(how, kept)

    events = _Events(callbacks)
    is_notebook = verbose == "auto" and in_notebook()
    bar = _NotebookBar(epochs) if is_notebook and tqdm_bar(total=0, disable=True) is not None else None
    if bar is None:
        _set_verbose(how, verbose)
        heard: Callable[[Any], None] = events
    else:
        shown = bar

        def heard(event: Any) -> None:
            shown(event)
            events(event)

    ours = Callbacks(event=heard, text=_write,
                     loss=loss_function(model.loss) if callable(model.loss) else None)
    how.on_event, how.event_user = lib.py_event, ours.handle
    how.text_user = ours.handle
    how.warn, how.warn_user = lib.py_warning, ours.handle
    if callable(model.loss):
        how.loss_fn, how.loss_user = lib.py_loss, ours.handle
    else:
        how.loss = LOSSES.index(model.loss)

    source = train._bind(model.scale)
    trainer = own("trainer", lib.an_trainer_create, handle, source, val._bind(model.scale) if val is not None else NULL,
                  native, how)
    backup = next((callback for callback in callbacks if isinstance(callback, BackupAndRestore)), None)
    model._stop = False
    model._trainer = optimizer._trainer = trainer
    try:
        if backup is not None:
            _resume(trainer, backup, ours)
        for callback in callbacks:
            for name, value in (("set_params", {"epochs": epochs, "steps": int(lib.an_loader_steps(source)),
                                                "verbose": verbose}), ("set_model", model)):
                if hasattr(callback, name):
                    getattr(callback, name)(value)
        events.tell("on_train_begin", {})
        call_long(lib.py_trainer_run, trainer)
        events.tell("on_train_end", {})
    finally:
        if bar is not None:
            bar.close()
        optimizer._rate = optimizer.learning_rate
        model._trainer = optimizer._trainer = None
        ffi.release(trainer)  # now, since a traceback would keep it, and with it the loaders and the locks
        result._take(native)
        model.history = result
        thread.raised = None
    if backup is not None and backup.delete_checkpoint:
        backup._remove()
    return result


def _resume(trainer: Any, backup: BackupAndRestore, ours: Callbacks) -> None:
    """Continue from the checkpoint, if there is one."""
    out = ffi.new("an_checkpoint **")
    call(lib.an_checkpoint_read, out, encode_path(backup.path), lib.py_warning, ours.handle)
    if out[0] != NULL:
        call(lib.an_trainer_resume, trainer, adopt("checkpoint", out[0]))


__all__ = ["History"]
