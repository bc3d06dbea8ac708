# SPDX-License-Identifier: MIT
"""Executable spec: baseline JPEG -> RGB as libjpeg-turbo (islow DCT, fancy upsampling) and OpenCV's CMYK rule compute it.
Run as a program: compares with ../images/decoded_rgb.safetensors (EXIF turning included, progressive files skipped)."""
import struct, sys, pathlib
import numpy as np

ZZ = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63]


def idct1(v, shift, pre):
    """one pass over axis 0 of an int64 [8,...] array; constants are x*2^13 rounded"""
    z2, z3 = v[2], v[6]
    z1 = (z2 + z3) * 4433
    t2 = z1 - z3 * 15137
    t3 = z1 + z2 * 6270
    t0 = (v[0] + v[4]) << 13
    t1 = (v[0] - v[4]) << 13
    e = [t0 + t3, t1 + t2, t1 - t2, t0 - t3]
    a, b, c, d = v[7], v[5], v[3], v[1]
    z1, z2, z3, z4 = a + d, b + c, a + c, b + d
    z5 = (z3 + z4) * 9633
    a, b, c, d = a * 2446, b * 16819, c * 25172, d * 12299
    z1, z2, z3, z4 = -z1 * 7373, -z2 * 20995, -z3 * 16069 + z5, -z4 * 3196 + z5
    a, b, c, d = a + z1 + z3, b + z2 + z4, c + z2 + z3, d + z1 + z4
    o = [e[0] + d, e[1] + c, e[2] + b, e[3] + a, e[3] - a, e[2] - b, e[1] - c, e[0] - d]
    r = 1 << (shift - 1)
    return np.stack([(x + r) >> shift for x in o])


def idct(block):
    w = idct1(block.reshape(8, 8).astype(np.int64), 11, 0)          # columns, keeps 2 extra bits
    p = idct1(w.T, 18, 0).T                                          # rows
    return np.clip(p + 128, 0, 255).astype(np.int32)


class Bits:
    def __init__(s, d): s.d, s.p, s.a, s.n = d, 0, 0, 0
    def bit(s):
        if s.n == 0:
            b = s.d[s.p] if s.p < len(s.d) else 0
            s.p += 1
            if b == 0xFF: s.p += 1                                   # stuffed zero
            s.a, s.n = b, 8
        s.n -= 1
        return (s.a >> s.n) & 1
    def get(s, k):
        v = 0
        for _ in range(k): v = v * 2 + s.bit()
        return v
    def huff(s, t):
        c, l = 0, 0
        while True:
            c = c * 2 + s.bit(); l += 1
            if (l, c) in t: return t[(l, c)]
            if l > 16: raise ValueError("bad code")
def ext(v, k): return v if k == 0 or v >= 1 << (k - 1) else v - (1 << k) + 1


