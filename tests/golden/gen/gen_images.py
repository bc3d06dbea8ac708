# SPDX-License-Identifier: MIT
"""Topic images: cv2.imread of JPEG/PNG files, cv2.resize INTER_LINEAR on uint8, scale modes."""
from common import *
import struct, zlib
import cv2
from PIL import Image, ExifTags
import faces

cv2.setNumThreads(1)
DEF = dict(seed=11, sizes=[[64, 48], [61, 47], [1, 1], [7, 5], [5, 7], [17, 1], [1, 17], [16, 16], [33, 31], [2, 2], [3, 9]],
           resize=[[[400, 500], [350, 350]], [[350, 350], [224, 224]], [[200, 200], [350, 350]], [[1, 1], [120, 120]],
                   [[350, 350], [96, 96]], [[500, 500], [250, 250]], [[192, 192], [96, 96]], [[192, 96], [96, 48]], [[192, 190], [96, 96]],
                   [[37, 53], [150, 150]], [[240, 320], [175, 175]], [[7, 5], [13, 11]], [[2, 2], [5, 3]], [[3, 3], [2, 2]],
                   [[96, 96], [96, 96]], [[100, 300], [96, 96]], [[1, 9], [4, 4]], [[9, 1], [4, 4]], [[11, 11], [1, 1]],
                   [[288, 288], [96, 96]], [[384, 384], [96, 96]], [[97, 95], [96, 96]], [[48, 48], [96, 96]], [[250, 250], [125, 124]]])
out, C = args("images", DEF)
rng = np.random.default_rng(C["seed"])
(out / "files").mkdir(exist_ok=True)


def image(h, w):
    p = faces.params(rng)
    a = faces.draw(p, rng)
    y = np.linspace(0, 349, h).round().astype(int)
    x = np.linspace(0, 349, w).round().astype(int)
    a = a[y][:, x].astype(int) + rng.integers(-12, 13, (h, w, 3))
    return np.clip(a, 0, 255).astype(np.uint8)


files = {}
def put(name, b):
    (out / "files" / name).write_bytes(b)
    files[name] = b
def pj(a, **kw):
    b = io.BytesIO()
    Image.fromarray(a).save(b, "JPEG", **kw)
    return b.getvalue()

for h, w in C["sizes"]:
    a = image(h, w)
    for nm, ss in (("444", 0), ("422", 1), ("420", 2)):
        put(f"base_{nm}_{h}x{w}.jpg", pj(a, quality=88, subsampling=ss))
    put(f"gray_{h}x{w}.jpg", pj(a[:, :, 1].copy(), quality=88))
    put(f"prog_420_{h}x{w}.jpg", pj(a, quality=80, subsampling=2, progressive=True))
a = image(61, 75)
for q in (1, 10, 50, 75, 95, 100):
    put(f"q{q}_420.jpg", pj(a, quality=q, subsampling=2))
    put(f"q{q}_444.jpg", pj(a, quality=q, subsampling=0))
for nm, sf in (("411", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411), ("440", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440)):
    put(f"base_{nm}_61x75.jpg", cv2.imencode(".jpg", a[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sf])[1].tobytes())
put("prog_444_61x75.jpg", pj(a, quality=92, subsampling=0, progressive=True, optimize=True))
put("prog_gray_61x75.jpg", pj(a[:, :, 0].copy(), quality=92, progressive=True))
put("opt_huff_420.jpg", pj(a, quality=90, subsampling=2, optimize=True))
for k in (1, 3, 7):
    put(f"rst_blocks{k}_420.jpg", pj(a, quality=85, subsampling=2, restart_marker_blocks=k))
