# SPDX-License-Identifier: MIT
"""Topic callbacks: EarlyStopping, ModelCheckpoint, ReduceLROnPlateau of Keras 2 and 3 on val_loss sequences; metrics; console text."""
from nets import *
import keras as K3
import contextlib, tempfile, sklearn
from sklearn.metrics import mean_squared_error, mean_absolute_error, r2_score
from scipy.stats import pearsonr

DEF = dict(seed=91, extra_sequences=0)
out, C = args("callbacks", DEF)
rng = np.random.default_rng(C["seed"])
nan, inf = float("nan"), float("inf")
SEQ = dict(
    steady=[1.0 - 0.05 * i for i in range(12)],
    flat=[0.5] * 12,
    plateau=[1.0, 0.8, 0.6, 0.5, 0.4995, 0.4992, 0.4991, 0.4990, 0.49895, 0.4989, 0.4988, 0.4987, 0.4986],
    slow_drift=[1.0 - 0.0004 * i for i in range(25)],
    worse=[0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2],
    late_gain=[1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6],
    saw=[0.9, 1.0, 0.8, 1.0, 0.7, 1.0, 0.6, 1.0, 0.5, 1.0, 0.4, 1.0],
    first_nan=[nan, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6],
    mid_nan=[0.9, 0.8, nan, 0.7, nan, nan, nan, nan, nan, nan, nan, nan, 0.6],
    all_nan=[nan] * 10,
    inf_first=[inf, 2.0, 1.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5],
    exact_delta=[1.0, 0.999, 0.998, 0.997, 0.996, 0.995, 0.994, 0.993, 0.992, 0.991],
    one=[0.5],
    empty_log=[None, None, None],
)
for k in range(C["extra_sequences"]):
    SEQ[f"rand{k}"] = [float(v) for v in np.round(np.maximum.accumulate(rng.uniform(0, 1, 20))[::-1] * 0.2 + rng.uniform(0, 0.6, 20), 4)]
ES = [dict(min_delta=1e-3, patience=7), dict(min_delta=1e-3, patience=2), dict(min_delta=0, patience=0), dict(min_delta=0, patience=1), dict(min_delta=1e-3, patience=3, baseline=0.55),
      dict(min_delta=1e-3, patience=3, restore_best_weights=True), dict(min_delta=1e-3, patience=7, restore_best_weights=True), dict(min_delta=0, patience=2, start_from_epoch=4),
      dict(min_delta=0, patience=2, start_from_epoch=4, restore_best_weights=True), dict(min_delta=-0.05, patience=3), dict(min_delta=0, patience=3, mode="max"), dict(min_delta=1e-3, patience=2, restore_best_weights=True, baseline=0.1)]


def tiny(KK):
    m = KK.Sequential([KK.layers.Input((1,)), KK.layers.Dense(1, use_bias=False)])
    m.compile(loss="mse", optimizer=KK.optimizers.SGD(1e-3))
    return m


def drive(KK, cb, seq, on_epoch=None):
    """calls the callback as fit() does; weight = epoch number (0-based); returns what happened"""
    m = tiny(KK)
    cb.set_model(m); cb.set_params(dict(epochs=len(seq), verbose=0)) if hasattr(cb, "set_params") else None
    m.stop_training = False
    buf = io.StringIO()
    with contextlib.redirect_stdout(buf), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cb.on_train_begin()
        ran = 0
        log = []
        for e, v in enumerate(seq):
            cb.on_epoch_begin(e)
            m.set_weights([np.array([[float(e)]], np.float32)])
            logs = {} if v is None else {"loss": v, "val_loss": v}
            cb.on_epoch_end(e, logs)
            ran += 1
            if on_epoch: log.append(on_epoch(m, e, logs))
            if m.stop_training: break
        cb.on_train_end()
    return dict(epochs_run=ran, stopped=bool(m.stop_training), weights_of_epoch=int(m.get_weights()[0][0, 0]), per_epoch=log, text=buf.getvalue().splitlines()), cb


