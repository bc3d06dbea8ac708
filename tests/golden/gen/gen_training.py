# SPDX-License-Identifier: MIT
"""Topic training: two stages of five Adam steps on fixed batches; gradients; Adam on toy problems; loss averaging; batch order in fit()."""
from nets import *
import keras as K3
from safetensors.numpy import load_file
import random

DEF = dict(alpha=0.35, size=96, weights="../pretrained/weights_0.35_96.safetensors", weights_seed=None, seed=4200, batch=8, steps=5, lr1=1e-3, lr2=1e-4)
out, C = args("training", DEF)
A, S, B, T = C["alpha"], C["size"], C["batch"], C["steps"]
if C["weights_seed"] is not None:
    calib, _ = face_batch(16, S, C["weights_seed"] + 1)
    m = model2(A, S); randomise(m, C["weights_seed"], scale_tf(calib)); W = weights_dict(m)
    save(out / "initial_weights.safetensors", W)
else:
    W = load_file(str((HERE / C["weights"]).resolve()))
hr = np.random.default_rng(C["seed"] + 5)
W["dense/kernel"] = (hr.uniform(-1, 1, W["dense/kernel"].shape) * math.sqrt(6.0 / (W["dense/kernel"].shape[0] + 1))).astype(np.float32)   # a fresh head, as in stage 1
W["dense/bias"] = np.zeros(1, np.float32)
save(out / "initial_head.safetensors", {k: W[k] for k in ("dense/kernel", "dense/bias")})
X, y = face_batch(B * T, S, C["seed"])
X[-1] = X[0][:, ::-1]
batches = [(scale_tf(X[i * B:(i + 1) * B]), y[i * B:(i + 1) * B]) for i in range(T)]
save(out / "batches.safetensors", dict(x_u8=X, y=y), dict(batch=B, steps=T, note="batch k = rows [k*B,(k+1)*B); x = x_u8/127.5-1 in float32"))
rep = dict(tensorflow=tf.__version__, tf_keras=K2.__version__, keras=K3.__version__, alpha=A, size=S, batch=B, steps=T, lr1=C["lr1"], lr2=C["lr2"])


def adam64(p, g, st, lr, t, b1=0.9, b2=0.999, eps=1e-7):
    st["m"] = b1 * st["m"] + (1 - b1) * g
    st["v"] = b2 * st["v"] + (1 - b2) * g * g
    a = lr * math.sqrt(1 - b2 ** t) / (1 - b1 ** t)
    return p - a * st["m"] / (np.sqrt(st["v"]) + eps)


def stage(m, KK, lr, trainable):
    m.layers[0].trainable = trainable
    if trainable:
        m.trainable = True
    m.compile(loss="mean_squared_error", optimizer=KK.optimizers.Adam(learning_rate=lr))
    losses = []
    for xb, yb in batches:
        l = m.train_on_batch(xb, yb)
        losses.append(float(np.asarray(l).ravel()[0]))
    return losses


def k3_model():
    b = K3.applications.MobileNetV2(input_shape=(S, S, 3), alpha=A, include_top=False, pooling="avg", weights=None)
    m = K3.Sequential([b, K3.layers.Dense(1, name="dense")], name="attractiveNet_mnv2")
    m.build((None, S, S, 3))
    return m


def k3_set(m, W):
    for l in list(m.layers[0].layers) + [m.layers[1]]:
        if l.weights:
            l.set_weights([W.get(f"{l.name}/{w.name}", W.get(f"{l.name}/depthwise_{w.name}")) for w in l.weights])


def k3_get(m):
    d = {}
    for l in list(m.layers[0].layers) + [m.layers[1]]:
        for w in l.weights:
            k = f"{l.name}/{w.name}"
            d[k if k in W else f"{l.name}/depthwise_{w.name}"] = np.asarray(w)
    return d