put("rst_rows1_444.jpg", pj(a, quality=85, subsampling=0, restart_marker_rows=1))
put("rst_prog_420.jpg", pj(a, quality=85, subsampling=2, progressive=True, restart_marker_blocks=2))
nb = rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)
put("noise_420.jpg", pj(nb, quality=60, subsampling=2))
put("noise_444_q100.jpg", pj(nb, quality=100, subsampling=0))
sat = np.zeros((32, 48, 3), np.uint8); sat[:, ::2] = (255, 0, 0); sat[::2, 1::2] = (0, 0, 255)
put("saturated_420.jpg", pj(sat, quality=30, subsampling=2))
put("saturated_444.jpg", pj(sat, quality=30, subsampling=0))
# RGB colour space inside JPEG (Adobe transform 0), CMYK, YCCK
put("adobe_rgb.jpg", pj(a, quality=90, subsampling=0, keep_rgb=True))
cm = np.dstack([255 - a, np.full(a.shape[:2], 40, np.uint8)])
b = io.BytesIO(); Image.fromarray(cm, "CMYK").save(b, "JPEG", quality=92); cmyk = b.getvalue()
put("cmyk.jpg", cmyk)
ycc = cv2.cvtColor(a, cv2.COLOR_RGB2YCrCb)[:, :, [0, 2, 1]]
yk = np.dstack([255 - ycc, 255 - np.full(a.shape[:2], 200, np.uint8)])       # PIL inverts CMYK when saving
b = io.BytesIO(); Image.fromarray(np.ascontiguousarray(yk), "CMYK").save(b, "JPEG", quality=92)
y = bytearray(b.getvalue()); i = y.index(b"Adobe"); assert y[i + 11] == 0; y[i + 11] = 2
put("ycck.jpg", bytes(y))
# EXIF orientations, both byte orders
for o in range(1, 9):
    for en in "<>":
        t = (b"II" if en == "<" else b"MM") + struct.pack(en + "HI", 42, 8) + struct.pack(en + "H", 1) + \
            struct.pack(en + "HHIHH", 0x0112, 3, 1, o, 0) + struct.pack(en + "I", 0)
        put(f"exif_{o}_{'le' if en == '<' else 'be'}.jpg", pj(a, quality=90, subsampling=2, exif=b"Exif\0\0" + t))
for o in (0, 9):
    t = b"II" + struct.pack("<HI", 42, 8) + struct.pack("<H", 1) + struct.pack("<HHIHH", 0x0112, 3, 1, o, 0) + struct.pack("<I", 0)
    put(f"exif_bad_{o}.jpg", pj(a, quality=90, subsampling=2, exif=b"Exif\0\0" + t))
