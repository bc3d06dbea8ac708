# SPDX-License-Identifier: MIT
"""AttractiveNetRegressor and scikit-learn's conventions."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attractivenet as an

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils import estimator_checks  # noqa: E402

SMALL: dict[str, Any] = {"epochs": 2, "size": 32, "batch_size": 8}


def images(faces: an.Dataset) -> tuple[Any, Any]:
    return faces[:32].images(), faces[:32].scores[:, 0]


# What check_estimator() does after it has seen that the input is not a table: nothing. So its checks that need no
# table are called one by one. Those that do not apply fit tables [samples,features] of made-up floats.
@pytest.mark.parametrize("check", [
    "check_estimator_cloneable", "check_estimator_tags_renamed", "check_valid_tag_types", "check_estimator_repr",
    "check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_get_params_invariance",
    "check_set_params", "check_dont_overwrite_attributes_of_class", "check_mixin_order",
    "check_do_not_raise_errors_in_init_or_set_param"])
def test_checks_of_scikit_learn(check: str) -> None:
    function = getattr(estimator_checks, check, None)
    if function is None:
        pytest.skip(f"this scikit-learn has no {check}")
    function("AttractiveNetRegressor", an.AttractiveNetRegressor())


def test_check_estimator_passes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no table
        estimator_checks.check_estimator(an.AttractiveNetRegressor())


def test_fit_predict_score(faces: an.Dataset, folder: Path) -> None:
    x, y = images(faces)
    regressor = an.AttractiveNetRegressor(**SMALL)
    with pytest.raises(NotFittedError):
        regressor.predict(x)
    assert regressor.fit(x, y) is regressor
    scores = regressor.predict(x)
    assert scores.shape == (32,) and regressor.score(x, y) == pytest.approx(an.metrics(y, scores).r2)
    again = clone(regressor).fit(x, y)
    assert np.array_equal(again.predict(x), scores)  # the same seed
    assert np.array_equal(pickle.loads(pickle.dumps(regressor)).predict(x), scores)
    paths = [folder / name for name in faces.names[:32]]
    assert np.array_equal(regressor.predict(paths), scores)
    assert not np.array_equal(clone(regressor).fit(x, y, sample_weight=np.arange(32) + 1).predict(x), scores)
    assert regressor.fit(paths, y).predict(paths[:3]).shape == (3,)
    columns = regressor.fit(x, np.stack([y, -y], axis=1))
    assert columns.predict(x).shape == (32, 2) and columns.n_outputs_ == 2


def test_searches_and_pipelines(faces: an.Dataset) -> None:
    x, y = images(faces)
    assert len(cross_val_score(an.AttractiveNetRegressor(**SMALL), x, y, cv=2)) == 2
    search = GridSearchCV(make_pipeline(an.AttractiveNetRegressor(**SMALL)),
                          {"attractivenetregressor__learning_rate": [1e-3, 1e-2]}, cv=2).fit(x, y)
    assert search.best_params_["attractivenetregressor__learning_rate"] in (1e-3, 1e-2)


def test_a_part_set_aside_stops_the_training(faces: an.Dataset) -> None:
    x, y = images(faces)
    regressor = an.AttractiveNetRegressor(size=32, epochs=30, validation_fraction=0.25, patience=0, learning_rate=0.5)
    history = regressor.fit(x, y).history_
    assert len(history) < 30 and history.reason == "early stopping" and len(history.history["val_loss"]) == len(history)


@pytest.mark.parametrize("wrong", [np.zeros((4, 10)), np.zeros((4, 32, 32, 3)), np.zeros((4, 32, 32), np.uint8)])
def test_tables_and_floats_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="uint8 .N,H,W,3."):
        an.AttractiveNetRegressor().fit(wrong, np.zeros(4))