# ------------------------------------------------------------ float32 runs, Keras 2
m = model2(A, S); set_weights(m, W)
l1 = stage(m, K2, C["lr1"], False)
W1 = weights_dict(m)
changed = [k for k in W if not np.array_equal(W[k], W1[k])]
rep["keras2"] = dict(stage1_losses=l1, stage1_changed=changed)
m.save(str(out / "k2_after_stage1.h5"))                       # frozen base: weight_names in per-layer order; optimizer state of the head
opt = m.optimizer
slots1 = {v.name: v.numpy() for v in opt.variables}
rep["keras2"]["stage1_optimizer_variables"] = [(n, list(np.shape(v))) for n, v in slots1.items()]
save(out / "stage1_final_head_keras2.safetensors", {k: W1[k] for k in ("dense/kernel", "dense/bias")} |
     {f"adam.{k.split('/')[-1]}.{'kernel' if 'kernel' in k else 'bias'}.{'m' if '/m/' in k else 'v'}": v for k, v in slots1.items() if "/m/" in k or "/v/" in k})
# gradients of the first stage-2 step, before the update (BN in training mode)
m.layers[0].trainable = True; m.trainable = True
def grads(mm, dt, training=True):
    with tf.GradientTape() as t:
        p = mm(tf.constant(batches[0][0].astype(dt)), training=training)
        loss = tf.reduce_mean((p - batches[0][1].astype(dt)[:, None]) ** 2)
    g = t.gradient(loss, mm.trainable_weights)
    d = {}
    for l in list(mm.layers[0].layers) + [mm.layers[1]]:
        for w in l.trainable_weights:
            i = next(j for j, v in enumerate(mm.trainable_weights) if v is w)
            d[f"{l.name}/{w.name.split('/')[-1].split(':')[0]}"] = np.asarray(g[i])
    return float(loss), d
lg, G = grads(m, "float32")
set_weights(m, W1)                                       # the call above moved the BN statistics
m64 = model2(A, S, "float64"); set_weights(m64, {k: v.astype(np.float64) for k, v in W1.items()})
lg64, G64 = grads(m64, "float64")
save(out / "stage2_first_gradients_truth.safetensors", {k: v.astype(np.float32) for k, v in G64.items()}, dict(note="computed in float64, rounded to float32"))
m_ = model2(A, S); set_weights(m_, W1); m64_ = model2(A, S, "float64"); set_weights(m64_, {k: v.astype(np.float64) for k, v in W1.items()})
lf, GF = grads(m_, "float32", False); lf64, GF64 = grads(m64_, "float64", False)
save(out / "frozen_bn_gradients_truth.safetensors", {k: v.astype(np.float32) for k, v in GF64.items()}, dict(note="BN in inference mode (training=False), all variables; computed in float64, rounded to float32"))
relf = {k: float(np.abs(GF[k] - GF64[k]).max() / (np.abs(GF64[k]).max() + 1e-30)) for k in GF}
rep["frozen_bn_first_step"] = dict(loss_f32=lf, loss_f64=lf64, grad_max_rel_to_max_err=dict(worst=max(relf.values()), median=float(np.median(list(relf.values()))), worst_var=max(relf, key=relf.get)))
cos = {k: float((G[k] * G64[k]).sum() / (np.linalg.norm(G[k]) * np.linalg.norm(G64[k]) + 1e-300)) for k in G if not k.endswith("project_BN/beta")}
rep["stage2_first_step_cosine_f32_f64"] = dict(worst=min(cos.values()), worst_var=min(cos, key=cos.get), median=float(np.median(list(cos.values()))),
    norm_ratio_worst=max(abs(1 - float(np.linalg.norm(G[k]) / np.linalg.norm(G64[k]))) for k in cos))
