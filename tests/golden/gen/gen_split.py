# SPDX-License-Identifier: MIT
"""Topic split: sklearn.model_selection.train_test_split index lists."""
from common import *
import sklearn
from sklearn.model_selection import train_test_split

DEF = dict(
    main_seed=42,
    seeds=[0, 1, 42, 1337, 2**31, 2**32 - 1],
    ns=[2, 3, 10, 101, 4096],
    sizes=[0.5, 0.3, 0.25, 0.2, 0.1, 0.01, 0.999, "1/3", "2/3"],
    ints=[[10, None, 3], [10, 4, 3], [101, None, 100], [101, 0.5, 7], [10, 0.5, 0.3], [11, 0.5, 0.5], [10, 0.5, None], [7, 3, None]],
)
out, C = args("split", DEF)
fr = lambda s: (1 / 3 if s == "1/3" else 2 / 3 if s == "2/3" else s)

# --- raw generator
raw = {}
for s in C["seeds"]:
    r = np.random.RandomState(s)
    u = r.randint(0, 2**32, size=1300, dtype=np.uint32)  # full-range uint32 = raw outputs
    m = MT(s)
    assert [m.u32() for _ in range(1300)] == u.tolist(), s
    raw[f"u32.seed{s}"] = u
    r = np.random.RandomState(s)
    d = r.random_sample(64)
    m = MT(s)
    assert [m.double() for _ in range(64)] == d.tolist()
    raw[f"double.seed{s}"] = d
    for n in (1, 2, 3, 10, 100, 257):
        p = np.random.RandomState(s).permutation(n)
        assert MT(s).permutation(n) == p.tolist()
        raw[f"permutation.seed{s}.n{n}"] = p.astype(np.int64)
save(out / "mt19937.safetensors", raw)

# --- the tutorial's split
seed = C["main_seed"]
idx = np.arange(5500)
tr, va = train_test_split(idx, test_size=0.30, random_state=seed)
va2, te = train_test_split(va, test_size=1 / 3, random_state=seed)
assert (len(tr), len(va2), len(te)) == (3850, 1100, 550)
save(out / f"tutorial_5500_seed{seed}.safetensors",
     dict(train=tr, val=va2, test=te, rest=va), dict(seed=seed, n=5500))
def mine(n, ts, seed):
    nt = math.ceil(ts * n)
    p = MT(seed).permutation(n)
    return p[nt:], p[:nt]
a, b = mine(5500, 0.30, seed)
assert a == tr.tolist() and b == va.tolist()
a2, b2 = mine(len(b), 1 / 3, seed)
assert [b[i] for i in a2] == va2.tolist() and [b[i] for i in b2] == te.tolist()

# --- table of cases
arrs, cases = {}, []
def case(n, test_size, train_size, seed, shuffle=True):
    rec = dict(n=n, test_size=test_size, train_size=train_size, seed=seed, shuffle=shuffle)
    try:
        tr, te = train_test_split(np.arange(n), test_size=fr(test_size), train_size=fr(train_size),
                                  random_state=seed, shuffle=shuffle)
        rec.update(ok=True, n_train=len(tr), n_test=len(te))
        k = f"case{len(cases):04d}"
        if seed in C["seeds"][:3] or n <= 101:
            arrs[k + ".train"], arrs[k + ".test"] = tr.astype(np.int32), te.astype(np.int32)
            rec["key"] = k
    except Exception as e:
        rec.update(ok=False, error=type(e).__name__, message=str(e))
    cases.append(rec)
for n in C["ns"]:
    for s in C["sizes"]:
        for sd in C["seeds"]:
            case(n, s, None, sd)
for n, trs, tes in C["ints"]:
    case(n, tes, trs, C["main_seed"])
for n, f in ((100, 0.07), (100, 0.14), (100, 0.28), (100, 0.55), (100, 0.56), (100, 0.57), (100, 0.58), (1000, 0.001), (300, 0.01), (5500, 0.1), (5500, 0.2), (1650, "1/3"), (3, "1/3"), (3, "2/3")):
    case(n, f, None, C["main_seed"])           # ceil() of a double product: 0.07*100 is 7.000000000000001 -> 8
case(10, 0.3, None, C["main_seed"], shuffle=False)
case(101, None, None, C["main_seed"])          # both None: test 0.25
for bad in [(0, 0.3, None), (1, 0.3, None), (1, 1, None), (2, 1.0, None), (10, 0.0, None), (10, 1.0, None),
            (10, -0.1, None), (10, 1.5, None), (10, 0, None), (10, 10, None), (10, 11, None), (10, -1, None),
            (10, 0.6, 0.5), (10, 6, 5), (10, 0.3, 0.0), (10, 0.95, None), (3, 0.9, None), (10, 5, 0.6), (10, 5, 0.04)]:
    case(bad[0], bad[1], bad[2], C["main_seed"])
save(out / "cases.safetensors", arrs)
jdump(out / "cases.json", dict(sklearn=sklearn.__version__, numpy=np.__version__, cases=cases))
