# SPDX-License-Identifier: MIT
"""Model files of Keras in many versions and shapes, with the scores that Keras computes from them.

usage, each step with a Python that has what it names:
    gen_keras.py base OUT       # Keras 3: weights and images, OUT/base.npz
    gen_keras.py keras3 OUT     # Keras 3
    gen_keras.py keras2 OUT     # Keras 2.15 and again 2.12, in those versions of TensorFlow (TF_KERAS=1: tf_keras)
    gen_keras.py h5py OUT       # h5py: TensorFlow 1.15 and 2.1 as these wrote, chunks and filters
    gen_keras.py check OUT      # Keras 2.15: loads what h5py made, for its scores
    gen_keras.py pack OUT DATA  # into DATA/files.zip and DATA/scores.safetensors

The network is MobileNetV2 with alpha 0.1 at 48 x 48. Its weights are multiples of a few powers of two, so that the files
are small when packed and the same in float16 and bfloat16, and its batch norms hold statistics of its own activations.
"""
import io
import json
import os
import struct
import sys
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np

SIZE, ALPHA, FROZEN = 48, 0.1, 100
step, out = sys.argv[1], Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
facts, scores = {}, {}


def keras():
    if os.environ.get("TF_KERAS"):
        import tf_keras as module
    else:
        import keras as module
        if not hasattr(module, "applications"):  # 2.12
            import tensorflow
            module = tensorflow.keras
    return module


# ---------------------------------------------------------------- weights
def coarse(rng, shape, std):
    """About a normal distribution, in steps of a power of two."""
    step = 2.0 ** np.round(np.log2(std / 2))
    return (np.clip(np.round(rng.normal(size=shape) * 2), -5, 5) * step).astype(np.float32)


def rounded(x, bits):
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(mantissa * 2 ** bits), exponent - bits).astype(np.float32)


def make_base():
    K = keras()
    K.utils.set_random_seed(1)
    rng = np.random.default_rng(19)
    base = K.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), alpha=ALPHA, include_top=False, weights=None)
    norms = [l for l in base.layers if l.__class__.__name__ == "BatchNormalization"]
    for l in base.layers:
        w = l.get_weights()
        if len(w) == 1:
            fan = np.prod(w[0].shape[:2]) * (1 if "depthwise" in l.name else w[0].shape[2])
            l.set_weights([coarse(rng, w[0].shape, np.sqrt(2 / fan))])
        elif w:
            n = w[0].shape
            l.set_weights([rng.choice([0.75, 1, 1.25, 1.5], n), rng.choice([-0.25, 0, 0.25, 0.5, 0.75], n), w[2], w[3]])
    images = rng.integers(0, 256, (3, 6, 6, 3)).repeat(8, 1).repeat(8, 2)
    images = np.clip(images + rng.integers(-20, 21, images.shape), 0, 255).astype(np.uint8)
    some = rng.integers(0, 256, (64, 6, 6, 3)).repeat(8, 1).repeat(8, 2).astype(np.float32) / 127.5 - 1
    for l in norms:
        l.momentum = 0.0  # then one batch sets the statistics
    base(some, training=True)
    arrays = {"images": images}
    for i, l in enumerate(l for l in base.layers if l.get_weights()):
        w = l.get_weights()
        for k, a in enumerate(w):
            arrays[f"base/{i}/{k}"] = rounded(a, 5) if k > 1 else a
    for count in (1, 3):
        arrays[f"head/{count}/0"] = coarse(rng, (1280, count), 0.06)
        arrays[f"head/{count}/1"] = rng.choice([-0.5, 0.25, 1.0], count).astype(np.float32)
    np.savez_compressed(out / "base.npz", **arrays)


class Truth:
    def __init__(self):
        with np.load(out / "base.npz") as z:
            self.arrays = dict(z)
        self.images = self.arrays["images"]

    def layer(self, i):
        return [self.arrays[f"base/{i}/{k}"] for k in range(4) if f"base/{i}/{k}" in self.arrays]

    def fill_base(self, model):
        for i, l in enumerate(l for l in model.layers if l.weights):
            l.set_weights(self.layer(i))

    def head(self, count):
        return [self.arrays[f"head/{count}/{k}"] for k in range(2)]

    def x(self, scale):
        x = self.images.astype(np.float32)
        return x if scale == "bytes" else x / 127.5 - 1 if scale == "tf" else x / 255


