# SPDX-License-Identifier: MIT
"""Topic layers: every layer kind of MobileNetV2, forward and backward, float32 (as TensorFlow computes it) and float64 (truth)."""
from nets import *
L = K2.layers

DEF = dict(seed=77,
           stem=[[2, 8, 8, 3, 8], [2, 7, 5, 3, 4], [1, 11, 11, 3, 4], [1, 22, 44, 3, 2], [1, 175, 175, 1, 2], [1, 3, 3, 2, 2], [1, 2, 2, 1, 1]],
           pw=[[2, 7, 5, 6, 10], [1, 11, 11, 16, 8], [3, 1, 1, 4, 5], [1, 22, 22, 5, 3]],
           dw1=[[2, 7, 5, 6], [1, 11, 11, 8], [1, 22, 22, 3], [2, 1, 1, 4], [1, 2, 3, 2], [1, 44, 44, 2], [1, 88, 88, 1]],
           dw2=[[2, 8, 8, 6], [2, 7, 5, 6], [1, 11, 11, 8], [1, 22, 22, 3], [1, 44, 44, 2], [1, 88, 88, 1], [1, 175, 175, 1], [1, 3, 2, 2], [1, 5, 4, 33]],
           bn=[[4, 5, 5, 6], [2, 7, 3, 16], [1, 3, 3, 4], [8, 1, 1, 5]],
           dense=[[4, 1280, 1], [3, 7, 3], [1, 5, 1]],
           gap=[[2, 7, 5, 6], [1, 11, 11, 16], [2, 1, 1, 3]])
out, C = args("layers", DEF)
rng = np.random.default_rng(C["seed"])
arr, meta = {}, []


def correct_pad(h, w, k=3):
    f = lambda s: (k // 2 - (1 - s % 2), k // 2)
    return (f(h), f(w))


def run(name, fn, x, ws, info, wnames):
    """fn(x, *ws) -> y ; upstream gradient g random"""
    g = None
    for dt in (np.float32, np.float64):
        xs = tf.constant(x.astype(dt)); vs = [tf.constant(w.astype(dt)) for w in ws]
        with tf.GradientTape() as t:
            t.watch([xs] + vs)
            y = fn(xs, *vs)
        if g is None:
            g = rng.standard_normal(y.shape).astype(np.float32)
        gr = t.gradient(y, [xs] + vs, output_gradients=tf.constant(g.astype(dt)))
        s = "" if dt == np.float32 else ".f64"
        arr[f"{name}.y{s}"] = y.numpy(); arr[f"{name}.dx{s}"] = gr[0].numpy()
        for n, d in zip(wnames, gr[1:]):
            arr[f"{name}.d_{n}{s}"] = d.numpy()
    arr[f"{name}.x"] = x; arr[f"{name}.g"] = g
    for n, w in zip(wnames, ws):
        arr[f"{name}.{n}"] = w
    meta.append(dict(name=name, x=list(x.shape), y=list(y.shape), **info,
                     err={k: float(np.abs(arr[f"{name}.{k}"] - arr[f"{name}.{k}.f64"]).max()) for k in ["y", "dx"] + [f"d_{n}" for n in wnames]}))


f32 = lambda *s: rng.standard_normal(s).astype(np.float32)
for n, h, w, ci, co in C["stem"]:
    for pd in ("correct_pad", "none_shape_pad"):
        p = correct_pad(h, w) if pd == "correct_pad" else ((0, 1), (0, 1))
        if pd != "correct_pad" and p == correct_pad(h, w):
            continue
        zp = lambda v, p=p: tf.pad(v, [[0, 0], list(p[0]), list(p[1]), [0, 0]])
        run(f"stem_{n}x{h}x{w}x{ci}_{co}_{pd}", lambda x, k: tf.nn.conv2d(zp(x), k, 2, "VALID"), f32(n, h, w, ci), [f32(3, 3, ci, co)],
            dict(kind="ZeroPadding2D+Conv2D 3x3 stride 2 valid", pad=p), ["kernel"])
for n, h, w, ci, co in C["stem"][:3]:
    run(f"convsame_{n}x{h}x{w}x{ci}_{co}", lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), f32(n, h, w, ci), [f32(3, 3, ci, co)],
        dict(kind="Conv2D 3x3 stride 2 same (not used by MobileNetV2; for comparison)"), ["kernel"])
