# SPDX-License-Identifier: MIT
"""attractivenet report: the page of a small training with hostile names, of classes, of several outputs; and how a
browser shows it.

usage: report.py PROGRAM UNTRAINED
"""
import base64
import html.parser
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

PROGRAM, UNTRAINED = (Path(part).resolve() for part in sys.argv[1:3])
HOSTILE = ['<img src=x onerror=alert(1)>.jpg', '"><script>alert(2)<script>.jpg', "a&lt;b'\u202e.jpg", "\u5929\u7a7a.jpg"]
VOID = {"meta", "link", "img", "br"}
ALLOWED = {"html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer", "nav", "section", "h1",
           "h2", "h3", "p", "ul", "li", "a", "b", "bdi", "br", "span", "div", "figure", "figcaption", "details", "summary",
           "table", "caption", "thead", "tbody", "tr", "th", "td", "img", "svg", "desc", "g", "path", "rect", "circle",
           "text"}
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def call(*words, program=PROGRAM):
    done = subprocess.run([str(program), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, errors="replace")
    return done.returncode, done.stdout, done.stderr


def ended(done, status, *texts):
    problems = [] if done[0] == status else [f"exit status {done[0]}, expected {status}", done[1][-500:], done[2][-1500:]]
    return problems + [f"no '{text}' in: {(done[1] + done[2])[-600:]}" for text in texts if text not in done[1] + done[2]]


class Page(html.parser.HTMLParser):
    """What is wrong with the markup of a page, and what it contains."""

    def __init__(self, path):
        super().__init__()
        self.problems, self.open, self.ids, self.references = [], [], set(), []
        self.headings, self.images, self.charts, self.words, self.policy = [], [], [], [], None
        self.feed(Path(path).read_text(encoding="utf-8"))
        if self.open:
            self.problems.append(f"left open: {self.open}")
        self.problems += [f"no element has the id '{name}'" for name in self.references if name not in self.ids]
        self.text = " ".join(self.words)
        levels = [level for level, _ in self.headings]
        if levels[:1] != [1] or levels.count(1) != 1:
            self.problems.append(f"levels of headings: {levels}")
        self.problems += [f"heading {b} follows heading {a}" for a, b in zip(levels, levels[1:]) if b > a + 1]
        if self.policy != POLICY:
            self.problems.append(f"content security policy: {self.policy}")

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag not in ALLOWED:
            self.problems.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name == "style" or name == "srcset":
                self.problems.append(f"<{tag} {name}={value}>")
            if name in ("src", "href", "data", "action") and not re.match("#|data:", value):
                self.problems.append(f"<{tag} {name}={value[:80]}>")
        if "id" in values:
            if values["id"] in self.ids:
                self.problems.append(f"id '{values['id']}' twice")
            self.ids.add(values["id"])
        self.references += values.get("aria-labelledby", "").split()
        if values.get("href", "").startswith("#"):
            self.references.append(values["href"][1:])
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        if tag == "img":
            self.images.append(values)
            if len(values.get("alt", "")) < 8:
                self.problems.append(f"an image without a text alternative: {values.get('alt')}")
        if tag == "svg":
            if values.get("role") == "img":
                self.charts.append(values)
                if not (values.get("aria-labelledby") or values.get("aria-label")):
                    self.problems.append("a chart without a name")
            elif values.get("aria-hidden") != "true":
                self.problems.append("an svg that is neither a picture nor hidden")
        if tag in ("h1", "h2", "h3"):
            self.headings.append([int(tag[1]), ""])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes another element")

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "title") and "svg" not in self.open:
            return
        self.words.append(data)
        if self.open and self.open[-1] == "bdi" and len(self.open) > 1 and self.open[-2] == "h1" or \
                self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1][1] += data


# --- colours ---------------------------------------------------------------------------------------------------------

def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def palettes(text):
    """The custom properties of the light, the dark and the printed page."""
    found = [dict(re.findall(r"--(\w+):(#[0-9a-f]+)", rules)) for rules in re.findall(r":root\{([^}]*)\}", text)]
    return dict(zip(("light", "dark", "print"), found))


