# SPDX-License-Identifier: MIT
"""Use the shared library from another language with nothing but its symbols: Python's ctypes.

usage: ffi.py LIBRARY
"""
import ctypes
import math
import multiprocessing
import os
import queue
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tap import Tap  # noqa: E402

AN_OK, AN_DONE, AN_ERR_ARG, AN_ERR_CANCELLED = 0, 1, -1, -7
ERROR_BYTES = 256


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int32), ("message", ctypes.c_char * 252)]


class SplitOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("shuffle", ctypes.c_int32),
                ("test_kind", ctypes.c_int32), ("train_kind", ctypes.c_int32),
                ("test_fraction", ctypes.c_double), ("train_fraction", ctypes.c_double),
                ("test_count", ctypes.c_int64), ("train_count", ctypes.c_int64),
                ("seed", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


class Metrics(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_int32),
                ("count", ctypes.c_int64)] + [(name, ctypes.c_double) for name in
                                              ("mse", "rmse", "mae", "r2", "pearson")]


class ModelOptions(ctypes.Structure):
    _fields_ = ([("struct_size", ctypes.c_uint32)]
                + [(name, ctypes.c_int32) for name in ("height", "width", "outputs", "task", "padding", "scale")]
                + [("seed", ctypes.c_uint32), ("alpha", ctypes.c_double), ("weights_kind", ctypes.c_int32),
                   ("reserved", ctypes.c_int32), ("weights_path", ctypes.c_char_p),
                   ("progress", ctypes.c_void_p), ("progress_user", ctypes.c_void_p)])


class ModelInfo(ctypes.Structure):
    _fields_ = ([("struct_size", ctypes.c_uint32)]
                + [(name, ctypes.c_int32) for name in ("height", "width", "outputs", "task", "scale", "padding",
                                                       "base", "features", "reserved")]
                + [("alpha", ctypes.c_double), ("parameters", ctypes.c_int64), ("trainable", ctypes.c_int64)])


class Fill(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_int32), ("epoch", ctypes.c_int64),
                ("step", ctypes.c_int64), ("n", ctypes.c_int64), ("samples", ctypes.POINTER(ctypes.c_int64)),
                ("x", ctypes.POINTER(ctypes.c_float)), ("y", ctypes.POINTER(ctypes.c_float)),
                ("weights", ctypes.POINTER(ctypes.c_float))]


FILL = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(Fill))


class LoaderSource(ctypes.Structure):
    _fields_ = ([("struct_size", ctypes.c_uint32)]
                + [(name, ctypes.c_int32) for name in ("height", "width", "outputs")]
                + [("count", ctypes.c_int64)]
                + [(name, ctypes.c_int32) for name in ("varies", "weighted", "any_range", "reserved")]
                + [("fill", FILL), ("user", ctypes.c_void_p), ("identity", ctypes.c_char_p),
                   ("release", ctypes.c_void_p)])


def expect(tap, name, got, want):
    tap.case(name, [] if got == want else [f"got {got!r}, expected {want!r}"])


def versions(tap, lib):
    lib.an_version.restype = ctypes.c_char_p
    lib.an_status_name.restype = ctypes.c_char_p
    numbers = lib.an_version().decode().split(".")
    tap.case("an_version has three numbers", [] if len(numbers) == 3 and all(n.isdigit() for n in numbers) else [numbers])
    expect(tap, "an_abi is the number of the file name", lib.an_abi(),
           int(Path(sys.argv[1]).resolve().name.split(".so.")[1].split(".")[0]))
    expect(tap, "an_status_name names a status", lib.an_status_name(AN_ERR_ARG), b"AN_ERR_ARG")
    expect(tap, "an unknown feature is not built in", lib.an_has_feature(b"telepathy"), 0)


def split(tap, lib):
    options = SplitOptions()
    lib.an_split_options_init(ctypes.byref(options), ctypes.sizeof(options))
    expect(tap, "defaults of a split: seed 42", (options.struct_size, options.seed), (ctypes.sizeof(options), 42))
    count = 5500
    indices = (ctypes.c_int64 * count)()
    sizes = [ctypes.c_int64() for _ in range(3)]
    error = Error()
    status = lib.an_tutorial_split(ctypes.c_int64(count), ctypes.c_uint32(42), indices,
                                   *[ctypes.byref(size) for size in sizes], ctypes.byref(error))
    expect(tap, "the tutorial's split: 3850, 1100, 550", (status, [s.value for s in sizes]), (AN_OK, [3850, 1100, 550]))
    expect(tap, "the tutorial's split: first samples of each part", [list(indices[i:i + 3]) for i in (0, 3850, 4950)],
           [[5409, 2910, 4019], [3269, 5132, 2658], [2209, 926, 177]])
    expect(tap, "the tutorial's split: every sample once", sorted(indices), list(range(count)))
    options.test_kind, options.test_fraction = 1, 1.5
    status = lib.an_train_test_split(ctypes.c_int64(10), ctypes.byref(options), indices, indices, ctypes.byref(error))
    expect(tap, "a wrong fraction is AN_ERR_ARG, in the error too", (status, error.status), (AN_ERR_ARG, AN_ERR_ARG))
    tap.case("the message has the number", [] if b"1.5" in error.message else [error.message])
    expect(tap, "the error object may be left out",
           lib.an_train_test_split(ctypes.c_int64(10), ctypes.byref(options), indices, indices, None), AN_ERR_ARG)


