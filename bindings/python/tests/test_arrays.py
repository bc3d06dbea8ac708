# SPDX-License-Identifier: MIT
"""Arrays in and out: layouts, kinds, and what is refused."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import attractivenet as an


class Exported:
    """An array of another library: DLPack is all that it has."""

    def __init__(self, array: Any, device: tuple[int, int] = (1, 0)) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **how: Any) -> Any:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


@pytest.mark.parametrize("crop", [
    np.s_[:, 10:74, 20:84], np.s_[::2, 10:74, 20:84], np.s_[::-1, 10:74, 20:84], np.s_[:, 74:10:-1, 20:84],
    np.s_[:, 10:90:3, 5:99:2], np.s_[:, :, :, ::-1], np.s_[3:4, 1:], np.s_[1:2, 5:6, 7:8]])
def test_a_view_scores_as_its_copy(trained: an.Model, crop: Any) -> None:
    x = np.random.default_rng(2).integers(0, 256, (6, 120, 128, 3), np.uint8)
    assert np.array_equal(trained.predict(x[crop]), trained.predict(x[crop].copy()))


def test_a_crop_is_not_copied(trained: an.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((2, 100, 100, 3), np.uint8)
    monkeypatch.setattr(np, "ascontiguousarray", None)
    trained.predict(x[:, 5:69, 7:71])


def test_fortran_order_and_broadcast_images_score_as_copies(trained: an.Model, frames: Any) -> None:
    expected = trained.predict(frames)
    assert np.array_equal(trained.predict(np.asfortranarray(frames)), expected)
    same = np.broadcast_to(frames[0], frames.shape)
    assert np.array_equal(trained.predict(same), np.repeat(expected[:1], 5, axis=0))


def test_read_only_images_score(trained: an.Model, frames: Any) -> None:
    expected = trained.predict(frames)
    frames.setflags(write=False)
    assert np.array_equal(trained.predict(frames), expected)
    scaled = (frames / np.float32(255)).astype(np.float32)
    scaled.setflags(write=False)
    trained.predict(scaled)


def test_dlpack_in_and_out(trained: an.Model, frames: Any) -> None:
    scores = trained.predict(Exported(frames))
    assert np.array_equal(scores, trained.predict(frames))
    assert np.shares_memory(np.from_dlpack(scores), scores)


def test_memory_of_a_gpu_is_refused(trained: an.Model, frames: Any) -> None:
    with pytest.raises(TypeError, match=r"device \(2, 0\).*\.cpu\(\)"):
        trained.predict(Exported(frames, (2, 0)))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_no_images_give_no_scores(trained: an.Model, dtype: Any) -> None:
    scores = trained.predict(np.zeros((0, 64, 64, 3), dtype))
    assert scores.shape == (0, 1) and scores.dtype == np.float32


def test_images_without_pixels_are_refused(trained: an.Model) -> None:
    with pytest.raises(an.ArgumentError, match="0 x 64; each must be"):
        trained.predict(np.zeros((2, 0, 64, 3), np.uint8))


@pytest.mark.parametrize("shape", [(64, 64, 3), (2, 64, 64), (2, 64, 64, 4), (2, 3, 64, 64)])
def test_another_shape_is_refused(trained: an.Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="N,H,W,3"):
        trained.predict(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.float16, np.int8, bool, np.uint16])
def test_another_kind_of_number_is_refused(trained: an.Model, dtype: Any) -> None:
    with pytest.raises(TypeError, match="uint8.*float32"):
        trained.predict(np.zeros((1, 64, 64, 3), dtype))


def test_floats_of_another_size_or_range_are_refused(trained: an.Model, frames: Any) -> None:
    with pytest.raises(ValueError, match=r"\[N,64,64,3\]"):
        trained.predict(np.zeros((1, 32, 32, 3), np.float32))
    with pytest.raises(ValueError, match="0 to 1"):
        trained.predict(frames.astype(np.float32))
    assert trained.predict(frames.astype(np.float32), any_range=True).shape == (5, 1)
    bad = np.zeros((2, 64, 64, 3), np.float32)
    bad[1, 0, 0, 0] = np.nan
    with pytest.raises(an.ArgumentError, match="nan"):
        trained.predict(bad)


def test_scaled_floats_score_as_their_pixels(trained: an.Model, frames: Any) -> None:
    scaled = (np.arange(256) / 255).astype(np.float32)[frames]
    assert np.array_equal(trained.predict(scaled), trained.predict(frames))
    assert np.array_equal(trained.compute_features(scaled), trained.compute_features(frames))


def test_pixels_are_borrowed_until_the_last_holder_ends(frames: Any) -> None:
    pixels = frames.copy()
    gone = weakref.ref(pixels)
    data = an.Dataset.from_arrays(pixels, np.arange(5.0))
    loader = an.Loader(data)
    first = next(iter(loader))[0]
    del pixels, data
    gc.collect()
    assert gone() is not None and np.array_equal(next(loader.epoch(0))[0], first)
    del loader
    gc.collect()
    assert gone() is None


def test_weights_are_views_that_keep_their_memory(trained: an.Model) -> None:
    weights = trained.get_weights()
    kernel = weights["dense/kernel"]
    expected = kernel.copy()
    del weights
    gc.collect()
    assert np.array_equal(kernel, expected)
    kernel[:] = 0  # a copy of the model's
    assert np.array_equal(trained.get_weights()["dense/kernel"], expected)


def test_torch_tensors(trained: an.Model, frames: Any) -> None:
    torch = pytest.importorskip("torch")
    assert np.array_equal(trained.predict(torch.from_numpy(frames)), trained.predict(frames))
    scores = torch.from_dlpack(trained.predict(frames))
    assert scores.shape == (5, 1)
