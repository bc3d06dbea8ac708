# SPDX-License-Identifier: MIT
"""Steps 5 to 7: fit, callbacks, how a fit ends, history, plots, metrics."""

from __future__ import annotations

import copy
import math
import os
import pickle
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attractivenet as an

BATCH = 8


def loader(data: Any, **how: Any) -> an.Loader:
    return an.Loader(data, batch_size=BATCH, shuffle=True, **how)


class Spy:
    """Notes which of Keras' methods are called; derives from nothing."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("on_", "set_")):
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, arguments))


def test_keras_methods_are_called_in_keras_order(model: an.Model, faces: an.Dataset) -> None:
    spy = Spy()
    model.fit(loader(faces[:24]), validation_data=faces[24:34], epochs=1, callbacks=[spy], verbose=0)
    batches = ["on_train_batch_begin", "on_train_batch_end"] * 3
    assert [name for name, _ in spy.calls] == [
        "set_params", "set_model", "on_train_begin", "on_epoch_begin", *batches, "on_test_begin", "on_test_batch_end",
        "on_test_end", "on_epoch_end", "on_train_end"]
    assert spy.calls[0][1] == ({"epochs": 1, "steps": 3, "verbose": 0},) and spy.calls[1][1] == (model,)
    ends = [arguments for name, arguments in spy.calls if name == "on_train_batch_end"]
    assert [batch for batch, _ in ends] == [0, 1, 2] and all(logs["loss"] > 0 for _, logs in ends)
    epoch, logs = next(arguments for name, arguments in spy.calls if name == "on_epoch_end")
    assert epoch == 0 and sorted(logs) == ["learning_rate", "loss", "val_loss"]
    assert logs["loss"] == ends[-1][1]["loss"] == model.history.history["loss"][0]


def test_what_a_callback_raises_ends_the_fit(model: an.Model, faces: an.Dataset) -> None:
    class Stop(Exception):
        pass

    def fail(batch: int, logs: Any) -> None:
        if batch == 1:
            raise Stop(batch)

    before = model.get_weights()["Conv1/kernel"].copy()
    with pytest.raises(Stop) as caught:
        model.fit(loader(faces), epochs=3, callbacks=[an.LambdaCallback(on_train_batch_end=fail)], verbose=0)
    assert caught.value.args == (1,) and caught.traceback[-1].name == "fail"
    after = model.get_weights()["Conv1/kernel"]
    assert not np.array_equal(before, after)  # two steps
    assert len(model.history) == 0
    assert len(model.fit(loader(faces), epochs=1, verbose=0)) == 1  # and it trains again
    for name in ("on_epoch_begin", "on_epoch_end", "on_train_begin", "on_test_begin"):
        with pytest.raises(ZeroDivisionError):
            model.fit(loader(faces), validation_data=faces[:4], epochs=1, verbose=0,
                      callbacks=[an.LambdaCallback(**{name: lambda *_: 1 / 0})])


def test_a_callback_may_stop_predict_and_set_the_rate(model: an.Model, faces: an.Dataset, frames: Any) -> None:
    seen: list[Any] = []

    def after(epoch: int, logs: Any) -> None:
        seen.append((model.predict(frames).copy(), model.evaluate(faces[:8]), model.optimizer.learning_rate))
        model.optimizer.learning_rate = 1e-5
        model.stop_training = epoch == 1

    history = model.fit(loader(faces[:16]), epochs=9, callbacks=[an.LambdaCallback(on_epoch_end=after)], verbose=0)
    assert len(history) == 2 and history.reason == "stop_training was set"
    assert [rate for _, _, rate in seen] == [1e-3, 1e-5] and history.history["learning_rate"] == [1e-3, 1e-5]
    assert np.array_equal(seen[1][0], model.predict(frames)) and not np.array_equal(seen[0][0], seen[1][0])
    history = model.fit(loader(faces[:16]), epochs=3, verbose=0,
                        callbacks=[an.LearningRateScheduler(lambda epoch, rate: 1e-3 / (epoch + 1))])
    assert history.history["learning_rate"] == [1e-3 / k for k in (1, 2, 3)]


def test_training_from_a_callback_is_refused(model: an.Model, faces: an.Dataset) -> None:
    data = loader(faces[:8])
    with pytest.raises(ValueError, match="optimizer is in use"):
        model.fit(data, epochs=1, verbose=0, callbacks=[an.LambdaCallback(
            on_epoch_begin=lambda *_: model.fit(data, epochs=1, verbose=0))])


@pytest.mark.parametrize("what", ["fit", "predict", "evaluate", "iterate"])
def test_ctrl_c_ends_a_call_within_a_fifth_of_a_second(what: str, faces: an.Dataset) -> None:
    model = an.MobileNetV2(size=350, alpha=1.0)
    x = np.zeros((64, 350, 350, 3), np.uint8)
    data = an.Dataset.from_arrays(x, np.zeros(64))
    model.predict(x[:1])
    work = {"fit": lambda: model.fit(an.Loader(data, batch_size=16), epochs=9, verbose=0),
            "predict": lambda: [model.predict(x) for _ in range(9)],
            "evaluate": lambda: [model.evaluate(data) for _ in range(9)],
            "iterate": lambda: [list(an.Loader(data, threads=0)) for _ in range(99)]}[what]
    sent = []

    def interrupt() -> None:
        sent.append((time.monotonic(), time.process_time()))
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.7, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    # On a machine that is busy with other work, the processor time counts.
    took = min(time.monotonic() - sent[0][0], time.process_time() - sent[0][1])
    timer.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model.predict(x[:1])  # the request is over
    assert took < 0.2, took


def test_a_signal_that_raises_nothing_interrupts_nothing(faces: an.Dataset) -> None:
    """As in Python's own functions: the handler runs, and the training goes on to the same result."""
    def train() -> bytes:
        model = an.MobileNetV2(size=64, alpha=0.35)
        model.fit(loader(faces), epochs=2, verbose=0)
        return model.to_bytes()

    expected = train()
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    timers = [threading.Timer(0.03 * k, os.kill, (os.getpid(), signal.SIGINT)) for k in range(1, 4)]
    try:
        for timer in timers:
            timer.start()
        found = train()
    finally:
        for timer in timers:
            timer.join()
        signal.signal(signal.SIGINT, before)
    assert heard and found == expected


