# SPDX-License-Identifier: MIT
"""Topic frames: cv2.cvtColor of camera formats to RGB, and cv2.resize of a region of the result.

usage: gen_frames.py OUT    OUT: a folder, as tests/golden/data/frames

Needs NumPy and OpenCV alone. frames.safetensors holds, for each case, the frame as it lies in memory, its
RGB, and a region [x, y, width, height] of that, resized. The metadata has the SHA-256 of the RGB of all 2^24
triples Y, U, V: U by U, of each U rows V, of each V columns Y.
"""
import hashlib
import json
import struct
import sys
from pathlib import Path

import cv2
import numpy as np

CODES = {
    "BGR": cv2.COLOR_BGR2RGB, "RGBA": cv2.COLOR_RGBA2RGB, "BGRA": cv2.COLOR_BGRA2RGB, "GREY": cv2.COLOR_GRAY2RGB,
    "NV12": cv2.COLOR_YUV2RGB_NV12, "YUYV": cv2.COLOR_YUV2RGB_YUYV,
}
PIXEL = {"BGR": (3,), "RGBA": (4,), "BGRA": (4,), "GREY": (), "NV12": (), "YUYV": (2,)}
# Height and width of the frame; region; height and width of what it becomes.
CASES = [
    ((12, 14), (3, 1, 9, 10), (7, 5)),
    ((20, 32), (1, 3, 30, 16), (8, 15)),  # an exact half
    ((48, 40), (5, 7, 33, 40), (4, 6)),  # rows that are not read
    ((2, 2), (1, 1, 1, 1), (3, 2)),
    ((6, 36), (0, 0, 36, 6), (6, 36)),
]


def all_triples():
    digest = hashlib.sha256()
    y, v = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    for u in range(256):
        frame = np.empty((256, 256, 2), np.uint8)
        frame[:, :, 0] = y
        frame[:, 0::2, 1] = u
        frame[:, 1::2, 1] = v[:, 1::2]
        digest.update(cv2.cvtColor(frame, CODES["YUYV"]).tobytes())
    return digest.hexdigest()


def write(path, arrays, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, array in arrays.items():
        content = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": {"uint8": "U8", "int32": "I32"}[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    arrays = {}
    for name, code in CODES.items():
        for number, ((h, w), (x, y, rw, rh), (th, tw)) in enumerate(CASES):
            rows = h * 3 // 2 if name == "NV12" else h
            frame = rng.integers(0, 256, (rows, w) + PIXEL[name], dtype=np.uint8)
            rgb = cv2.cvtColor(frame, code)
            assert rgb.shape == (h, w, 3)
            case = f"{name}.{number}"
            arrays[case + ".frame"] = frame
            arrays[case + ".rgb"] = rgb
            arrays[case + ".region"] = np.array([x, y, rw, rh], np.int32)
            region = np.ascontiguousarray(rgb[y:y + rh, x:x + rw])
            arrays[case + ".resized"] = cv2.resize(region, (tw, th), interpolation=cv2.INTER_LINEAR)
    write(out / "frames.safetensors", arrays, {"opencv": cv2.__version__, "numpy": np.__version__,
                                               "sha256_of_all": all_triples()})


if __name__ == "__main__":
    main()
