# SPDX-License-Identifier: MIT
"""Steps 1 to 3: files, data sets, splits, batches."""

from __future__ import annotations

import gc
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attractivenet as an


def test_download_data_copies_a_file_url_and_checks_its_hash(archive: Path, tmp_path: Path) -> None:
    if not an.has_feature("curl"):
        pytest.skip("built without libcurl")
    seen: list[tuple[int, int]] = []
    path = an.download_data(archive.as_uri(), tmp_path / "copy.zip", progress=lambda done, total: seen.append((done, total)))
    assert Path(path).read_bytes() == archive.read_bytes() and seen
    with pytest.raises(an.FormatError, match="SHA-256|sha256|hash"):
        an.download_data(archive.as_uri(), tmp_path / "other.zip", sha256="0" * 64)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(an.FileError, match="nothing.zip") as caught:
        an.Dataset.open(tmp_path / "nothing.zip")
    assert isinstance(caught.value, OSError) and caught.value.status == -3


@pytest.mark.parametrize("size", ["64", 64.0, (64, 64, 3), ("64", "64"), None])
def test_a_size_that_is_not_one_is_named(archive: Path, size: Any) -> None:
    with pytest.raises(TypeError, match="whole number or"):
        an.Dataset.open(archive, size=size)
    for one in (64, (64, 64), [64, 64], np.array([64, 64])):
        assert an.Dataset.open(archive, size=one).size == (64, 64)  # type: ignore[arg-type]


def test_one_path_alone_is_not_taken_for_a_list_of_letters(trained: an.Model, folder: Path) -> None:
    for path in ("ab", folder):
        with pytest.raises(TypeError, match="list of paths"):
            an.Dataset.from_files(path, [1.0, 2.0])
        with pytest.raises(TypeError, match="list of paths"):
            trained.predict_files(path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="predict_files"):
        trained.predict(["a.jpg"])


@pytest.mark.parametrize("augment", ["fast", True])
def test_augment_that_is_none_is_named(faces: an.Dataset, augment: Any) -> None:
    with pytest.raises(TypeError, match="must be an Augment"):
        an.Loader(faces, augment=augment)


def test_a_data_set_of_an_archive(faces: an.Dataset, archive: Path) -> None:
    assert len(faces) == 60 and faces.size == (64, 64) and faces.outputs == 1 and faces.classes is None
    assert repr(faces) == "<Dataset: 60 images, 64x64, 1 score each>"
    pixels, scores = faces[3]
    assert pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8 and scores[0] == faces.scores[3, 0]
    assert np.array_equal(faces[-57][0], pixels) and np.array_equal(faces[2:5].images()[1], pixels)
    with pytest.raises(IndexError):
        faces[60]
    faces.check(progress=False)
    wide = an.Dataset.open(archive, size=(48, 96))
    assert wide[0][0].shape == (48, 96, 3)


def test_a_closed_data_set_says_so_and_its_loader_goes_on(faces: an.Dataset) -> None:
    loader = an.Loader(faces, batch_size=60)
    with faces:
        expected = next(iter(loader))[0]
    assert repr(faces) == "<Dataset: closed>"
    with pytest.raises(ValueError, match="closed"):
        len(faces)
    assert np.array_equal(next(loader.epoch(0))[0], expected)


def test_files_and_scores_of_a_table(faces: an.Dataset, folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"path": [folder / name for name in faces.names], "score": faces.scores[:, 0]})
    table = table.sample(frac=1, random_state=1)  # its index is not 0, 1, 2
    data = an.Dataset.from_files(table.path, table.score, size=64)
    assert np.array_equal(data.scores[:, 0], table.score) and np.array_equal(data[0][0], faces[int(table.index[0])][0])
    train, test = an.train_test_split(table, test_size=0.3)
    parts = an.train_test_split(data, test_size=0.3)
    assert list(test.score) == list(parts[1].scores[:, 0]) and len(train) == len(parts[0]) == 42


def test_classes_by_name(faces: an.Dataset, folder: Path) -> None:
    kinds = ["high" if score > 3 else "low" for score in faces.scores[:, 0]]
    data = an.Dataset.from_files([folder / name for name in faces.names], kinds, size=64)
    assert data.classes == ["high", "low"] and repr(data) == "<Dataset: 60 images, 64x64, 2 classes>"
    assert [data.classes[int(k)] for k in data.scores.argmax(axis=1)] == kinds
    with pytest.raises(ValueError, match="'low' is not one of"):
        an.Dataset.from_files([folder / name for name in faces.names], kinds, size=64, classes=["high", "middle"])