def metrics(tap, lib):
    result = Metrics(struct_size=ctypes.sizeof(Metrics))
    truth = (ctypes.c_double * 4)(1, 2, 3, 4)
    prediction = (ctypes.c_float * 4)(1.5, 2, 3, 3.5)
    status = lib.an_metrics_compute(truth, prediction, None, ctypes.c_int64(4), ctypes.byref(result), None)
    expect(tap, "metrics of four pairs", (status, result.count, result.mse, result.mae, result.r2), (AN_OK, 4, 0.125, 0.25, 0.9))
    tap.case("rmse is the root of mse", [] if math.isclose(result.rmse, math.sqrt(0.125)) else [result.rmse])


def model(tap, lib):
    error = Error()

    def call(name, status):
        tap.case(name, [] if status == AN_OK else [error.message.decode()])
    backend, net, again = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    call("a backend", lib.an_backend_create(ctypes.byref(backend), None, ctypes.byref(error)))
    options = ModelOptions()
    lib.an_mobilenetv2_options_init(ctypes.byref(options), ctypes.sizeof(options))
    options.height = options.width = 32
    options.alpha = 0.35
    call("a network", lib.an_mobilenetv2_create(ctypes.byref(net), backend, ctypes.byref(options), ctypes.byref(error)))
    info = ModelInfo(struct_size=ctypes.sizeof(ModelInfo))
    call("its description", lib.an_model_describe(net, ctypes.byref(info), ctypes.byref(error)))
    expect(tap, "its parameters are Keras'", (info.parameters, info.features), (411489, 1280))
    pixels = (ctypes.c_float * (32 * 32 * 3))(*[(i % 255) / 255 for i in range(32 * 32 * 3)])
    scores = [ctypes.c_float(), ctypes.c_float()]
    call("a score", lib.an_model_predict(net, pixels, ctypes.c_int64(1), ctypes.byref(scores[0]), ctypes.byref(error)))
    with tempfile.TemporaryDirectory() as folder:
        path = os.fsencode(os.path.join(folder, "model.safetensors"))
        call("a saved model", lib.an_model_save(net, path, ctypes.byref(error)))
        file_bytes = Path(os.fsdecode(path)).read_bytes()
        call("a loaded model", lib.an_model_load(ctypes.byref(again), backend, path, None, ctypes.byref(error)))
    saved, pickled = ctypes.c_void_p(), ctypes.c_void_p()
    call("a model in memory", lib.an_model_save_bytes(ctypes.byref(saved), net, ctypes.byref(error)))
    content = ctypes.string_at(lib.an_bytes_data(saved), lib.an_bytes_size(saved))
    lib.an_bytes_destroy(saved)
    expect(tap, "its bytes are those of the file", content, file_bytes)
    call("a model from memory", lib.an_model_load_bytes(
        ctypes.byref(pickled), backend, content, ctypes.c_int64(len(content)), None, None, ctypes.byref(error)))
    lib.an_model_destroy(pickled)
    lib.an_model_destroy(net)
    lib.an_backend_destroy(backend)  # parents first, as a garbage collector may do
    call("a score of the loaded model",
         lib.an_model_predict(again, pixels, ctypes.c_int64(1), ctypes.byref(scores[1]), ctypes.byref(error)))
    expect(tap, "it is the same score", scores[1].value, scores[0].value)
    lib.an_model_destroy(again)