def take(name, model, scale, **more):
    """Note a file's scores; scale: what the model's user must apply (bytes: nothing, the model does so)."""
    scores[name] = np.asarray(model(truth.x(scale), training=False), np.float32)
    facts[name] = dict(scale=scale, **more)


# ---------------------------------------------------------------- models
def base_of(K, shape=(SIZE, SIZE, 3), **options):
    base = K.applications.MobileNetV2(input_shape=shape, alpha=ALPHA, include_top=False, weights=None, **options)
    truth.fill_base(base)
    return base


def freeze(model, count):
    for l in model.layers[:count]:
        l.trainable = False


def renamed(K, model, prefix="my_"):
    new = K.models.clone_model(
        model, clone_function=lambda l: l.__class__.from_config({**l.get_config(), "name": prefix + l.name}))
    truth.fill_base(new)
    return new


def sequential(K, base, count=1, activation=None, pool=True, front=(), behind=()):
    L = K.layers
    m = K.Sequential([K.Input((SIZE, SIZE, 3)), *front, base, *([L.GlobalAveragePooling2D()] if pool else []), *behind,
                      L.Dense(count, activation=activation)])
    m.layers[-1].set_weights(truth.head(count))
    return m


def flat(K, count=1):
    base = base_of(K)
    L = K.layers
    y = L.GlobalAveragePooling2D()(base.output)
    y = L.Dropout(0.2)(y)
    m = K.Model(base.input, L.Dense(count)(y))
    m.layers[-1].set_weights(truth.head(count))
    return m


def functional(K, scaled):
    """As the guide for transfer learning has it: the base is called with training=False."""
    base = base_of(K)
    base.trainable = False
    L = K.layers
    x = inputs = K.Input((SIZE, SIZE, 3))
    if scaled == "operators":
        x = x / 127.5 - 1
    elif scaled:
        x = scaled(x)
    x = base(x, training=False)
    x = L.GlobalAveragePooling2D()(x)
    x = L.Dropout(0.2)(x)
    m = K.Model(inputs, L.Dense(1)(x))
    m.layers[-1].set_weights(truth.head(1))
    return m


def compiled(model):
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def adapted(K, mean, deviation):
    """A Normalization whose statistics are arrays of the file."""
    norm = K.layers.Normalization()
    mean, deviation = np.array(mean, np.float32), np.array(deviation, np.float32)
    norm.adapt(np.stack([mean - deviation, mean + deviation]).reshape(2, 1, 1, 3))
    return norm


def save(name, model, scale="tf", weights=False, **more):
    (model.save_weights if weights else model.save)(str(out / name))
    if weights:
        more["padding"] = "fixed"  # a weight file does not say
    take(name, model, scale, **more)


def make_keras3():
    K = keras()
    L = K.layers
    base = base_of(K)
    freeze(base, FROZEN)
    m = compiled(sequential(K, base, behind=[L.Dropout(0.2)]))
    save("k3_nested_frozen.keras", m)
    save("k3_nested_frozen.h5", m)
    save("k3_nested.weights.h5", m, weights=True)
    save("k3_flat.keras", flat(K))
    save("k3_flat.h5", flat(K))
    save("k3_flat.weights.h5", flat(K), weights=True)
    save("k3_pooled_none.keras", sequential(K, base_of(K, (None, None, 3), pooling="avg"), pool=False))
    save("k3_classes.keras", sequential(K, base_of(K), 3, "softmax"))
    save("k3_rescaling.keras", functional(K, L.Rescaling(1 / 127.5, -1)), "bytes")
    save("k3_operators.keras", functional(K, "operators"), "bytes")
    front = [L.RandomFlip("horizontal"), L.RandomRotation(0.1), adapted(K, [127.5] * 3, [127.5] * 3)]
    save("k3_normalization.keras", sequential(K, base_of(K), front=front), "bytes")
    front = [adapted(K, [127.5] * 3, [64, 128, 100])]
    save("k3_normalization_fold.h5", sequential(K, base_of(K), front=front), "bytes")
    front = [L.Rescaling(1 / 255), L.Normalization(mean=[0.0] * 3, variance=[0.25, 0.0625, 0.05])]
    save("k3_rescaling_fold.keras", sequential(K, base_of(K), front=front), "bytes")
    front = [L.Normalization(mean=[100.0, 110.0, 127.5], variance=[4000.0] * 3)]
    save("k3_normalization_refused.keras", sequential(K, base_of(K), front=front), "bytes", error="zero padding")
    m = sequential(K, renamed(K, base_of(K)))
    save("k3_renamed.keras", m)
    save("k3_renamed.h5", m)
    x = sequential(K, base_of(K))
    x = K.Model(x.inputs, L.Dense(1, name="second")(x.outputs[0]))
    save("k3_two_dense.keras", x, error="'second'")
    for policy in ("mixed_float16", "float16", "bfloat16"):
        K.config.set_dtype_policy(policy)
        m = sequential(K, base_of(K))
        m.save(str(out / f"k3_{policy}.keras"))
        K.config.set_dtype_policy("float32")
        take(f"k3_{policy}.keras", sequential(K, base_of(K)), "tf")
    # the same archive as another tool packs it
    with zipfile.ZipFile(out / "k3_flat.keras") as old, zipfile.ZipFile(out / "k3_deflated.keras", "w") as new:
        for name in sorted(old.namelist()):
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
    take("k3_deflated.keras", flat(K), "tf")


