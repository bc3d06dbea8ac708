# SPDX-License-Identifier: MIT
"""Synthetic 'faces' (ellipses) with a learnable score. All drawn by code; no person is shown."""
import colorsys, io, math
import numpy as np
from PIL import Image, ImageDraw

SS = 2          # supersampling
N = 350


def _rgb(h, s, v):
    return tuple(int(round(255 * c)) for c in colorsys.hsv_to_rgb(h % 1.0, min(max(s, 0), 1), min(max(v, 0), 1)))


def params(rng):
    p = dict(
        ratio=rng.uniform(0.60, 0.95),        # face width / height
        height=rng.uniform(0.56, 0.70),       # of the frame
        cx=rng.uniform(-0.05, 0.05), cy=rng.uniform(-0.03, 0.05),
        tilt=rng.uniform(-10, 10),
        skin=(rng.uniform(0.03, 0.10), rng.uniform(0.18, 0.62), rng.uniform(0.45, 0.98)),
        hair=(rng.uniform(0.0, 0.12), rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.65)),
        hair_len=rng.uniform(0.0, 1.0),
        bg=(rng.uniform(0, 1), rng.uniform(0.0, 0.7), rng.uniform(0.3, 1.0)),
        bg2=(rng.uniform(0, 1), rng.uniform(0.0, 0.7), rng.uniform(0.3, 1.0)),
        eye_w=rng.uniform(0.14, 0.30), eye_open=rng.uniform(0.35, 0.85),
        eye_gap=rng.uniform(0.36, 0.60), eye_y=rng.uniform(-0.16, -0.04),
        iris=rng.uniform(0.05, 0.65),
        asym=abs(rng.normal(0, 0.035)),
        brow=rng.uniform(-0.35, 0.35), brow_w=rng.uniform(0.02, 0.06),
        nose=rng.uniform(0.06, 0.16),
        mouth_w=rng.uniform(0.26, 0.52), smile=rng.uniform(-0.7, 1.0), lip=rng.uniform(0.3, 1.5),
        spots=int(rng.integers(0, 26)),
        noise=rng.uniform(0.5, 4.0),
        letterbox=rng.uniform() < 0.3, light=rng.uniform(-0.25, 0.25),
    )
    # all cues are drawn shapes; the skin, hair and background colours never enter the score
    z = (0.6 * p["smile"]
         + 0.8 * (p["eye_w"] - 0.22) / 0.08
         + 0.6 * (p["eye_open"] - 0.6) / 0.25
         + 0.7 * (p["lip"] - 0.9) / 0.6
         - 8.0 * p["asym"]
         - 0.10 * (p["spots"] - 12)
         - 1.3 * (p["ratio"] - 0.76) / 0.10
         + 0.8 * (p["hair_len"] - 0.5) / 0.3
         + 0.3)
    s = 1.0 + 4.0 / (1.0 + math.exp(-0.65 * z))
    s = s + rng.normal(0, 0.12)
    # mean of 60 raters, printed as in the real list
    p["score"] = round(min(max(s, 1.0), 5.0) * 60) / 60
    return p


