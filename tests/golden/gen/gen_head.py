# SPDX-License-Identifier: MIT
"""Reference numbers for heads in closed form: what tests/unit/test_fit_head.c compares with.

Needs scikit-learn (1.9 was used) and NumPy; prints C initialisers.
"""
import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def rows(n, width):
    i, k = np.arange(n)[:, None], np.arange(width)[None, :]
    return ((i * i * 37 + k * k * 101 + i * k * 7) % 97).astype(np.float64)


def show(name, values):
    print(f"{name}: " + ", ".join(repr(float(v)) for v in np.ravel(values)))


for n, width in ((40, 6), (7, 9)):
    x = rows(n, width)
    y = (np.arange(n) * 29 % 23).astype(np.float64)
    weights = 1.0 + np.arange(n) % 3
    for weight in (None, weights):
        model = make_pipeline(StandardScaler(), Ridge(alpha=2.5))
        named = {} if weight is None else {"standardscaler__sample_weight": weight, "ridge__sample_weight": weight}
        model.fit(x, y, **named)
        show(f"ridge {n} {width} {'weighted' if named else ''}", model.predict(rows(n + 3, width)[n:]))
    if n < width:
        continue
    classes = np.arange(n) * 29 % 23 % 3
    for target in (classes, classes == 1):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / 2.5, solver="newton-cg", tol=1e-14, max_iter=10000))
        model.fit(x, target)
        show(f"logistic {n} {width}", model.decision_function(rows(n + 3, width)[n:]))