def make_keras2():
    K = keras()
    L = K.layers
    t = part
    base = base_of(K)
    freeze(base, FROZEN)
    m = compiled(sequential(K, base, behind=[L.Dropout(0.2)]))
    save(f"{t}_nested_frozen.h5", m)
    save(f"{t}_nested_frozen.keras", m)
    if t == "tfk":
        return
    if t == "k212":
        os.remove(out / "k212_nested_frozen.keras")
        m.save(str(out / "k212_nested_frozen.keras"), save_format="keras_v3")
        save("k212_nested.weights.h5", m, weights=True)
        return
    save("k2_nested_frozen_weights.h5", m, weights=True)
    save("k2_flat.h5", flat(K))
    save("k2_flat.keras", flat(K))
    save("k2_flat.weights.h5", flat(K), weights=True)
    save("k2_pooled_none.h5", sequential(K, base_of(K, (None, None, 3), pooling="avg"), pool=False))
    save("k2_rescaling.h5", functional(K, L.Rescaling(1 / 255.0)), "bytes")
    save("k2_operators.h5", functional(K, "operators"), "bytes")
    front = [L.RandomFlip("horizontal"), adapted(K, [127.5] * 3, [127.5] * 3)]
    save("k2_normalization.keras", sequential(K, base_of(K), front=front), "bytes")
    K.mixed_precision.set_global_policy("mixed_float16")
    m = sequential(K, base_of(K))
    m.save(str(out / "k2_mixed_float16.h5"))
    K.mixed_precision.set_global_policy("float32")
    take("k2_mixed_float16.h5", sequential(K, base_of(K)), "tf")


# ---------------------------------------------------------------- TensorFlow 1.15 and 2.1, by h5py
OLD_KEYS = {"InputLayer": ["batch_input_shape", "dtype", "sparse", "ragged", "name"]}
NEW_SETTINGS = ("groups", "keepdims", "synchronized", "virtual_batch_size", "renorm")


def old_layer(layer, nested):
    """A layer's config as TensorFlow 1.15 and 2.1 have it, from one of 2.15."""
    config = {k: v for k, v in layer["config"].items() if k not in NEW_SETTINGS}
    for key, value in config.items():
        if isinstance(value, dict) and "registered_name" in value:
            config[key] = {"class_name": value["class_name"], "config": value["config"]}
    new = {"class_name": layer["class_name"], "config": config}
    if nested:
        new["name"] = layer["name"]
        new["inbound_nodes"] = layer["inbound_nodes"]
    return new


def old_base(model, pad, suffix):
    """The base as "Model", with the stem's padding as a layer of its own (keras_applications 1.0.8)."""
    layers = [old_layer(l, True) for l in model["config"]["layers"]]
    if pad:
        at = next(i for i, l in enumerate(layers) if l["name"] == "Conv1")
        layers[at]["config"]["padding"] = "valid"
        source = layers[at]["inbound_nodes"]
        layers[at]["inbound_nodes"] = [[["Conv1_pad", 0, 0, {}]]]
        layers.insert(at, {"class_name": "ZeroPadding2D", "name": "Conv1_pad", "inbound_nodes": source, "config": {
            "name": "Conv1_pad", "trainable": layers[at]["config"]["trainable"], "dtype": "float32",
            "padding": [[0, 1], [0, 1]], "data_format": "channels_last"}})
    config = {"name": model["config"]["name"], "layers": layers, "input_layers": model["config"]["input_layers"],
              "output_layers": model["config"]["output_layers"]}
    return {"class_name": "Model", "config": config}


