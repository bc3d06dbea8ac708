# SPDX-License-Identifier: MIT
"""The package beside torch and TensorFlow in one process, imported in either order. Not part of the default run:

    python3 -m venv /tmp/others && /tmp/others/bin/pip install ./bindings/python torch tensorflow
    /tmp/others/bin/python tests/python/others.py

What is not installed is skipped. Each case is a process of its own: the library trains and predicts with the same bits as
alone, the other one computes, and both do so again on threads.
"""
import importlib.util
import subprocess
import sys

ALONE = """
import numpy as np, attractivenet as an
def ours():
    x = np.random.default_rng(1).integers(0, 256, (16, 64, 64, 3), np.uint8)
    model = an.MobileNetV2(size=64, alpha=0.35, seed=1)
    model.fit(x, np.arange(16.0), batch_size=8, epochs=2, verbose=0)
    return x, model
x, model = ours()
print(model.to_bytes().hex()[-64:], model.predict(x).tobytes().hex())
"""
WORK = {
    "torch": """
import torch
def other():
    a = torch.randn(256, 256, generator=torch.Generator().manual_seed(1))
    c = torch.nn.functional.conv2d(a.reshape(1, 1, 256, 256), torch.ones(4, 1, 3, 3))
    assert torch.allclose(torch.linalg.inv(a) @ a, torch.eye(256), atol=1e-2) and c.shape == (1, 4, 254, 254)
t = torch.from_numpy(x)
assert np.array_equal(model.predict(t), model.predict(x))
assert np.array_equal(model.predict(t[:, 3:40, 5:50]), model.predict(x[:, 3:40, 5:50]))
s = torch.from_dlpack(model.predict(t)); assert s.shape == (16, 1)
""",
    "tensorflow": """
import tensorflow as tf
def other():
    a = tf.random.stateless_normal((256, 256), [1, 2])
    assert np.allclose(tf.linalg.inv(a) @ a, np.eye(256), atol=1e-2)
t = tf.constant(x)
assert np.array_equal(model.predict(t), model.predict(x))
""",
}
THREADS = """
import concurrent.futures
other()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    jobs = [pool.submit(other) if k % 2 else pool.submit(model.predict, x) for k in range(12)]
    assert all(np.array_equal(job.result(), model.predict(x)) for job in jobs[::2])
    [job.result() for job in jobs]
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def main():
    failed = 0
    alone = run(ALONE)
    if alone.returncode:
        sys.exit(alone.stderr)
    for name, work in WORK.items():
        if importlib.util.find_spec(name) is None:
            print(f"ok - beside {name} # SKIP not installed")
            continue
        for order in (f"import {name}\nimport attractivenet\n", f"import attractivenet\nimport {name}\n"):
            done = run(order + ALONE + work + THREADS)
            good = done.returncode == 0 and done.stdout == alone.stdout
            failed += not good
            print(f"{'ok' if good else 'not ok'} - {', then '.join(order.split()[1::2])}")
            if not good:
                print("\n".join("# " + line for line in (done.stderr or "other bits than alone").splitlines()[-30:]))
    sys.exit(1 if failed else 0)


main()