for n, h, w, ci, co in C["pw"]:
    run(f"pw_{n}x{h}x{w}x{ci}_{co}", lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), f32(n, h, w, ci), [f32(1, 1, ci, co)], dict(kind="Conv2D 1x1"), ["kernel"])
for n, h, w, c in C["dw1"]:
    run(f"dw1_{n}x{h}x{w}x{c}", lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"), f32(n, h, w, c), [f32(3, 3, c, 1)], dict(kind="DepthwiseConv2D 3x3 stride 1 same"), ["depthwise_kernel"])
for n, h, w, c in C["dw2"]:
    for pd in ("correct_pad", "none_shape_pad"):
        p = correct_pad(h, w) if pd == "correct_pad" else ((0, 1), (0, 1))
        if pd != "correct_pad" and p == correct_pad(h, w):
            continue
        zp = lambda v, p=p: tf.pad(v, [[0, 0], list(p[0]), list(p[1]), [0, 0]])
        run(f"dw2_{n}x{h}x{w}x{c}_{pd}", lambda x, k: tf.nn.depthwise_conv2d(zp(x), k, [1, 2, 2, 1], "VALID"), f32(n, h, w, c), [f32(3, 3, c, 1)],
            dict(kind="ZeroPadding2D+DepthwiseConv2D 3x3 stride 2 valid", pad=p), ["depthwise_kernel"])

# BatchNormalization: float32 through the real layer (fused kernel), float64 by formula
EPS, MOM = 1e-3, 0.999
for n, h, w, c in C["bn"]:
    x = (f32(n, h, w, c) * rng.uniform(0.2, 3, c) + rng.normal(0, 2, c)).astype(np.float32)
    ga, be = rng.uniform(0.5, 1.5, c).astype(np.float32), rng.normal(0, 1, c).astype(np.float32)
    mm, mv = rng.normal(0, 1, c).astype(np.float32), rng.uniform(0.2, 3, c).astype(np.float32)
    g = f32(n, h, w, c)
    name = f"bn_{n}x{h}x{w}x{c}"
    arr.update({f"{name}.x": x, f"{name}.gamma": ga, f"{name}.beta": be, f"{name}.moving_mean": mm, f"{name}.moving_variance": mv, f"{name}.g": g})
    N = n * h * w
    for tr in (False, True):
        t_ = "train" if tr else "infer"
        lay = L.BatchNormalization(epsilon=EPS, momentum=MOM)
        lay.build(x.shape)
        lay.set_weights([ga, be, mm, mv])
        xs = tf.constant(x)
        with tf.GradientTape() as t:
            t.watch(xs)
            y = lay(xs, training=tr)
        dx, dg, db = t.gradient(y, [xs, lay.gamma, lay.beta], output_gradients=tf.constant(g))
        arr.update({f"{name}.{t_}.y": y.numpy(), f"{name}.{t_}.dx": dx.numpy(), f"{name}.{t_}.d_gamma": dg.numpy(), f"{name}.{t_}.d_beta": db.numpy()})
        if tr:
            arr.update({f"{name}.train.new_moving_mean": lay.moving_mean.numpy(), f"{name}.train.new_moving_variance": lay.moving_variance.numpy()})
        x6 = x.astype(np.float64); g6 = g.astype(np.float64)
        mu = x6.mean((0, 1, 2)) if tr else mm.astype(np.float64)
        va = x6.var((0, 1, 2)) if tr else mv.astype(np.float64)
        inv = 1 / np.sqrt(va + EPS); xh = (x6 - mu) * inv
        dgam, dbet = (g6 * xh).sum((0, 1, 2)), g6.sum((0, 1, 2))
        dx6 = ga * inv * (g6 - dbet / N - xh * dgam / N) if tr else g6 * ga * inv
        arr.update({f"{name}.{t_}.y.f64": xh * ga + be, f"{name}.{t_}.dx.f64": dx6, f"{name}.{t_}.d_gamma.f64": dgam, f"{name}.{t_}.d_beta.f64": dbet})
        r = {k: float(np.abs(arr[f"{name}.{t_}.{k}"] - arr[f"{name}.{t_}.{k}.f64"]).max()) for k in ("y", "dx", "d_gamma", "d_beta")}
        if tr:
            unb = va * (N / (N - 1))
            arr[f"{name}.train.new_moving_mean.f64"] = mm * MOM + mu * (1 - MOM)
            arr[f"{name}.train.new_moving_variance.f64"] = mv * MOM + unb * (1 - MOM)              # Keras 2 (fused kernel): N/(N-1)
            arr[f"{name}.train.new_moving_variance_keras3.f64"] = mv * MOM + va * (1 - MOM)        # Keras 3: biased
            import keras as K3
            l3 = K3.layers.BatchNormalization(epsilon=EPS, momentum=MOM); l3.build(x.shape); l3.set_weights([ga, be, mm, mv]); l3(x, training=True)
            v3 = l3.moving_variance.numpy()
            r["moving_variance_k2_vs_unbiased"] = float(np.abs(arr[f"{name}.train.new_moving_variance"] - arr[f"{name}.train.new_moving_variance.f64"]).max())
            r["moving_variance_k2_vs_biased"] = float(np.abs(arr[f"{name}.train.new_moving_variance"] - arr[f"{name}.train.new_moving_variance_keras3.f64"]).max())
            r["moving_variance_keras3_vs_biased"] = float(np.abs(v3 - arr[f"{name}.train.new_moving_variance_keras3.f64"]).max())
        meta.append(dict(name=f"{name}.{t_}", kind="BatchNormalization", err=r))

# ReLU6 with the special values
x = np.concatenate([np.array([0.0, -0.0, 6.0, np.nextafter(np.float32(6), np.float32(0)), np.nextafter(np.float32(6), np.float32(9)), np.finfo(np.float32).tiny, 1e-45, -1e-45, np.inf, -np.inf, np.nan, 5.5, -3.0, 7.0], np.float32), f32(50) * 5]).astype(np.float32)
assert np.array_equal(K2.layers.ReLU(6.0)(x).numpy(), tf.nn.relu6(x).numpy(), equal_nan=True)
run("relu6", tf.nn.relu6, x.reshape(1, 8, 8, 1), [], dict(kind="ReLU(6): gradient passes where 0 < y < 6"), [])
a, b = f32(2, 3, 5, 4), f32(2, 3, 5, 4)
run("add", lambda u, v: u + v, a, [b], dict(kind="Add"), ["b"])
for n, h, w, c in C["gap"]:
    run(f"gap_{n}x{h}x{w}x{c}", lambda v: tf.reduce_mean(v, [1, 2]), f32(n, h, w, c), [], dict(kind="GlobalAveragePooling2D"), [])
for n, ci, co in C["dense"]:
    run(f"dense_{n}x{ci}_{co}", lambda v, k, b: tf.matmul(v, k) + b, f32(n, ci), [(f32(ci, co) / math.sqrt(ci)).astype(np.float32), f32(co)], dict(kind="Dense linear, kernel [in,out]"), ["kernel", "bias"])
# MSE loss and its gradient (mean over batch and last axis)
p, t = f32(7, 1) + 3, (f32(7) + 3)
run("mse", lambda v: tf.reduce_mean(K2.losses.mean_squared_error(tf.cast(t[:, None], v.dtype), v)), p, [], dict(kind="mean_squared_error; upstream gradient is the scalar g"), [])
arr["mse.target"] = t
save(out / "layers.safetensors", arr)
jdump(out / "layers.json", dict(tensorflow=tf.__version__, tf_keras=K2.__version__, cases=meta))
for m_ in meta:
    print(m_["name"], {k: f"{v:.2e}" for k, v in m_["err"].items()})