def write_old(name, source, version, pad, suffix, norm=None, cut=None):
    """Rewrite OUT/source, of 2.15, as an older version does: its config, its names of variables (suffix: TensorFlow
    numbers those of a second model in one session), its attributes. cut: bytes of a list of names, as if it were long."""
    import h5py
    old = h5py.File(out / source)
    config = json.loads(old.attrs["model_config"])
    layers = []
    for l in config["config"]["layers"]:
        if l["class_name"] == "InputLayer":
            continue
        layers.append(old_base(l, pad, suffix) if l["class_name"] == "Functional" else old_layer(l, False))
    text = {"class_name": "Sequential", "config": {
        "name": "attractiveNet_mnv2", "layers": layers, "build_input_shape": [None, SIZE, SIZE, 3]}}
    text = json.dumps(text)
    if norm:
        text = text.replace('"BatchNormalization"', f'"{norm}"')
    with h5py.File(out / name, "w") as new:
        new.attrs["keras_version"] = version.encode()
        new.attrs["backend"] = b"tensorflow"
        new.attrs["model_config"] = text.encode()
        new.attrs["training_config"] = json.dumps({"optimizer_config": {"class_name": "Adam", "config": {
            "name": "Adam", "learning_rate": 0.001, "decay": 0.0, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07,
            "amsgrad": False}}, "loss": "mean_squared_error", "metrics": [], "weighted_metrics": None,
            "sample_weight_mode": None, "loss_weights": None}).encode()
        g = new.create_group("model_weights")
        g.attrs["layer_names"] = np.array([n.encode() for n in old["model_weights"].attrs["layer_names"]])
        g.attrs["backend"] = b"tensorflow"
        g.attrs["keras_version"] = version.encode()
        for layer in old["model_weights"].attrs["layer_names"]:
            inner = g.create_group(layer)
            names = []
            for path in old["model_weights"][layer].attrs["weight_names"]:
                first, last = path.split("/")
                names.append((f"{first}{suffix}/{last}", old["model_weights"][layer][path][()]))
            for path, value in names:
                inner.create_dataset(path, data=value)
            encoded = [n.encode() for n, _ in names]
            if cut and len(encoded) > 1:  # over 64,512 bytes Keras splits a list
                parts = np.array_split(np.array(encoded), cut)
                for i, part in enumerate(parts):
                    inner.attrs[f"weight_names{i}"] = part
            else:
                inner.attrs["weight_names"] = np.array(encoded) if encoded else []
        moments = new.create_group("optimizer_weights")
        names = ["Adam/iter:0", "Adam/dense/kernel/m:0", "Adam/dense/kernel/v:0"]
        moments.attrs["weight_names"] = np.array([n.encode() for n in names])
        moments.create_dataset(names[0], data=np.int64(7))
        for n in names[1:]:
            moments.create_dataset(n, data=np.zeros((1280, 1), np.float32))
    old.close()
    copy_facts(name, source, check=True)


def weights_of(name, source, **more):
    """A full model's weights alone."""
    import h5py
    with h5py.File(out / source) as old, h5py.File(out / name, "w") as new:
        for key, value in old["model_weights"].attrs.items():
            new.attrs[key] = value
        for key in old["model_weights"]:
            old.copy(old["model_weights"][key], new, key)
    facts[name] = {**facts[source], "check": False, **more}


def copy_facts(name, source, **more):
    known = json.loads((out / ("facts_k3.json" if source.startswith("k3") else "facts_k2.json")).read_text())
    facts[name] = {**known[source], "same_as": source, **more}


