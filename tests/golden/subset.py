# SPDX-License-Identifier: MIT
"""Cut a small part out of a full folder of reference data, in the same layout.

usage: subset.py FULL [OUT]    OUT: tests/golden/data beside this script

The full folder is made by gen/gen_TOPIC.py (the libraries and versions are named in gen/README.md).
tests/golden/data holds what this script makes of it, so that a clean clone tests numbers, too. Cases are
kept whole, small ones first, up to a limit for each file.
"""
import json
import shutil
import struct
import sys
from pathlib import Path

COPIED = [
    "split/mt19937.safetensors", "split/tutorial_5500_seed42.safetensors",
    "images/scale_lut.safetensors",
    "training/adam.safetensors", "training/mini_batches.safetensors", "training/mini_initial.safetensors",
    "training/mini_final_float32.safetensors", "training/mini_final_float64.safetensors",
    "training/mini_first_gradients_float32.safetensors", "training/mini_first_gradients_float64.safetensors",
    "training/report.json",
    "callbacks/metrics.json", "callbacks/metrics.safetensors",
    "mobilenetv2/alpha_table.json", "mobilenetv2/sizes_padding.json",
]
# Small images of each kind that is decoded by a rule of its own.
IMAGES = [
    "cmyk.jpg", "base_420_7x5.jpg", "prog_420_7x5.jpg", "exif_6_le.jpg", "exif_8_be.jpg", "gray1.png", "gray16.png",
    "rgb16.png", "la.png", "palette4.png", "rgb_trns.png", "interlaced.png", "cut_half.jpg", "bad_crc.png",
]


def of_kept(case, kept):
    """A case is left out with its arrays."""
    return case if case["name"].split(".")[0] in kept else None


def of_kept_lists(case, kept):
    """The sizes of a split are a case without its lists, too."""
    return case if case.get("key") in kept else {k: v for k, v in case.items() if k != "key"}


# File, bytes to keep; the JSON list of cases that goes with it, and what becomes of one when arrays are cut.
CUT = [
    ("split/cases.safetensors", 80_000, "split/cases.json", of_kept_lists),
    ("images/resize.safetensors", 90_000, None, None),
    ("layers/layers.safetensors", 170_000, "layers/layers.json", of_kept),
]


def read(path):
    """Arrays in their order: (name, entry of the header, bytes); and the metadata."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    metadata = header.pop("__metadata__", None)
    data = content[8 + size:]
    return [(name, entry, data[slice(*entry["data_offsets"])]) for name, entry in header.items()], metadata


def write(path, arrays, metadata):
    header, data = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, entry, content in arrays:
        header[name] = dict(entry, data_offsets=[len(data), len(data) + len(content)])
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def cut(full, out, name, limit, list_name, choose):
    arrays, metadata = read(full / name)
    groups = {}
    for array in arrays:
        groups.setdefault(array[0].split(".")[0], []).append(array)
    kept, used = set(), 0
    for owner, group in sorted(groups.items(), key=lambda item: sum(len(a[2]) for a in item[1])):
        size = sum(len(content) + 90 for _, _, content in group)  # with its lines in the header
        if used + size > limit:
            break
        used += size
        kept.add(owner)
    write(out / name, [array for owner, group in groups.items() if owner in kept for array in group], metadata)
    if list_name:
        listing = json.loads((full / list_name).read_text())
        chosen = [choose(case, kept) for case in listing["cases"]]
        listing["cases"] = [case for case in chosen if case]
        (out / list_name).write_text(json.dumps(listing, indent=1) + "\n")
    print(f"{name}: {len(kept)} of {len(groups)} cases, {(out / name).stat().st_size} bytes")


def copy_images(full, out):
    arrays, metadata = read(full / "images/decoded_rgb.safetensors")
    write(out / "images/decoded_rgb.safetensors", [a for a in arrays if a[0] in IMAGES], metadata)
    report = json.loads((full / "images/report.json").read_text())
    report = {"files": {name: report["files"][name] for name in IMAGES}}
    (out / "images/report.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "images/files").mkdir(exist_ok=True)
    for name in IMAGES:
        shutil.copyfile(full / "images/files" / name, out / "images/files" / name)


def main():
    full = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).resolve().parent / "data"
    for name in COPIED + [entry[0] for entry in CUT]:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copyfile(full / name, out / name)
    for entry in CUT:
        cut(full, out, *entry)
    copy_images(full, out)
    print(f"{sum(f.stat().st_size for f in out.rglob('*') if f.is_file())} bytes in all")


if __name__ == "__main__":
    main()