rep["zero_gradient_by_construction"] = dict(note="project_BN/beta in BN training mode: exact gradient is 0, float32 gives noise", max_f64=max(float(np.abs(v).max()) for k, v in G64.items() if k.endswith("project_BN/beta")), max_f32=max(float(np.abs(v).max()) for k, v in G.items() if k.endswith("project_BN/beta")))
rel = {k: float(np.abs(G[k] - G64[k]).max() / (np.abs(G64[k]).max() + 1e-30)) for k in G}
rep["stage2_first_step"] = dict(loss_f32=lg, loss_f64=lg64, grad_max_rel_to_max_err=dict(worst=max(rel.values()), median=float(np.median(list(rel.values()))), worst_var=max(rel, key=rel.get)))
l2 = stage(m, K2, C["lr2"], True)
W2 = weights_dict(m)
rep["keras2"]["stage2_losses"] = l2
SEL = ("Conv1", "bn_Conv1", "expanded_conv_depthwise", "expanded_conv_depthwise_BN", "block_1_expand", "block_1_expand_BN", "block_6_depthwise", "block_6_depthwise_BN", "block_16_project", "block_16_project_BN", "Conv_1_bn", "dense")
save(out / "stage2_final_selected_keras2.safetensors", {k: v for k, v in W2.items() if k.split("/")[0] in SEL or "moving_" in k})
# ------------------------------------------------------------ Keras 3, same batches
m3 = k3_model(); k3_set(m3, W)
r3 = dict(stage1_losses=stage(m3, K3, C["lr1"], False))
w3 = k3_get(m3)
r3["stage1_head_max_diff_vs_keras2"] = max(float(np.abs(w3[k] - W1[k]).max()) for k in ("dense/kernel", "dense/bias"))
r3["stage1_changed"] = [k for k in W if not np.array_equal(W[k], w3[k])]
k3_set(m3, W1)
r3["stage2_losses"] = stage(m3, K3, C["lr2"], True)
w3 = k3_get(m3)
kind = lambda k: k.split("/")[-1]
dd = {}
for k in W:
    d = dd.setdefault(kind(k), [0.0, 0.0])
    d[0] = max(d[0], float(np.abs(w3[k] - W2[k]).max())); d[1] = max(d[1], float(np.abs(W2[k] - W1[k]).max()))
r3["stage2_final_max_diff_vs_keras2"] = {k: dict(diff=v[0], step_size=v[1]) for k, v in dd.items()}
rep["keras3"] = r3
# ------------------------------------------------------------ float64 truth of both stages (explicit Adam; BN moving variance with N/(N-1) as the fused kernel does)
m64 = model2(A, S, "float64"); set_weights(m64, {k: v.astype(np.float64) for k, v in W.items()})
def run64(mm, lr, all_):
    mm.layers[0].trainable = all_
    if all_: mm.trainable = True
    ws = mm.trainable_weights
    st = [dict(m=np.zeros(w.shape), v=np.zeros(w.shape)) for w in ws]
    L = []
    bn = [l for l in mm.layers[0].layers if isinstance(l, K2.layers.BatchNormalization)] if all_ else []
    for t, (xb, yb) in enumerate(batches, 1):
        old = [l.moving_variance.numpy() for l in bn]
        with tf.GradientTape() as tp:
            p = mm(tf.constant(xb.astype("float64")), training=True)
            loss = tf.reduce_mean((p - yb.astype("float64")[:, None]) ** 2)
        gs = tp.gradient(loss, ws)
        for l, o in zip(bn, old):                        # non-fused float64 path is biased: redo with N/(N-1)
            n = B * l.output_shape[1] * l.output_shape[2]
            var = (l.moving_variance.numpy() - 0.999 * o) / 0.001
            l.moving_variance.assign(0.999 * o + 0.001 * var * n / (n - 1))
        for w, g, s in zip(ws, gs, st):
            w.assign(adam64(w.numpy(), g.numpy(), s, lr, t))
        L.append(float(loss))
    return L
