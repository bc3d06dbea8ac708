# SPDX-License-Identifier: MIT
"""Train and use MobileNetV2 image regressors: the eight steps of the Keras tutorial AttractiveNet, on a C library.

    import attractivenet as an

    faces = an.Dataset.open("SCUT-FBP5500_v2.1.zip", size=350)
    train, val, test = an.tutorial_split(faces)
    model = an.MobileNetV2(weights="imagenet")
    history = model.fit(an.Loader(train, shuffle=True, augment=an.Augment.tutorial()), validation_data=val, epochs=30,
                        callbacks=[an.EarlyStopping(patience=7)])
    print(an.metrics(test.scores, model.predict(test)))
    model.save("model.safetensors")

docs/python.md explains each step; docs/model_card.md says what a score means and what it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._call import decode as _decode
from ._core import lib as _lib
from .callbacks import (BackupAndRestore, Callback, CSVLogger, EarlyStopping, LambdaCallback, LearningRateScheduler,
                        ModelCheckpoint, ReduceLROnPlateau, TensorBoard)
from .data import (Augment, Dataset, Loader, Subset, download_data, extract, read_image, resize, train_test_split,
                   tutorial_split)
from .errors import (ArgumentError, AttractiveNetWarning, CancelledError, DeviceError, Error, FileError, FormatError,
                     InternalError, OutOfMemoryError, UnsupportedError)
from .evaluation import Metrics, Plot, metrics, plot_curves, plot_scatter
from .model import Backend, Device, MobileNetV2, Model, count_parameters, devices
from .optimizers import SGD, Adam, AdamW, CosineDecay
from .training import History

if TYPE_CHECKING:
    from .sklearn import AttractiveNetRegressor as AttractiveNetRegressor

#: The release of the library.
__version__: str = _decode(_lib.an_version())


def has_feature(name: str) -> bool:
    """Was the library built with a feature: "blas", "curl", "plot", "cuda", ..."""
    return bool(_lib.an_has_feature(name.encode()))


def __getattr__(name: str) -> Any:
    if name == "AttractiveNetRegressor":  # needs scikit-learn
        from .sklearn import AttractiveNetRegressor

        return AttractiveNetRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "AttractiveNetRegressor", *(name for name in globals() if name.startswith("__"))]


# Without AttractiveNetRegressor: `from attractivenet import *` must work where there is no scikit-learn.
__all__ = [
    "Adam", "AdamW", "ArgumentError", "AttractiveNetWarning", "Augment", "Backend", "BackupAndRestore", "CSVLogger",
    "Callback", "CancelledError", "CosineDecay", "Dataset", "Device", "DeviceError", "EarlyStopping", "Error",
    "FileError", "FormatError", "History", "InternalError", "LambdaCallback", "LearningRateScheduler", "Loader",
    "Metrics", "MobileNetV2", "Model", "ModelCheckpoint", "OutOfMemoryError", "Plot", "ReduceLROnPlateau", "SGD",
    "Subset", "TensorBoard", "UnsupportedError", "count_parameters", "devices", "download_data", "extract",
    "has_feature", "metrics", "plot_curves", "plot_scatter", "read_image", "resize", "train_test_split",
    "tutorial_split",
]
