# SPDX-License-Identifier: MIT
"""Weighted metrics of scikit-learn and NumPy, and weighted losses of Keras 3 (in double), as they stand in
tests/unit/test_metrics.c and tests/unit/test_losses.c.

usage: KERAS_BACKEND=jax JAX_ENABLE_X64=1 python3 gen_weighted.py
Made with keras 3.12.1, jax 0.10.2, numpy 2.4.6, scikit-learn 1.9.1.
"""
import jax
import jax.numpy as jnp
import keras
import numpy as np
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

keras.config.set_floatx("float64")
truth = np.array([1.0, 2.5, 3.0, 4.25, 2.0, 3.5])
pred = np.array([1.5, 2.0, 3.25, 4.0, 2.75, 2.5], np.float32).astype(np.float64)
weights = np.array([1.0, 0.5, 2.0, 0.0, 3.25, 0.125])

print("metrics")
mse = mean_squared_error(truth, pred, sample_weight=weights)
print("  mse", repr(float(mse)), "mae", repr(float(mean_absolute_error(truth, pred, sample_weight=weights))))
print("  r2", repr(float(r2_score(truth, pred, sample_weight=weights))))
cov = np.cov(truth, pred, aweights=weights)
print("  pearson", repr(float(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]))))

# Losses: what reduction sum_over_batch_size makes of sample_weight, and the gradient by the logits.
logits = np.array([[0.5, -1.25, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.0, 3.0], [0.125, 0.0, -1.0]])
target = np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75], [0.0, 0.0, 1.0], [0.5, 0.25, 0.25]])
sample_weight = np.array([2.0, 0.0, 0.5, 1.25])
losses = {
    "MSE": keras.losses.MeanSquaredError(),
    "MAE": keras.losses.MeanAbsoluteError(),
    "HUBER": keras.losses.Huber(1.0),
    "CATEGORICAL": keras.losses.CategoricalCrossentropy(from_logits=True),
    "BINARY": keras.losses.BinaryCrossentropy(from_logits=True),
}
for name, loss in losses.items():
    value, gradient = jax.value_and_grad(lambda z: loss(target, z, sample_weight=sample_weight))(jnp.array(logits))
    print(name, value.dtype, repr(float(value)))
    print("   ", ", ".join("%.17g" % g for g in np.ravel(gradient)))
