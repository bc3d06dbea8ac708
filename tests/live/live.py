# SPDX-License-Identifier: MIT
"""attractivenet live and the example 08_live: videos, folders and pipes, streams from servers on loopback, a window
under Xvfb.

usage: live.py PROGRAM EXAMPLES MOVING [slow]    EXAMPLES: folder of the built examples; MOVING: writes frames of moving faces
"""
import contextlib
import http.server
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from png import read_png, write_png  # noqa: E402
from tap import Tap  # noqa: E402

PROGRAM, EXAMPLE = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve() / "08_live"
MOVING, SLOW = Path(sys.argv[3]).resolve(), sys.argv[4:] == ["slow"]
WIDTH, HEIGHT, COUNT = 160, 120, 90
HERE = Path(__file__).resolve().parent
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


class Done:
    """A call of live that has ended."""

    def __init__(self, *arguments, model=None, stdin=None, env=None, program=(PROGRAM, "live")):
        command = [str(part) for part in (*program, *(["--model", model] if model else []), *arguments)]
        done = subprocess.run(command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env or NO_DISPLAY, timeout=120)
        self.status, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")
        self.line = " ".join(command)

    def ended(self, status, *texts):
        """Problems unless it ended with this status and said all these texts on stderr."""
        if self.status != status:
            return [f"{self.line}: exit status {self.status}, expected {status}", self.out[-500:], self.err[-2000:]]
        return [f"{self.line}: no '{text}' in: {self.err}" for text in texts if text not in self.err]

    def frames(self):
        return [json.loads(line) for line in self.out.splitlines()]


def moving(count=COUNT, width=WIDTH, height=HEIGHT):
    return subprocess.run([MOVING, str(count), str(width), str(height)], check=True, stdout=subprocess.PIPE).stdout


def jpeg_size(path):
    data = path.read_bytes()
    at = 2
    while data[at + 1] not in (0xc0, 0xc2):
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    height, width = struct.unpack(">HH", data[at + 5:at + 9])
    return width, height


def close(a, b, limit):
    return [] if len(a) == len(b) and all(abs(x["score"] - y["score"]) <= limit for x, y in zip(a, b)) else \
        [f"{len(a)} and {len(b)} frames; largest difference {max([abs(x['score'] - y['score']) for x, y in zip(a, b)] or [0])}"]


# --- files and pipes ----------------------------------------------------------------------------------