def repack(name, source, **options):
    """The same file with its arrays in chunks."""
    import h5py

    def copy(old, new):
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for key, value in old.items():
            if isinstance(value, h5py.Group):
                copy(value, new.create_group(key))
                continue
            data = value[()].astype(options.get("dtype", value.dtype)) if value.dtype.kind == "f" else value[()]
            settings = {k: v for k, v in options.items() if k != "dtype"}
            if settings and value.shape:
                settings["chunks"] = tuple(max(1, (n + 1) // 2) for n in value.shape)
            d = new.create_dataset(key, data=data, **(settings if value.shape else {}))
            for k, v in value.attrs.items():
                d.attrs[k] = v

    with h5py.File(out / source) as old, h5py.File(out / name, "w") as new:
        copy(old, new)
    copy_facts(name, source)


def make_h5py():
    write_old("tf1.15_nested.h5", "k2_nested_frozen.h5", "2.2.4-tf", True, "", "BatchNormalizationV1")
    write_old("tf2.1_nested.h5", "k2_pooled_none.h5", "2.2.4-tf", True, "")
    write_old("tf2.1_second.h5", "k2_pooled_none.h5", "2.2.4-tf", True, "_1")
    write_old("tf2.1_second_frozen.h5", "k2_nested_frozen.h5", "2.2.4-tf", True, "_1", cut=3)
    weights_of("tf2.1_second_weights.h5", "tf2.1_second.h5", padding="tutorial")
    weights_of("tf2.1_second_frozen_weights.h5", "tf2.1_second_frozen.h5", error="order of its layers")
    repack("k2_gzip.h5", "k2_nested_frozen.h5", compression="gzip", shuffle=True, fletcher32=True)
    repack("k3_chunked.h5", "k3_flat.h5", chunks=True)
    repack("k2_float16.h5", "k2_flat.h5", dtype="f2")


def make_check():
    """Keras 2.15 itself loads what was made for older versions: its scores are those of the source."""
    K = keras()
    for name, fact in json.loads((out / "facts_h5py.json").read_text()).items():
        if not fact.get("check"):
            continue
        text = io.BytesIO((out / name).read_bytes())
        model = K.models.load_model(text_file(text, name), compile=False)
        got = np.asarray(model(truth.x(fact["scale"]), training=False))
        with np.load(out / "scores_k2.npz") as z:
            want = z[fact["same_as"]]
        print(name, float(np.abs(got - want).max()), float(np.abs(want).max()))
        assert np.abs(got - want).max() < 1e-5


def text_file(data, name):
    """What Keras 2.15 no longer knows: a batch norm of version 1, a Model."""
    import h5py
    path = out / "check" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.getvalue())
    with h5py.File(path, "r+") as f:
        config = f.attrs["model_config"]
        config = config.replace("BatchNormalizationV1", "BatchNormalization").replace('"Model"', '"Functional"')
        del f.attrs["model_config"]
        f.attrs["model_config"] = config
    return str(path)


# ---------------------------------------------------------------- packing
UNPACKED = ["k3_flat.keras", "k3_flat.h5", "k2_flat.h5", "tfk_nested_frozen.h5", "k212_nested_frozen.h5",
            "tf2.1_second.h5"]  # others have all that is in them


def make_pack():
    all_facts, arrays = {}, {}
    for part in ("k3", "k2", "k212", "tfk", "h5py"):
        all_facts.update(json.loads((out / f"facts_{part}.json").read_text()))
        if part != "h5py":
            with np.load(out / f"scores_{part}.npz") as z:
                arrays.update(z)
    for name, fact in all_facts.items():
        fact.pop("check", None)
        source = fact.pop("same_as", None)
        if source:
            arrays[name] = arrays[source]
    for name in UNPACKED:
        del all_facts[name]
        arrays.pop(name, None)
    data = Path(sys.argv[3])
    data.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(data / "files.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for name in all_facts:
            z.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), (out / name).read_bytes(), zipfile.ZIP_DEFLATED, 9)
    header, content = {"__metadata__": {"facts": json.dumps(all_facts)}}, b""
    arrays["images"] = truth.images
    for name, a in arrays.items():
        raw = np.ascontiguousarray(a).tobytes()
        header[name] = {"dtype": "U8" if a.dtype == np.uint8 else "F32", "shape": list(a.shape),
                        "data_offsets": [len(content), len(content) + len(raw)]}
        content += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (data / "scores.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + content)


if step == "base":
    make_base()
else:
    truth = Truth()
    part = {"keras3": "k3", "keras2": "tfk" if os.environ.get("TF_KERAS") else "k2", "h5py": "h5py"}.get(step)
    if step == "keras2" and keras().__version__.startswith("2.12"):
        part = "k212"
    {"keras3": make_keras3, "keras2": make_keras2, "h5py": make_h5py, "check": make_check, "pack": make_pack}[step]()
    if part:
        (out / f"facts_{part}.json").write_text(json.dumps(facts, indent=1))
        np.savez(out / f"scores_{part}.npz", **scores)
