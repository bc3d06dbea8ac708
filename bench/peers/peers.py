#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""peers.py - measure the peers of a MobileNetV2 image regressor (fine-tuning and inference) on CPU.

Usage (any python3 drives it; each peer runs in its own venv and its own process):
  peers.py setup                 make the venvs and install the peers        (needs pip)
  peers.py convert               write the models: .pt .onnx .tflite .keras ncnn
  peers.py train2|train2_tuned|finetune|train1|infer|pipeline|startup|count [options]
  peers.py table FILE...         Markdown tables from JSON lines (the best of repeated cases)
  peers.py list --task TASK      print the cases that the chosen options would run
Options:
  --peer REGEX   only cases whose peer matches      --batch 1,32   --size 350   --threads 1,2
  --reps N       at least N timed runs (default by task)   --seconds S   timed budget of one case
  --quiet N      wait up to N seconds, before each case, for the machine to be idle
  --out FILE     also append each JSON line to FILE

Everything lives under $PEERS_HOME (default: a folder "peers" in the system's temporary folder).
One JSON line a case: {peer, task, batch, size, threads, precision, img_per_s, ms_per_batch_min,
ms_median, peak_rss_mb, ...}; img_per_s is batch / the FASTEST run, ms_median the median run,
peak_rss_mb the child's ru_maxrss, cpu_per_wall the child's CPU seconds per wall second in the timed
part (2.0 = both cores all the time), cpu_ms_per_batch_min the least CPU time (all threads) of a run:
other load on the machine stretches the wall time of a run far more than its CPU time. load1 the 1-minute load average before the case started.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HOME = os.environ.get("PEERS_HOME") or os.path.join(tempfile.gettempdir(), "peers")
ME = os.path.abspath(__file__)
SITE = "lib/python%d.%d/site-packages" % sys.version_info[:2]

# ---------------------------------------------------------------------------------- setup
PIN = {
    "torch": ["torch==2.15.0", "torchvision==0.29.2"],
    "tf": ["tensorflow-cpu==2.21.0"],
    "ort": ["onnxruntime==1.32.0"],
    "ov": ["openvino==2026.4.1"],
    "litert": ["ai-edge-litert==2.3.0"],
    "ncnn": ["ncnn==1.0.20261020"],
    "pipe": ["numpy==2.4.6", "opencv-python-headless==5.0.0.93", "pillow==13.0.0"],
}
# torch from PyPI is a CUDA build: its light dependencies, and the few CUDA libraries that it cannot
# even be imported without, beyond those of a machine that has the CUDA 13 toolkit with cuDNN.
TORCH_PURE = "sympy networkx jinja2 fsspec filelock typing_extensions mpmath numpy pillow setuptools packaging".split()
TORCH_CUDA = "nvidia-cufile nvidia-cusparselt-cu13==0.8.1 nvidia-nvshmem-cu13==3.7.2 nvidia-nccl-cu13==2.30.7".split()


def venv(v):
    return os.path.join(HOME, "v", v)


def py(v):
    return os.path.join(venv(v), "bin", "python")


def pip(v, *a):
    subprocess.run([py(v), "-m", "pip", "install", "-q", *a], check=True)


def du_mb(path):
    n = 0
    for d, _, fs in os.walk(path):
        for f in fs:
            p = os.path.join(d, f)
            if not os.path.islink(p):
                n += os.lstat(p).st_blocks * 512
    return n / 1e6


def setup():
    os.makedirs(os.path.join(HOME, "v"), exist_ok=True)
    for v, pk in PIN.items():
        try:
            if not os.path.exists(py(v)):
                subprocess.run([sys.executable, "-m", "venv", venv(v)], check=True)
                pip(v, *(["--no-deps"] if v == "torch" else []), *pk)
                if v == "torch":
                    pip(v, *TORCH_PURE)
            sp = os.path.join(venv(v), SITE)
            mb = sum(du_mb(os.path.join(sp, d)) for d in os.listdir(sp)
                     if not re.match(r"pip$|pip-|setuptools|pkg_resources|_distutils|nvidia", d))
            print(json.dumps({"task": "installed_size", "peer": v, "mb": round(mb)}), flush=True)
        except subprocess.CalledProcessError as e:
            print(json.dumps({"task": "setup", "peer": v, "error": str(e)}), flush=True)
    pip("torch", "--no-deps", *TORCH_CUDA)
    pip("torch", "--no-deps", "--upgrade", "--target", os.path.join(HOME, "extra"), "onnx==1.23.2", "onnxscript==0.7.2",
        "onnx_ir==1.1.0", "ml_dtypes==0.6.0", "protobuf==7.36.2", "pnnx==20261020")
    pip("tf", "scipy", "pillow", "opencv-python-headless")


# ---------------------------------------------------------------------------------- models
def model(f):
    return os.path.join(HOME, "models", f)


def torch_net():
    import torch, torchvision

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = torchvision.models.mobilenet_v2(weights=None).features
            self.head = torch.nn.Linear(1280, 1)

        def forward(self, x):
            return self.head(torch.nn.functional.adaptive_avg_pool2d(self.features(x), 1).flatten(1))

    torch.manual_seed(0)
    return Net()


def keras_net(size, weights=None):
    import keras

    base = keras.applications.MobileNetV2(include_top=False, weights=weights, input_shape=(size, size, 3), pooling="avg")
    return base, keras.layers.Dense(1)


def convert_torch():
    sys.path.insert(1, os.path.join(HOME, "extra"))
    import torch

    m = torch_net().eval()
    torch.save(m.state_dict(), model("mnv2_state.pt"))
    for b in (1, 32):
        x = torch.rand(b, 3, 350, 350)
        torch.onnx.export(m, (x,), model("mnv2_b%d.onnx" % b), input_names=["x"], output_names=["y"], dynamo=True,
                          external_data=False)
    t = torch.jit.trace(m, torch.rand(1, 3, 350, 350))
    t.save(model("mnv2_ts.pt"))


def convert_ncnn():
    exe = os.path.join(HOME, "extra", "pnnx", "bin", "pnnx")
    if not os.path.exists(exe):
        c = [os.path.join(d, f) for d, _, fs in os.walk(os.path.join(HOME, "extra")) for f in fs if f == "pnnx"]
        exe = next(p for p in c if os.path.getsize(p) > 100000)
    os.chmod(exe, 0o755)
    subprocess.run([exe, model("mnv2_ts.pt"), "inputshape=[1,3,350,350]", "fp16=0", "ncnnparam=" + model("mnv2.ncnn.param"),
                    "ncnnbin=" + model("mnv2.ncnn.bin")], check=True, cwd=os.path.join(HOME, "models"))


def convert_tf():
    import tensorflow as tf, keras
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    base, head = keras_net(350)
    i = keras.Input((350, 350, 3))
    m = keras.Model(i, head(base(i, training=False)))
    m.save(model("mnv2.keras"))
    for b in (1, 32):
        f = tf.function(lambda x: m(x, training=False)).get_concrete_function(tf.TensorSpec((b, 350, 350, 3), tf.float32))
        f = convert_variables_to_constants_v2(f)  # without this the weights stay outside the file
        c = tf.lite.TFLiteConverter.from_concrete_functions([f])
        open(model("mnv2_b%d.tflite" % b), "wb").write(c.convert())


# ---------------------------------------------------------------------------------- timing
def bench(fn, c, warm=2):
    """Time fn() until both c['reps'] runs and c['seconds'] have passed (but 4x the seconds at most)."""
    t = time.perf_counter()
    fn()
    first = time.perf_counter() - t
    for _ in range(warm - 1):
        if time.perf_counter() - t < 3 * c["seconds"]:
            fn()
    cpu, ts, t0, p0, s0 = [], [], time.perf_counter(), time.process_time(), os.times().system
    while True:
        t, q = time.perf_counter(), time.process_time()
        fn()
        e = time.perf_counter()
        ts.append(e - t)
        cpu.append(time.process_time() - q)
        if (len(ts) >= c["reps"] and e - t0 >= c["seconds"]) or e - t0 >= 4 * c["seconds"]:
            break
    w, p = time.perf_counter() - t0, time.process_time() - p0
    sysw = round((os.times().system - s0) / w, 2)
    ts.sort()
    n = len(ts)
    med = ts[n // 2] if n % 2 else (ts[n // 2 - 1] + ts[n // 2]) / 2
    b = c["batch"]
    return {"img_per_s": round(b / ts[0], 2), "img_per_s_median": round(b / med, 2), "ms_per_batch_min": round(ts[0] * 1e3, 2),
            "ms_median": round(med * 1e3, 2), "cpu_ms_per_batch_min": round(min(cpu) * 1e3, 2), "runs": n, "first_s": round(first, 2), "cpu_per_wall": round(p / w, 2), "kernel_per_wall": sysw}


# ---------------------------------------------------------------------------------- TensorFlow
def tf_setup(c):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(c["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(c["threads"])
    tf.config.set_visible_devices([], "GPU")
    return tf


def tf_case(c):
    tf = tf_setup(c)
    import keras, numpy as np

    b, s, how, task = c["batch"], c["size"], c["how"], c["task"]
    rng = np.random.default_rng(0)
    x = rng.random((b, s, s, 3), np.float32) * 2 - 1
    y = rng.random((b, 1), np.float32)
    base, head = keras_net(s)
    i = keras.Input((s, s, 3))
    if task == "infer":
        m = keras.Model(i, head(base(i, training=False)))
        if how == "predict_on_batch":
            return bench(lambda: m.predict_on_batch(x), c), tf.__version__
        if how == "call_eager":
            xt = tf.constant(x)
            return bench(lambda: m(xt, training=False).numpy(), c), tf.__version__
        f = tf.function(lambda t: m(t, training=False), jit_compile=how == "xla")
        xt = tf.constant(x)
        return bench(lambda: f(xt).numpy(), c), tf.__version__
    frozen = task == "train1"
    base.trainable = not frozen
    m = keras.Model(i, head(base(i, training=False if frozen else None)))
    opt = keras.optimizers.Adam(1e-4)
    if how.startswith("train_on_batch"):
        m.compile(optimizer=opt, loss="mse", jit_compile=how.endswith("xla"))
        return bench(lambda: m.train_on_batch(x, y), c), tf.__version__
    xt, yt = tf.constant(x), tf.constant(y)
    opt.build(m.trainable_variables)

    def step(xt, yt):
        with tf.GradientTape() as g:
            loss = tf.reduce_mean(tf.square(m(xt, training=True) - yt))
        opt.apply_gradients(zip(g.gradient(loss, m.trainable_variables), m.trainable_variables))
        return loss

    f = tf.function(step, jit_compile=how == "xla")
    return bench(lambda: f(xt, yt).numpy(), c), tf.__version__


# ---------------------------------------------------------------------------------- PyTorch
def torch_case(c):
    import torch

    torch.set_num_threads(c["threads"])
    torch.set_num_interop_threads(1)
    b, s, how, task = c["batch"], c["size"], c["how"], c["task"]
    cl = "cl" in how.split("_")
    bf = c["precision"].startswith("bf16")
    m = torch_net()
    x, y = torch.rand(b, 3, s, s) * 2 - 1, torch.rand(b, 1)
    if cl:
        m, x = m.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    auto = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf)
    v = torch.__version__
    if task == "infer":
        m.eval()
        with torch.inference_mode(not how.startswith("compile") and not how.startswith("jit")), torch.no_grad(), auto():
            if how.startswith("compile"):
                import torch._inductor.config as ic

                ic.freezing = True
                m = torch.compile(m, mode="max-autotune" if "autotune" in how else None)
            elif how.startswith("jit"):
                m = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(m, x)))
            return bench(lambda: m(x), c, 4), v
    loss_fn = torch.nn.MSELoss()
    if task == "train1":
        opt = torch.optim.Adam(m.head.parameters(), lr=1e-4, fused=True)
        m.eval()
        feats = m.features
        if how.startswith("compile"):
            import torch._inductor.config as ic

            ic.freezing = True
            feats = torch.compile(feats)

        def step():
            with auto():
                with torch.no_grad():
                    f = torch.nn.functional.adaptive_avg_pool2d(feats(x), 1).flatten(1)
                out = m.head(f)
            loss = loss_fn(out.float(), y)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            return loss.item()

        return bench(step, c), v
    m.train()
    if task == "finetune":  # batch norm by its moving statistics; gamma and beta are trained
        for layer in m.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.eval()
    opt = torch.optim.Adam(m.parameters(), lr=1e-4, fused=True)
    fwd = torch.compile(m) if how.startswith("compile") else m

    def step():
        with auto():
            out = fwd(x)
        loss = loss_fn(out.float(), y)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        return loss.item()

    return bench(step, c), v


# ---------------------------------------------------------------------------------- runtimes
def ort_case(c):
    import onnxruntime as ort, numpy as np

    o = ort.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = c["threads"], 1
    o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    s = ort.InferenceSession(model("mnv2_b%d.onnx" % c["batch"]), o, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).random((c["batch"], 3, 350, 350), np.float32)
    return bench(lambda: s.run(None, {"x": x}), c, 4), ort.__version__


def ov_case(c):
    import openvino as ov, numpy as np

    cfg = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": c["threads"]}
    if c["how"] == "f32":
        cfg["INFERENCE_PRECISION_HINT"] = "f32"
    m = ov.Core().compile_model(model("mnv2_b%d.onnx" % c["batch"]), "CPU", cfg)
    c["precision"] = str(m.get_property("INFERENCE_PRECISION_HINT")).replace("<Type: '", "").replace("'>", "").replace("float32", "fp32")
    r = m.create_infer_request()
    x = np.random.default_rng(0).random((c["batch"], 3, 350, 350), np.float32)
    r.set_input_tensor(ov.Tensor(x, shared_memory=True))
    return bench(lambda: r.infer(), c, 4), ov.__version__


def ncnn_net(threads, fp32=True):
    import ncnn

    n = ncnn.Net()
    n.opt.num_threads = threads
    n.opt.use_vulkan_compute = False
    if fp32:
        for k in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage", "use_bf16_packed"):
            if hasattr(n.opt, k):
                setattr(n.opt, k, False)
    n.load_param(model("mnv2.ncnn.param"))
    n.load_model(model("mnv2.ncnn.bin"))
    return ncnn, n


def ncnn_case(c):
    import numpy as np

    ncnn, n = ncnn_net(c["threads"], c["precision"] == "fp32")
    x = [np.random.default_rng(i).random((3, 350, 350), np.float32) for i in range(c["batch"])]

    def run():  # ncnn takes one image at a time
        for im in x:
            with n.create_extractor() as e:
                e.input("in0", ncnn.Mat(im))
                _, out = e.extract("out0")
        return np.array(out)

    return bench(run, c, 3), ncnn.__version__


def litert_case(c):
    from ai_edge_litert.interpreter import Interpreter
    import importlib.metadata, numpy as np

    it = Interpreter(model_path=model("mnv2_b%d.tflite" % c["batch"]), num_threads=c["threads"])
    it.allocate_tensors()
    i, o = it.get_input_details()[0]["index"], it.get_output_details()[0]["index"]
    x = np.random.default_rng(0).random((c["batch"], 350, 350, 3), np.float32)

    def run():
        it.set_tensor(i, x)
        it.invoke()
        return it.get_tensor(o)

    return bench(run, c, 4), importlib.metadata.version("ai-edge-litert")


# ---------------------------------------------------------------------------------- pipeline
def synth_jpegs(n=64, size=350, q=90):
    """Photo-like pictures: smooth gradients, a few soft shapes, and noise of falling amplitude by octave."""
    import cv2, numpy as np

    d = os.path.join(HOME, "jpeg")
    os.makedirs(d, exist_ok=True)
    paths, rng = [], np.random.default_rng(1)
    for k in range(n):
        p = os.path.join(d, "%03d.jpg" % k)
        paths.append(p)
        if os.path.exists(p):
            continue
        im = np.zeros((size, size, 3), np.float32)
        for o in range(1, 8):
            g = rng.normal(0, 1, (2 ** o + 1, 2 ** o + 1, 3)).astype(np.float32)
            im += cv2.resize(g, (size, size), interpolation=cv2.INTER_CUBIC) * (40 / 1.7 ** (o - 1))
        for _ in range(12):
            cv2.circle(im, tuple(int(v) for v in rng.integers(0, size, 2)), int(rng.integers(8, 60)),
                       tuple(float(v) for v in rng.normal(0, 60, 3)), -1, cv2.LINE_AA)
        im += rng.normal(0, 3.0, im.shape)
        cv2.imwrite(p, np.clip(im + 120, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, q])
    return paths


def pipe_case(c):
    import numpy as np

    how, th = c["how"], c["threads"]
    if how.startswith("keras"):
        tf_setup(c)
        from keras.src.legacy.preprocessing.image import ImageDataGenerator
        import keras

        dt = "float64" if "f64" in how else "float32"
        x = np.random.default_rng(0).random((96, 350, 350, 3)).astype(dt)
        g = ImageDataGenerator(rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, shear_range=0.2, zoom_range=0.2,
                               horizontal_flip=True, fill_mode="nearest")
        it = g.flow(x, np.zeros(96), batch_size=32)
        return bench(lambda: next(it), c), "keras " + keras.__version__
    if how == "torchvision_affine":
        import torch, torchvision
        from torchvision.transforms import v2

        torch.set_num_threads(th)
        t = v2.Compose([v2.RandomAffine(40, translate=(0.2, 0.2), scale=(0.8, 1.2), shear=11,
                                        interpolation=v2.InterpolationMode.BILINEAR), v2.RandomHorizontalFlip()])
        x = torch.randint(0, 256, (32, 3, 350, 350), dtype=torch.uint8)
        return bench(lambda: [t(im) for im in x], c), torchvision.__version__
    import cv2

    cv2.setNumThreads(th)
    paths = synth_jpegs()
    if how == "imread_resize":
        c["jpeg_bytes_mean"] = round(sum(os.path.getsize(p) for p in paths) / len(paths))

        def run():
            for p in paths[:32]:
                cv2.resize(cv2.imread(p), (350, 350))
    elif how == "imdecode_only":
        raw = [np.fromfile(p, np.uint8) for p in paths[:32]]

        def run():
            for r in raw:
                cv2.imdecode(r, cv2.IMREAD_COLOR)
    else:
        rng = np.random.default_rng(0)
        ims = [cv2.imread(p) for p in paths[:32]]
        if "f32" in how:
            ims = [im.astype(np.float32) / 255 for im in ims]

        def run():
            for im in ims:
                a = np.deg2rad(rng.uniform(-40, 40))
                sh = np.deg2rad(rng.uniform(-0.2, 0.2))
                z = rng.uniform(0.8, 1.2)
                h = 350
                r = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
                s = np.array([[1, -np.sin(sh), 0], [0, np.cos(sh), 0], [0, 0, 1]])
                t = np.array([[1, 0, rng.uniform(-0.2, 0.2) * h], [0, 1, rng.uniform(-0.2, 0.2) * h], [0, 0, 1]])
                zz = np.diag([z, z, 1])
                o, oi = np.eye(3), np.eye(3)
                o[:2, 2], oi[:2, 2] = h / 2 - 0.5, -h / 2 + 0.5
                mat = (o @ r @ t @ s @ zz @ oi)[:2]
                if rng.random() < 0.5:
                    im = cv2.flip(im, 1)
                cv2.warpAffine(im, mat, (h, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return bench(run, c), "opencv " + cv2.__version__


# ---------------------------------------------------------------------------------- startup
def startup_case(c):
    """Import, load, predict one picture. Timed from outside: process start to process end."""
    k = c["how"]
    if k == "torch_state":
        import numpy as np, torch

        torch.set_num_threads(c["threads"])
        m = torch_net()
        m.load_state_dict(torch.load(model("mnv2_state.pt")))
        m.eval()
        with torch.inference_mode():
            y = m(torch.from_numpy(np.ones((1, 3, 350, 350), np.float32))).numpy()
    elif k == "torch_jit":
        import torch

        torch.set_num_threads(c["threads"])
        with torch.inference_mode():
            y = torch.jit.load(model("mnv2_ts.pt"))(torch.ones(1, 3, 350, 350)).numpy()
    elif k == "tf":
        tf_setup(c)
        import numpy as np, keras

        y = keras.models.load_model(model("mnv2.keras")).predict_on_batch(np.ones((1, 350, 350, 3), np.float32))
    elif k == "ort":
        import numpy as np, onnxruntime as ort

        o = ort.SessionOptions()
        o.intra_op_num_threads = c["threads"]
        y = ort.InferenceSession(model("mnv2_b1.onnx"), o).run(None, {"x": np.ones((1, 3, 350, 350), np.float32)})
    elif k == "ov":
        import numpy as np, openvino as ov

        m = ov.Core().compile_model(model("mnv2_b1.onnx"), "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32",
                                                                  "INFERENCE_NUM_THREADS": c["threads"]})
        y = m(np.ones((1, 3, 350, 350), np.float32))[0]
    elif k == "ncnn":
        import numpy as np

        ncnn, n = ncnn_net(c["threads"])
        with n.create_extractor() as e:
            e.input("in0", ncnn.Mat(np.ones((3, 350, 350), np.float32)))
            y = np.array(e.extract("out0")[1])
    elif k == "litert":
        import numpy as np
        from ai_edge_litert.interpreter import Interpreter

        it = Interpreter(model_path=model("mnv2_b1.tflite"), num_threads=c["threads"])
        it.allocate_tensors()
        it.set_tensor(it.get_input_details()[0]["index"], np.ones((1, 350, 350, 3), np.float32))
        it.invoke()
        y = it.get_tensor(it.get_output_details()[0]["index"])
    elif k == "python_only":
        y = 0
    return {"y": str(y)[:40]}, ""


# ---------------------------------------------------------------------------------- counting
MNV2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def layers(size):
    """(name, kind, out_h, cin, cout) of every convolution of MobileNetV2 1.0 and the Dense(1)."""
    half = lambda h: (h + 1) // 2
    h = half(size)
    L, cin, n = [("stem", "conv3", h, 3, 32)], 32, 0
    for t, co, reps, st in MNV2:
        for r in range(reps):
            s, e = (st if r == 0 else 1), cin * t
            if t != 1:
                L.append(("b%d_expand" % n, "pw", h, cin, e))
            h = half(h) if s == 2 else h
            L.append(("b%d_dw" % n, "dw3", h, e, e))
            L.append(("b%d_project" % n, "pw", h, e, co))
            cin, n = co, n + 1
    L.append(("last", "pw", h, cin, 1280))
    L.append(("dense", "fc", 1, 1280, 1))
    return L


def count(size):
    macs, params, act = {}, 0, 0
    for _, k, h, ci, co in layers(size):
        m = h * h * {"conv3": 9 * ci * co, "pw": ci * co, "dw3": 9 * co, "fc": ci * co}[k]
        macs[k] = macs.get(k, 0) + m
        params += {"conv3": 9 * ci * co, "pw": ci * co, "dw3": 9 * co, "fc": co * (ci + 1)}[k] + (2 * co if k != "fc" else 0)
        act += h * h * co
    tot = sum(macs.values())
    # training: forward + gradient by input + gradient by weights, each as many multiply-adds as forward,
    # but no gradient by input for the stem
    train = 3 * tot - macs["conv3"]
    return {"task": "count", "size": size, "fwd_macs": tot, "by_kind": macs, "train_macs_3x": 3 * tot, "train_macs_exact": train,
            "trainable_params": params, "conv_outputs_floats": act, "conv_outputs_mb_fp32": round(act * 4 / 1e6, 1)}


# ---------------------------------------------------------------------------------- cases
KIND = {"torch": (torch_case, "torch"), "tf": (tf_case, "tf"), "ort": (ort_case, "ort"), "ov": (ov_case, "ov"),
        "ncnn": (ncnn_case, "ncnn"), "litert": (litert_case, "litert"), "pipe": (pipe_case, "pipe"), "pipe_tf": (pipe_case, "tf"),
        "pipe_torch": (pipe_case, "torch"), "startup": (startup_case, None)}


def cases(task):
    def C(peer, kind, how, precision="fp32", batch=32, size=350, threads=2, reps=None, seconds=None, env=None, v=None, **k):
        return dict(peer=peer, task=task, kind=kind, how=how, precision=precision, batch=batch, size=size, threads=threads,
                    reps=reps, seconds=seconds, env=env or {}, venv=v or KIND[kind][1], **k)

    # an allocator that keeps its pages, on huge pages where the kernel grants them on request
    keep = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736"}
    jem = {"LD_PRELOAD": "libjemalloc.so.2", "MALLOC_CONF": "thp:always,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1"}
    out = []
    if task == "train2_tuned":  # the peers of train2 with a tuned allocator: what a careful user gets
        for size, th in ((350, 2), (350, 1), (224, 2)):
            k = dict(size=size, threads=th, reps=5, seconds=20)
            for n, e in (("glibc kept+THP", keep), ("jemalloc+THP", jem)):
                out += [C("torch channels_last, " + n, "torch", "eager_cl", env=e, **k),
                        C("tf.function, " + n, "tf", "function", env=e, **k),
                        C("torch.compile channels_last, " + n, "torch", "compile_cl", env=e, **k),
                        C("torch channels_last bf16, " + n, "torch", "eager_cl", "bf16 autocast", env=e, **k),
                        C("torch.compile channels_last bf16, " + n, "torch", "compile_cl", "bf16 autocast", env=e, **k)]
        for c in out:
            c["task"] = "train2"
    elif task == "finetune":
        for th in (2, 1):
            k = dict(threads=th, reps=5, seconds=20, env=jem)
            for n, how in (("torch", "eager_cl"), ("torch.compile", "compile_cl")):
                out += [C(n + " channels_last, jemalloc+THP", "torch", how, **k),
                        C(n + " channels_last bf16, jemalloc+THP", "torch", how, "bf16 autocast", **k)]
    elif task == "train2":
        for size, th in ((350, 2), (350, 1), (224, 2)):
            k = dict(size=size, threads=th, reps=5, seconds=25)
            out += [C("torch channels_last", "torch", "eager_cl", **k), C("tf.function", "tf", "function", **k),
                    C("tf.function XLA", "tf", "xla", **k), C("keras train_on_batch", "tf", "train_on_batch", **k),
                    C("torch contiguous", "torch", "eager", **k), C("torch.compile channels_last", "torch", "compile_cl", **k),
                    C("torch channels_last bf16", "torch", "eager_cl", "bf16 autocast", **k),
                    C("torch.compile channels_last bf16", "torch", "compile_cl", "bf16 autocast", **k),
                    C("tf.function oneDNN off", "tf", "function", env={"TF_ENABLE_ONEDNN_OPTS": "0"}, **k),
                    C("keras train_on_batch XLA", "tf", "train_on_batch_xla", **k)]
    elif task == "train1":
        for th in (2, 1):
            k = dict(threads=th, reps=5, seconds=12)
            out += [C("keras train_on_batch", "tf", "train_on_batch", **k), C("tf.function", "tf", "function", **k),
                    C("tf.function XLA", "tf", "xla", **k), C("torch channels_last", "torch", "eager_cl", **k),
                    C("torch.compile freezing channels_last", "torch", "compile_cl", **k),
                    C("torch channels_last bf16", "torch", "eager_cl", "bf16 autocast", **k),
                    C("torch channels_last, jemalloc+THP", "torch", "eager_cl", env=jem, **k),
                    C("torch.compile freezing channels_last, jemalloc+THP", "torch", "compile_cl", env=jem, **k),
                    C("tf.function, jemalloc+THP", "tf", "function", env=jem, **k)]
    elif task == "infer":
        for b in (1, 32):
            for th in (1, 2):
                k = dict(batch=b, threads=th, reps=30 if b == 1 else 5, seconds=5 if b == 1 else 8)
                out += [C("keras predict_on_batch", "tf", "predict_on_batch", **k), C("tf.function", "tf", "function", **k),
                        C("tf.function XLA", "tf", "xla", **k), C("torch eager channels_last", "torch", "eager_cl", **k),
                        C("torch jit freeze+optimize_for_inference", "torch", "jit_cl", **k),
                        C("torch.compile freezing", "torch", "compile_cl", **k),
                        C("torch.compile freezing bf16", "torch", "compile_cl", "bf16 autocast", **k),
                        C("torch.compile freezing, jemalloc+THP", "torch", "compile_cl", env=jem, **k),
                        C("torch.compile freezing bf16, jemalloc+THP", "torch", "compile_cl", "bf16 autocast", env=jem, **k),
                        C("onnxruntime", "ort", "", **k), C("openvino f32", "ov", "f32", **k),
                        C("openvino default", "ov", "default", "default", **k), C("ncnn", "ncnn", "", **k),
                        C("ncnn default options", "ncnn", "", "default", **k), C("litert xnnpack", "litert", "", **k)]
    elif task == "pipeline":
        k = dict(reps=7, seconds=6, threads=1)
        out += [C("cv2.imread+resize", "pipe", "imread_resize", "uint8", **k), C("cv2.imdecode from memory", "pipe", "imdecode_only", "uint8", **k),
                C("keras ImageDataGenerator.flow float64", "pipe_tf", "keras_f64", "float64", **k),
                C("keras ImageDataGenerator.flow float32", "pipe_tf", "keras_f32", **k),
                C("torchvision v2 RandomAffine+flip", "pipe_torch", "torchvision_affine", "uint8", **k),
                C("cv2.warpAffine+flip", "pipe", "warp_u8", "uint8", **k), C("cv2.warpAffine+flip float32", "pipe", "warp_f32", **k)]
    elif task == "startup":
        for n, v in (("python_only", "ort"), ("tf", "tf"), ("torch_state", "torch"), ("torch_jit", "torch"), ("ort", "ort"),
                     ("ov", "ov"), ("litert", "litert"), ("ncnn", "ncnn")):
            out.append(C(n, "startup", n, batch=1, threads=2, reps=5, v=v))
    return out


def table(files):
    rows = {}
    for f in files:
        for line in open(f):
            r = json.loads(line)
            if "peer" not in r or "task" not in r:
                continue
            k = (r["task"], r["size"], r["batch"], r["threads"], r["peer"], r["precision"])
            o = rows.get(k)
            if o is None or "error" in o:
                rows[k] = dict(r, passes=1)
            elif "error" not in r:
                better = r if r.get("ms_per_batch_min", r.get("wall_s_min", 0)) < o.get("ms_per_batch_min", o.get("wall_s_min", 0)) else o
                rows[k] = dict(better, passes=o["passes"] + 1)
                for m in ("ms_median", "wall_s_median", "cpu_ms_per_batch_min"):
                    if m in r and m not in o:
                        rows[k][m] = r[m]
                    elif m in r:
                        rows[k][m] = min(r[m], o[m])
    groups = {}
    for k, r in rows.items():
        groups.setdefault(k[:4], []).append(r)
    order = ["train2", "finetune", "train1", "infer", "startup", "pipeline"]
    for g in sorted(groups, key=lambda g: (order.index(g[0]), -g[1], g[2], -g[3])):
        rs = groups[g]
        print("\n### %s, %dx%d, batch %d, %d thread%s\n" % (g[0], g[1], g[1], g[2], g[3], "s"[:g[3] - 1]))
        if g[0] == "startup":
            print("| peer | wall s, best | wall s, median | first run | peak RSS MB |\n|---|---|---|---|---|")
            for r in sorted(rs, key=lambda r: r.get("wall_s_min", 1e9)):
                print("| %s | %.3f | %.3f | %.2f | %d |" % (r["peer"], r["wall_s_min"], r["wall_s_median"], r["wall_s_first"], r["peak_rss_mb"])
                      if "error" not in r else "| %s | failed: %s | | | |" % (r["peer"], r["error"][-80:]))
            continue
        print("| peer | precision | img/s, best run | img/s, median run | ms/batch min | ms median | CPU ms/batch min | peak RSS MB | CPU s/wall s | of which kernel | first call s | runs |"
              "\n|---|---|---|---|---|---|---|---|---|---|---|---|")
        for r in sorted(rs, key=lambda r: -r.get("img_per_s", 0)):
            if "error" in r:
                print("| %s | %s | failed: %s |" % (r["peer"], r["precision"], r["error"].replace("\n", " ")[-90:]))
                continue
            print("| %s | %s | %.2f | %.2f | %.1f | %.1f | %s | %d | %.2f | %s | %.1f | %d |" % (
                r["peer"], r["precision"], r["img_per_s"], r["batch"] / r["ms_median"] * 1e3, r["ms_per_batch_min"], r["ms_median"],
                r.get("cpu_ms_per_batch_min", ""), r["peak_rss_mb"], r["cpu_per_wall"], r.get("kernel_per_wall", ""), r["first_s"], r["runs"]))


def wait_quiet(limit):
    """Return once a second has passed with under 10% of the machine busy, or after limit seconds."""
    t0 = time.time()
    while time.time() - t0 < limit:
        a = [int(v) for v in open("/proc/stat").readline().split()[1:9]]
        time.sleep(1)
        b = [int(v) for v in open("/proc/stat").readline().split()[1:9]]
        d = [y - x for x, y in zip(a, b)]
        if (d[3] + d[4]) > 0.9 * sum(d):
            return


def child(c):
    n = str(c["threads"])
    env = dict(os.environ, OMP_NUM_THREADS=n, MKL_NUM_THREADS=n, OPENBLAS_NUM_THREADS=n, TF_CPP_MIN_LOG_LEVEL="2",
               CUDA_VISIBLE_DEVICES="", PEERS_HOME=HOME, **c["env"])
    env.pop("OPENBLAS_CORETYPE", None)
    r, w = os.pipe()
    load = os.getloadavg()[0]
    err = tempfile.TemporaryFile()
    t0 = time.perf_counter()
    p = subprocess.Popen([py(c["venv"]), ME, "_case", json.dumps(c), str(w)], pass_fds=(w,), env=env, stdout=subprocess.DEVNULL,
                         stderr=err, cwd=HOME)
    os.close(w)
    with os.fdopen(r) as f:
        txt = f.read()
    _, st, ru = os.wait4(p.pid, 0)
    wall = time.perf_counter() - t0
    p.returncode = st
    res = {k: c[k] for k in ("peer", "task", "batch", "size", "threads", "precision")}
    if txt.strip():
        res.update(json.loads(txt))
    else:
        err.seek(0)
        res["error"] = err.read().decode(errors="replace").strip()[-300:].replace(HOME, "$PEERS_HOME")
    res.update(peak_rss_mb=round(ru.ru_maxrss / 1024), load1=round(load, 2))
    return res, wall


def main():
    a = sys.argv[1:]
    if not a or a[0] in ("-h", "--help"):
        return print(__doc__)
    cmd = a[0]
    if cmd == "_case":
        c = json.loads(a[1])
        res, ver = KIND[c["kind"]][0](c)
        res["precision"], res["version"] = c["precision"], ver
        for k in ("jpeg_bytes_mean",):
            if k in c:
                res[k] = c[k]
        os.write(int(a[2]), (json.dumps(res) + "\n").encode())
        os._exit(0) if c["task"] != "startup" else None
        return
    if cmd == "table":
        return table(a[1:])
    o, i = {}, 1
    while i < len(a):
        o[a[i].lstrip("-")] = a[i + 1]
        i += 2
    os.makedirs(os.path.join(HOME, "models"), exist_ok=True)

    def emit(d):
        s = json.dumps(d)
        print(s, flush=True)
        if "out" in o:
            with open(o["out"], "a") as f:
                f.write(s + "\n")

    if cmd == "setup":
        return setup()
    if cmd.startswith("_convert_"):
        return globals()[cmd[1:]]()
    if cmd == "convert":
        for f, v in (("convert_torch", "torch"), ("convert_ncnn", "torch"), ("convert_tf", "tf")):
            r = subprocess.run([py(v), ME, "_" + f], env=dict(os.environ, PEERS_HOME=HOME, CUDA_VISIBLE_DEVICES=""))
            print(json.dumps({"task": "convert", "what": f, "rc": r.returncode}), flush=True)
        return
    ints = lambda k: [int(v) for v in o[k].split(",")] if k in o else None
    if cmd == "count":
        for s in ints("size") or (350, 224):
            emit(count(s))
        return
    task = o.get("task") if cmd == "list" else cmd
    for c in cases(task):
        if "peer" in o and not re.search(o["peer"], c["peer"]):
            continue
        if any(ints(k) and c[k] not in ints(k) for k in ("batch", "size", "threads")):
            continue
        for k in ("reps", "seconds"):
            if k in o:
                c[k] = int(o[k])
        if cmd == "list":
            print(json.dumps(c))
            continue
        wait_quiet(int(o.get("quiet", 0)))
        if task == "startup":
            runs = [child(c) for _ in range(c["reps"] + 1)]  # the first one warms the page cache
            w = sorted(x[1] for x in runs[1:])
            r = runs[-1][0]
            r.update(wall_s_min=round(w[0], 3), wall_s_median=round(w[len(w) // 2], 3), wall_s_first=round(runs[0][1], 3),
                     peak_rss_mb=max(x[0]["peak_rss_mb"] for x in runs))
            emit(r)
        else:
            emit(child(c)[0])


if __name__ == "__main__":
    main()