t1 = run64(m64, C["lr1"], False); T1 = weights_dict(m64)
set_weights(m64, {k: v.astype(np.float64) for k, v in W1.items()})
t2 = run64(m64, C["lr2"], True); T2 = weights_dict(m64)
rep["truth_f64"] = dict(stage1_losses=t1, stage2_losses=t2)
save(out / "truth_f64_head_stage1.safetensors", {k: T1[k] for k in ("dense/kernel", "dense/bias")})
sel = [k for k in T2 if k.split("/")[0] in SEL]
save(out / "truth_f64_stage2_selected.safetensors", {k: T2[k] for k in sel})
dd = {}
for k in W:
    d = dd.setdefault(kind(k), [0.0, 0.0])
    d[0] = max(d[0], float(np.abs(T2[k] - W2[k]).max())); d[1] = max(d[1], float(np.abs(W2[k] - W1[k]).max()))
rep["truth_f64"]["stage2_final_max_diff_vs_keras2_f32"] = {k: dict(diff=v[0], step_size=v[1]) for k, v in dd.items()}
rep["truth_f64"]["stage1_head_max_diff"] = max(float(np.abs(T1[k] - W1[k]).max()) for k in ("dense/kernel", "dense/bias"))

# ------------------------------------------------------------ a shallow network (Conv1 .. block_2_add, GAP, Dense) at 32x32: well conditioned, tight comparison of a whole training step
def mini(dt):
    K2.backend.clear_session(); K2.backend.set_floatx(dt)
    b = K2.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    o = K2.layers.Dense(1, name="dense")(K2.layers.GlobalAveragePooling2D()(b.get_layer("block_2_add").output))
    mm = K2.Model(b.input, o); K2.backend.set_floatx("float32")
    return mm
key = lambda l, w: f"{l.name}/{w.name.split('/')[-1].split(':')[0]}"
mget = lambda mm: {key(l, w): w.numpy() for l in mm.layers for w in l.weights}
def mset(mm, d):
    for l in mm.layers:
        for w in l.weights: w.assign(d[key(l, w)].astype(w.dtype.as_numpy_dtype))
r_ = np.random.default_rng(C["seed"] + 9)
mm = mini("float32"); mW = {}
for k, v in mget(mm).items():
    n = k.split("/")[1]
    if n in ("kernel", "depthwise_kernel"):
        fan = v.shape[0] * v.shape[1] * (1 if n[0] == "d" else v.shape[2]) if v.ndim == 4 else v.shape[0]
        mW[k] = r_.standard_normal(v.shape) * math.sqrt(2.0 / fan)
    else:
        mW[k] = {"gamma": r_.uniform(.7, 1.3, v.shape), "beta": r_.normal(.1, .3, v.shape), "moving_mean": r_.normal(0, .3, v.shape), "moving_variance": r_.uniform(.5, 2, v.shape), "bias": np.array([3.0])}[n]
    mW[k] = mW[k].astype(np.float32)
Xm, ym = face_batch(B * T, 32, C["seed"] + 10)
mb = [(scale_tf(Xm[i * B:(i + 1) * B]), ym[i * B:(i + 1) * B]) for i in range(T)]
save(out / "mini_initial.safetensors", mW); save(out / "mini_batches.safetensors", dict(x_u8=Xm, y=ym))
rep["mini"] = dict(lr=1e-3, layers=[l.name for l in mm.layers])
for dt in ("float32", "float64"):
    mm = mini(dt); mset(mm, mW); ws = mm.trainable_weights
    nm = {id(w): key(l, w) for l in mm.layers for w in l.weights}
    opt = K2.optimizers.Adam(1e-3); st = [dict(m=np.zeros(w.shape), v=np.zeros(w.shape)) for w in ws]
    bn = [l for l in mm.layers if isinstance(l, K2.layers.BatchNormalization)]; L = []
    for t_, (xb, yb) in enumerate(mb, 1):
        old = [l.moving_variance.numpy() for l in bn]
        with tf.GradientTape() as tp:
            p_ = mm(tf.constant(xb.astype(dt)), training=True); loss = tf.reduce_mean((p_ - yb.astype(dt)[:, None]) ** 2)
        gs_ = tp.gradient(loss, ws); L.append(float(loss))
        if t_ == 1: save(out / f"mini_first_gradients_{dt}.safetensors", {nm[id(w)]: g.numpy() for w, g in zip(ws, gs_)})
        if dt == "float32": opt.apply_gradients(zip(gs_, ws))
        else:
            for l, o in zip(bn, old):
                n = B * l.output_shape[1] * l.output_shape[2]; var = (l.moving_variance.numpy() - 0.999 * o) / 0.001
                l.moving_variance.assign(0.999 * o + 0.001 * var * n / (n - 1))
            for w, g, s_ in zip(ws, gs_, st): w.assign(adam64(w.numpy(), g.numpy(), s_, 1e-3, t_))
    save(out / f"mini_final_{dt}.safetensors", mget(mm)); rep["mini"][f"losses_{dt}"] = L
