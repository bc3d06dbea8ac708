# SPDX-License-Identifier: MIT
"""Steps 4 and 8: models, their files and copies, and predictions."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attractivenet as an


def test_what_a_model_says(model: an.Model) -> None:
    assert repr(model) == ("<MobileNetV2: alpha 0.35, 64x64, scale unit, 1 output, 411489 parameters, base train, "
                           "fp32 on cpu>")
    assert (model.size, model.outputs, model.scale, model.alpha, model.task) == ((64, 64), 1, "unit", 0.35, "regression")
    assert an.count_parameters(0.35) == (model.parameters, model.trainable_parameters)
    assert model.features == 1280 and model.padding == "tutorial" and model.backend.threads >= 1
    model.trainable = False
    assert model.base == "frozen" and model.trainable_parameters == 1281
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "Total params: 411489" in lines[0]


@pytest.mark.parametrize("wrong", [{"size": 12}, {"alpha": 0}, {"precision": "fp8"}, {"device": "gpu"}, {"scale": "x"},
                                   {"device": "cuda:x"}, {"device": "cpu:1"}, {"base": "half"}, {"outputs": 0},
                                   {"weights": "no such file.h5"}])
def test_a_wrong_argument_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, OSError)) as caught:
        an.MobileNetV2(**{"size": 64, "alpha": 0.35, **wrong})
    assert str(next(iter(wrong.values()))) in str(caught.value) or "must be" in str(caught.value)


def test_a_gpu_that_is_not_there_is_an_error() -> None:
    found = an.devices()
    assert found[0].device == "cpu" and found[0].is_usable and found[0].level == an.Backend().level
    if found[1].is_usable:
        pytest.skip("there is a GPU")
    assert found[1].reason
    with pytest.raises((an.UnsupportedError, an.DeviceError)):
        an.MobileNetV2(size=64, alpha=0.35, device="cuda")
    backend = an.MobileNetV2(size=64, alpha=0.35, device="auto").backend
    assert repr(backend).startswith("<Backend: cpu") and backend.describe().reason


def test_save_and_load(trained: an.Model, frames: Any, tmp_path: Path) -> None:
    trained.save(tmp_path / "model.safetensors")
    again = an.Model.load(tmp_path / "model.safetensors", precision="mixed")
    assert np.array_equal(again.predict(frames), trained.predict(frames)) and again.precision == "mixed"
    assert (tmp_path / "model.safetensors").read_bytes() == trained.to_bytes()
    head = an.MobileNetV2(tmp_path / "model.safetensors", size=64, alpha=0.35, scale="unit")
    assert head.base == "frozen" and np.array_equal(head.get_weights()["Conv1/kernel"], trained.get_weights()["Conv1/kernel"])
    with pytest.raises(an.UnsupportedError, match="not a weight file"):
        an.Model.from_bytes(b"not a model")


def test_pickles_and_copies(trained: an.Model, frames: Any) -> None:
    trained.base, trained.momentum, trained.recompute = "finetune", 0.8, True
    trained.compile(an.AdamW(3e-4), "mae")
    expected = trained.predict(frames)
    for other in (pickle.loads(pickle.dumps(trained)), copy.copy(trained), copy.deepcopy(trained), trained.copy()):
        assert np.array_equal(other.predict(frames), expected)
        assert (other.base, other.momentum, other.loss, other.recompute) == ("finetune", 0.8, "mae", True)
        assert other.optimizer.learning_rate == 3e-4
        other.reset_head()
        assert not np.array_equal(other.predict(frames), expected)
    assert np.array_equal(trained.predict(frames), expected)


def test_number_types_of_inference(trained: an.Model, faces: an.Dataset) -> None:
    exact = trained.predict(faces)
    with pytest.raises(an.ArgumentError, match="calibrat"):
        trained.inference = "int8"
    trained.inference = "bf16"
    rounded = trained.predict(faces)
    assert not np.array_equal(rounded, exact) and np.allclose(rounded, exact, atol=0.1)
    trained.calibrate(faces[:20])
    assert trained.inference == "int8" and trained.calibrated
    assert np.allclose(trained.predict(faces), exact, atol=0.3)
    assert an.Model.from_bytes(trained.to_bytes()).inference == "int8"
    trained.inference = "fp32"
    assert np.array_equal(trained.predict(faces), exact)
    trained.calibrate(faces[:20].images(), images=0)
    with pytest.raises(ValueError, match="64x64"):
        trained.calibrate(np.zeros((1, 32, 32, 3), np.uint8))


def test_all_ways_to_predict_agree(trained: an.Model, faces: an.Dataset, folder: Path) -> None:
    expected = trained.predict(faces)
    assert expected.shape == (60, 1) and expected.dtype == np.float32 and np.ptp(expected) > 0
    assert np.array_equal(trained.predict(an.Loader(faces, shuffle=True, augment=an.Augment.tutorial())), expected)
    assert np.array_equal(trained.predict(faces[:].images()), expected)
    assert np.array_equal(trained.predict(faces[5:7]), expected[5:7])
    paths = [folder / name for name in faces.names]
    assert np.array_equal(trained.predict_files(paths), expected)
    assert np.array_equal(trained.predict_bytes(paths[7].read_bytes()), expected[7])
    features = trained.compute_features(faces)
    assert features.shape == (60, 1280) and np.array_equal(features[:5], trained.compute_features(faces[:5].images()))
    assert trained.predict(faces[:0]).shape == (0, 1)
    with pytest.raises(an.FileError, match="nothing.jpg"):
        trained.predict_files(["nothing.jpg"])


def test_images_of_any_size_are_resized(trained: an.Model) -> None:
    x = np.random.default_rng(3).integers(0, 256, (3, 100, 90, 3), np.uint8)
    expected = trained.predict(np.stack([an.resize(image, 64) for image in x]))
    assert np.array_equal(trained.predict(x), expected)


def test_maps_that_explain(trained: an.Model, frames: Any) -> None:
    maps = trained.explain(frames)
    assert maps.shape == (5, 2, 2) and maps.dtype == np.float32 and maps.min() >= 0
    signed = trained.explain(frames, sign="signed")
    assert np.array_equal(np.maximum(signed, 0), maps)
    bias = trained.get_weights()["dense/bias"]
    assert np.allclose(signed.sum(axis=(1, 2)) + bias, trained.predict(frames)[:, 0], atol=1e-3)
    scaled = (np.arange(256) / 255).astype(np.float32)[frames]
    assert np.array_equal(trained.explain(scaled), maps) and trained.explain(frames[:0]).shape == (0, 2, 2)
    assert np.array_equal(trained.explain(frames, output=0), maps)
    assert trained.explain(frames[:1], layer="block_5_add").shape[1:] == (8, 8)
    with pytest.raises(an.ArgumentError, match="no_layer"):
        trained.explain(frames, layer="no_layer")
    with pytest.raises(ValueError, match="0 to 1"):
        trained.explain(frames.astype(np.float32))


def test_export_for_other_tools(trained: an.Model, tmp_path: Path) -> None:
    trained.export(tmp_path / "a.onnx")
    trained.export(tmp_path / "b.onnx", layout="nchw")
    trained.export(tmp_path / "c.onnx", include_scale=True)
    assert len({(tmp_path / name).read_bytes() for name in ("a.onnx", "b.onnx", "c.onnx")}) == 3
    with pytest.raises(an.ArgumentError, match="calibrat"):
        trained.export(tmp_path / "d.onnx", inference="int8")


@pytest.mark.parametrize("ending", [".h5", ".keras", ".weights.h5"])
def test_a_keras_file_is_the_same_model(trained: an.Model, frames: Any, tmp_path: Path, ending: str) -> None:
    trained.export(tmp_path / f"m{ending}")
    again = an.Model.load(tmp_path / f"m{ending}")
    assert again.predict(frames).tobytes() == trained.predict(frames).tobytes()


def test_classes_of_a_model(frames: Any) -> None:
    model = an.MobileNetV2(size=64, alpha=0.35, classes=["cat", "dog", "palace"])
    scores = model.predict(frames)
    assert model.task == "classification" and scores.shape == (5, 3) and np.allclose(scores.sum(axis=1), 1)
    assert "3 classes" in repr(model) and pickle.loads(pickle.dumps(model)).classes == ["cat", "dog", "palace"]
    assert np.array_equal(model.top_classes([[0.1, 0.7, 0.2]], 2), [[1, 2]])
    model.classes = None
    assert model.classes is None


def test_weights_by_name(trained: an.Model, frames: Any, tmp_path: Path) -> None:
    weights = trained.get_weights()
    assert len(weights) == 262 and weights["dense/kernel"].shape == (1280, 1)
    weights["dense/bias"] = weights["dense/bias"] + 1
    expected = trained.predict(frames) + 1
    trained.set_weights(weights)
    assert np.allclose(trained.predict(frames), expected)
    trained.save(tmp_path / "w.safetensors")
    trained.reset_head()
    trained.set_weights(tmp_path / "w.safetensors")
    assert np.allclose(trained.predict(frames), expected)
    weights["dense/kernel"] = weights["dense/kernel"][:5]
    with pytest.raises(an.FormatError, match="dense/kernel"):
        trained.set_weights(weights)


def test_a_closed_model_says_so(trained: an.Model, frames: Any) -> None:
    with trained as inner:
        inner.predict(frames)
    assert repr(trained) == "<Model: closed>"
    for use in (lambda: trained.predict(frames), lambda: trained.save("x"), lambda: trained.inference,
                lambda: trained.predict(frames[:0])):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_imagenet_names_what_is_missing_or_downloads() -> None:
    if an.has_feature("curl"):
        pytest.skip("built with libcurl: this would download")
    with pytest.raises(an.UnsupportedError, match="curl"):
        an.MobileNetV2("imagenet", size=64)


def test_the_module_is_light() -> None:
    """An import loads no other package, and takes at most 30 ms after NumPy's; on a busy machine, 0.6 of NumPy's."""
    code = ("import sys, time; a = time.process_time(); import numpy; b = time.process_time(); import attractivenet; "
            "c = time.process_time() - b; print(0 if c < 0.03 else c / (b - a), "
            "[m for m in ('sklearn', 'tqdm', 'pandas', 'matplotlib', 'IPython') if m in sys.modules])")
    best = 9.0
    for _ in range(5):
        part, heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                     check=True).stdout.split(maxsplit=1)
        assert heavy.strip() == "[]"
        best = min(best, float(part))
    assert best < 0.6, best


def test_python_around_a_prediction_takes_under_5_microseconds(trained: an.Model, frames: Any) -> None:
    """With a function that does nothing in place of the library's: in processor time, the best of many runs."""
    x, best = frames[:1], 9.0
    predictor = trained._take_predictor()
    for _ in range(50):
        trained._predictors.append(predictor)
        begun = time.thread_time()
        for _ in range(200):
            trained._read_frames(lambda *_: 0, x, 1)
        best = min(best, (time.thread_time() - begun) / 200)
        trained._predictors.clear()
    assert best < 5e-6, best


def test_everything_public_has_a_docstring() -> None:
    missing = [name for name in [*an.__all__, "AttractiveNetRegressor"] if not (getattr(an, name).__doc__ or "").strip()]
    for kind in (an.Dataset, an.Subset, an.Loader, an.Augment, an.Model, an.MobileNetV2, an.History, an.Backend, an.Plot):
        missing += [f"{kind.__name__}.{name}" for name, thing in vars(kind).items()
                    if not name.startswith("_") and (callable(thing) or isinstance(thing, (property, classmethod)))
                    and not (thing.__doc__ or getattr(thing, "__func__", thing).__doc__)]
    assert [name for name in missing if not name.startswith("History.")] == []


def test_the_package_shows_what_is_public() -> None:
    names = [name for name in dir(an) if not name.startswith("__")]
    assert sorted(names) == sorted([*an.__all__, "AttractiveNetRegressor"]) and all(hasattr(an, name) for name in an.__all__)


def test_import_star_needs_no_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "attractivenet.sklearn", None)
    names: dict[str, Any] = {}
    exec("from attractivenet import *", names)
    assert names["MobileNetV2"] is an.MobileNetV2