def files(tap, work, model):
    """Returns the frames as they were drawn."""
    raw = moving()
    size = f"{WIDTH}x{HEIGHT}"
    done = Done("--headless", "--json", "--raw", "rgb", "--frame-size", size, "--rate", 30, "-", model=model, stdin=raw)
    true = done.frames()
    tap.case("raw frames on standard input: one line of JSON each, with time, score, ms; the rest on stderr",
             done.ended(0, f"{COUNT} frames in ", "raw frames: standard input") or
             ([] if len(true) == COUNT and all(set(one) == {"time", "score", "ms"} and one["ms"] >= 0 for one in true) and
              all(abs(one["time"] - i / 30) < 1e-5 for i, one in enumerate(true)) else [done.out[:300]]))
    spread = max(one["score"] for one in true) - min(one["score"] for one in true)
    tap.case("scores follow the faces", [] if spread > 0.01 else [f"they differ by {spread}"])

    images = work / "images"
    images.mkdir()
    for i in range(0, COUNT, 30):
        write_png(images / f"{i:03}.png", raw[i * WIDTH * HEIGHT * 3:(i + 1) * WIDTH * HEIGHT * 3], WIDTH, HEIGHT)
    predicted = subprocess.run([PROGRAM, "predict", "--model", model, images], check=True, stdout=subprocess.PIPE, text=True)
    wanted = [float(line.split("\t")[1]) for line in predicted.stdout.splitlines()]
    tap.case("the scores are those of predict, for raw frames and folders",
             [] if [one["score"] for one in true[::30]] == wanted and
             [one["score"] for one in Done("--headless", "--json", images, model=model).frames()] == wanted else [wanted])

    x, y, w, h = 31, 17, 70, 90
    cut = b"".join(raw[((f * HEIGHT + y + row) * WIDTH + x) * 3:((f * HEIGHT + y + row) * WIDTH + x + w) * 3]
                   for f in range(COUNT) for row in range(h))
    crop = Done("--headless", "--json", "--crop", f"{x},{y},{w},{h}", "--raw", "rgb", "--frame-size", size, "-",
                model=model, stdin=raw).frames()
    alone = Done("--headless", "--json", "--raw", "rgb", "--frame-size", f"{w}x{h}", "-", model=model, stdin=cut).frames()
    tap.case("--crop scores the region as if there were nothing else", close(crop, alone, 0))
    left = (WIDTH - HEIGHT) // 2
    square = Done("--headless", "--json", "--square", "--raw", "rgb", "--frame-size", size, "-", model=model, stdin=raw)
    same = Done("--headless", "--json", "--crop", f"{left},0,{HEIGHT},{HEIGHT}", "--raw", "rgb", "--frame-size", size, "-",
                model=model, stdin=raw)
    tap.case("--square is the largest square in the middle", close(square.frames(), same.frames(), 0))
    outside = Done("--headless", "--json", "--crop", "0,0,161,10", "--raw", "rgb", "--frame-size", size, "-", model=model, stdin=raw)
    tap.case("a region outside the frame is an error with both sizes",
             outside.ended(1, "width 161", "the frame has only width 160, height 120"))

    smooth = Done("--headless", "--json", "--smooth", 0.4, "--raw", "rgb", "--frame-size", size, "--rate", 30, "-",
                  model=model, stdin=raw).frames()
    shown, expected = true[0]["score"], []
    for one in true:
        shown += (one["score"] - shown) * (1 - math.exp(-(1 / 30) / 0.4)) if expected else 0
        expected.append({"score": shown})
    tap.case("--smooth is an exponential moving average over seconds", close(smooth, expected, 2e-5))
    done = Done("--headless", "--json", "--count", 5, "--raw", "rgb", "--frame-size", size, "-", model=model, stdin=raw)
    tap.case("--count ends it", done.ended(0) or ([] if len(done.frames()) == 5 else [done.out]))

    (images / "broken.jpg").write_text("no image")
    done = Done("--headless", "--json", images, model=model)
    tap.case("a damaged image of a folder: an error, the others are scored, exit status 1",
             done.ended(1, "broken.jpg", "1 damaged") or ([] if len(done.frames()) == 3 else [done.out]))
    done = Done("--headless", "--out", f"{work}/scored/", images / "000.png", model=model)
    frames = sorted((work / "scored").iterdir())
    tap.case("--out FOLDER/ writes frames with their scores",
             done.ended(0) or ([] if [f.name for f in frames] == ["frame-000000.jpg"] and
                               jpeg_size(frames[0]) == (WIDTH, HEIGHT) else frames))
    again = Done("--headless", "--out", f"{work}/scored/", images / "000.png", model=model)
    tap.case("a folder with files is left alone", again.ended(1, "is not empty"))
    return raw


def mistakes(tap, work, model):
    for arguments, text in (
            (["--headless"], "--headless needs --out or --json"), (["--crop", "1,2,3"], "--crop is '1,2,3'; it must be X,Y,W,H"),
            (["--crop", "1,2,3,0"], "--crop is"), (["--crop", "0,0,1,1", "--square"], "two regions"),
            (["--frame-size", "640"], "it must be WIDTHxHEIGHT"), (["--frame-size", "4294967936x480"], "each 1 to 65535"), (["--raw", "rgb", "--json"], "--raw needs --frame-size"),
            (["--plain"], "--plain is about what --out writes"), (["a", "b"], "unexpected argument 'b'"),
            (["--headless", "--json", "--full-screen"], "there is none with --headless"),
            (["--smooth", "61"], "from 0 to 60")):
        tap.case(f"live {' '.join(arguments)}: a mistake that is named", Done(*arguments).ended(2, text))
    tap.case("a source that is not there", Done("--headless", "--json", work / "absent.mp4", model=model).ended(1, "absent.mp4"))
    tap.case("a URL of another kind", Done("--headless", "--json", "ftp://x/y", model=model).ended(1, "URLs must begin with"))
    tap.case("a model that is not there", Done("--headless", "--json", "-", model=work / "none.safetensors").ended(1, "none.safetensors"))