import warnings, logging
logging.getLogger("tensorflow").setLevel(logging.ERROR); logging.getLogger("absl").setLevel(logging.ERROR)
es, mc, rl = [], [], []
for sn, seq in SEQ.items():
    for kw in ES:
        r = dict(sequence=sn, values=seq, args=dict(monitor="val_loss", **kw))
        for nm, KK in (("keras2", K2), ("keras3", K3)):
            try:
                d, cb = drive(KK, KK.callbacks.EarlyStopping(monitor="val_loss", verbose=1, **kw), seq)
                r[nm] = dict(epochs_run=d["epochs_run"], stopped=d["stopped"], stopped_epoch=int(cb.stopped_epoch), best_epoch=int(getattr(cb, "best_epoch", -1)), wait=int(cb.wait), best=None if cb.best is None else float(cb.best), weights_of_epoch=d["weights_of_epoch"], text=d["text"])
            except Exception as e:
                r[nm] = dict(error=f"{type(e).__name__}: {e}")
        es.append(r)
    for kw in (dict(save_best_only=True), dict(save_best_only=False), dict(save_best_only=True, initial_value_threshold=0.55), dict(save_best_only=True, mode="max")):
        r = dict(sequence=sn, values=seq, args=dict(monitor="val_loss", **kw))
        for nm, KK in (("keras2", K2), ("keras3", K3)):
            with tempfile.TemporaryDirectory() as td:
                p = os.path.join(td, "model.h5" if KK is K2 else "model.keras")
                saved = []
                def seen(m, e, logs):
                    if os.path.exists(p):
                        saved.append(e); os.remove(p)
                try:
                    d, cb = drive(KK, KK.callbacks.ModelCheckpoint(p, monitor="val_loss", verbose=1, **kw), seq, seen)
                    r[nm] = dict(saved_epochs=saved, text=[t.replace(p, "MODEL") for t in d["text"]])
                except Exception as e:
                    r[nm] = dict(error=f"{type(e).__name__}: {str(e).replace(p, 'MODEL')}", saved_epochs=saved)
        mc.append(r)
    for kw in (dict(factor=0.1, patience=2), dict(factor=0.5, patience=1, min_delta=1e-3, cooldown=2, min_lr=2e-4), dict(factor=0.2, patience=0, min_lr=1e-5), dict(factor=0.1, patience=3, min_delta=1e-4)):
        r = dict(sequence=sn, values=seq, args=dict(monitor="val_loss", **kw), initial_lr=1e-3)
        for nm, KK in (("keras2", K2), ("keras3", K3)):
            lr = []
            try:
                d, cb = drive(KK, KK.callbacks.ReduceLROnPlateau(monitor="val_loss", verbose=1, **kw), seq, lambda m, e, logs: lr.append(float(np.asarray(m.optimizer.learning_rate))))
                r[nm] = dict(lr_after_epoch=lr, text=d["text"])
            except Exception as e:
                r[nm] = dict(error=f"{type(e).__name__}: {e}")
        rl.append(r)
jdump(out / "early_stopping.json", es); jdump(out / "model_checkpoint.json", mc); jdump(out / "reduce_lr.json", rl)
dif = lambda L, keys: [(r["sequence"], {k: v for k, v in r["args"].items() if k != "monitor"}, [(k, r["keras2"].get(k), r["keras3"].get(k)) for k in keys if r["keras2"].get(k) != r["keras3"].get(k)]) for r in L if any(r["keras2"].get(k) != r["keras3"].get(k) for k in keys)]
print("ES differences 2/3:", *dif(es, ("epochs_run", "weights_of_epoch", "error")), sep="\n ")
print("MC differences 2/3:", *dif(mc, ("saved_epochs", "error")), sep="\n ")
print("RL differences 2/3:", *dif(rl, ("lr_after_epoch", "error")), sep="\n ")

