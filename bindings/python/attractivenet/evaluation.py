# SPDX-License-Identifier: MIT
"""Steps 6 and 7 of the tutorial: how far predictions are from the truth, in numbers and in plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from ._call import NULL, Path, address, as_array, call, encode, encode_path, ffi, lib, options
from .errors import UnsupportedError


@dataclass(frozen=True)
class Metrics:
    """Metrics of predictions against true values."""

    count: int  #: pairs
    mse: float  #: mean squared error
    rmse: float  #: root of mse, in the unit of the scores
    mae: float  #: mean absolute error
    r2: float  #: 1: perfect; 0: as good as always guessing the mean
    pearson: float  #: correlation, -1 to 1; NaN if either side is constant


def _column(values: Any, what: str) -> np.ndarray[Any, Any]:
    array = as_array(values)
    if array.ndim == 2 and array.shape[1] != 1 or array.ndim not in (1, 2):
        raise ValueError(f"{what} has the shape {array.shape}; it must be [count] or [count,1]: "
                         "for several outputs, give one column at a time")
    return np.ascontiguousarray(array, dtype=np.float64).reshape(-1)


def metrics(truth: Any, prediction: Any, weights: Any = None) -> Metrics:
    """Compute the metrics of predictions [count] or [count,1] against true values of as many pairs, as scikit-learn
    and SciPy do. weights: of each pair."""
    true, guessed = _column(truth, "truth"), _column(prediction, "prediction")
    shares = _column(weights, "weights") if weights is not None else None
    for name, other in (("predictions", guessed), ("weights", shares)):
        if other is not None and len(other) != len(true):
            raise ValueError(f"{len(true)} true values and {len(other)} {name}; the counts must be the same")
    out = options("metrics")
    call(lib.an_metrics_compute_double, address(true, "double *"), address(guessed, "double *"),
         address(shares, "double *") if shares is not None else NULL, len(true), out)
    return Metrics(out.count, out.mse, out.rmse, out.mae, out.r2, out.pearson)


class Plot:
    """A plot as a PNG image: a notebook shows it, save() writes it."""

    def __init__(self, png: bytes) -> None:
        self.png = png

    def save(self, path: Path) -> None:
        """Write the PNG file."""
        with open(path, "wb") as file:
            file.write(self.png)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        width, height = (int.from_bytes(self.png[k:k + 4], "big") for k in (16, 20))
        return f"<Plot: {width}x{height} pixels; save(path) writes it, a notebook shows it>"


def _draw(native: Callable[[Any], None], fallback: Callable[[Any, Any], None]) -> Plot:
    """Draw with the library (cairo), otherwise with matplotlib."""
    import os
    import tempfile  # slow to import

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "plot.png")
        try:
            native(encode_path(path))
        except UnsupportedError as missing:
            try:
                from matplotlib.figure import Figure
            except ImportError:
                raise UnsupportedError(f"{missing}; plots need cairo (apt install libcairo2) or matplotlib "
                                       "(pip install matplotlib)") from None
            figure = Figure(figsize=(9, 6), layout="tight")
            fallback(figure, figure.add_subplot())
            figure.savefig(path)
        with open(path, "rb") as file:
            return Plot(file.read())


def _plot_options(width: int, height: int, log_y: bool, title: str | None, x_label: str | None,
                  y_label: str | None) -> tuple[Any, list[Any]]:
    texts = [encode(text) if text is not None else None for text in (title, x_label, y_label)]
    return options("plot_options", width=width, height=height, log_y=int(log_y), title=texts[0], x_label=texts[1],
                   y_label=texts[2]), texts


def plot_curves(curves: Mapping[str, Sequence[float]], *, marks: Sequence[int] = (), width: int = 0, height: int = 0,
                log_y: bool = False, title: str | None = None, x_label: str | None = None,
                y_label: str | None = None) -> Plot:
    """Plot up to 8 curves by their names, each a value per epoch, from epoch 1. marks: the epochs where stages begin.

    width, height: in pixels; 0: a suitable default.
    """
    how, kept = _plot_options(width, height, log_y, title, x_label, y_label)
    names = [encode(name) for name in curves]
    values = [np.ascontiguousarray(curve, dtype=np.float64) for curve in curves.values()]
    lines = ffi.new("an_curve[]", max(1, len(names)))
    for k, (name, curve) in enumerate(zip(names, values)):
        lib.an_curve_init(ffi.addressof(lines, k), ffi.sizeof("an_curve"))
        lines[k].name, lines[k].values, lines[k].count = name, address(curve, "double *"), len(curve)
    begins = ffi.new("int64_t[]", list(marks))

    def fallback(_: Any, axes: Any) -> None:
        for name, curve in curves.items():
            axes.plot(range(1, len(curve) + 1), curve, label=name)
        for mark in marks:
            axes.axvline(mark - 0.5, color="grey")
        axes.set(title=title, xlabel=x_label or "epoch", ylabel=y_label, yscale="log" if log_y else "linear")
        axes.legend()

    return _draw(lambda path: _done(call(lib.an_plot_curves, path, lines, len(names), begins if len(marks) else NULL,
                                         len(marks), how)), fallback)


def plot_scatter(truth: Any, prediction: Any, *, width: int = 0, height: int = 0, title: str | None = None,
                 x_label: str | None = None, y_label: str | None = None) -> Plot:
    """Plot predicted against true scores [count] or [count,1], with the diagonal and the metrics."""
    true, guessed = _column(truth, "truth"), _column(prediction, "prediction").astype(np.float32)
    if len(true) != len(guessed):
        raise ValueError(f"{len(true)} true values and {len(guessed)} predictions; the counts must be the same")
    how, kept = _plot_options(width, height, False, title, x_label, y_label)

    def fallback(_: Any, axes: Any) -> None:
        found = metrics(true, guessed)
        ends = [min(true.min(), guessed.min()), max(true.max(), guessed.max())]
        axes.plot(ends, ends, color="grey")
        axes.scatter(true, guessed, s=8)
        axes.set(title=title or f"RMSE {found.rmse:.3f}, R2 {found.r2:.3f}", xlabel=x_label or "true score",
                 ylabel=y_label or "predicted score", aspect="equal")

    return _draw(lambda path: _done(call(lib.an_plot_scatter, path, address(true, "double *"),
                                         address(guessed, "float *"), len(true), how)), fallback)


def _done(_: int) -> None:
    pass


__all__ = ["Metrics", "Plot", "metrics", "plot_curves", "plot_scatter"]