def test_encoded_images_in_memory(faces: an.Dataset, folder: Path) -> None:
    data = an.Dataset.from_bytes([(folder / name).read_bytes() for name in faces.names[:4]], [1, 2, 3, 4], size=64,
                                 names=faces.names[:4])
    assert data.names == faces.names[:4] and np.array_equal(data.images(), faces[:4].images())
    assert np.array_equal(an.read_image(folder / faces.names[0]), faces[0][0])


def test_sample_weights(faces: an.Dataset) -> None:
    assert faces.weights is None
    faces.set_weights(np.arange(60) + 1)
    assert list(faces[:3].weights) == [1, 2, 3]
    loader = an.Loader(faces, batch_size=5)
    batch = next(iter(loader))
    assert len(batch) == 3 and list(batch[2]) == [1, 2, 3, 4, 5]
    with pytest.raises(an.ArgumentError, match="loader"):
        faces.set_weights(None)


def test_counts_that_differ_are_refused(folder: Path, frames: Any) -> None:
    for make in (lambda: an.Dataset.from_arrays(frames, [1.0]), lambda: an.Dataset.from_files(["a", "b"], [1.0]),
                 lambda: an.train_test_split([1, 2, 3], [1, 2])):
        with pytest.raises(ValueError, match="counts must be the same"):
            make()
    with pytest.raises(ValueError, match="5 images and 2 weights"):
        an.Loader.from_arrays(np.zeros((5, 64, 64, 3), np.float32), np.zeros(5), [1, 2])


def test_a_damaged_image_is_a_warning_then_an_error(tmp_path: Path, folder: Path) -> None:
    good = sorted(folder.glob("*.jpg"))[:3]
    for path in good:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / good[1].name).write_bytes(good[1].read_bytes()[:200])
    (tmp_path / "All_labels.txt").write_text("".join(f"{path.name} 3\n" for path in good))
    data = an.Dataset.open(tmp_path, size=64)
    with pytest.warns(an.AttractiveNetWarning, match=good[1].name) as caught:
        with pytest.raises(an.FormatError, match="1 "):
            data.check(progress=False)
    assert caught[0].filename == __file__
    skipping = an.Dataset.open(tmp_path, size=64, policy="skip")
    with pytest.warns(an.AttractiveNetWarning):
        assert len(skipping.check(progress=False)) == 2 and skipping.skipped == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(an.AttractiveNetWarning, match=good[1].name):  # not AN_ERR_CANCELLED
            data.check(progress=False)


@pytest.mark.parametrize("n", [2, 7, 60, 1000])
@pytest.mark.parametrize("how", [{}, {"test_size": 0.3}, {"test_size": 1}, {"train_size": 0.5}, {"shuffle": False}])
def test_the_split_is_that_of_scikit_learn(n: int, how: dict[str, Any]) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    expected = selection.train_test_split(np.arange(n), **({} if how.get("shuffle") is False else {"random_state": 42}), **how)
    found = an.train_test_split(np.arange(n), **how)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected))


def test_a_split_without_a_seed_differs_each_time() -> None:
    assert len({tuple(an.train_test_split(range(50), random_state=None)[0]) for _ in range(5)}) > 1
    with pytest.raises(ValueError, match="-1"):
        an.train_test_split(range(50), random_state=-1)


def test_the_tutorials_split(faces: an.Dataset) -> None:
    train, val, test = an.tutorial_split(faces)
    assert (len(train), len(val), len(test)) == (42, 12, 6)
    assert sorted([*train.indices, *val.indices, *test.indices]) == list(range(60))
    rest = an.train_test_split(faces, test_size=0.3)
    assert np.array_equal(train.indices, rest[0].indices)
    again = an.train_test_split(rest[1], test_size=1 / 3)
    assert np.array_equal(again[0].indices, val.indices) and np.array_equal(again[1].indices, test.indices)


def test_the_tutorials_split_of_arrays_is_refused(frames: Any) -> None:
    with pytest.raises(TypeError, match="ndarray; it must be a Dataset"):
        an.tutorial_split(frames, np.zeros(5))  # type: ignore[arg-type]


def test_a_data_set_that_is_pickled_says_what_to_do(faces: an.Dataset) -> None:
    for thing in (faces, faces[:3], an.Loader(faces)):
        with pytest.raises(TypeError, match="open it in each process"):
            pickle.dumps(thing)


