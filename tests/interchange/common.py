# SPDX-License-Identifier: MIT
"""What the checks of other tools share: running the program, models as safetensors, settled networks, images, limits.
Plain Python; NumPy where it says so."""
import array
import json
import math
import random
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from png import write_png  # noqa: E402

PROGRAM = Path(sys.argv[1]).resolve()


def call(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def must(*arguments):
    status, out, err = call(*arguments)
    if status:
        raise SystemExit(f"{arguments}: exit status {status}\n{err}")
    return out


# --- models ----------------------------------------------------------------------------------------------------------

def read_safetensors(path):
    """Metadata, and name: (shape, array of floats)."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    return metadata, {name: (entry["shape"], array.array("f", data[8 + size + entry["data_offsets"][0]:
                                                               8 + size + entry["data_offsets"][1]]))
                      for name, entry in header.items()}


def write_safetensors(path, metadata, arrays):
    header, place = {"__metadata__": metadata}, 0
    for name, (shape, values) in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [place, place + 4 * len(values)]}
        place += 4 * len(values)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(values.tobytes() for _, values in arrays.values()))


def settled(path, seed, **metadata):
    """Put a network with random weights of which no layer is dead in place of that in path."""
    draw = random.Random(seed)
    old, arrays = read_safetensors(path)
    for name, (shape, values) in arrays.items():
        kind = name.rsplit("/", 1)[1]
        fan = math.prod(shape[:-1]) if "depthwise" not in kind else 9
        for i in range(len(values)):
            values[i] = {"gamma": lambda: draw.uniform(0.7, 1.1), "beta": lambda: draw.gauss(0.4, 0.4),
                         "moving_mean": lambda: draw.gauss(0, 0.2), "moving_variance": lambda: draw.uniform(0.6, 1.4),
                         "bias": lambda: draw.gauss(0, 1)}.get(kind, lambda: draw.gauss(0, 1.25 / math.sqrt(fan)))()
    write_safetensors(path, dict(old, **metadata), arrays)


def untrained(work, side, alpha, *options):
    """A model file of our own with random weights, made by the program; settle it before its outputs are compared."""
    data, out = work / f"faces_{side}.zip", work / f"run_{side}_{alpha}"
    if not data.exists():
        must("faces", "--out", data, "--count", "24", "--size", side, "--quiet")
    must("train", "--data", data, "--out", out, "--weights", "none", "--size", side, "--alpha", alpha, "--epochs1", "0",
         "--epochs2", "1", "--quiet", *options)
    return out / "model.safetensors"


# --- images ----------------------------------------------------------------------------------------------------------

def make_images(folder, side, count=3, seed=5):
    """PNG files 0.png, 1.png, ... of random pixels, each with a colour of its own; as lists [row][column][channel]."""
    draw, images = random.Random(seed), []
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        bright = [230 if c == i % 3 else 25 for c in range(3)]  # one is red, one green, one blue
        images.append([[[draw.randint(value - 25, value + 25) for value in bright] for _ in range(side)]
                       for _ in range(side)])
        write_png(folder / f"{i}.png", bytes(value for row in images[-1] for pixel in row for value in pixel), side, side)
    return images


def scores(model, folder):
    """What the program predicts for the images of a folder: a list of outputs for each, in the order of their names."""
    lines = must("predict", "--model", model, folder).splitlines()
    return [[float(number) for number in line.split("\t")[1:]] for line in sorted(lines)]


# --- limits ----------------------------------------------------------------------------------------------------------

def differences(got, want, absolute=1e-4, relative=1e-4, distance=2e-5):
    """Problems (texts) of outputs [image][output] against ours: each within the limits, and the L2 distance, relative
    to ours, within `distance` (None: not checked). Outputs that hardly differ between images prove nothing."""
    flat = [(float(g), float(w)) for row, right in zip(got, want) for g, w in zip(row, right)]
    if len(got) != len(want) or any(len(row) != len(right) for row, right in zip(got, want)):
        return [f"{len(got)} rows of {len(got[0])} outputs; ours are {len(want)} of {len(want[0])}"]
    problems = [f"{g} instead of {w}" for g, w in flat if not abs(g - w) <= absolute + relative * abs(w)][:5]
    norm = math.sqrt(sum(w * w for _, w in flat))
    off = math.sqrt(sum((g - w) ** 2 for g, w in flat)) / norm if norm else math.inf
    if distance is not None and not off <= distance:
        problems.append(f"L2 distance {off:.3g}, limit {distance}")
    spread = max(max(column) - min(column) for column in zip(*want))
    if len(want) > 1 and spread < 1e-3:
        problems.append(f"the network's outputs hardly differ between images: {spread}")
    return problems