def contrasts(path):
    problems, schemes = [], palettes(Path(path).read_text(encoding="utf-8"))
    if set(schemes) != {"light", "dark", "print"}:
        return [f"schemes: {sorted(schemes)}"]
    for scheme, colours in schemes.items():
        for front, backs, least in (("ink", ("back", "card", "warn"), 4.5), ("soft", ("back", "card"), 4.5),
                                    ("a", ("back", "card"), 4.5), ("b", ("card",), 3), ("c", ("card",), 3)):
            for back in backs:
                found = contrast(colours[front], colours[back])
                if found < least:
                    problems.append(f"{scheme}: {front} on {back} has contrast {found:.2f}; at least {least}")
    return problems


# --- the data --------------------------------------------------------------------------------------------------------

def make_faces(folder):
    """Faces, of which some have names of strangers, two are twins, one label has no image."""
    done = call("faces", "--out", folder, "--count", 48, "--size", 48, "--quiet")
    if done[0]:
        raise SystemExit(done[2])
    labels = next(folder.rglob("All_labels.txt"))
    lines = labels.read_text().splitlines()
    images = labels.parent / "Images" if (labels.parent / "Images").is_dir() else next(folder.rglob("*.jpg")).parent
    table = ["name,score"]
    for number, line in enumerate(lines):
        name, score = line.split()
        if number < len(HOSTILE):
            (images / name).rename(images / HOSTILE[number])
            name = HOSTILE[number]
        table.append('"' + name.replace('"', '""') + '",' + score)
    last = lines[-1].split()[0]
    shutil.copy(images / last, images / "twin.jpg")
    table += ["twin.jpg,2.5", "absent.jpg,3"]
    labels.unlink()
    (folder / "labels.csv").write_text("\n".join(table) + "\n", encoding="utf-8")


