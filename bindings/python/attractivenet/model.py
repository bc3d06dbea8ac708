# SPDX-License-Identifier: MIT
"""Steps 4, 7 and 8 of the tutorial: build a network, load and save it, predict with it. (Step 5 is in training.py.)"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Iterable, Sequence, Union

import numpy as np

from ._call import (NULL, Path, Size, Strings, address, as_array, call, call_long, choose, decode, encode,
                    encode_path, ffi, flag, lib, options, own, pair, path_list, view)
from ._progress import Progress, Shown
from .callbacks import check_model_name
from .data import SCALES, Dataset, Loader, Samples, resize, strides_of
from .optimizers import Adam, Loss, Optimizer, make_optimizer, name_loss

if TYPE_CHECKING:
    from .training import History

Array = np.ndarray[Any, Any]

INFERENCES = ("fp32", "int8", "bf16")
PRECISIONS = ("fp32", "mixed")
BASES = ("frozen", "statistics", "train", "finetune")
FORMATS = ("auto", "onnx", "keras_h5", "keras_weights", "keras", "torchvision", "timm")
PADDINGS = ("auto", "fixed", "tutorial", "symmetric")
TASKS = ("regression", "classification")
SIGNS = ("raises", "lowers", "signed")
LAYOUTS = ("nhwc", "nchw")
SUMMARIES = ("keras", "notebook", "layers")


# --- devices ----------------------------------------------------------------------------------------------------


class Backend:
    """One device with its threads. Models on the same backend share them.

    device: "cpu", "cuda", "cuda:1", "auto" (the first GPU that can be used, otherwise the CPU) or "ref" (slow, in
    double precision). threads: of the CPU, 0 = one per processor.
    """

    def __init__(self, device: str = "cpu", threads: int = 0) -> None:
        self.device = device
        self.threads_asked = threads
        name = encode(device)
        self._handle = own("backend", lib.an_backend_create, options("backend_options", device=name, threads=threads))

    @property
    def level(self) -> str:
        """The ISA level in use, such as "avx2" or "avx512"."""
        return decode(lib.an_backend_level(self._handle))

    @property
    def threads(self) -> int:
        """The number of compute threads."""
        return int(lib.an_backend_threads(self._handle))

    def describe(self) -> Device:
        """The device that the backend runs on; its reason: why "auto" took the CPU."""
        info = options("device_info")
        call(lib.an_backend_describe, self._handle, info)
        return _device(info)

    def __repr__(self) -> str:
        return f"<Backend: {decode(lib.an_backend_name(self._handle))}, {self.level}, {self.threads} threads>"


@dataclass(frozen=True)
class Device:
    """A device of this machine."""

    device: str  #: as for Backend: "cpu", "cuda:0"; "cuda": no GPU was found
    name: str  #: of the processor or card
    level: str  #: what runs there, such as "avx2"
    is_usable: bool  #: can a Backend be made on it?
    reason: str  #: why not; of a backend made by "auto": why it is not a GPU
    memory_total: int  #: bytes; 0: unknown
    memory_free: int  #: bytes; 0: unknown


def _device(info: Any) -> Device:
    return Device(decode(info.device), decode(info.name), decode(info.level), bool(info.is_usable), decode(info.reason),
                  int(info.memory_total), int(info.memory_free))


def devices() -> list[Device]:
    """The devices of this machine: the CPU, then the GPUs; where none can be used, a last entry that says why."""
    found = own("device_list", lib.an_device_list_create)
    info = options("device_info")
    result = []
    for index in range(lib.an_device_list_count(found)):
        call(lib.an_device_list_describe, found, index, info)
        result.append(_device(info))
    return result


#: The backends of this process by device: one for all models that name it.
_backends: dict[str, Backend] = {}
_backends_lock = threading.Lock()


def _after_fork() -> None:
    # A child process has none of the threads of its parent's backends: it makes its own.
    global _backends_lock
    _backends.clear()
    _backends_lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _backend(device: str | Backend) -> Backend:
    if isinstance(device, Backend):
        return device
    with _backends_lock:
        if device not in _backends:
            _backends[device] = Backend(device)
        return _backends[device]


# --- models -----------------------------------------------------------------------------------------------------

#: What evaluate() and fit() read: batches, samples, or arrays with y.
Data = Union[Loader, Samples, Any]


class Model:
    """A network with its weights on a device. Made by MobileNetV2(...), Model.load() or Model.from_bytes().

    Any number of threads may predict at the same time, also while one of them trains the model: a prediction uses the
    weights after the last complete step. `with` closes the model; so does the garbage collector. Models can be pickled,
    and copied by the copy module.
    """

    def __init__(self) -> None:
        raise TypeError("use MobileNetV2(...), Model.load() or Model.from_bytes()")

    _handle: Any

    def _adopt(self, handle: Any, backend: Backend) -> None:
        call(lib.an_model_set_cancel, handle, flag)
        self._handle = handle
        self._backend = backend
        self._predictors: list[Any] = []
        self._trainer: Any = None
        self._stop = False
        self._momentum = 0.999
        #: The last training's; None before the first.
        self.history: History | None = None
        self.optimizer: Optimizer = Adam()
        self.loss: Loss = "auto"
        info = options("model_info")
        call(lib.an_model_describe, handle, info)
        self._height, self._width = info.height, info.width
        self._outputs, self._features = info.outputs, info.features
        self._scale = SCALES[info.scale]
        self._alpha = info.alpha
        self._task = TASKS[info.task]
        self._padding = PADDINGS[info.padding]
        self._epsilon = info.epsilon

    @classmethod
    def load(cls, path: Path, *, size: Size | None = None, scale: str = "auto", padding: str = "auto",
             device: str | Backend = "cpu", precision: str = "fp32") -> Model:
        """Load a model file: safetensors as save() writes it, or a Keras file (.h5, .keras, .weights.h5).

        size, scale and padding replace what the file says, or does not say: a Keras file has no scale. Training begins
        with base "frozen", whatever it was: set base to train more than the head.
        """
        self = Model.__new__(Model)
        backend = _backend(device)
        height, width = (0, 0) if size is None else pair(size)
        how = options("mobilenetv2_options", height=height, width=width, scale=choose("scale", scale, SCALES),
                      padding=choose("padding", padding, PADDINGS))
        self._adopt(own("model", lib.an_model_load, backend._handle, encode_path(path), how), backend)
        self.precision = precision
        return self

    @classmethod
    def from_bytes(cls, data: bytes, *, device: str | Backend = "cpu", precision: str = "fp32") -> Model:
        """Load a model from the content of a file that load() reads."""
        self = Model.__new__(Model)
        backend = _backend(device)
        handle = own("model", lib.an_model_load_bytes, backend._handle, ffi.from_buffer(data), len(data), NULL, NULL)
        self._adopt(handle, backend)
        self.precision = precision
        return self

    def save(self, path: Path) -> None:
        """Write the model as safetensors, with all that load() needs, atomically. Names of Keras files are refused."""
        check_model_name("path", os.fspath(path))
        call(lib.an_model_save, self._open_handle(), encode_path(path))

    def to_bytes(self) -> bytes:
        """The bytes of the file that save() writes."""
        content = own("bytes", lib.an_model_save_bytes, self._open_handle())
        return bytes(ffi.buffer(lib.an_bytes_data(content), lib.an_bytes_size(content)))

    def _open_handle(self) -> Any:
        if self._handle is None:
            raise ValueError("the model is closed")
        return self._handle

    def _info(self) -> Any:
        info = options("model_info")
        call(lib.an_model_describe, self._open_handle(), info)
        return info

    # --- what it is

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the input in pixels."""
        return self._height, self._width

    @property
    def outputs(self) -> int:
        """Numbers per image."""
        return int(self._outputs)

    @property
    def features(self) -> int:
        """Inputs of the head."""
        return int(self._features)

    @property
    def scale(self) -> str:
        """How 8-bit pixels become floats: "unit" (0 to 1), "tf" (-1 to 1), "article" (0 to 1000) or "torch" (ImageNet's)."""
        return self._scale

    @property
    def alpha(self) -> float:
        """The width multiplier."""
        return float(self._alpha)

    @property
    def task(self) -> str:
        """"regression" or "classification"."""
        return self._task

    @property
    def padding(self) -> str:
        """"fixed", "tutorial" or "symmetric": how layers with stride 2 pad."""
        return self._padding

    @property
    def epsilon(self) -> float:
        """What batch norm adds to the variance: 0.001 in Keras' networks, 1e-5 in PyTorch's."""
        return float(self._epsilon)

    @property
    def parameters(self) -> int:
        """The number of parameters, with the moving statistics."""
        return int(self._info().parameters)

    @property
    def trainable_parameters(self) -> int:
        """The number of parameters that training changes now (see base)."""
        return int(self._info().trainable)

    @property
    def backend(self) -> Backend:
        """The device and its threads."""
        return self._backend

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes in the order of the outputs; None: the model has none."""
        handle = self._open_handle()
        return [decode(lib.an_model_class_name(handle, i)) for i in range(lib.an_model_class_count(handle))] or None

    @classes.setter
    def classes(self, names: Sequence[str] | None) -> None:
        if names is None:
            call(lib.an_model_set_class_names, self._open_handle(), NULL, 0)
        else:
            call(lib.an_model_set_class_names, self._open_handle(), Strings(names).pointer, len(names))

    def summary(self, style: str = "keras", print_fn: Callable[[str], object] = print) -> None:
        """Print the table of layers: "keras" (tf_keras), "notebook" (of the tutorial) or "layers" (every one)."""
        handle, kind = self._open_handle(), choose("style", style, SUMMARIES)
        size = lib.an_model_summary(handle, kind, NULL, 0)
        text = ffi.new("char[]", size)
        lib.an_model_summary(handle, kind, text, size)
        print_fn(decode(text).rstrip("\n"))

    # --- how it trains and predicts

    @property
    def base(self) -> str:
        """What training does to the layers below the head: "frozen" (nothing), "train" (weights and batch norm),
        "finetune" (weights; batch norm keeps its moving statistics) or "statistics" (batch norm's statistics alone)."""
        return BASES[self._info().base]

    @base.setter
    def base(self, base: str) -> None:
        call(lib.an_model_set_base, self._open_handle(), choose("base", base, BASES))

    @property
    def trainable(self) -> bool:
        """Keras' word for base: False is "frozen", True is "train"."""
        return self.base != "frozen"

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self.base = "train" if trainable else "frozen"

    @property
    def momentum(self) -> float:
        """Momentum of batch norm's moving statistics; 0.999 unless it is set; 0.9 suits short runs."""
        return self._momentum

    @momentum.setter
    def momentum(self, momentum: float) -> None:
        call(lib.an_model_set_momentum, self._open_handle(), momentum)
        self._momentum = momentum

    @property
    def precision(self) -> str:
        """Number type of training steps: "fp32" or "mixed" (activations as bfloat16: half the memory)."""
        return PRECISIONS[self._info().precision]

    @precision.setter
    def precision(self, precision: str) -> None:
        call(lib.an_model_set_training, self._open_handle(), choose("precision", precision, PRECISIONS),
             self._info().recompute)

    @property
    def recompute(self) -> bool:
        """Do training steps recompute their widest activations instead of keeping them? The result is the same."""
        return bool(self._info().recompute)

    @recompute.setter
    def recompute(self, recompute: bool) -> None:
        call(lib.an_model_set_training, self._open_handle(), self._info().precision, int(recompute))

    @property
    def inference(self) -> str:
        """Number type of predictions: "fp32", "bf16", or "int8" after calibrate()."""
        return INFERENCES[self._info().inference]

    @inference.setter
    def inference(self, inference: str) -> None:
        call(lib.an_model_set_inference, self._open_handle(), choose("inference", inference, INFERENCES))

    @property
    def calibrated(self) -> bool:
        """Can predictions use "int8"?"""
        return bool(self._info().calibrated)

    def calibrate(self, data: Data, images: int = 50, progress: Progress = "auto") -> None:
        """Calibrate "int8" inference with the first images (0: all) of typical data, such as the validation samples,
        and use it. data: as for predict(), without files."""
        loader = data if isinstance(data, Loader) else self._loader_of(data)
        with Shown(progress, "calibrate") as shown:
            call_long(lib.py_calibrate_loader, self._open_handle(), loader._bind(self._scale), images, lib.py_progress,
                      shown.callbacks.handle)

    # --- step 8: predict

    def predict(self, x: Any, *, any_range: bool = False, progress: Progress = False) -> Array:
        """Predict float32 [N,outputs]; probabilities for classification.

        x: uint8 RGB [N,H,W,3] of any size, which is resized and scaled; or float32 [N,H,W,3] of the model's size,
        scaled already (model.scale; the first image is checked, unless any_range); NumPy or anything with DLPack in the
        host's memory, read without a copy if its rows are dense. Or a Dataset, Subset or Loader: its samples in order
        of their indices, not augmented.
        """
        if isinstance(x, (Loader, Samples)):
            return self._read_loader(lib.py_predict_loader, x, self._outputs, progress, "predict")
        array = x if isinstance(x, np.ndarray) else as_array(x)
        if array.dtype.char == "B":
            return self._read_frames(lib.py_predictor_score_frames, array, self._outputs)
        return self._read_floats(lib.py_model_predict, array, self._outputs, any_range)

    def predict_files(self, paths: Iterable[Path]) -> Array:
        """Predict float32 [N,outputs] for JPEG or PNG files."""
        found = path_list(paths)
        out = np.empty((len(found), self._outputs), np.float32)
        row = address(out, "float *")
        predictor = self._take_predictor()
        try:
            for k, path in enumerate(found):
                call_long(lib.py_predictor_score_file, predictor, encode_path(path), row + k * self._outputs)
        finally:
            self._give_predictor(predictor)
        return out

    def predict_bytes(self, data: bytes, name: str = "image") -> Array:
        """Predict float32 [outputs] for the content of a JPEG or PNG file; name: for messages."""
        out = np.empty(self._outputs, np.float32)
        predictor = self._take_predictor()
        try:
            call_long(lib.py_predictor_score_bytes, predictor, ffi.from_buffer(data), len(data), encode(name),
                      address(out, "float *"))
        finally:
            self._give_predictor(predictor)
        return out

    def compute_features(self, x: Any, *, any_range: bool = False, progress: Progress = False) -> Array:
        """Compute the head's input, float32 [N,features]; x: as for predict(). Always in fp32."""
        if isinstance(x, (Loader, Samples)):
            return self._read_loader(lib.py_compute_features_loader, x, self._features, progress, "features")
        array = as_array(x)
        if array.dtype == np.uint8:
            return self._read_frames(lib.py_predictor_compute_features, array, self._features)
        return self._read_floats(lib.py_model_compute_features, array, self._features, any_range)

    def explain(self, x: Any, *, output: int | None = None, sign: str = "raises", layer: str | None = None,
                any_range: bool = False) -> Array:
        """Compute where in each image the model finds what "raises" or "lowers" an output, or both ("signed"): Grad-CAM.

        x: as for predict(), arrays alone. output: which one; None: the largest of each image. layer: whose maps, named
        as in summary("layers"); None: the last convolution's. Returns float32 [N,h,w] of the layer's size; to show a
        map, divide it by its maximum and resize it.
        """
        array = as_array(x)
        if array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] == 3:
            tables = np.empty((3, 256), np.float32)
            call(lib.an_scale_fill_tables, SCALES.index(self._scale), address(tables, "float *"))
            array = tables[range(3), np.stack([resize(image, self.size) for image in array]) if len(array) else array]
        self._check_floats(array, any_range)
        name = encode(layer) if layer is not None else None
        how = options("explain_options", output=-1 if output is None else output, sign=choose("sign", sign, SIGNS), layer=name)
        sizes = ffi.new("int32_t[2]")
        call(lib.an_model_explain_size, self._open_handle(), NULL if name is None else name, sizes, sizes + 1)
        maps = np.empty((len(array), sizes[0], sizes[1]), np.float32)
        if len(array):
            array = np.ascontiguousarray(array)
            call_long(lib.py_model_explain, self._open_handle(), ffi.from_buffer("float[]", array), len(array), how,
                      ffi.from_buffer("float[]", maps))
        return maps

    def export(self, path: Path, *, format: str = "auto", layout: str = "nhwc", include_scale: bool = False,
               inference: str = "fp32") -> None:
        """Write the model for other tools. format: "auto" (by the ending of path: .onnx, .h5, .weights.h5, .keras),
        "onnx", "keras_h5", "keras_weights", "keras", or a state dict of PyTorch as safetensors: "torchvision", "timm".
        layout: of the input of ONNX, "nhwc" or "nchw". include_scale: the input is uint8 RGB, and the file scales it.
        inference: "fp32", or for ONNX "int8" of a model that is calibrated."""
        how = options("export_options", format=choose("format", format, FORMATS), layout=choose("layout", layout, LAYOUTS),
                      include_scale=int(include_scale), inference=choose("inference", inference, INFERENCES))
        call(lib.an_model_export, self._open_handle(), encode_path(path), how)

    def top_classes(self, scores: Any, k: int = 1) -> Array:
        """The indices of the k highest scores of each row [N,outputs], highest first: int32 [N,k]."""
        rows = np.ascontiguousarray(scores, dtype=np.float32).reshape(-1, self._outputs)
        out = np.empty((len(rows), k), np.int32)
        for row, best in zip(rows, out):
            call(lib.an_top_classes, address(row, "float *"), self._outputs, k, address(best, "int32_t *"))
        return out

    def _take_predictor(self) -> Any:
        """A predictor, with the buffers of an earlier call if it is free; afterwards _give_predictor()."""
        try:
            return self._predictors.pop()
        except IndexError:
            predictor = own("predictor", lib.an_predictor_create, self._open_handle())
            call(lib.an_predictor_set_cancel, predictor, flag)
            return predictor

    def _give_predictor(self, predictor: Any) -> None:
        if self._handle is not None:
            self._predictors.append(predictor)

    def _read_frames(self, function: Any, frames: Array, columns: int) -> Array:
        if frames.ndim != 4 or frames.shape[3] != 3:
            raise ValueError(f"images have the shape {frames.shape}; it must be [N,H,W,3]{_hint(frames)}")
        n, height, width, _ = frames.shape
        out = np.empty((n, columns), np.float32)
        if n == 0 and self._open_handle() is not None:
            return out
        if frames.flags.c_contiguous:
            pointer, frame, row = ffi.from_buffer("uint8_t[]", frames), 0, 0
        else:
            frames, frame, row = strides_of(frames)
            pointer = address(frames, "uint8_t *")
        scores = ffi.from_buffer("float[]", out)
        predictor = self._take_predictor()
        try:
            call_long(function, predictor, pointer, n, frame, height, width, row, scores)
        finally:
            self._give_predictor(predictor)
        return out

    def _check_floats(self, x: Array, any_range: bool) -> None:
        """Refuse floats that are not images of the model's size on its scale."""
        if x.dtype.kind in "US":
            raise TypeError("images are text; for files use predict_files([path])")
        if x.dtype != np.float32:
            raise TypeError(f"images of {x.dtype}; they must be uint8 (0 to 255, of any size) or float32 (of the model's "
                            f"size, scaled: {_RANGES[self._scale][2]})")
        if x.ndim != 4 or x.shape[1:] != (self._height, self._width, 3):
            raise ValueError(f"images of float32 have the shape {x.shape}; it must be "
                             f"[N,{self._height},{self._width},3]{_hint(x)}")
        if not any_range and len(x):
            low, high, words = _RANGES[self._scale]
            least, most = float(x[0].min()), float(x[0].max())
            slack = 1e-5 * (high - low)
            if least < low - slack or most > high + slack:
                raise ValueError(f"the values of the first image are {least:g} to {most:g}; with the model's scale "
                                 f"{self._scale!r} they must be {words}: scale them so, or give uint8 pixels "
                                 "(any_range=True skips this check)")

    def _read_floats(self, function: Any, x: Array, columns: int, any_range: bool) -> Array:
        self._check_floats(x, any_range)
        out = np.empty((len(x), columns), np.float32)
        handle = self._open_handle()
        if len(x) == 0:
            return out
        x = np.ascontiguousarray(x)
        call_long(function, handle, ffi.from_buffer("float[]", x), len(x), ffi.from_buffer("float[]", out))
        return out

    def _loader_of(self, data: Data) -> Loader:
        """A plain loader of samples or of pixels."""
        if isinstance(data, Samples):
            return Loader(data, threads=0)
        array = as_array(data)
        if array.dtype == np.uint8 and array.ndim == 4 and array.shape[1:3] != self.size:
            raise ValueError(f"images of {array.shape[1]}x{array.shape[2]}; they must have the model's size, "
                             f"{self._height}x{self._width}")
        labels = np.zeros((len(array), self._outputs))
        if array.dtype == np.uint8:
            return Loader(Dataset.from_arrays(array, labels), threads=0)
        return Loader.from_arrays(array, labels)

    def _read_loader(self, function: Any, data: Loader | Samples, columns: int, progress: Progress, title: str) -> Array:
        handle = self._open_handle()
        if isinstance(data, Samples) and len(data) == 0:
            return np.empty((0, columns), np.float32)
        loader = data if isinstance(data, Loader) else self._loader_of(data)
        source = loader._bind(self._scale)
        out = np.empty((lib.an_loader_samples(source), columns), np.float32)
        with Shown(progress, title) as shown:
            call_long(function, handle, source, address(out, "float *"), lib.py_progress, shown.callbacks.handle)
        return out

    # --- step 5 and 7: train and test (training.py)

    def compile(self, optimizer: str | Optimizer = "adam", loss: Loss = "auto") -> None:
        """Choose how fit() trains.

        optimizer: "adam", "sgd", "adamw", or Adam(...), SGD(...), AdamW(...). loss: "mse", "mae", "huber",
        "categorical", "binary", "auto" (by the task), or a function: loss(target, prediction, weights) returns
        (mean loss, gradient) for float32 arrays [n,outputs]; weights is [n] or None.
        """
        self.optimizer = make_optimizer(optimizer)
        self.loss = name_loss(loss)

    def fit(self, x: Data, y: Any = None, *, batch_size: int | None = None, epochs: int = 1, verbose: Any = "auto",
            callbacks: Sequence[Any] | None = (), validation_data: Any = None, shuffle: bool | None = None,
            sample_weight: Any = None, history: History | None = None, update_batch_norm: bool = False,
            accumulate: int = 1, average: float = 0.0, finetune_from: int = 0, replicas: int = 1,
            sync_batch_norm: bool = False) -> History:
        """Train, and return a History.

        x: a Loader; a Dataset or Subset; or images with y (uint8 [N,H,W,3] of the model's size, or float32 on its
        scale). batch_size (None: 32) and shuffle (None: True) are refused with a Loader, which has its own, and
        sample_weight is for arrays. validation_data: likewise, a tuple (x, y) for arrays. callbacks: a list of EarlyStopping(), ModelCheckpoint(), ..., and objects with Keras' methods.
        verbose: 0 nothing, 1 as Keras prints, 2 as Keras with a line per epoch, "auto" a progress bar. history: that of
        an earlier stage, which this one continues. update_batch_norm: after each epoch recompute the moving statistics.
        accumulate: batches per optimizer step. average: the decay of a moving average of the weights, which is
        validated, saved and kept in their place; 0: none. finetune_from: with trainable "train", the epoch from which
        on batch norm uses its moving statistics; 0: never. replicas: train on as many replicas in this process, each with
        the threads of this model's backend, or on the next GPU, and a part of each batch; data from a callback or a
        generator needs 1. sync_batch_norm: with replicas, batch norm uses the statistics of the whole batch.

        An exception in a callback, and Ctrl-C, end the training and are raised; the model is then as the last
        complete step left it.
        """
        from .training import fit

        return fit(self, x, y, batch_size, epochs, verbose, callbacks, validation_data, shuffle, sample_weight, history,
                   update_batch_norm, accumulate, average, finetune_from, replicas, sync_batch_norm)

    def evaluate(self, x: Data, y: Any = None, *, batch_size: int | None = None, sample_weight: Any = None,
                 progress: Progress = False) -> float:
        """The mean loss over data (x, y: as for fit()), not shuffled and not augmented by default."""
        from .training import evaluate

        return evaluate(self, x, y, batch_size, sample_weight, progress)

    @property
    def stop_training(self) -> bool:
        """Set it in a callback to end the training after the current epoch."""
        return self._stop

    @stop_training.setter
    def stop_training(self, stop: bool) -> None:
        self._stop = bool(stop)
        if stop and self._trainer is not None:
            lib.an_trainer_stop(self._trainer)

    # --- weights, copies

    def get_weights(self) -> dict[str, Array]:
        """All weights by Keras' names ("dense/kernel"), in the order of the layers: float32, a copy of the model's."""
        arrays = own("arrays", lib.an_model_copy_weights, self._open_handle())
        return {decode(lib.an_arrays_name(arrays, i)):
                view(ffi.cast("float *", lib.an_arrays_data(arrays, i)),
                     tuple(lib.an_arrays_length(arrays, i, axis) for axis in range(lib.an_arrays_rank(arrays, i))),
                     "<f4", arrays)
                for i in range(lib.an_arrays_count(arrays))}

    def set_weights(self, weights: dict[str, Any] | Path) -> None:
        """Set all weights, by name, or from a weight or model file."""
        if isinstance(weights, (str, os.PathLike)):
            arrays = own("arrays", lib.an_arrays_read, encode_path(weights))
        else:
            arrays = own("arrays", lib.an_arrays_create)
            for name, values in weights.items():
                array = np.ascontiguousarray(as_array(values), dtype=np.float32)
                call(lib.an_arrays_add, arrays, encode(name), ffi.from_buffer("float[]", array),
                     ffi.new("int64_t[]", list(array.shape)), array.ndim)
        call(lib.an_model_set_weights, self._open_handle(), arrays)

    def reset_head(self, seed: int = 42) -> None:
        """Reinitialise the head: Glorot uniform, bias 0."""
        call(lib.an_model_reset_head, self._open_handle(), seed)

    def copy(self, device: str | Backend | None = None, share: bool = False) -> Model:
        """An independent copy. share: it shares the weights' memory until one of the two changes."""
        backend = self._backend if device is None else _backend(device)
        other = Model.__new__(type(self))
        how = lib.AN_SHARE_WEIGHTS if share else lib.AN_COPY_WEIGHTS
        other._adopt(own("model", lib.an_model_copy, self._open_handle(), backend._handle, how), backend)
        other._momentum, other.optimizer, other.loss = self._momentum, self.optimizer, self.loss
        return other

    def __copy__(self) -> Model:
        return self.copy(share=True)

    def __deepcopy__(self, _: object) -> Model:
        return self.copy()

    def __reduce__(self) -> Any:
        state = {"base": self.base, "momentum": self.momentum, "precision": self.precision, "recompute": self.recompute,
                 "optimizer": self.optimizer, "loss": self.loss}
        return _unpickle, (self.to_bytes(), self._backend.device, self._backend.threads_asked, state)

    def close(self) -> None:
        """Release the model; calls in progress on other threads end first."""
        self._handle = None
        self._predictors.clear()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._handle is None:
            return f"<{type(self).__name__}: closed>"
        named = self.classes
        what = f"{len(named)} classes" if named else f"{self.outputs} output{'s' * (self.outputs > 1)}"
        return (f"<{type(self).__name__}: alpha {self.alpha:g}, {self._height}x{self._width}, scale {self.scale}, {what}, "
                f"{self.parameters} parameters, base {self.base}, {self.inference} on {self._backend.device}>")