def test_the_interpreter_runs_during_a_fit(faces: an.Dataset) -> None:
    model = an.MobileNetV2(size=160, alpha=1.0)
    x = np.zeros((32, 160, 160, 3), np.uint8)
    ticks = []
    worker = threading.Thread(target=lambda: model.fit(an.Dataset.from_arrays(x, np.zeros(32)), epochs=1, verbose=0))
    worker.start()
    while worker.is_alive():
        time.sleep(0.005)
        ticks.append(time.monotonic())
    assert len(ticks) > 10


def test_early_stopping_restores_the_best_weights(model: an.Model, faces: an.Dataset, tmp_path: Path) -> None:
    train, val = faces[:40], faces[40:]
    rate = iter([1e-3, 1e-3, 5.0, 5.0, 5.0, 5.0])
    history = model.fit(loader(train), validation_data=val, epochs=9, verbose=0, callbacks=[
        an.EarlyStopping(patience=2, restore_best_weights=True),
        an.ModelCheckpoint(tmp_path / "best.safetensors", save_best_only=True),
        an.ModelCheckpoint(str(tmp_path / "{epoch:02d}-{val_loss:.6g}.safetensors")),
        an.CSVLogger(tmp_path / "log.csv"), an.TensorBoard(tmp_path / "events"),
        an.LearningRateScheduler(lambda epoch, old: next(rate))])
    best = int(np.argmin(history.history["val_loss"]))
    assert history.reason == "early stopping" and len(history) == best + 3
    assert math.isclose(model.evaluate(val), history.best, rel_tol=1e-6)
    assert np.array_equal(an.Model.load(tmp_path / "best.safetensors").predict(val), model.predict(val))
    each = sorted(tmp_path.glob("*-*.safetensors"))
    assert [path.name for path in each] == [f"{k + 1:02d}-{v:.6g}.safetensors" for k, v in
                                            enumerate(history.history["val_loss"])]
    assert an.History.read_csv(tmp_path / "log.csv").history == history.history
    assert (tmp_path / "events/train").is_dir()