put("exif_garbage.jpg", pj(a, quality=90, subsampling=2, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"))
put("icc.jpg", pj(a, quality=90, subsampling=2, icc_profile=b"not really a profile" * 20))
put("comment.jpg", pj(a, quality=90, subsampling=2, comment=b"hello"))
full = faces.dataset(1, C["seed"] + 5, 90)[0][1]
put("face_350x350.jpg", full)
# damaged
g = pj(a, quality=88, subsampling=2)
put("cut_half.jpg", g[:len(g) // 2]); put("cut_no_eoi.jpg", g[:-2]); put("cut_header.jpg", g[:60]); put("trailing.jpg", g + b"trailing bytes" * 9)
gb = bytearray(g); s = g.index(b"\xff\xda") + 14
for k in range(s + 40, s + 60): gb[k] = 0x55
put("corrupt_scan.jpg", bytes(gb))
# PNG
def png(name, h, w, depth, ctype, rows, extra=b"", interlace=0):
    ch = lambda t, d: struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
    put(name, b"\x89PNG\r\n\x1a\n" + ch(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, ctype, 0, 0, interlace)) + extra +
        ch(b"IDAT", zlib.compress(rows, 9)) + ch(b"IEND", b""))
def chunk(t, d): return struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
def pp(name, im, **kw):
    b = io.BytesIO(); im.save(b, "PNG", **kw); put(name, b.getvalue())
a2 = image(23, 31)
pp("rgb.png", Image.fromarray(a2)); pp("gray.png", Image.fromarray(a2[:, :, 1].copy()))
al = np.dstack([a2, rng.integers(0, 256, a2.shape[:2], dtype=np.uint8)])
pp("rgba.png", Image.fromarray(al)); pp("la.png", Image.fromarray(al[:, :, 2:].copy(), "LA"))
pp("palette.png", Image.fromarray(a2).quantize(17)); pp("palette4.png", Image.fromarray(a2).quantize(4), bits=2)
pp("palette_trns.png", Image.fromarray(a2).quantize(9), transparency=3)
pp("gray1.png", Image.fromarray(a2[:, :, 1].copy()).convert("1"))
g16 = rng.integers(0, 65536, (9, 13), dtype=np.uint16); c16 = rng.integers(0, 65536, (9, 13, 3), dtype=np.uint16)
put("gray16.png", cv2.imencode(".png", g16)[1].tobytes()); put("rgb16.png", cv2.imencode(".png", c16)[1].tobytes())
put("rgba16.png", cv2.imencode(".png", np.dstack([c16, g16]))[1].tobytes())
for d in (2, 4):
    png(f"gray{d}.png", 5, 8, d, 0, b"".join(b"\0" + bytes(rng.integers(0, 256, d, dtype=np.uint8)) for _ in range(5)))
png("rgb_trns.png", 2, 2, 8, 2, b"\0\x01\x02\x03\x04\x05\x06\0\x07\x08\x09\x01\x02\x03", chunk(b"tRNS", bytes([0, 1, 0, 2, 0, 3])))
png("gamma.png", 2, 2, 8, 2, b"\0\x01\x02\x03\x04\x05\x06\0\x47\x88\xa9\x01\x02\x03", chunk(b"gAMA", struct.pack(">I", 45455)))
pp("one.png", Image.fromarray(a2[:1, :1].copy()))
def adam7(arr):
    r = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        p = arr[y0::dy, x0::dx]
        if p.size:
            r += b"".join(b"\0" + row.tobytes() for row in p)
    return r
png("interlaced.png", 23, 31, 8, 2, adam7(a2), interlace=1)
put("bad_crc.png", files["rgb.png"][:-20] + b"\xff" + files["rgb.png"][-19:])
put("cut.png", files["rgb.png"][:300])
put("text.jpg", b"this is no image"); put("empty.jpg", b"")

exp, rep = {}, {}
tmp = out / "files"
for n in sorted(files):
    im = cv2.imread(str(tmp / n))                        # IMREAD_COLOR
    raw = cv2.imread(str(tmp / n), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    r = dict(bytes=len(files[n]))
    if im is None:
        r["decodes"] = False
    else:
        rgb = cv2.cvtColor(im, cv2.COLOR_BGR2RGB)
        exp[n] = rgb
        r.update(decodes=True, h=im.shape[0], w=im.shape[1], mean=float(rgb.mean()), sha256=sha256(rgb.tobytes()),
                 orientation_changes=bool(raw.shape != im.shape or (raw != im).any()))
        try:
            pil = np.asarray(Image.open(io.BytesIO(files[n])).convert("RGB"))
            ref = cv2.cvtColor(raw, cv2.COLOR_BGR2RGB)
            r["max_diff_vs_pillow_unrotated"] = int(np.abs(pil.astype(int) - ref.astype(int)).max()) if pil.shape == ref.shape else "shape"
        except Exception as e:
            r["max_diff_vs_pillow_unrotated"] = type(e).__name__
    rep[n] = r
save(out / "decoded_rgb.safetensors", exp)

# ------------------------------------------------------------------ resize
def spec_resize(src, dh, dw):
    """the fixed-point algorithm of the spec, in NumPy"""
    sh, sw, _ = src.shape
    if (sh, sw) == (dh, dw):
        return src.copy()
    if sh == 2 * dh and sw == 2 * dw:                      # exact 2:1 in both directions: area average
        s = src.astype(np.int32)
        return ((s[0::2, 0::2] + s[0::2, 1::2] + s[1::2, 0::2] + s[1::2, 1::2] + 2) >> 2).astype(np.uint8)
    def coef(n, sn, clamp):
        scale = 1.0 / (float(n) / float(sn))
        f = ((np.arange(n) + 0.5) * scale - 0.5).astype(np.float32)
        i = np.floor(f).astype(np.int64)
        f = f - i.astype(np.float32)
        if clamp:
            f = np.where(i < 0, np.float32(0), f); i = np.where(i < 0, 0, i)
            f = np.where(i >= sn - 1, np.float32(0), f); i = np.where(i >= sn - 1, sn - 1, i)
        w0 = np.rint((np.float32(1) - f) * np.float32(2048)).astype(np.int32)
        w1 = np.rint(f * np.float32(2048)).astype(np.int32)
        return i, w0, w1
    xi, a0, a1 = coef(dw, sw, True)
    yi, b0, b1 = coef(dh, sh, False)
    s = src.astype(np.int32)
    x1 = np.minimum(xi + 1, sw - 1)
    H = s[:, xi] * a0[None, :, None] + s[:, x1] * a1[None, :, None]      # scale 2^11
    r0 = H[np.clip(yi, 0, sh - 1)]; r1 = H[np.clip(yi + 1, 0, sh - 1)]
    v = ((b0[:, None, None] * (r0 >> 4)) >> 16) + ((b1[:, None, None] * (r1 >> 4)) >> 16)
    return np.clip((v + 2) >> 2, 0, 255).astype(np.uint8)

arr, rr = {}, []
for k, ((sh, sw), (dh, dw)) in enumerate(C["resize"]):
    src = image(sh, sw) if k % 2 == 0 else rng.integers(0, 256, (sh, sw, 3), dtype=np.uint8)
    dst = cv2.resize(src, (dw, dh))
    mine = spec_resize(src, dh, dw)
    arr[f"r{k:02d}.src"], arr[f"r{k:02d}.dst"] = src, dst
    rr.append(dict(key=f"r{k:02d}", src=[sh, sw], dst=[dh, dw], spec_max_diff=int(np.abs(mine.astype(int) - dst).max()), spec_n_diff=int((mine != dst).sum())))
save(out / "resize.safetensors", arr)
# the whole preprocess: file -> RGB -> 350x350 / 96x96
pre = {}
for n in ("face_350x350.jpg", f"base_420_{C['sizes'][1][0]}x{C['sizes'][1][1]}.jpg", "exif_6_le.jpg", "rgb.png"):
    rgb = cv2.cvtColor(cv2.imread(str(tmp / n)), cv2.COLOR_BGR2RGB)
    for t in (350, 96):
        if n[:4] != "face" and t == 350:
            continue
        pre[f"{n}.{t}"] = cv2.resize(rgb, (t, t))
save(out / "preprocess.safetensors", pre)
u = np.arange(256, dtype=np.uint8)
lut = {"unit": u / 255, "tf": u / 127.5 - 1.0, "seed": u / .255}
save(out / "scale_lut.safetensors", {**{k + ".f64": v for k, v in lut.items()}, **{k + ".f32": v.astype(np.float32) for k, v in lut.items()}})
f = u.astype(np.float32)
lutdiff = dict(unit=int((f / np.float32(255) != lut["unit"].astype(np.float32)).sum()),
               tf=int((f / np.float32(127.5) - np.float32(1) != lut["tf"].astype(np.float32)).sum()),
               seed=int((f / np.float32(.255) != lut["seed"].astype(np.float32)).sum()))
# a wider random check of the written resize algorithm
nchk = nbad = 0
rg = np.random.default_rng(C["seed"] + 99)
for _ in range(300):
    sh, sw, dh, dw = rg.integers(1, 130, 4)
    s = rg.integers(0, 256, (sh, sw, 3), dtype=np.uint8)
    nchk += 1
    d = cv2.resize(s, (int(dw), int(dh)))
    if (d != spec_resize(s, dh, dw)).any():
        nbad += 1
        print("resize differs", sh, sw, dh, dw, np.abs(d.astype(int) - spec_resize(s, dh, dw)).max())
jdump(out / "report.json", dict(opencv=cv2.__version__, pillow=__import__("PIL").__version__, resize=rr, random_check=dict(cases=nchk, differing=nbad),
                                float32_only_division_differs_in_n_of_256=lutdiff, files=rep))
print("resize random check", nchk, nbad, lutdiff)
print([r for r in rr if r["spec_n_diff"]])
for n, r in rep.items():
    if not r["decodes"] or r.get("max_diff_vs_pillow_unrotated") != 0:
        print(n, r)