a_, b_ = load_file(str(out / "mini_final_float32.safetensors")), load_file(str(out / "mini_final_float64.safetensors"))
g_, h_ = load_file(str(out / "mini_first_gradients_float32.safetensors")), load_file(str(out / "mini_first_gradients_float64.safetensors"))
rep["mini"]["final_max_abs_diff"] = {k: float(np.abs(a_[k] - b_[k]).max()) for k in a_}
rep["mini"]["first_gradient_max_rel_to_max"] = {k: float(np.abs(g_[k] - h_[k]).max() / (np.abs(h_[k]).max() + 1e-30)) for k in g_}

# ------------------------------------------------------------ Adam alone
rng = np.random.default_rng(C["seed"] + 1)
arr = {}
p0 = rng.standard_normal(12).astype(np.float32)
gs = (rng.standard_normal((20, 12)) * 10.0 ** rng.integers(-9, 3, (1, 12))).astype(np.float32)
gs[3] = 0; gs[:, 0] = 0                                   # a parameter that never gets a gradient
arr["p0"], arr["grads"] = p0, gs
for nm, KK in (("keras2", K2), ("keras3", K3)):
    for lr in (1e-3, 1e-4):
        v = tf.Variable(p0) if KK is K2 else KK.Variable(p0)
        o = KK.optimizers.Adam(learning_rate=lr)
        tr = []
        for g in gs:
            o.apply_gradients([(tf.constant(g), v)])
            tr.append(np.array(v))
        arr[f"{nm}.lr{lr}.params"] = np.array(tr)
v = tf.Variable(p0); o = K2.optimizers.legacy.Adam(learning_rate=1e-3); tr = []
for g in gs:
    o.apply_gradients([(tf.constant(g), v)]); tr.append(v.numpy())
arr["keras2_legacy_tf21_style.lr0.001.params"] = np.array(tr)
for lr in (1e-3, 1e-4):
    p = p0.astype(np.float64); st = dict(m=np.zeros(12), v=np.zeros(12)); tr = []
    for t, g in enumerate(gs.astype(np.float64), 1):
        p = adam64(p, g, st, lr, t); tr.append(p)
    arr[f"truth.lr{lr}.params"] = np.array(tr)
save(out / "adam.safetensors", arr)
rep["adam_max_abs_diff_to_truth"] = {k: float(np.abs(v - arr[f"truth.{k.split('.', 1)[1].replace('.params', '')}.params"]).max()) for k, v in arr.items() if k.endswith(".params") and not k.startswith("truth")}