def decode(b):
    p, q, H, comps, dri, adobe, orient = 2, {}, {}, [], 0, None, 1
    while True:
        m, l = b[p + 1], struct.unpack(">H", b[p + 2:p + 4])[0]
        s = b[p + 4:p + 2 + l]
        if m == 0xDB:
            while s:
                n = 128 if s[0] >> 4 else 64
                q[s[0] & 15] = np.array(struct.unpack(">64H" if n == 128 else "64B", s[1:1 + n])); s = s[1 + n:]
        elif m == 0xC4:
            while s:
                cnt = s[1:17]; c = k = 0; t = {}
                for L in range(1, 17):
                    for _ in range(cnt[L - 1]): t[(L, c)] = s[17 + k]; c += 1; k += 1
                    c *= 2
                H[s[0]] = t; s = s[17 + k:]
        elif m in (0xC0, 0xC1):
            h, w = struct.unpack(">HH", s[1:5])
            comps = [dict(id=s[6 + 3 * i], h=s[7 + 3 * i] >> 4, v=s[7 + 3 * i] & 15, q=s[8 + 3 * i]) for i in range(s[5])]
        elif 0xC2 <= m <= 0xCF: return None
        elif m == 0xDD: dri = struct.unpack(">H", s)[0]
        elif m == 0xEE and s[:5] == b"Adobe": adobe = s[11]
        elif m == 0xE1 and s[:6] == b"Exif\0\0" and len(s) > 20:
            t = s[6:]; E = "<" if t[:2] == b"II" else ">"
            o = struct.unpack(E + "I", t[4:8])[0]
            if o + 2 <= len(t):
                for i in range(struct.unpack(E + "H", t[o:o + 2])[0]):
                    e = t[o + 2 + 12 * i:o + 14 + 12 * i]
                    if len(e) == 12 and struct.unpack(E + "H", e[:2])[0] == 0x112: orient = struct.unpack(E + "H", e[8:10])[0]
        elif m == 0xDA:
            for i in range(s[0]):
                for c in comps:
                    if c["id"] == s[1 + 2 * i]: c["dc"], c["ac"] = H[s[2 + 2 * i] >> 4], H[0x10 | (s[2 + 2 * i] & 15)]
            p += 2 + l
            break
        p += 2 + l
    hm, vm = max(c["h"] for c in comps), max(c["v"] for c in comps)
    if len(comps) == 1: comps[0]["h"] = comps[0]["v"] = hm = vm = 1
    mw, mh = -(-w // (8 * hm)), -(-h // (8 * vm))
    for c in comps: c["pl"] = np.zeros((mh * c["v"] * 8, mw * c["h"] * 8), np.int32); c["pred"] = 0
    # entropy-coded segments, cut at the restart markers
    segs, st, i = [], p, p
    while i < len(b) - 1:
        if b[i] == 0xFF and b[i + 1] != 0:
            if 0xD0 <= b[i + 1] <= 0xD7: segs.append(b[st:i]); st = i + 2
            elif b[i + 1] != 0xFF: break
            i += 1
        i += 1
    segs.append(b[st:i])
    bits = Bits(segs[0]); si = 0
    for mcu in range(mw * mh):
        if dri and mcu and mcu % dri == 0:
            si += 1; bits = Bits(segs[si])
            for c in comps: c["pred"] = 0
        my, mx = divmod(mcu, mw)
        for c in comps:
            for v in range(c["v"]):
                for u in range(c["h"]):
                    z = np.zeros(64, np.int64)
                    t = bits.huff(c["dc"]); c["pred"] += ext(bits.get(t), t); z[0] = c["pred"]
                    k = 1
                    while k < 64:
                        rs = bits.huff(c["ac"]); r, t = rs >> 4, rs & 15
                        if t == 0:
                            if r != 15: break
                            k += 16; continue
                        k += r; z[k] = ext(bits.get(t), t); k += 1
                    f = np.zeros(64, np.int64); f[ZZ] = z * q[c["q"]]
                    y0, x0 = (my * c["v"] + v) * 8, (mx * c["h"] + u) * 8
                    c["pl"][y0:y0 + 8, x0:x0 + 8] = idct(f)
    P = [upsample(c["pl"][:-(-h * c["v"] // vm), :-(-w * c["h"] // hm)], hm // c["h"], vm // c["v"])[:h, :w] for c in comps]
    def ycc(y, cb, cr):
        cb, cr = cb - 128, cr - 128
        return [np.clip(x, 0, 255) for x in (y + ((91881 * cr + 32768) >> 16), y + ((-22554 * cb - 46802 * cr + 32768) >> 16), y + ((116130 * cb + 32768) >> 16))]
    if len(P) == 1: rgb = P * 3
    elif len(P) == 3: rgb = P if adobe == 0 else ycc(*P)
    else:
        C, M, Y, K = P
        if adobe == 2: C, M, Y = [255 - x for x in ycc(C, M, Y)]
        rgb = [K - (((255 - x) * K) >> 8) for x in (C, M, Y)]
    a = np.stack(rgb, -1).astype(np.uint8)
    return {2: a[:, ::-1], 3: a[::-1, ::-1], 4: a[::-1], 5: a.transpose(1, 0, 2), 6: a.transpose(1, 0, 2)[:, ::-1],
            7: a.transpose(1, 0, 2)[::-1, ::-1], 8: a.transpose(1, 0, 2)[::-1]}.get(orient, a)


def upsample(x, fh, fv):
    n = x.shape[1]
    if (fh, fv) == (1, 1): return x
    if (fh, fv) == (2, 1) and n > 2:
        o = np.empty((x.shape[0], 2 * n), np.int32)
        l = np.pad(x, ((0, 0), (1, 0)), "edge")[:, :-1]; r = np.pad(x, ((0, 0), (0, 1)), "edge")[:, 1:]
        o[:, 0::2] = (3 * x + l + 1) >> 2; o[:, 1::2] = (3 * x + r + 2) >> 2
        o[:, 0], o[:, -1] = x[:, 0], x[:, -1]
        return o
    if (fh, fv) == (1, 2):
        o = np.empty((2 * x.shape[0], n), np.int32)
        up = np.vstack([x[:1], x[:-1]]); dn = np.vstack([x[1:], x[-1:]])
        o[0::2] = (3 * x + up + 1) >> 2; o[1::2] = (3 * x + dn + 2) >> 2
        return o
    if (fh, fv) == (2, 2) and n > 2:
        o = np.empty((2 * x.shape[0], 2 * n), np.int32)
        for k, nb in ((0, np.vstack([x[:1], x[:-1]])), (1, np.vstack([x[1:], x[-1:]]))):
            s = 3 * x + nb
            l = np.pad(s, ((0, 0), (1, 0)), "edge")[:, :-1]; r = np.pad(s, ((0, 0), (0, 1)), "edge")[:, 1:]
            o[k::2, 0::2] = (3 * s + l + 8) >> 4; o[k::2, 1::2] = (3 * s + r + 7) >> 4
            o[k::2, 0] = (4 * s[:, 0] + 8) >> 4; o[k::2, -1] = (4 * s[:, -1] + 7) >> 4
        return o
    return np.repeat(np.repeat(x, fv, 0), fh, 1)


if __name__ == "__main__":
    from safetensors.numpy import load_file
    d = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "images")
    ref = load_file(str(d / "decoded_rgb.safetensors"))
    ok = bad = skip = 0
    for n in sorted(ref):
        if not n.endswith(".jpg") or n.startswith(("cut_", "corrupt")): continue
        a = decode((d / "files" / n).read_bytes())
        if a is None: skip += 1; continue
        if a.shape == ref[n].shape and (a == ref[n]).all(): ok += 1
        else: bad += 1; print("differs", n, a.shape, ref[n].shape, np.abs(a.astype(int) - ref[n]).max() if a.shape == ref[n].shape else "")
    print(f"baseline files equal {ok}, different {bad}, progressive skipped {skip}")
