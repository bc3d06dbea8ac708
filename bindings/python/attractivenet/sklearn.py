# SPDX-License-Identifier: MIT
"""An estimator with scikit-learn's conventions."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin  # type: ignore[import-untyped,unused-ignore]
from sklearn.utils.validation import check_is_fitted  # type: ignore[import-untyped,unused-ignore]

from ._call import Size, as_array, pair
from .callbacks import EarlyStopping
from .data import Augment, Dataset, Loader, resize, train_test_split
from .model import MobileNetV2
from .optimizers import Adam

Array = np.ndarray[Any, Any]


class AttractiveNetRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """MobileNetV2 as a regressor of images, for pipelines, cross_val_score() and grid searches.

    X: uint8 RGB [N,H,W,3], or N paths of JPEG or PNG files; y: [N] or [N,outputs]. Images of another size are resized.

    weights, alpha, base, device, precision: as for MobileNetV2. size: None: that of X. augment: an Augment or None.
    validation_fraction: that part of the samples is set aside; training ends when its loss has not fallen for patience
    epochs, and the best weights are kept; 0: none. random_state: seed of the split, of shuffling and of the weights.
    """

    def __init__(self, weights: Any = None, *, size: Size | None = None, alpha: float = 0.35, epochs: int = 10,
                 batch_size: int = 32, learning_rate: float = 1e-3, base: str | None = None, momentum: float = 0.9,
                 augment: Augment | None = None, validation_fraction: float = 0.0, patience: int = 7,
                 random_state: int = 42, device: str = "cpu", precision: str = "fp32", verbose: Any = 0) -> None:
        self.weights = weights
        self.size = size
        self.alpha = alpha
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.base = base
        self.momentum = momentum
        self.augment = augment
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> AttractiveNetRegressor:
        """Train on images X [N,H,W,3] and their scores y; sample_weight: [N]."""
        scores = np.asarray(y, dtype=np.float64)
        if _are_paths(X):
            if self.size is None:
                raise ValueError("size is None; files have no common size: set it")
            data = Dataset.from_files(X, scores, self.size)
        else:
            images = _images(X)
            size = images.shape[1:3] if self.size is None else pair(self.size)
            if images.shape[1:3] != size:
                images = np.stack([resize(image, size) for image in images])
            data = Dataset.from_arrays(images, scores)
        if sample_weight is not None:
            data.set_weights(sample_weight)
        train: Any = data
        val = None
        if self.validation_fraction:
            train, val = train_test_split(data, test_size=self.validation_fraction, random_state=self.random_state)
        model = MobileNetV2(self.weights, size=data.size, alpha=self.alpha, device=self.device,
                            precision=self.precision, outputs=data.outputs, seed=self.random_state, base=self.base,
                            momentum=self.momentum)
        model.compile(Adam(self.learning_rate))
        stopping = [EarlyStopping(patience=self.patience, restore_best_weights=True)] if val is not None else []
        loader = Loader(train, batch_size=self.batch_size, shuffle=True, augment=self.augment, seed=self.random_state)
        self.history_ = model.fit(loader, epochs=self.epochs, validation_data=val, callbacks=stopping,
                                  verbose=self.verbose)
        self.model_ = model
        self.n_outputs_ = scores.shape[1] if scores.ndim > 1 else 1
        self._is_column = scores.ndim > 1
        return self

    def predict(self, X: Any) -> Array:
        """Predict the scores of images X: [N], or [N,outputs] if y had columns."""
        check_is_fitted(self, "model_")
        found = self.model_.predict_files(X) if _are_paths(X) else self.model_.predict(_images(X))
        return found if self._is_column else found[:, 0]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # images are [N,H,W,3]
        return tags


def _are_paths(X: Any) -> bool:
    return not hasattr(X, "__dlpack__") and len(X) > 0 and all(isinstance(one, (str, os.PathLike)) for one in X)


def _images(X: Any) -> Array:
    images = as_array(X)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"X of {images.dtype} with the shape {images.shape}; it must be images, uint8 [N,H,W,3], or paths")
    return images


__all__ = ["AttractiveNetRegressor"]