def loader(tap, lib):
    """A loader whose samples Python fills in, and a failure in there."""
    error, fills, handle = Error(), [], ctypes.c_void_p()
    image = 8 * 8 * 3

    def fill(_, request):
        batch = request.contents
        fills.append(batch.step)
        if batch.step == 1 and fills.count(1) == 1:
            return 1
        for k in range(batch.n):
            for i in range(image):
                batch.x[k * image + i] = batch.samples[k] / 10
            batch.y[k] = batch.samples[k]
            batch.weights[k] = 0.5
        return 0
    source = LoaderSource()
    lib.an_loader_source_init(ctypes.byref(source), ctypes.sizeof(source))
    source.height = source.width = 8
    source.count, source.weighted, source.fill = 40, 1, FILL(fill)
    source.any_range = 1
    expect(tap, "a loader of a callback", lib.an_loader_create_from_callback(
        ctypes.byref(handle), ctypes.byref(source), None, ctypes.byref(error)), AN_OK)
    x, y, n = ctypes.POINTER(ctypes.c_float)(), ctypes.POINTER(ctypes.c_float)(), ctypes.c_int64()

    def read():
        return lib.an_loader_next(handle, ctypes.byref(x), ctypes.byref(y), None, ctypes.byref(n), ctypes.byref(error))
    expect(tap, "the callback stops the call", (read(), error.message), (AN_ERR_CANCELLED, b"the fill callback asked to stop"))
    expect(tap, "the next call goes on", (read(), n.value, y[7]), (AN_OK, 32, 7.0))
    tap.case("its floats are the callback's", [] if math.isclose(x[7 * image], 0.7, rel_tol=1e-6) else [x[7 * image]])
    expect(tap, "its weights are the callback's", lib.an_loader_batch_weights(handle)[31], 0.5)
    expect(tap, "the last batch is shorter", (read(), n.value, y[0]), (AN_OK, 8, 32.0))
    expect(tap, "the epoch ends", read(), AN_DONE)
    expect(tap, "each batch was asked for in its turn", fills, [0, 1, 1])
    lib.an_loader_destroy(handle)


def load(path):
    lib = ctypes.CDLL(path)
    for name in ("an_model_destroy", "an_backend_destroy", "an_bytes_destroy", "an_loader_destroy"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
        getattr(lib, name).restype = None
    lib.an_bytes_data.restype = ctypes.c_void_p
    lib.an_loader_batch_weights.restype = ctypes.POINTER(ctypes.c_float)
    lib.an_bytes_size.restype = ctypes.c_int64
    return lib


def small_model(lib):
    """A network of random weights on two threads' backend, or its error."""
    error = Error()
    backend, net = ctypes.c_void_p(), ctypes.c_void_p()
    options = ModelOptions()
    lib.an_mobilenetv2_options_init(ctypes.byref(options), ctypes.sizeof(options))
    options.height = options.width = 32
    options.alpha = 0.35
    if lib.an_backend_create(ctypes.byref(backend), None, ctypes.byref(error)) or \
            lib.an_mobilenetv2_create(ctypes.byref(net), backend, ctypes.byref(options), ctypes.byref(error)):
        raise RuntimeError(error.message.decode())
    lib.an_backend_destroy(backend)
    return net


def small_score(lib, net):
    pixels = (ctypes.c_float * (32 * 32 * 3))(*[(i % 255) / 255 for i in range(32 * 32 * 3)])
    score, error = ctypes.c_float(), Error()
    status = lib.an_model_predict(net, pixels, ctypes.c_int64(1), ctypes.byref(score), ctypes.byref(error))
    return status, score.value, error.message.decode()


INHERITED = None  # a model of the parent, as a child of fork() has it


def child(path, answers):
    lib = load(path)
    inherited = small_score(lib, INHERITED)[::2] if INHERITED else None
    if INHERITED:
        lib.an_model_destroy(INHERITED)
    answers.put((inherited, small_score(lib, small_model(lib))[:2]))


def processes(tap, lib):
    """Children of all of multiprocessing's start methods make models of their own."""
    global INHERITED
    INHERITED = small_model(lib)
    right = small_score(lib, INHERITED)[:2]
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        answers = context.Queue()
        process = context.Process(target=child, args=(sys.argv[1], answers))
        process.start()
        try:
            inherited, own = answers.get(timeout=60)
        except queue.Empty:
            inherited, own = None, "no answer within a minute"
            process.kill()
        process.join()
        expect(tap, f"multiprocessing, {method}: a model of the child's own", own, right)
        if method == "fork":
            tap.case("a model of before fork() is refused in the child",
                     [] if inherited and inherited[0] == AN_ERR_ARG and "fork()" in inherited[1] else [inherited])
    expect(tap, "the parent's model goes on", small_score(lib, INHERITED)[:2], right)
    lib.an_model_destroy(INHERITED)


def main():
    tap = Tap()
    lib = load(sys.argv[1])
    expect(tap, "an_error has 256 bytes", ctypes.sizeof(Error), ERROR_BYTES)
    versions(tap, lib)
    split(tap, lib)
    metrics(tap, lib)
    model(tap, lib)
    loader(tap, lib)
    processes(tap, lib)
    tap.exit()


if __name__ == "__main__":
    main()