def regression(tap, work):
    data, run = work / "faces", work / "run"
    make_faces(data)
    done = call("train", "--data", data, "--labels", "labels.csv", "--out", run, "--size", 32, "--alpha", 0.35, "--weights",
                "none", "--batch", 8, "--bn-momentum", 0.5, "--epochs1", 1, "--epochs2", 2, "--quiet")
    tap.case("a small training with hostile names", ended(done, 0))
    done = call("report", "--run", run)
    page, figures = run / "report.html", run / "report.json"
    tap.case("report writes the page and its numbers", ended(done, 0, "report written to") or
             [f"no {path}" for path in (page, figures) if not path.exists()])
    shown = Page(page)
    tap.case("the markup is whole: no scripts, no requests, headings in order, text alternatives", shown.problems)
    tap.case("text has enough contrast in light, dark and print", contrasts(page))
    wanted = ["Predicted against true scores", "Errors", "Errors by true score", "Best predictions", "Median predictions",
              "Worst predictions", "Loss over the epochs", "Stages", "Scores", "Parts", "Sizes of images",
              "Duplicates and unreadable files"]
    headings = [text for _, text in shown.headings]
    tap.case("every section is there", [f"no heading '{name}' in {headings}" for name in wanted if name not in headings])
    numbers = json.loads(figures.read_text(encoding="utf-8"))
    metrics = json.loads((run / "metrics.json").read_text())
    output = numbers["figures"]["outputs"][0]
    problems = [f"{name}: {output[name]} and {metrics[name]}" for name in ("rmse", "mae", "pearson")
                if abs((output[name] or 0) - (metrics[name] or 0)) > 1e-6 * max(1, abs(metrics[name] or 0))]
    problems += [f"{name}: {numbers['data'][name]} and {metrics[name]}" for name in ("n_train", "n_val", "n_test")
                 if numbers["data"][name] != metrics[name]]
    tap.case("the numbers are those of the training", problems)
    test = numbers["test"]
    errors = sorted(test, key=lambda one: abs(one["predicted"][0] - one["true"][0]))
    problems = [] if len(test) == metrics["n_test"] else [f"{len(test)} test images"]
    if sum(output["errors"]["counts"]) != len(test) or sum(one["count"] for one in output["by_score"]) != len(test):
        problems.append("the histograms do not have all test images")
    if f"{metrics['rmse']:.3f}" not in shown.text:
        problems.append("the RMSE is not shown")
    lists = page.read_text(encoding="utf-8").partition("Best predictions")[2].partition("</ul>")[0]
    names = re.findall(r"<bdi>(.*?)</bdi>", lists)
    if [html.unescape(name) for name in names] != [one["name"] for one in errors[:6]]:
        problems.append(f"best predictions: {names}")
    tap.case("test images are counted and ordered by their errors", problems)
    data_part = numbers["data"]
    problems = [] if data_part["labels_without_image"] == 1 else [f"labels: {data_part['labels_without_image']}"]
    if [sorted(pair) for pair in data_part["duplicates"]] != [sorted(["twin.jpg", sorted(
            name.name for name in data.rglob("AF*.jpg"))[-1]])] and len(data_part["duplicates"]) != 1:
        problems.append(f"duplicates: {data_part['duplicates']}")
    if data_part["sizes"] != [{"width": 48, "height": 48, "count": 49}]:
        problems.append(f"sizes: {data_part['sizes']}")
    if "1 image has the same bytes" not in shown.text or "48x48" not in shown.text:
        problems.append("duplicates or sizes are not shown")
    tap.case("twins, labels without image and sizes are found", problems)
    done = call("report", "--run", run, "--out", work / "all.html", "--examples", 100, "--quiet")
    everything = Page(work / "all.html")
    seen = {one["name"] for one in test}
    hostile = [name for name in HOSTILE if name in seen]
    tap.case("names of strangers are shown as text", ended(done, 0) + everything.problems +
             [f"'{name}' is not shown" for name in hostile if name not in everything.text])
    jpegs = [base64.b64decode(image["src"].partition("base64,")[2]) for image in shown.images]
    problems = [f"an image begins with {jpeg[:4]}" for jpeg in jpegs if jpeg[:3] != b"\xff\xd8\xff"]
    tap.case("images are small JPEGs in the page", problems or ([] if len(jpegs) >= 15 else [f"{len(jpegs)} images"]))
    return run, data