class MobileNetV2(Model):
    """MobileNetV2 with average pooling and one dense head, as Keras builds it.

    weights: None: random, from seed; "imagenet": Keras' file for alpha, downloaded once; or the path of a weight file.
    size: height and width in pixels, one number or (height, width). device: see Backend. precision: of training,
    "fp32" or "mixed". outputs: numbers per image. classes: names of classes, for classification; task: the same without
    names. scale: "auto" is "tf" for ImageNet weights of Keras, "torch" for those of
    PyTorch, "unit" for random ones. epsilon: of batch norm; None: as in the weights' file, else 0.001 as in Keras. base: what training does to the layers
    below the head (see Model.base); None: "frozen" with weights, "train" without.
    """

    def __init__(self, weights: Path | None = None, *, size: Size = 350, alpha: float = 1.0,
                 device: str | Backend = "cpu", precision: str = "fp32", outputs: int | None = None,
                 classes: Sequence[str] | None = None, task: str | None = None, scale: str = "auto",
                 padding: str = "auto", seed: int = 42, base: str | None = None, momentum: float = 0.999,
                 epsilon: float | None = None, progress: Progress = "auto") -> None:
        height, width = pair(size)
        if task is None:
            task = "regression" if classes is None else "classification"
        if outputs is None:
            outputs = 1 if classes is None else len(classes)
        backend = _backend(device)
        path = None
        kind = lib.AN_WEIGHTS_RANDOM
        if weights == "imagenet":
            kind = lib.AN_WEIGHTS_IMAGENET
        elif weights is not None:
            kind, path = lib.AN_WEIGHTS_FILE, encode_path(weights)
        with Shown(progress, "download") as shown:
            how = options("mobilenetv2_options", height=height, width=width, outputs=outputs, alpha=alpha, seed=seed,
                          task=choose("task", task, TASKS), scale=choose("scale", scale, SCALES),
                          padding=choose("padding", padding, PADDINGS), weights_kind=kind, weights_path=path,
                          epsilon=0.0 if epsilon is None else epsilon, progress=lib.py_progress, progress_user=shown.callbacks.handle)
            handle = own("model", lib.an_mobilenetv2_create, backend._handle, how)
        self._adopt(handle, backend)
        self.base = base if base is not None else ("train" if weights is None else "frozen")
        self.precision = precision
        self.momentum = momentum
        if classes is not None:
            self.classes = list(classes)


def _unpickle(data: bytes, device: str, threads: int, state: dict[str, Any]) -> Model:
    model = Model.from_bytes(data, device=device if threads == 0 else Backend(device, threads))
    for name, value in state.items():
        setattr(model, name, value)
    return model


#: Lowest and highest value of scaled pixels.
_RANGES = {"unit": (0.0, 1.0, "0 to 1"), "tf": (-1.0, 1.0, "-1 to 1"), "article": (0.0, 1000.0, "0 to 1000"),
           "torch": (-2.1179039, 2.64, "-2.118 to 2.64")}


def _hint(x: Array) -> str:
    return ": for one image give x[None]" if x.ndim == 3 else ""


def count_parameters(alpha: float = 1.0, outputs: int = 1) -> tuple[int, int]:
    """The parameters of MobileNetV2 with a dense head: (all, those that base "train" trains)."""
    counts = ffi.new("int64_t[2]")
    call(lib.an_mobilenetv2_count_parameters, alpha, outputs, counts, counts + 1)
    return counts[0], counts[1]


__all__ = ["Backend", "Device", "devices", "MobileNetV2", "Model", "count_parameters"]