def test_the_rate_falls_on_a_plateau(model: an.Model, faces: an.Dataset) -> None:
    model.compile(an.SGD(0.0))
    model.optimizer.learning_rate = 1e-12
    history = model.fit(loader(faces[:16]), epochs=4, verbose=0,
                        callbacks=[an.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5, min_delta=100)])
    assert history.history["learning_rate"][-1] < history.history["learning_rate"][0]
    assert model.optimizer.learning_rate < 1e-12


@pytest.mark.parametrize("wrong, message", [
    (dict(callbacks=[an.EarlyStopping()]), "'val_loss'; without validation data it must be 'loss'"),
    (dict(callbacks=[an.CSVLogger("a"), an.CSVLogger("b")]), "two callbacks are CSVLogger"),
    (dict(verbose=3), "verbose is 3"), (dict(epochs=0), "max_epochs"), (dict(y=[1]), "scores of its own"),
    (dict(sample_weight=[1]), "set_weights"), (dict(accumulate=-1), "accumulate")])
def test_a_wrong_fit_is_refused_before_it_begins(model: an.Model, faces: an.Dataset, wrong: Any, message: str) -> None:
    before = model.to_bytes()
    with pytest.raises(ValueError, match=message):
        model.fit(faces[:8], **{"verbose": 0, **wrong})
    assert model.to_bytes() == before


@pytest.mark.parametrize("wrong, message", [
    (dict(callbacks=an.EarlyStopping(monitor="loss")), "a list of callbacks"),
    (dict(callbacks=[an.EarlyStopping]), r"class EarlyStopping; .* EarlyStopping\(\.\.\.\)"),
    (dict(callbacks=["early"]), "none of the methods"), (dict(validation_data=[1, 2]), "a tuple")])
def test_what_would_be_ignored_is_refused(model: an.Model, faces: an.Dataset, wrong: Any, message: str) -> None:
    before = model.to_bytes()
    with pytest.raises(TypeError, match=message):
        model.fit(faces[:8], **{"verbose": 0, **wrong})
    assert model.to_bytes() == before
    model.fit(faces[:8], verbose=0, callbacks=None)