def options(tap, work, run, data):
    plain = work / "plain.html"
    done = call("report", "--run", run, "--out", plain, "--no-images", "--title", "A <b>title</b>", "--quiet")
    shown = Page(plain)
    tap.case("--no-images leaves out all images", ended(done, 0) + shown.problems + [len(shown.images)] * bool(shown.images))
    tap.case("--title, escaped", [] if "A <b>title</b>" in shown.text and shown.headings[0][1] == "A <b>title</b>"
             else [shown.headings])
    maps = {}
    for name, words in (("default", []), ("layer", ["--layer", "block_3_expand_relu"]), ("sign", ["--sign", "lowers"]),
                        ("opacity", ["--opacity", 0]), ("three", ["--explain", 3])):
        done = call("report", "--run", run, "--out", work / f"{name}.html", "--quiet", "--examples", 0, "--explain", 5, *words)
        page = Page(work / f"{name}.html")
        maps[name] = [image["src"] for image in page.images]
        tap.case(f"heat maps: {name}", ended(done, 0) + page.problems)
    problems = [f"{name}: {len(found)}" for name, found in maps.items()
                if len(found) != (6 if name == "three" else 2 * min(5, len(found) // 2))]
    problems += [f"{name} changes nothing" for name in ("layer", "opacity") if maps[name][1::2] == maps["default"][1::2]]
    if maps["opacity"][0::2] != maps["opacity"][1::2]:
        problems.append("with opacity 0 the heat maps are visible")
    tap.case("options of heat maps have their effects", problems)
    for words, texts in (
            (["--run", work / "nothing"], ["there is no '", "give --data"]),
            (["--run", run, "--layer", "dense"], ["no layer 'dense' with maps"]),
            (["--run", run, "--seed", "7"], ["--seed is 7, but the run in", "was made with 42"]),
            (["--run", run, "--labels", "other.txt"], ["--labels is 'other.txt'"]),
            (["--run", run, "--skip-damaged"], ["was made without it"]),
            (["--run", run, "--label-kind", "classes"], ["the model predicts scores"]),
            (["--run", run, "--out", work], ["which is a folder"]),
            (["--run", run, "--out", work / "no" / "x.html"], ["cannot write"]),
            (["--run", run, "--model", work / "no.safetensors"], ["no.safetensors"])):
        tap.case(f"refused: {' '.join(map(str, words[2:] or words))}", ended(call("report", *words), 1, *texts))
    label = data / "labels.csv"
    text = label.read_text(encoding="utf-8")
    label.write_text(text.replace("twin.jpg,2.5", "twin.jpg,2.75"), encoding="utf-8")
    tap.case("refused: data with other scores than the run's", ended(call("report", "--run", run), 1, "names or scores in"))
    label.write_text(text.replace("twin.jpg,2.5\n", ""), encoding="utf-8")
    (next(data.rglob("twin.jpg"))).rename(work / "twin.jpg")
    tap.case("refused: data with fewer images than the run's", ended(call("report", "--run", run), 1, "has 48 images; the run "
                                                                     "was made with 49"))
    (work / "twin.jpg").rename(next(data.rglob("AF*.jpg")).parent / "twin.jpg")
    label.write_text(text, encoding="utf-8")
    moved = work / "moved"
    shutil.copytree(data, moved)
    done = call("report", "--run", run, "--data", moved, "--out", work / "moved.html", "--quiet")
    tap.case("--data: the data is elsewhere now", ended(done, 0))
    latin = os.fsencode(work) + b"/caf\xe9"
    shutil.copytree(os.fsencode(data), latin)
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    facts["data"].update(path=None, path_hex=latin.hex())
    (work / "latin").mkdir()
    (work / "latin" / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    shutil.copy(run / "model.safetensors", work / "latin")
    done = call("report", "--run", work / "latin", "--quiet")
    tap.case("a path in Latin-1 is that of run.json", ended(done, 0) or Page(work / "latin" / "report.html").problems)
    facts["data"].update(path_hex="2f00")
    (work / "latin" / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    tap.case("refused: a path with a zero byte", ended(call("report", "--run", work / "latin"), 1, "no valid path"))
    (work / "latin" / "run.json").write_text("[1, 2]", encoding="utf-8")
    tap.case("refused: a run.json that is none", ended(call("report", "--run", work / "latin"), 1, "is not an object"))


def classes(tap, work, data):
    folder = work / "kinds"
    for number, image in enumerate(sorted(data.rglob("*.jpg"))):
        place = folder / ("c" if number % 4 == 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, place / f"{number}.jpg")
    (folder / "b" / "broken.jpg").write_bytes(b"\xff\xd8\xff not an image")
    (folder / "b" / "other.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for kind in ("classes", "yes-no"):
        run = work / kind
        run.mkdir()
        done = call(run / "model.safetensors", kind, program=UNTRAINED)
        names = ["<b>a&b</b>", "b", "c"]
        labels = folder / "names.csv"
        used = names if kind == "classes" else names[:2]
        labels.write_text("name,class\n" + "".join(f"{image.relative_to(folder)},{used[i % len(used)]}\n" for i, image in
                                                   enumerate(sorted(folder.rglob("*.*g")))), encoding="utf-8")
        words = ["report", "--run", run, "--data", folder, "--labels", "names.csv", "--quiet", "--explain", 4]
        tap.case(f"{kind}: damaged images are refused", ended(done, 0) or ended(call(*words), 1, "damaged"))
        done = call(*words, "--skip-damaged")
        page = Page(run / "report.html") if (run / "report.html").exists() else None
        tap.case(f"{kind}: a report without run.json and history", ended(done, 0) + (page.problems if page else []))
        if not page:
            continue
        numbers = json.loads((run / "report.json").read_text(encoding="utf-8"))
        figures = numbers["figures"]
        table = [one["predicted_as"] for one in figures["classes"]]
        right = sum(row[i] for i, row in enumerate(table))
        problems = [] if sum(map(sum, table)) == len(numbers["test"]) else ["the table does not have all test images"]
        if abs(figures["accuracy"] - right / len(numbers["test"])) > 1e-9:
            problems.append(f"accuracy {figures['accuracy']}, {right} right")
        for one in numbers["test"]:
            if len(one["predicted"]) != len(used) or abs(sum(one["predicted"]) - 1) > 1e-5:
                problems.append(f"probabilities {one['predicted']}")
        if [one["name"] for one in figures["classes"]] != used:
            problems.append("names of classes")
        if len(numbers["data"]["warnings"]) != 2 or "broken.jpg" not in page.text:
            problems.append(f"warnings: {numbers['data']['warnings']}")
        tap.case(f"{kind}: confusions, probabilities and what was left out",
                 problems + [f"'{text}' is not shown" for text in used if text not in page.text])
    run = work / "many"
    run.mkdir()
    done = call(run / "model.safetensors", "many", program=UNTRAINED)
    tap.case("more classes than a data set can have are refused",
             ended(done, 0) or ended(call("report", "--run", run, "--data", folder, "--quiet"), 1, "1001 classes", "at most 1000"))
    for name in ("broken.jpg", "other.png"):
        (folder / "b" / name).unlink()
    (folder / "<b>a&b<").mkdir()
    shutil.copy(next(data.rglob("AF*.jpg")), folder / "<b>a&b<" / "1.jpg")
    done = call("report", "--run", work / "classes", "--data", folder, "--label-kind", "folders", "--quiet")
    tap.case("folders that are not the model's classes are refused", ended(done, 1, "a&b<"))
    shutil.rmtree(folder / "<b>a&b<")
    done = call("report", "--run", work / "classes", "--data", folder, "--label-kind", "folders", "--quiet")
    tap.case("folders name the classes", ended(done, 0))


def outputs(tap, work, data):
    run, folder = work / "two", work / "pairs"
    run.mkdir()
    folder.mkdir()
    for number, image in enumerate(sorted(data.rglob("*.jpg"))):
        shutil.copy(image, folder / f"{number}.jpg")
    count = len(list(folder.iterdir()))
    (folder / "All_labels.txt").write_text("".join(f"{i}.jpg {i % 5} {i % 3}\n" for i in range(count)))
    done = call(run / "model.safetensors", "scores", program=UNTRAINED)
    tap.case("a model of two scores", ended(done, 0) or ended(call("report", "--run", run, "--data", folder, "--quiet"), 0))
    page = Page(run / "report.html")
    numbers = json.loads((run / "report.json").read_text(encoding="utf-8"))
    tap.case("each output has its figures", page.problems + ([] if len(numbers["figures"]["outputs"]) == 2 and
                                                             "Output 2" in page.text else ["no output 2"]))


# --- a browser -------------------------------------------------------------------------------------------------------

class Log(http.server.SimpleHTTPRequestHandler):
    seen = []

    def do_GET(self):
        Log.seen.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


def first_pixel(png):
    """The upper left pixel of a PNG: its row is stored as it is, whatever the filter."""
    kind, data, at = None, b"", 8
    while at < len(png):
        size, name = int.from_bytes(png[at:at + 4], "big"), png[at + 4:at + 8]
        if name == b"IHDR":
            kind = (int.from_bytes(png[at + 8:at + 12], "big"), png[at + 17])
        if name == b"IDAT":
            data += png[at + 8:at + 8 + size]
        at += size + 12
    pixel = zlib.decompressobj().decompress(data, 8)[1:4]
    return kind[0], "#" + pixel.hex()


def browse(browser, work, url, *words):
    return subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                           "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                           f"--user-data-dir={work / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                           *words, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def shown(tap, work, run):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    site = work / "site"
    site.mkdir()
    shutil.copy(run / "report.html", site / "report.html")
    text = (site / "report.html").read_text(encoding="utf-8")
    colours = palettes(text)
    if not browser:
        tap.skip("a browser shows the page", "no Chromium")
        return
    # The page in a frame of a given width, measured from outside.
    (site / "frame.html").write_text("""<!DOCTYPE html><iframe id=f style="border:0;height:900px"></iframe><script>
const f = document.getElementById("f"); f.style.width = location.hash.slice(1) + "px"; f.src = "report.html";
f.onload = () => { const d = f.contentDocument, e = d.documentElement;
  d.querySelectorAll("details").forEach(x => x.open = true);
  const inside = x => { for (let p = x; p; p = p.parentElement) if (p.className == "scroll") return true; return false; };
  document.body.innerHTML = "<pre>" + JSON.stringify({page: e.scrollWidth, window: f.contentWindow.innerWidth,
    undrawn: [...d.images].filter(i => !i.naturalWidth).length,
    tiny: [...d.querySelectorAll("svg text")].filter(t => t.getBoundingClientRect().height < 9).map(t => t.textContent),
    out: [...d.body.querySelectorAll("*")].filter(x => !inside(x) && x.getBoundingClientRect().right > e.clientWidth + 1)
      .map(x => x.tagName + x.textContent.slice(0, 40))}) + "</pre>"; };</script>""", encoding="utf-8")
    (site / "loud.html").write_text(text.replace("<main>", "<main><img alt='' src='/leak.png'><script src='/leak.js'></script>"),
                                    encoding="utf-8")
    (site / "louder.html").write_text(re.sub(r"<meta http-equiv.*?>", "", (site / "loud.html").read_text(encoding="utf-8"),
                                             flags=re.S), encoding="utf-8")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Log(*a, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = f"http://127.0.0.1:{server.server_address[1]}"
    for name, wanted in (("report", []), ("loud", []), ("louder", ["/leak.js", "/leak.png"])):
        Log.seen.clear()
        browse(browser, work, f"{root}/{name}.html", f"--screenshot={work / 'seen.png'}", "--window-size=800,3000")
        others = sorted(set(Log.seen) - {f"/{name}.html"})
        tap.case(f"requests of {name}.html beside itself: {wanted or 'none'}",
                 [] if f"/{name}.html" in Log.seen and others == wanted else [Log.seen])
    for width in (360, 768, 1280):
        done = browse(browser, work, f"{root}/frame.html#{width}", "--dump-dom", "--window-size=1400,1000",
                      "--virtual-time-budget=10000")
        found = re.search(r"<pre>(\{.*?\})</pre>", done.stdout, re.S)
        facts = json.loads(html.unescape(found.group(1))) if found else {"nothing": done.stdout[-300:] + done.stderr[-300:]}
        tap.case(f"{width} pixels wide: nothing sticks out, every image is drawn, no text of a chart is tiny",
                 [] if facts == {"page": width, "window": width, "undrawn": 0, "tiny": [], "out": []} else [facts])
        for scheme, number in (("light", 1), ("dark", 0)):
            picture = work / f"{scheme}{width}.png"
            browse(browser, work, f"{root}/report.html", f"--screenshot={picture}", f"--window-size={width},1200",
                   f"--blink-settings=preferredColorScheme={number}")
            found = first_pixel(picture.read_bytes()) if picture.exists() else None
            tap.case(f"{width} pixels wide, {scheme}", [] if found == (width, colours[scheme]["back"]) else
                     [found, colours[scheme]["back"]])
    done = browse(browser, work, f"{root}/report.html", f"--print-to-pdf={work / 'page.pdf'}", "--no-pdf-header-footer")
    pdf = (work / "page.pdf").read_bytes() if (work / "page.pdf").exists() else b""
    tap.case("it can be printed", [] if pdf.startswith(b"%PDF") and len(pdf) > 20000 else [len(pdf), done.stderr[-300:]])
    server.shutdown()


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run, data = regression(tap, work)
        shown(tap, work, run)
        options(tap, work, run, data)
        classes(tap, work, data)
        outputs(tap, work, data)
    tap.exit()


main()
