# SPDX-License-Identifier: MIT
"""Trained weights on synthetic faces (from scratch, Keras 2): realistic, well-conditioned weights for the other fixtures."""
from nets import *
DEF = dict(alpha=0.35, size=96, n=600, epochs=14, seed=900, batch=32)
out, C = args("pretrained", DEF)
A, S = C["alpha"], C["size"]
K2.utils.set_random_seed(C["seed"])
X, y = face_batch(C["n"], S, C["seed"] + 1, noise_last=False)
X = scale_tf(X)
m = model2(A, S)
for l in m.layers[0].layers:
    if isinstance(l, K2.layers.BatchNormalization):
        l.momentum = 0.9
m.layers[1].set_weights([m.layers[1].get_weights()[0] * 0.3, np.array([2.7], np.float32)])
m.compile(loss="mean_squared_error", optimizer=K2.optimizers.Adam(1e-3))
rng = np.random.default_rng(C["seed"] + 2)
log = []
for e in range(C["epochs"]):
    if e == C["epochs"] * 2 // 3:
        m.optimizer.learning_rate.assign(2e-4)
    o = rng.permutation(len(X)); ls = []
    for i in range(0, len(X) - C["batch"] + 1, C["batch"]):
        xb = X[o[i:i + C["batch"]]].copy()
        f = rng.random(len(xb)) < 0.5
        xb[f] = xb[f, :, ::-1]
        ls.append(float(m.train_on_batch(xb, y[o[i:i + C["batch"]]])))
    log.append(float(np.mean(ls)))
Xt, yt = face_batch(150, S, C["seed"] + 3, noise_last=False)
p = m.predict(scale_tf(Xt), verbose=0)[:, 0]
rep = dict(alpha=A, size=S, epochs=C["epochs"], train_mse=log, test_rmse=float(np.sqrt(np.mean((p - yt) ** 2))), test_std=float(yt.std()), test_pearson=float(np.corrcoef(p, yt)[0, 1]))
save(out / f"weights_{A:.2f}_{S}.safetensors", weights_dict(m), dict(alpha=A, size=S, scale="tf", order="Keras variable layout: conv HWIO, depthwise HWC1, dense IO"))
jdump(out / "report.json", rep)
print(rep)