def test_batches(faces: an.Dataset) -> None:
    loader = an.Loader(faces, batch_size=25, shuffle=True, augment=an.Augment.tutorial(), scale="tf")
    assert len(loader) == 3 and loader.samples == 60
    first, second, again = list(loader), list(loader), list(loader.epoch(0))
    assert [len(x) for x, y in first] == [25, 25, 10] and first[0][0].dtype == np.float32
    assert first[0][0].min() >= -1 and first[0][0].max() <= 1 + 1e-6 and first[0][0].min() < 0
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again))
    assert not np.array_equal(first[0][0], second[0][0])
    plain = next(iter(an.Loader(faces, batch_size=60)))
    assert np.allclose(plain[0], faces[:].images() / 255) and np.allclose(plain[1], faces.scores)


def test_augment_says_what_it_does() -> None:
    assert repr(an.Augment.tutorial()) == ("Augment('fast', horizontal_flip=True, rotation=40.0, width_shift=0.2, "
                                           "height_shift=0.2, shear=0.2, zoom=(0.8, 1.2))")
    assert repr(an.Augment.tutorial(strength=0)).startswith("Augment('fast', horizontal_flip=True, zoom=")
    with pytest.raises(ValueError, match="'slow'.*'fast'"):
        an.Augment("slow")


def test_every_option_of_augment_changes_the_batch(faces: an.Dataset) -> None:
    plain = next(iter(an.Loader(faces[:8])))[0]
    for how in ({"horizontal_flip": True}, {"vertical_flip": True}, {"rotation": 20}, {"width_shift": 0.2},
                {"height_shift": [0.1, 0.3]}, {"shear": 10}, {"zoom": 0.3}, {"channel_shift": 0.2},
                {"brightness": (0.5, 0.9)}, {"contrast": 0.5}, {"saturation": 0.5}, {"erase": 1.0}):
        found = next(iter(an.Loader(faces[:8], augment=an.Augment(**how))))[0]  # type: ignore[arg-type]
        assert not np.array_equal(found, plain), how
    shifts = [next(iter(an.Loader(faces[:8], augment=an.Augment(width_shift=0.3, fill=fill, fill_value=0.5))))[0]
              for fill in ("nearest", "constant", "reflect", "wrap")]
    assert len({x.tobytes() for x in shifts}) == 4


def test_mixup_changes_images_and_labels(faces: an.Dataset) -> None:
    plain, wide, close = (next(iter(an.Loader(faces[:8], **how))) for how in (  # type: ignore[arg-type]
        {}, {"mixup": 1.0, "mixup_bandwidth": 0.0}, {"mixup": 1.0, "mixup_bandwidth": 0.1}))
    assert not np.array_equal(wide[0], plain[0]) and not np.array_equal(wide[1], plain[1])
    assert np.abs(close[1] - plain[1]).max() < np.abs(wide[1] - plain[1]).max()


def test_samples_of_a_function_are_those_of_the_data_set(faces: an.Dataset) -> None:
    pixels, scores = faces[:].images(), faces.scores
    table = (np.arange(256) / 255).astype(np.float32)
    made = an.Loader.from_function(lambda samples, epoch: (table[pixels[samples]], scores[samples]), count=60, size=64,
                                   shuffle=True, batch_size=16)
    given = an.Loader.from_arrays(table[pixels], scores, shuffle=True, batch_size=16)
    real = an.Loader(faces, shuffle=True, batch_size=16)
    for a, b, c in zip(made.epoch(1), real.epoch(1), given.epoch(1)):
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) and np.array_equal(a[0], c[0])


def test_what_a_function_raises_is_raised_and_bad_shapes_are_named() -> None:
    def fails(samples: Any, epoch: int) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(an.Loader.from_function(fails, count=4, size=32))
    with pytest.raises(ValueError, match=r"x with the shape \(1, 2\)"):
        list(an.Loader.from_function(lambda samples, epoch: (np.zeros((1, 2), np.float32), [0]), count=4, size=32))
    with pytest.raises(an.ArgumentError, match="0 to 1"):
        list(an.Loader.from_arrays(np.full((4, 32, 32, 3), 200, np.float32), np.zeros(4)))


def test_resize_is_that_of_the_library(faces: an.Dataset, archive: Path) -> None:
    assert np.array_equal(an.resize(faces[0][0], (40, 30)), an.Dataset.open(archive, size=(40, 30))[0][0])


def test_handles_may_be_collected_in_any_order(archive: Path, trained_bytes: bytes) -> None:
    for order in range(24):
        data = an.Dataset.open(archive, size=64)
        things: list[Any] = [data, an.Loader(data[:4]), an.Model.from_bytes(trained_bytes), None]
        things[3] = next(iter(things[1]))
        things[2].predict(things[1])
        things[0].cycle = things  # so that the collector decides
        for k in range(3, 0, -1):
            order, at = divmod(order, k + 1)
            things[k], things[at] = things[at], things[k]
        del data
        if order % 2:
            while things:
                things.pop()
        del things
        gc.collect()