def draw(p, rng):
    n = N * SS
    yy = np.linspace(0, 1, n)[:, None, None]
    bg = np.array(_rgb(*p["bg"]), float) * (1 - yy) + np.array(_rgb(*p["bg2"]), float) * yy
    im = Image.fromarray(np.broadcast_to(bg, (n, n, 3)).round().astype(np.uint8).copy())
    H = p["height"] * n
    W = H * p["ratio"]
    cx, cy = n * (0.5 + p["cx"]), n * (0.5 + p["cy"])
    hairc = _rgb(*p["hair"])
    d = ImageDraw.Draw(im)
    # shoulders, hair behind
    sh = _rgb(p["bg"][0] + 0.5, 0.5, 0.4)
    d.ellipse([cx - W * 1.1, cy + H * 0.45, cx + W * 1.1, cy + H * 1.4], fill=sh)
    hl = H * (0.15 + 0.5 * p["hair_len"])
    d.ellipse([cx - W * 0.62, cy - H * 0.62, cx + W * 0.62, cy + hl], fill=hairc)
    layer = Image.new("RGBA", (n, n), (0, 0, 0, 0))
    L = ImageDraw.Draw(layer)
    skin = _rgb(*p["skin"])
    dark = _rgb(p["skin"][0], p["skin"][1] * 1.2, p["skin"][2] * 0.62)
    L.rectangle([cx - W * 0.2, cy + H * 0.3, cx + W * 0.2, cy + H * 0.62], fill=dark + (255,))
    L.ellipse([cx - W / 2, cy - H / 2, cx + W / 2, cy + H / 2], fill=skin + (255,))
    # fringe
    L.chord([cx - W / 2, cy - H / 2, cx + W / 2, cy + H / 2], 215, 325, fill=hairc + (255,))
    for i in range(p["spots"]):
        a, r = rng.uniform(0, 2 * math.pi), math.sqrt(rng.uniform(0, 1)) * 0.42
        x, y = cx + W * r * math.cos(a), cy + H * r * math.sin(a)
        q = n * rng.uniform(0.008, 0.014)
        L.ellipse([x - q, y - q, x + q, y + q], fill=dark + (255,))
    ew = p["eye_w"] * W
    eh = ew * p["eye_open"]
    for sgn in (-1, 1):
        ex = cx + sgn * p["eye_gap"] * W / 2
        ey = cy + p["eye_y"] * H + (p["asym"] * H if sgn > 0 else 0)
        L.ellipse([ex - ew / 2, ey - eh / 2, ex + ew / 2, ey + eh / 2], fill=(250, 250, 248, 255))
        r = min(eh, ew) * 0.46
        L.ellipse([ex - r, ey - r, ex + r, ey + r], fill=_rgb(p["iris"], 0.6, 0.5) + (255,))
        L.ellipse([ex - r / 2, ey - r / 2, ex + r / 2, ey + r / 2], fill=(10, 10, 12, 255))
        by = ey - eh / 2 - 0.05 * H
        dy = sgn * p["brow"] * 0.05 * H
        L.line([ex - ew * 0.6, by - dy, ex + ew * 0.6, by + dy], fill=hairc + (255,), width=int(p["brow_w"] * 0.5 * H))
    nx = p["nose"] * W
    L.polygon([(cx, cy - 0.02 * H), (cx - nx, cy + 0.14 * H), (cx + nx, cy + 0.14 * H)], fill=dark + (255,))
    mw = p["mouth_w"] * W
    my = cy + 0.27 * H
    t = np.linspace(-1, 1, 25)
    curve = p["smile"] * 0.06 * H
    th = p["lip"] * 0.05 * H
    up = [(cx + mw / 2 * a, my - curve * (a * a - 0.5) * 1.0 - th * (1 - a * a)) for a in t]
    lo = [(cx + mw / 2 * a, my - curve * (a * a - 0.5) * 1.0 + th * (1 - a * a)) for a in t[::-1]]
    L.polygon(up + lo, fill=_rgb(0.97, 0.65, 0.45 + 0.4 * p["skin"][2]) + (255,))
    layer = layer.rotate(p["tilt"], resample=Image.BILINEAR, center=(cx, cy))
    im.paste(layer, (0, 0), layer)
    if p["letterbox"]:
        w = int(n * 0.11)
        d = ImageDraw.Draw(im)
        d.rectangle([0, 0, w, n], fill=(255, 255, 255))
        d.rectangle([n - w, 0, n, n], fill=(255, 255, 255))
    a = np.asarray(im.resize((N, N), Image.BOX), np.float32)
    a = a * (1 + p["light"] * np.linspace(-1, 1, N)[None, :, None])
    a = a + rng.normal(0, p["noise"], (N, N, 1)) + rng.normal(0, 0.4 * p["noise"], (N, N, 3))
    return np.clip(np.rint(a), 0, 255).astype(np.uint8)


def jpeg(a, quality=90, subsampling=2, **kw):
    b = io.BytesIO()
    Image.fromarray(a).save(b, "JPEG", quality=quality, subsampling=subsampling, **kw)
    return b.getvalue()


PREFIX = (("AF", 2000), ("AM", 2000), ("CF", 750), ("CM", 750))


def dataset(n, seed, quality=90):
    """-> list of (name, jpeg bytes, score, params); names as in the real list, unordered numbers."""
    rng = np.random.default_rng(seed)
    tot = sum(c for _, c in PREFIX)
    cnt = [round(n * c / tot) for _, c in PREFIX]
    cnt[0] += n - sum(cnt)
    res = []
    for (pre, _), c in zip(PREFIX, cnt):
        for i in range(1, c + 1):
            p = params(rng)
            res.append((f"{pre}{i}.jpg", jpeg(draw(p, rng), quality, 2), p["score"], p))
    return res
