# SPDX-License-Identifier: MIT
"""Shared: build MobileNetV2 with reproducible, non-trivial weights (tf_keras = Keras 2)."""
from common import *
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.experimental.enable_op_determinism()
import tf_keras as K2
import faces
import cv2
cv2.setNumThreads(1)


def face_batch(n, size, seed, noise_last=True):
    """uint8 RGB batch: n synthetic faces resized by cv2; scores"""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for i in range(n):
        p = faces.params(rng)
        X.append(cv2.resize(faces.draw(p, rng), (size, size)))
        y.append(p["score"])
    X = np.array(X)
    if noise_last:
        X[-1] = rng.integers(0, 256, X[-1].shape, dtype=np.uint8)
    return X, np.array(y, np.float32)


def scale_tf(X):
    return (X / 127.5 - 1.0).astype(np.float32)


def base2(alpha, size, dtype=None):
    """Keras-2 MobileNetV2 base; dtype float64 through the global floatx"""
    K2.backend.clear_session()
    K2.backend.set_floatx(dtype or "float32")
    m = K2.applications.MobileNetV2(input_shape=(size, size, 3) if size else None, alpha=alpha,
                                    include_top=False, pooling="avg", weights=None)
    K2.backend.set_floatx("float32")
    return m


def model2(alpha, size, dtype=None):
    b = base2(alpha, size, dtype)
    K2.backend.set_floatx(dtype or "float32")
    m = K2.Sequential(name="attractiveNet_mnv2")
    m.add(b)
    m.add(K2.layers.Dense(1, name="dense"))
    if not m.built:
        m.build((None, size, size, 3))
    K2.backend.set_floatx("float32")
    return m


def randomise(model, seed, calib):
    """fan-in scaled normal kernels; gamma/beta random; moving stats = batch statistics of `calib`, then perturbed"""
    rng = np.random.default_rng(seed)
    base = model.layers[0]
    for l in base.layers:
        w = l.get_weights()
        if not w:
            continue
        if len(w) == 1:
            s = w[0].shape
            fan = s[0] * s[1] * (1 if "depthwise" in l.name else s[2])
            l.set_weights([(rng.standard_normal(s) * math.sqrt(2.0 / fan)).astype(np.float32)])
        else:
            n = w[0].shape[0]
            l.set_weights([rng.uniform(0.6, 1.6, n).astype(np.float32), rng.normal(0.2, 0.5, n).astype(np.float32), w[2], w[3]])
    bns = [l for l in base.layers if isinstance(l, K2.layers.BatchNormalization)]
    for l in bns:
        l.momentum = 0.0
    base(tf.constant(calib), training=True)
    for l in bns:
        l.momentum = 0.999
        g, b, m, v = l.get_weights()
        sd = np.sqrt(v)
        m = m + sd * rng.normal(0, 0.2, m.shape)
        v = v * rng.uniform(0.7, 1.4, v.shape) + 1e-4
        l.set_weights([g, b, m.astype(np.float32), v.astype(np.float32)])
    d = model.layers[1]
    k, b = d.get_weights()
    d.set_weights([(rng.standard_normal(k.shape) / math.sqrt(k.shape[0])).astype(np.float32), np.array([3.0], np.float32)])


def names(layer):
    n = [w.name.split("/")[-1].split(":")[0] for w in layer.weights]
    return n


def weights_dict(model):
    """'layer/var' -> array, in Keras layer order (base first, then dense)"""
    d = {}
    for l in list(model.layers[0].layers) + [model.layers[1]]:
        for w in l.weights:
            d[f"{l.name}/{w.name.split('/')[-1].split(':')[0]}"] = w.numpy()
    return d


def set_weights(model, d):
    for l in list(model.layers[0].layers) + [model.layers[1]]:
        if l.weights:
            l.set_weights([d[f"{l.name}/{w.name.split('/')[-1].split(':')[0]}"] for w in l.weights])