def has_live():
    done = subprocess.run([PROGRAM, "version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return "live" in re.search(r"features:(.*)", done)[1].split()


# --- videos -------------------------------------------------------------------------------------------

def videos(tap, work, model, raw):
    video, scored = {}, {}
    for ending in ("mp4", "mkv", "avi", "mjpeg"):
        path = video[ending] = work / f"faces.{ending}"
        made = Done("--headless", "--plain", "--out", path, "--raw", "rgb", "--frame-size", f"{WIDTH}x{HEIGHT}",
                    "--rate", 30, "-", model=model, stdin=raw)
        done = Done("--headless", "--json", "--rate", 30, path, model=model)
        scored[ending] = done.frames()
        late = [one for i, one in enumerate(scored[ending]) if abs(one["time"] - i / 30) > 2e-3]
        tap.case(f"a video is written and scored, each frame at its time: {ending}",
                 made.ended(0) or done.ended(0) or
                 ([] if len(scored[ending]) == COUNT and not late else [len(scored[ending]), late[:3]]))
    # the same pixels in two containers; a lossy codec moves the scores of a network that has hardly been trained
    tap.case("MP4 and Matroska have the same scores", close(scored["mp4"], scored["mkv"], 0))
    data = bytearray(video["mp4"].read_bytes())
    at = data.index(b"tkhd") + 44
    data[at:at + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    (work / "turned.mp4").write_bytes(data)
    done = Done("--headless", "--plain", "--count", 1, "--out", f"{work}/turned/", work / "turned.mp4", model=model)
    tap.case("the video of a phone held upright is upright",
             done.ended(0) or ([] if jpeg_size(work / "turned/frame-000000.jpg") == (HEIGHT, WIDTH) else ["it lies"]))
    (work / "cut.mp4").write_bytes(data[:len(data) // 2])
    tap.case("a video that was cut is an error", Done("--headless", "--json", work / "cut.mp4", model=model).ended(1, "damaged"))
    (work / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    tap.case("a playlist is refused", Done("--headless", "--json", work / "list.m3u8", model=model).ended(1, "list.m3u8"))

    newest = Done("--headless", "--json", "--frames", "newest", "--pace", "yes", video["mkv"], model=model)
    tap.case("a file that stands for a camera: its own pace, at least the last frame",
             newest.ended(0) or ([] if newest.frames()[-1]["time"] > 2.9 else [newest.out[-300:]]))
    command = [PROGRAM, "live", "--model", model, "--headless", "--pace", "yes", "--json", "--out", work / "part.mkv", video["mkv"]]
    running = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=NO_DISPLAY)
    for _ in range(20):
        running.stdout.readline()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    part = Done("--headless", "--json", work / "part.mkv", model=model)
    tap.case("Ctrl-C ends it well: the video that it writes is complete",
             ([] if running.returncode == 0 else [f"exit status {running.returncode}"]) or part.ended(0) or
             ([] if 20 <= len(part.frames()) < COUNT and not list(work.glob("*.part")) else [part.out]))
    return video


# --- streams ------------------------------------------------------------------------------------------

def jpegs(path):
    """The JPEG images of a file: without thumbnails, so that their ends can be searched."""
    data = path.read_bytes()
    return [b"\xff\xd8\xff" + part for part in data.split(b"\xff\xd8\xff")[1:]]


class Camera(http.server.BaseHTTPRequestHandler):
    """A network camera: /faces all frames, /damaged some with damage, /hangs stops after 5 frames, /page no camera."""
    images = []

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self.path == "/page":
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with contextlib.suppress(OSError):
            for i, image in enumerate(self.images):
                if self.path == "/damaged" and i % 10 == 4:
                    image = image[:len(image) // 2] + b"\x55" * (len(image) // 2 - 2) + b"\xff\xd9"
                if self.path == "/hangs" and i == 5:
                    time.sleep(8)
                    return
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(image) + image + b"\r\n")
                self.wfile.flush()
                time.sleep(1 / 60)


def streams(tap, model, video):
    Camera.images = jpegs(video["mjpeg"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_address[1]}"
    every = Done("--headless", "--json", "--frames", "all", f"http://{host}/faces", model=model)
    file = Done("--headless", "--json", video["mjpeg"], model=model).frames()
    tap.case("MJPEG over HTTP: each frame as in a file; the end is an end", every.ended(0, "mjpeg") or close(every.frames(), file, 0))
    done = Done("--headless", "--json", f"http://{host}/faces", model=model)
    times = [one["time"] for one in done.frames()]
    tap.case("the newest frame of a stream is scored; times by arrival",
             done.ended(0) or ([] if 10 <= len(times) <= COUNT and times == sorted(times) and 0.5 < times[-1] < 60 else [times]))
    done = Done("--headless", "--json", "--frames", "all", f"http://{host}/damaged", model=model)
    tap.case("damaged frames of a stream are left out and counted",
             done.ended(0, "9 damaged") or ([] if len(done.frames()) == COUNT - 9 else [len(done.frames())]))
    began = time.monotonic()
    done = Done("--headless", "--json", "--timeout", 1, f"http://{host}/hangs", model=model)
    took = time.monotonic() - began
    tap.case("a stream that stops: an error after the time-out",
             done.ended(1, "no data for 1 seconds") or ([] if 1 <= took < 7 and done.frames() else [took, done.out]))
    done = Done("--headless", "--json", f"http://user:secret@{host}/page", model=model)
    tap.case("what is no stream: an error without the password",
             done.ended(1, f"http://{host}/page") or (["secret"] if "secret" in done.err else []))
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    tap.case("nobody there: an error", Done("--headless", "--json", f"http://127.0.0.1:{port}/x", model=model).ended(1, "Connection refused"))


def rtsp(tap, model):
    name = "RTSP: frames of a server, until --count"
    for python in ("/usr/bin/python3", sys.executable):
        probe = "import gi; gi.require_version('GstRtspServer', '1.0'); gi.require_version('Gst', '1.0');" \
                "from gi.repository import Gst; Gst.init(None);" \
                "exit(not (Gst.ElementFactory.find('jpegenc') and Gst.ElementFactory.find('rtpjpegpay')))"
        if shutil.which(python) and subprocess.run([python, "-c", probe], stderr=subprocess.DEVNULL).returncode == 0:
            break
    else:
        return tap.skip(name, "no gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-good for the system's Python")
    server = subprocess.Popen([python, HERE / "rtsp.py"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        port = int(server.stdout.readline())
        done = Done("--headless", "--json", "--count", 20, f"rtsp://127.0.0.1:{port}/ball", model=model)
        times = [one["time"] for one in done.frames()]
        tap.case(name, done.ended(0, "mjpeg, 320 x 240") or
                 ([] if len(times) == 20 and times == sorted(times) and 0.3 < times[-1] < 60 else [times]))
        done = Done("--headless", "--json", f"rtsp://127.0.0.1:{port}/none", model=model)
        tap.case("RTSP: a path that the server does not have", done.ended(1, "404"))
    finally:
        server.kill()
        server.wait()


# --- windows ------------------------------------------------------------------------------------------

class Display:
    """Xvfb with a window manager; its screen as bytes."""
    SIZE = (1000, 800)

    def __init__(self, work):
        self.folder = work / "display"
        self.folder.mkdir()
        get, put = os.pipe()
        self.xvfb = subprocess.Popen(["Xvfb", "-displayfd", str(put), "-screen", "0", "%dx%dx24" % self.SIZE, "-fbdir",
                                      str(self.folder), "-nolisten", "tcp"], pass_fds=[put], stderr=subprocess.DEVNULL)
        os.close(put)
        with os.fdopen(get) as pipe:
            self.name = ":" + pipe.readline().strip()
        self.env = {**os.environ, "DISPLAY": self.name, "SDL_VIDEODRIVER": "x11", "HOME": str(work)}
        # no borders, so that the window is where xdotool says
        (work / ".config/openbox").mkdir(parents=True)
        (work / ".config/openbox/rc.xml").write_text(
            '<openbox_config xmlns="http://openbox.org/3.4/rc"><applications><application class="*"><decor>no</decor>'
            '</application></applications></openbox_config>')
        self.manager = subprocess.Popen(["openbox"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) \
            if shutil.which("openbox") else None

    def end(self):
        for process in (self.manager, self.xvfb):
            if process:
                process.terminate()
                process.wait()

    def do(self, *arguments):
        done = subprocess.run(["xdotool", *map(str, arguments)], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.stdout

    def key(self, name):
        self.do("key", name)

    def window(self, title="AttractiveNet"):
        """Position and size of the window: x, y, width, height."""
        found = self.do("search", "--onlyvisible", "--name", f"^{title}$").split()
        if not found:
            return None
        shell = dict(line.split("=") for line in self.do("getwindowgeometry", "--shell", found[-1]).split() if "=" in line)
        if "HEIGHT" not in shell:  # it has just been closed
            return None
        return tuple(int(shell[key]) for key in ("X", "Y", "WIDTH", "HEIGHT"))

    def shot(self, x, y, width, height):
        """RGB of a part of the screen."""
        data = (self.folder / "Xvfb_screen0").read_bytes()
        head = struct.unpack(">25I", data[:100])
        start, stride = head[0] + 12 * head[19], head[12]
        rows = []
        for row in range(y, y + height):
            line = data[start + row * stride + 4 * x:start + row * stride + 4 * (x + width)]
            part = bytearray(3 * width)
            part[0::3], part[1::3], part[2::3] = line[2::4], line[1::4], line[0::4]
            rows.append(bytes(part))
        return b"".join(rows)


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.03)
    return None


class Shown:
    """A call of live with a window, under way; its lines of JSON are read as they come."""

    def __init__(self, display, *arguments, model, program=(PROGRAM, "live")):
        command = [str(part) for part in (*program, "--model", model, *arguments)]
        self.process = subprocess.Popen(command, env=display.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.errors = []
        for pipe, to in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            threading.Thread(target=lambda pipe=pipe, to=to: [to.append(line) for line in pipe],
                             daemon=True).start()
        self.place = wait_for(display.window)

    def ended(self, status=0, seconds=20):
        try:
            got = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return ["it goes on"]
        return [] if got == status else [f"exit status {got}", "".join(self.errors)]


def difference(a, b):
    """Mean absolute difference of two strings of bytes."""
    return sum(abs(x - y) for x, y in zip(a, b)) / max(1, len(a)) + 1000 * (len(a) != len(b))


def part_of(rgb, width, x, y, w, h):
    return b"".join(rgb[3 * ((y + row) * width + x):3 * ((y + row) * width + x + w)] for row in range(h))


def windows(tap, work, model):
    if not (shutil.which("Xvfb") and shutil.which("xdotool")):
        return tap.skip("windows", "no Xvfb or no xdotool")
    done = Done(work / "wide.mkv", model=model)
    tap.case("without a display: an error that says so", done.ended(1, "cannot open a window: there is no display", "--headless"))
    display = Display(work)
    try:
        in_display(tap, work, model, display)
    finally:
        display.end()


def in_display(tap, work, model, display):
    video = work / "wide.mkv"
    for key in ("q", "Escape"):
        shown = Shown(display, video, model=model)
        place = shown.place
        tap.case(f"a window of the frame's size; {key} ends it",
                 [] if place and place[2:] == (480, 360) else [f"window {place}"])
        wait_for(lambda: any(display.shot(place[0] + 200, place[1] + 150, 20, 20)))
        display.key(key)
        tap.case(f"{key} ends it with exit status 0", shown.ended())
    shown = Shown(display, video, model=model)
    display.do("search", "--name", "^AttractiveNet$", "windowclose" if not display.manager else "windowquit")
    tap.case("closing the window ends it", shown.ended(0 if display.manager else shown.process.wait(20)))

    shown = Shown(display, "--json", "--save", work / "saved", "--crop", "140,60,200,200", "--smooth", "0.5", video, model=model)
    wait_for(lambda: len(shown.lines) > 60)
    display.key("space")
    display.do("mousemove", 999, 799)
    time.sleep(0.4)
    count = len(shown.lines)
    time.sleep(0.5)
    tap.case("space pauses", [] if len(shown.lines) == count and count < 200 else [f"{count}, then {len(shown.lines)} frames"])
    display.key("s")
    saved = wait_for(lambda: [path for path in (work / "saved").glob("frame-*.png") if not path.name.startswith(".")])
    time.sleep(0.2)
    x, y, width, height = display.window() or (0, 0, 480, 360)
    screen = display.shot(x, y, width, height)
    if os.environ.get("AN_SCREENSHOTS"):
        write_png(Path(os.environ["AN_SCREENSHOTS"]) / "live.png", screen, width, height)
    if saved:
        wide, high, frame = read_png(saved[0])
        tap.case("S saves the frame that is shown, without what is drawn on it",
                 [] if saved[0].name == f"frame-{count - 1:06}.png" and (wide, high) == (480, 360) else [saved, count])
        inside = part_of(frame, wide, 180, 120, 100, 80)  # within the region, below the text, above the curve
        least = min(difference(part_of(screen, width, 180 + dx, 120 + dy, 100, 80), inside)
                    for dx in (-1, 0, 1) for dy in (-1, 0, 1))  # a window manager's border
        tap.case("the window shows the frame, pixel for pixel", [] if least < 0.5 else [f"it differs by {least}"])
        text = part_of(screen, width, 14, 12, 200, 20)
        under = part_of(frame, wide, 14, 12, 200, 20)
        light = sum(value > 200 for value in text)
        tap.case("text is drawn: white on a darker panel",
                 [] if light > 300 and sorted(text)[len(text) // 2] < 0.6 * sorted(under)[len(under) // 2] else [light])
        edge = part_of(screen, width, 139, 150, 3, 60)
        tap.case("the scored region is outlined", [] if sum(value > 200 for value in edge) > 100 else [list(edge[:30])])
        curve = part_of(screen, width, 20, 300, 440, 45)
        orange = sum(curve[i] > 200 and 120 < curve[i + 1] < 210 and curve[i + 2] < 90 for i in range(0, len(curve), 3))
        tap.case("the curve of the last seconds is drawn", [] if orange > 15 else [f"{orange} pixels"])
        score = json.loads(shown.lines[-1])["score"]
        drawn = work / "drawn"
        Done("--headless", "--json", "--out", f"{drawn}/", "--crop", "140,60,200,200", saved[0], model=model)
        tap.case("the saved frame can be scored again", [] if (drawn / "frame-000000.jpg").is_file() and math.isfinite(score) else [score])
    else:
        tap.case("S saves the frame that is shown", ["no file in saved/"])
    if display.manager:
        display.key("f")
        full = wait_for(lambda: display.window() and display.window()[2:] == Display.SIZE)
        time.sleep(0.3)
        middle = display.shot(480, 380, 40, 40)
        tap.case("F is full screen, and the paused frame fills it", [] if full and any(middle) and
                 difference(display.shot(500, 2, 20, 20), bytes(3 * 400)) < 1 else [display.window()])
        display.key("f")
        tap.case("F again is a window", [] if wait_for(lambda: display.window() and display.window()[2:] == (480, 360)) else [display.window()])
    else:
        tap.skip("F is full screen", "no window manager (openbox)")
    display.key("space")
    tap.case("space resumes", [] if wait_for(lambda: len(shown.lines) > count) else [len(shown.lines)])
    display.key("q")
    tap.case("and Q ends it", shown.ended())

    name = "08_live shows a window, and Q ends it"
    if EXAMPLE.is_file():
        shown = Shown(display, video, model=model, program=(EXAMPLE,))
        time.sleep(0.5)
        display.key("q")
        tap.case(name, shown.ended())
    else:
        tap.skip(name, "the examples were not built")
    shown = Shown(display, "--json", work / "short.mkv", model=model)
    tap.case("the end of a video is the end", shown.ended() or ([] if len(shown.lines) == 30 else [len(shown.lines)]))
    latency(tap, work, display)


def summary(errors):
    """Milliseconds: read, score, show, age, age of 99 %."""
    found = re.search(r"a frame: ([\d.]+) ms to read, ([\d.]+) to score, ([\d.]+) to show; ([\d.]+) ms old when shown \(99 %: ([\d.]+)\)",
                      "".join(errors))
    return [float(number) for number in found.groups()] if found else None


def latency(tap, work, display):
    """The tutorial's size, 2 threads, a video at 30 frames per second."""
    shown = Shown(display, "--threads", 2, "--size", 350, "--count", 300 if SLOW else 90, work / "vga.mkv", model=work / "wide/model.safetensors")
    problems = shown.ended(0, 60)
    load = os.getloadavg()[0]
    numbers = summary(shown.errors)
    print(f"# 640x480 in a window, 350x350, 2 threads: {numbers}")
    if not problems and not numbers:
        problems = shown.errors
    if not problems and numbers[3] > 50 and load > 1.5 * os.cpu_count():
        return tap.skip("a score belongs to a frame at most 50 ms old", f"other programs are running: {load:.1f}")
    if not problems and numbers[3] > 50:
        problems = [f"the median age of a score is {numbers[3]} ms"]
    if SLOW and not problems and numbers[4] > 100:
        problems = [f"1 % of the scores are older than {numbers[4]} ms"]
    tap.case("a score belongs to a frame at most 50 ms old", problems)
    if SLOW:
        shown = Shown(display, "--threads", 2, "--pace", "no", "--count", 300, work / "vga.mkv", model=work / "model.safetensors")
        problems = shown.ended(0, 60)
        numbers = summary(shown.errors)
        print(f"# 640x480 in a window, 32x32, as fast as it goes: {numbers}")
        tap.case("decode, convert, resize, draw and present take less than 6 ms a frame",
                 problems or ([] if sum(numbers[:3]) < 6 else [numbers]))


# --- memory -------------------------------------------------------------------------------------------

def memory(tap, work, model):
    """Resident memory after 500 frames and at the end."""
    count = 10000 if SLOW else 1000
    video = work / "long.mkv"
    width, height = (640, 480) if SLOW else (320, 240)
    with subprocess.Popen([MOVING, str(count), str(width), str(height)], stdout=subprocess.PIPE) as frames:
        subprocess.run([PROGRAM, "live", "--model", model, "--headless", "--plain", "--out", video, "--raw", "rgb",
                        "--frame-size", f"{width}x{height}", "-"], stdin=frames.stdout, check=True, stderr=subprocess.DEVNULL)
    running = subprocess.Popen([PROGRAM, "live", "--model", model, "--headless", "--json", video], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    resident = {}
    for number, _ in enumerate(running.stdout, 1):
        if number in (500, count - 100):
            resident[number] = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{running.pid}/status").read_text())[1])
    running.wait()
    print(f"# resident KiB: {resident}")
    tap.case(f"{count} frames: resident memory stays within 1 MB after 500",
             [] if running.returncode == 0 and resident[count - 100] - resident[500] < 1024 else [resident])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        subprocess.run([PROGRAM, "faces", "--out", work / "faces.zip", "--count", "60", "--size", "64", "--quiet"], check=True)
        for folder, alpha in (("", "0.35"), ("wide", "1")):
            subprocess.run([PROGRAM, "train", "--data", work / "faces.zip", "--out", work / folder, "--size", "32", "--alpha",
                            alpha, "--weights", "none", "--epochs1", "0", "--epochs2", "1" if folder else "3", "--batch", "8",
                            "--bn-momentum", "0.5", "--quiet"], check=True)
        model = work / "model.safetensors"
        raw = files(tap, work, model)
        mistakes(tap, work, model)
        if has_live():
            video = videos(tap, work, model, raw)
            streams(tap, model, video)
            rtsp(tap, model)
            memory(tap, work, model)
            for file, count, width, height in (("wide.mkv", 300, 480, 360), ("short.mkv", 30, 160, 120), ("vga.mkv", 300, 640, 480)):
                Done("--headless", "--plain", "--out", work / file, "--raw", "rgb", "--frame-size", f"{width}x{height}", "--rate", 30,
                     "-", model=model, stdin=moving(count, width, height))
            windows(tap, work, model)
        else:
            tap.case("a build without feature live names it", Done("--headless", "--json", "0", model=model).ended(1, "feature 'live'"))
            tap.skip("videos, streams, windows", "this build has no feature live")
    tap.exit()


if __name__ == "__main__":
    main()