def test_files_for_keras_are_not_promised(model: an.Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="safetensors"):
        an.ModelCheckpoint("best.h5")
    for name in ("m.h5", "m.keras"):
        with pytest.raises(ValueError, match="safetensors"):
            model.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_for_each_epoch_needs_no_validation_data(model: an.Model, faces: an.Dataset, tmp_path: Path) -> None:
    model.fit(faces[:8], epochs=2, verbose=0, callbacks=[an.ModelCheckpoint(tmp_path / "m-{epoch:02d}.safetensors")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m-01.safetensors", "m-02.safetensors"]
    with pytest.raises(ValueError, match="no 'val_loss'; it may hold 'epoch', 'loss'"):
        model.fit(faces[:8], verbose=0, callbacks=[an.ModelCheckpoint(tmp_path / "m-{val_loss:.2f}.safetensors")])


def test_arrays_train_as_the_data_set_of_them(faces: an.Dataset) -> None:
    x, y = faces[:24].images(), faces[:24].scores
    scaled = (np.arange(256) / 255).astype(np.float32)[x]

    def train(*data: Any, **how: Any) -> bytes:
        model = an.MobileNetV2(size=64, alpha=0.35)
        model.fit(*data, batch_size=BATCH, epochs=1, verbose=0, **how)
        return model.to_bytes()

    expected = train(faces[:24])
    assert train(x, y) == train(scaled, y[:, 0]) == expected
    weighted = train(x, y, sample_weight=np.arange(24))
    assert weighted == train(scaled, y, sample_weight=np.arange(24)) != expected
    model = an.MobileNetV2(size=64, alpha=0.35)
    history = model.fit(x, y, validation_data=(scaled, y), epochs=1, verbose=0)
    assert history.history["val_loss"][0] == pytest.approx(model.evaluate(x, y), rel=1e-6)


def test_classes_by_index_train_a_classifier(faces: an.Dataset) -> None:
    x, kinds = faces[:24].images(), (faces[:24].scores[:, 0] > 3).astype(int)
    model = an.MobileNetV2(size=64, alpha=0.35, classes=["low", "high", "other"])
    assert model.fit(x, kinds, epochs=1, verbose=0).history["loss"][0] > 0
    with pytest.raises(ValueError, match="0 to 2"):
        model.fit(x, kinds + 2, verbose=0)


def test_a_loss_in_python_trains_as_the_librarys(faces: an.Dataset) -> None:
    def mse(target: Any, prediction: Any, weights: Any) -> tuple[float, Any]:
        difference = prediction - target
        return float(np.mean(difference.astype(np.float64) ** 2)), 2 * difference / difference.size

    losses = []
    for loss in ("mse", mse, "mae"):
        model = an.MobileNetV2(size=64, alpha=0.35)
        model.compile("adam", loss)
        losses.append(model.fit(loader(faces[:24]), epochs=2, verbose=0).history["loss"] + [model.evaluate(faces[:9])])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3) and losses[0] != pytest.approx(losses[2], rel=1e-3)
    model.compile(loss=lambda target, prediction, weights: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.fit(faces[:8], verbose=0)
    with pytest.raises(ZeroDivisionError):
        model.evaluate(faces[:8])
    model.compile(loss=lambda target, prediction, weights: (0.0, np.zeros(3)))
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        model.fit(faces[:8], verbose=0)


def test_what_a_loader_would_ignore_is_refused(model: an.Model, faces: an.Dataset) -> None:
    for how in ({"batch_size": 8}, {"batch_size": 32}, {"shuffle": False}):
        with pytest.raises(ValueError, match=f"{next(iter(how))} is {next(iter(how.values()))}, but a Loader"):
            model.fit(loader(faces), verbose=0, **how)
    with pytest.raises(ValueError, match="batch_size is 8, but a Loader"):
        model.evaluate(loader(faces), batch_size=8)
    model.fit(faces[:8], batch_size=4, shuffle=False, validation_data=loader(faces[8:16]), verbose=0)


def test_an_optimizer_has_no_other_attributes() -> None:
    for optimizer in (an.Adam(), an.SGD(), an.AdamW()):
        for name in ("lr", "beta_1", "momentum"):
            with pytest.raises(AttributeError, match=name):
                setattr(optimizer, name, 0.5)
        optimizer.learning_rate = 0.25
        assert [copy.copy(optimizer).learning_rate, pickle.loads(pickle.dumps(optimizer)).learning_rate] == [0.25, 0.25]
        assert repr(copy.deepcopy(optimizer)) == repr(optimizer)


@pytest.mark.parametrize("rate", [-1, float("nan"), float("inf")])
def test_a_learning_rate_out_of_range_is_refused_at_once(rate: float) -> None:
    for make in (an.Adam, an.SGD, an.AdamW):
        with pytest.raises(ValueError, match=f"learning_rate is {float(rate)}"):
            make(rate)
        with pytest.raises(ValueError, match=f"learning_rate is {float(rate)}"):
            make(an.CosineDecay(rate))


def test_every_option_of_a_fit_has_an_effect(faces: an.Dataset) -> None:
    def train(how: dict[str, Any], optimizer: Any = "adam", **options: Any) -> bytes:
        model = an.MobileNetV2(size=64, alpha=0.35, **options)
        model.compile(optimizer)
        model.fit(faces[:24], **{"batch_size": BATCH, "epochs": 2, "verbose": 0, **how})
        model.inference = "fp32"
        return b"".join(array.tobytes() for array in model.get_weights().values())

    cases = [train({}), train({"batch_size": 4}), train({"epochs": 1}), train({"shuffle": False}),
             train({"update_batch_norm": True}), train({"accumulate": 2}), train({"average": 0.9}),
             train({"replicas": 2}), train({"replicas": 2, "sync_batch_norm": True}), train({"finetune_from": 2}), train({}, base="finetune"),
             train({}, base="frozen"), train({}, base="statistics"), train({}, momentum=0.5),
             train({}, precision="mixed"), train({}, an.Adam(1e-2)), train({}, an.Adam(beta_1=0.5)),
             train({}, an.Adam(beta_2=0.5)), train({}, an.Adam(epsilon=1e-2)), train({}, an.Adam(global_clipnorm=1e-3)),
             train({}, an.SGD()), train({}, an.SGD(momentum=0.5)), train({}, an.SGD(momentum=0.5, nesterov=True)),
             train({}, an.AdamW()), train({}, an.AdamW(weight_decay=0.5)),
             train({}, an.AdamW(weight_decay=0.5, kernels_only=True)),
             train({}, an.Adam(layer_decay=0.9)), train({}, an.Adam(an.CosineDecay(1e-3))),
             train({}, an.Adam(an.CosineDecay(1e-3, alpha=0.5))),
             train({}, an.Adam(an.CosineDecay(1e-3, warmup_steps=3))),
             train({}, an.Adam(an.CosineDecay(1e-3, warmup_steps=3, warmup_start=0.5))),
             train({}, an.Adam(an.CosineDecay(1e-3, decay_steps=3)))]
    assert len(set(cases)) == len(cases)
    assert an.CosineDecay(1.0, decay_steps=10)(5) == pytest.approx(0.5)


@pytest.mark.filterwarnings("ignore:.*:attractivenet.AttractiveNetWarning")
def test_stages_continue_a_history(faces: an.Dataset, tmp_path: Path) -> None:
    model = an.MobileNetV2(size=64, alpha=0.35, base="frozen")
    first = model.fit(loader(faces[:24]), validation_data=faces[24:40], epochs=2, verbose=0)
    model.trainable = True
    both = model.fit(loader(faces[:24]), validation_data=faces[24:40], epochs=1, verbose=0, history=first)
    assert both.stage == [1, 1, 2] and both.epoch == [0, 1, 2] and len(first) == 2 and len(both.seconds) == 3
    assert both.history["loss"][:2] == first.history["loss"]
    both.to_csv(tmp_path / "history.csv")
    assert an.History.read_csv(tmp_path / "history.csv").history == both.history
    assert pickle.loads(pickle.dumps(both)).history == both.history
    assert "3 epochs" in repr(both) and "best" in repr(both) and "no epochs" in repr(an.History())


def test_a_run_that_was_interrupted_continues_bit_for_bit(faces: an.Dataset, tmp_path: Path) -> None:
    def train(fail_at: int | None, path: Path, delete: bool = True) -> an.Model:
        model = an.MobileNetV2(size=64, alpha=0.35)
        steps = 0

        def count(batch: int, logs: Any) -> None:
            nonlocal steps
            steps += 1
            if steps == fail_at:
                raise InterruptedError

        model.fit(loader(faces), validation_data=faces[:8], epochs=3, verbose=0, callbacks=[
            an.BackupAndRestore(path, seconds=0, delete_checkpoint=delete), an.LambdaCallback(on_train_batch_end=count)])
        model.steps = steps  # type: ignore[attr-defined]
        return model

    whole = train(None, tmp_path / "a")
    with pytest.raises(InterruptedError):
        train(12, tmp_path / "b")
    rest = train(None, tmp_path / "b", delete=False)
    assert rest.to_bytes() == whole.to_bytes() and rest.steps < whole.steps  # type: ignore[attr-defined]
    assert rest.history.history == whole.history.history and not list(tmp_path.glob("a*"))
    again = train(None, tmp_path / "b")
    assert again.steps == 0 and again.to_bytes() == whole.to_bytes()  # type: ignore[attr-defined]


@pytest.mark.parametrize("verbose, expected", [(0, ""), (False, ""), (2, "Epoch 1/1"), (1, "Epoch 1/1"), (True, "Epoch 1/1"),
                                               ("auto", "epoch")])
def test_what_is_printed(model: an.Model, faces: an.Dataset, capsys: Any, verbose: Any, expected: str) -> None:
    model.fit(loader(faces[:8]), epochs=1, verbose=verbose)
    out = capsys.readouterr().out
    assert expected in out.replace("Epoch", "epoch") or expected in out
    assert bool(out) == bool(expected)


def test_a_progress_bar_of_tqdm_in_a_notebook(model: an.Model, faces: an.Dataset, capsys: Any,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr("attractivenet.training.in_notebook", lambda: True)
    model.fit(loader(faces[:24]), validation_data=faces[:4], epochs=2, callbacks=[])
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 2 and "epoch 2/2" in shown.out and "val_loss" in shown.out
    assert "epoch 2/2" in shown.err and "0/3" in shown.err


def test_metrics_are_those_of_scikit_learn() -> None:
    found = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(4)
    truth, guess, weights = draw.normal(3, 1, 50), draw.normal(3, 1, 50), draw.random(50)
    for share in (None, weights):
        ours = an.metrics(truth, guess[:, None], share)
        assert ours.mse == pytest.approx(found.mean_squared_error(truth, guess, sample_weight=share), rel=1e-12)
        assert ours.mae == pytest.approx(found.mean_absolute_error(truth, guess, sample_weight=share), rel=1e-12)
        assert ours.r2 == pytest.approx(found.r2_score(truth, guess, sample_weight=share), rel=1e-12)
    assert ours.count == 50 and ours.rmse == math.sqrt(ours.mse)
    with pytest.raises(ValueError, match="50 true values and 49"):
        an.metrics(truth, guess[1:])
    with pytest.raises(ValueError, match="one column"):
        an.metrics(np.zeros((5, 2)), np.zeros((5, 2)))
    with pytest.raises(an.ArgumentError, match="not finite"):
        an.metrics([1.0, math.nan], [1.0, 2.0])


@pytest.mark.parametrize("has_cairo", [True, False])
def test_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_cairo: bool) -> None:
    if has_cairo and not an.has_feature("plot"):
        pytest.skip("built without cairo")
    if not has_cairo:
        pytest.importorskip("matplotlib")

        def missing(*_: Any) -> int:
            raise an.UnsupportedError("libcairo.so.2 is missing")

        monkeypatch.setattr("attractivenet.evaluation.call", missing)
    plot = an.plot_curves({"training": [3, 2, 1.5], "validation": [3, 2.5, math.nan]}, marks=[2], title="T")
    assert plot.png.startswith(b"\x89PNG") and plot._repr_png_() is plot.png and "pixels" in repr(plot)
    plot.save(tmp_path / "a.png")
    assert an.read_image(tmp_path / "a.png").ndim == 3
    monkeypatch.undo()
    if has_cairo:
        assert an.plot_scatter([1.0, 2, 3], [1.5, 2, 2.5], width=400, height=300).png.startswith(b"\x89PNG")
        with pytest.raises(an.ArgumentError, match="width"):
            an.plot_scatter([1.0, 2], [1.0, 2], width=5)


def test_without_cairo_and_matplotlib_a_plot_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> int:
        raise an.UnsupportedError("libcairo.so.2 is missing")

    monkeypatch.setattr("attractivenet.evaluation.call", missing)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(an.UnsupportedError, match="libcairo2.*pip install matplotlib"):
        an.plot_curves({"a": [1.0]})