# ---------------------------------------------------------------- metrics
arr, met = {}, []
def metric(name, t, p):
    r = dict(name=name, n=len(t), dtype_pred=str(p.dtype))
    try:
        mse = mean_squared_error(t, p); r.update(mse=float(mse), rmse=float(np.sqrt(mse)), mae=float(mean_absolute_error(t, p)))
        with warnings.catch_warnings(record=True) as w:
            warnings.simplefilter("always")
            r["r2"] = float(r2_score(t, p))
            r["pearson"] = float(pearsonr(t, np.ravel(p))[0]) if len(t) > 1 else None
            r["warnings"] = [str(x.message)[:120] for x in w]
    except Exception as e:
        r["error"] = f"{type(e).__name__}: {e}"
    arr[f"{name}.true"], arr[f"{name}.pred"] = t, p
    met.append(r)
for n in (2, 3, 10, 550):
    t = np.round(rng.uniform(1, 5, n), 6); p = (t + rng.normal(0, 0.3, n)).astype(np.float32)
    metric(f"n{n}", t, p); metric(f"n{n}_col", t, p[:, None])
metric("n1", np.array([3.0]), np.array([2.5], np.float32))
metric("constant_pred", np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0], np.float32))
metric("constant_true", np.array([2.0, 2.0, 2.0]), np.array([1.0, 2.0, 3.0], np.float32))
metric("constant_both_equal", np.array([2.0, 2.0]), np.array([2.0, 2.0], np.float32))
metric("perfect", np.array([1.5, 2.5, 4.0]), np.array([1.5, 2.5, 4.0], np.float32))
metric("nan_pred", np.array([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 3.0], np.float32))
metric("large_offset", np.array([1e6 + 1, 1e6 + 2, 1e6 + 3.5]), np.array([1e6 + 1.1, 1e6 + 2.2, 1e6 + 3.1]))
metric("empty", np.array([]), np.array([], np.float32))
save(out / "metrics.safetensors", {k: v for k, v in arr.items() if v.size})
jdump(out / "metrics.json", dict(sklearn=sklearn.__version__, note="rmse = sqrt(mse); mean_squared_error(squared=False) of the article was removed in scikit-learn 1.6", cases=met))

# ---------------------------------------------------------------- console text of fit
for nm, KK in (("tf_keras", K2), ("keras3", K3)):
    KK.utils.set_random_seed(3)
    m = KK.Sequential([KK.layers.Input((4,)), KK.layers.Dense(1)], name="attractiveNet_mnv2")
    m.compile(loss="mean_squared_error", optimizer=KK.optimizers.Adam(learning_rate=0.05))
    X = np.random.default_rng(1).standard_normal((70, 4)).astype(np.float32); y = (X @ np.array([1, -1, .5, 2.]) + 3).astype(np.float32)
    with tempfile.TemporaryDirectory() as td:
        p = os.path.join(td, "attractiveNet_mnv2.h5")
        b = io.StringIO()
        with contextlib.redirect_stdout(b), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            m.fit(X, y, batch_size=32, epochs=9, validation_data=(X[:40], -y[:40]), verbose=1,
                  callbacks=[KK.callbacks.EarlyStopping(monitor="val_loss", min_delta=1e-3, patience=3, verbose=1), KK.callbacks.ModelCheckpoint(p, monitor="val_loss", verbose=1, save_best_only=True)])
            m.fit(X, y, batch_size=32, epochs=2, validation_data=(X[:40], y[:40]), verbose=2)
            m.evaluate(X, y, batch_size=32, verbose=1); m.predict(X, batch_size=32, verbose=1)
        (out / f"console_{nm}.txt").write_text(b.getvalue().replace(td + os.sep, "models/"))
jdump(out / "versions.json", dict(tf_keras=K2.__version__, keras=K3.__version__, sklearn=sklearn.__version__))
