# SPDX-License-Identifier: MIT
"""Shared helpers of the golden-data generators (no product code)."""
import os
for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
          "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[k] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import argparse, json, math, hashlib, io, pathlib
import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent


def args(topic, defaults):
    """--out DIR (default: ../TOPIC), --variant FILE.json overrides `defaults`
    (its key TOPIC holds an object with the same keys)."""
    p = argparse.ArgumentParser()
    p.add_argument("--out", default=str(HERE.parent / topic))
    p.add_argument("--variant")
    a = p.parse_args()
    cfg = dict(defaults)
    if a.variant:
        v = json.load(open(a.variant))
        cfg.update(v.get(topic, {}))
    out = pathlib.Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    return out, cfg


def save(path, arrays, meta=None):
    d = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
    # ascontiguousarray promotes 0-d to 1-d: scalars are stored with shape [1]
    m = {str(k): str(v) for k, v in (meta or {}).items()}
    save_file(d, str(path), metadata=m or None)
    os.chmod(path, 0o644)


def _plain(o):
    """JSON has no NaN/Infinity: such numbers become the strings "nan", "inf", "-inf"."""
    if hasattr(o, "tolist"):
        o = o.tolist()
    if isinstance(o, float) and not math.isfinite(o):
        return repr(o)
    if isinstance(o, dict):
        return {str(k): _plain(v) for k, v in o.items()}
    if isinstance(o, (list, tuple)):
        return [_plain(v) for v in o]
    return o


def jdump(path, obj):
    obj = _plain(obj)
    with open(path, "w") as f:
        json.dump(obj, f, indent=1, sort_keys=False, allow_nan=False,
                  default=lambda o: o.tolist() if hasattr(o, 'tolist') else str(o))
        f.write("\n")


def sha256(b):
    return hashlib.sha256(b).hexdigest()


def dir_digest(d):
    """name -> sha256 for every file below d (to check re-runs)."""
    return {str(p.relative_to(d)): sha256(p.read_bytes())
            for p in sorted(pathlib.Path(d).rglob("*")) if p.is_file()}


# ---------------------------------------------------------------- MT19937
class MT:
    """Plain-Python MT19937 as numpy.random.RandomState uses it; the spec in
    executable form. Checked against NumPy by the generators."""

    def __init__(self, seed):
        s = seed & 0xFFFFFFFF
        self.k = []
        for i in range(624):
            self.k.append(s)
            s = (1812433253 * (s ^ (s >> 30)) + i + 1) & 0xFFFFFFFF
        self.pos = 624

    def u32(self):
        k = self.k
        if self.pos == 624:
            for i in range(624):
                y = (k[i] & 0x80000000) | (k[(i + 1) % 624] & 0x7FFFFFFF)
                k[i] = k[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
            self.pos = 0
        y = k[self.pos]
        self.pos += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)

    def double(self):
        a = self.u32() >> 5
        b = self.u32() >> 6
        return (a * 67108864.0 + b) / 9007199254740992.0

    def interval(self, mx):
        if mx == 0:
            return 0
        m = mx
        for sh in (1, 2, 4, 8, 16):
            m |= m >> sh
        while True:
            v = self.u32() & m
            if v <= mx:
                return v

    def permutation(self, n):
        a = list(range(n))
        for i in range(n - 1, 0, -1):
            j = self.interval(i)
            a[i], a[j] = a[j], a[i]
        return a

    def uniform(self, lo, hi):
        return lo + (hi - lo) * self.double()