# ------------------------------------------------------------ loss averaging with a partial last batch
Xs, ys = scale_tf(X[:20]), y[:20]
m = model2(A, S); set_weights(m, W); m.layers[0].trainable = False
m.compile(loss="mean_squared_error", optimizer=K2.optimizers.Adam(1e-3))
pred = m.predict(Xs, verbose=0)[:, 0]
bl = [float(np.mean((pred[i:i + 8] - ys[i:i + 8]) ** 2)) for i in (0, 8, 16)]
ev = float(m.evaluate(Xs, ys, batch_size=8, verbose=0))
h = m.fit(Xs, ys, batch_size=8, epochs=1, shuffle=False, verbose=0, validation_data=(Xs, ys), validation_batch_size=8)
m_ = model2(A, S); set_weights(m_, W); m_.layers[0].trainable = False
m_.compile(loss="mean_squared_error", optimizer=K2.optimizers.Adam(1e-3))
tb = [float(m_.train_on_batch(Xs[i:i + 8], ys[i:i + 8])) for i in (0, 8, 16)]
rep["loss_averaging"] = dict(sizes=[8, 8, 4], batch_losses_eval=bl, evaluate=ev, weighted_mean=float(np.average(bl, weights=[8, 8, 4])), plain_mean=float(np.mean(bl)),
                             fit_batch_losses=tb, fit_loss=h.history["loss"][0], fit_weighted=float(np.average(tb, weights=[8, 8, 4])), fit_plain=float(np.mean(tb)), fit_val_loss=h.history["val_loss"][0],
                             note="fit loss uses each batch's loss before its own update; val_loss uses the weights after the epoch")
m3 = k3_model(); k3_set(m3, W); m3.layers[0].trainable = False
m3.compile(loss="mean_squared_error", optimizer=K3.optimizers.Adam(1e-3))
rep["loss_averaging"]["keras3_evaluate"] = float(m3.evaluate(Xs, ys, batch_size=8, verbose=0))
rep["loss_averaging"]["keras3_fit_loss"] = float(m3.fit(Xs, ys, batch_size=8, epochs=1, shuffle=False, verbose=0).history["loss"][0])

# ------------------------------------------------------------ order of batches that fit() asks from a Sequence
def probe(KK, Seq, **kw):
    log = []
    class S_(Seq):
        def __init__(s, n, tag):
            try: super().__init__()
            except TypeError: pass
            s.n, s.tag = n, tag
        def __len__(s): return s.n
        def __getitem__(s, i): log.append(f"{s.tag}{i}"); return np.zeros((2, 3), np.float32), np.zeros((2, 1), np.float32)
        def on_epoch_end(s): log.append(f"{s.tag}.on_epoch_end")
    mm = KK.Sequential([KK.layers.Dense(1)]); mm.compile(loss="mse", optimizer="sgd")
    class CB(KK.callbacks.Callback):
        def on_epoch_begin(s, e, logs=None): log.append(f"[epoch {e}")
        def on_epoch_end(s, e, logs=None): log.append(f"epoch {e}]")
        def on_train_batch_end(s, b, logs=None): log.append(f"step{b}")
    random.seed(5); np.random.seed(5)
    mm.fit(S_(5, "t"), validation_data=S_(2, "v"), epochs=3, verbose=0, callbacks=[CB()], **kw)
    return log
rep["fit_order"] = dict(
    keras2_steps4_of5=probe(K2, K2.utils.Sequence, steps_per_epoch=4),
    keras2_steps4_of5_noshuffle=probe(K2, K2.utils.Sequence, steps_per_epoch=4, shuffle=False),
    keras2_all=probe(K2, K2.utils.Sequence),
    keras3_steps4_of5=probe(K3, K3.utils.PyDataset, steps_per_epoch=4),
    keras3_all_noshuffle=probe(K3, K3.utils.PyDataset, shuffle=False))
random.seed(5)
o = list(range(5)); random.shuffle(o)
rep["fit_order"]["python_random_shuffle_seed5_range5"] = o
jdump(out / "report.json", rep)
print(json.dumps({k: v for k, v in rep.items() if k != "fit_order"}, indent=0)[:6000])
for k, v in rep["fit_order"].items(): print(k, v)
