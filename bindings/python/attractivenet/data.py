# SPDX-License-Identifier: MIT
"""Steps 1 to 3 of the tutorial: get the data, load it, split it, and make batches of it."""

from __future__ import annotations

import os
from typing import Any, Callable, Iterator, NoReturn, Sequence, Union, overload

import numpy as np

from ._call import (DONE, NULL, Callbacks, Path, Size, Strings, address, as_array, call, call_long, choose, decode,
                    doubles, encode, encode_path, ffi, flag, floats, hold, lib, options, own, pair, path_list, unhold, view)
from ._progress import Progress, Shown

Array = np.ndarray[Any, Any]

POLICIES = ("strict", "skip")
CACHES = ("none", "encoded", "pixels")
LABELS = ("numbers", "classes", "folders")
SCALES = ("auto", "unit", "tf", "article", "torch")
AUGMENTS = ("none", "fast", "keras", "legacy")
FILLS = ("nearest", "constant", "reflect", "wrap")
ITERATORS = ("next", "item")


# --- step 1: get the data ---------------------------------------------------------------------------------------


def download_data(url: str, path: Path, *, sha256: str | None = None, expected_type: str = "zip",
                  progress: Progress = "auto") -> str:
    """Download an archive to path, unless it is already there, and return path.

    url: http, https or file; Google Drive's confirmation pages are followed. An interrupted transfer is resumed. The
    content is checked before the file gets its name: sha256 (64 hexadecimal digits), and that it is of the
    expected_type: "zip", "hdf5" or "any".

    Raises FileError (network, disk), FormatError (a web page instead of data, a wrong hash), UnsupportedError (no
    libcurl on this machine: install it, as in `apt install libcurl4`).
    """
    address_, to, kind = encode(url), encode_path(path), encode(expected_type)
    expected = encode(sha256) if sha256 is not None else None
    with Shown(progress, "download") as shown:
        how = options("download_options", sha256=expected, expected_type=kind, progress=lib.py_progress,
                      progress_user=shown.callbacks.handle, warn=lib.py_warning, warn_user=shown.callbacks.handle)
        call(lib.an_download, address_, to, how)
    return os.fspath(path)


def extract(archive: Path, folder: Path, *, label_file: str = "All_labels.txt", suffix: str | None = None,
            policy: str = "strict", names_encoding: str | None = None, exact: bool = True,
            progress: Progress = "auto") -> str:
    """Extract the images and the label file of a zip archive into a flat folder, and return folder.

    Every name, size and offset is checked first; files that are already there are kept. exact: refuse a folder that
    holds images of another archive. A data set can also be opened from the archive itself.
    """
    label, to, source = encode(label_file), encode_path(folder), encode_path(archive)
    ending = encode(suffix) if suffix is not None else None
    encoding = encode(names_encoding) if names_encoding is not None else None
    with Shown(progress, "extract") as shown:
        how = options("extract_options", policy=choose("policy", policy, POLICIES), label_file=label, suffix=ending,
                      names_encoding=encoding, exact=int(exact), progress=lib.py_progress,
                      progress_user=shown.callbacks.handle, warn=lib.py_warning, warn_user=shown.callbacks.handle)
        call(lib.an_archive_extract, source, to, how, NULL)
    return os.fspath(folder)


def read_image(path: Path) -> Array:
    """Read a JPEG or PNG file as uint8 RGB [H,W,3], with its EXIF orientation applied, as OpenCV does."""
    image = own("image", lib.an_image_read, encode_path(path), NULL)
    return view(lib.an_image_data(image), (lib.an_image_height(image), lib.an_image_width(image), 3), "|u1", image)


def resize(image: Any, size: Size) -> Array:
    """Resize uint8 pixels [H,W,C], C from 1 to 4, to [height,width,C]: OpenCV's INTER_LINEAR, bit for bit."""
    pixels = np.ascontiguousarray(as_array(image))
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"an image of {pixels.dtype} with the shape {pixels.shape}; it must be uint8 [H,W,C]")
    height, width = pair(size)
    if not (0 < height < 65536 and 0 < width < 65536):
        raise ValueError(f"size is {height}x{width}; each must be 1 to 65535")
    out = np.empty((height, width, pixels.shape[2]), np.uint8)
    call(lib.an_resize_u8, address(pixels, "uint8_t *"), pixels.shape[0], pixels.shape[1], pixels.shape[2],
         address(out, "uint8_t *"), height, width)
    return out


# --- step 2: load -----------------------------------------------------------------------------------------------


class Samples:
    """Images with scores: a Dataset or a Subset of one."""

    _dataset: Dataset
    #: The samples' indices in the data set: int64 [count]; None: all of them.
    _indices: Array | None

    def _all(self) -> Array:
        return np.arange(self._dataset._count(), dtype=np.int64) if self._indices is None else self._indices

    def __len__(self) -> int:
        return self._dataset._count() if self._indices is None else len(self._indices)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels of the images that this returns."""
        handle = self._dataset._open_handle()
        return lib.an_dataset_height(handle), lib.an_dataset_width(handle)

    @property
    def outputs(self) -> int:
        """Numbers per label; with classes, their number."""
        return int(lib.an_dataset_outputs(self._dataset._open_handle()))

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes; None if labels are numbers."""
        handle = self._dataset._open_handle()
        names = [decode(lib.an_dataset_class_name(handle, i)) for i in range(lib.an_dataset_class_count(handle))]
        return names or None

    @property
    def names(self) -> list[str]:
        """Names of the samples."""
        handle = self._dataset._open_handle()
        return [decode(lib.an_dataset_name(handle, int(i))) for i in self._all()]

    @property
    def scores(self) -> Array:
        """The labels: float64 [count,outputs]; with classes, 1 for the sample's class, else 0."""
        handle = self._dataset._open_handle()
        out = np.empty((self._dataset._count(), self.outputs))
        call(lib.an_dataset_copy_scores, handle, address(out, "double *"))
        return out if self._indices is None else out[self._indices]

    @property
    def weights(self) -> Array | None:
        """The samples' weights: float64 [count]; None if all count alike."""
        handle = self._dataset._open_handle()
        if not lib.an_dataset_has_weights(handle):
            return None
        return np.array([lib.an_dataset_weight(handle, int(i)) for i in self._all()])

    def pixels(self, index: int) -> Array:
        """Read, decode and resize sample index: uint8 RGB [H,W,3]."""
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"sample {index} of {count}")
        height, width = self.size
        out = np.empty((height, width, 3), np.uint8)
        call(lib.an_dataset_read_pixels, self._dataset._open_handle(), int(self._all()[index]),
             address(out, "uint8_t *"))
        return out

    def images(self) -> Array:
        """All images: uint8 RGB [count,H,W,3]."""
        height, width = self.size
        out = np.empty((len(self), height, width, 3), np.uint8)
        handle, first = self._dataset._open_handle(), address(out, "uint8_t *")
        for k, i in enumerate(self._all()):
            call(lib.an_dataset_read_pixels, handle, int(i), first + k * height * width * 3)
        return out

    @overload
    def __getitem__(self, index: int) -> tuple[Array, Array]: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | Array) -> Subset: ...

    def __getitem__(self, index: int | slice | Sequence[int] | Array) -> tuple[Array, Array] | Subset:
        """An index: (pixels uint8 [H,W,3], scores float64 [outputs]); a slice, list or array: a Subset."""
        if isinstance(index, (int, np.integer)):
            pixels = self.pixels(int(index))
            sample = int(self._all()[index])
            handle = self._dataset._open_handle()
            return pixels, np.array([lib.an_dataset_score(handle, sample, k) for k in range(self.outputs)])
        return Subset(self._dataset, self._all()[index])

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        return (self[k] for k in range(len(self)))


class Dataset(Samples):
    """Images with scores. They stay encoded where they are, and are decoded and resized when they are needed.

    Made by Dataset.open(), from_files(), from_bytes() or from_arrays(). len(dataset) is the number of samples,
    dataset[i] is (pixels, scores), dataset[:100] is a Subset. `with` closes it; so does the garbage collector.
    """

    def __init__(self) -> None:
        raise TypeError("use Dataset.open(), from_files(), from_bytes() or from_arrays()")

    _handle: Any
    _callbacks: Callbacks
    _indices = None

    @classmethod
    def _adopt(cls, callbacks: Callbacks, create: Callable[..., int], *arguments: Any) -> Dataset:
        self = cls.__new__(cls)
        self._callbacks = callbacks
        self._handle = own("dataset", create, *arguments)
        self._dataset = self
        return self

    @classmethod
    def open(cls, path: Path, size: Size = 350, *, labels: str = "numbers", label_file: str = "All_labels.txt",
             suffix: str | None = None, outputs: int = 1, classes: Sequence[str] | None = None,
             name_column: str | None = None, score_columns: Sequence[str] | None = None,
             weight_column: str | None = None, policy: str = "strict", cache: str = "encoded",
             names_encoding: str | None = None) -> Dataset:
        """Open a folder or a zip archive of images with a label file. No image is decoded yet.

        size: height and width in pixels of the images that the data set returns, one number or (height, width).
        labels: "numbers", "classes" (label_file names a class per image) or "folders" (each folder is a class).
        label_file: lines of "name score", or a .csv or .tsv table, of which name_column, score_columns and
        weight_column choose columns by their titles. policy: "strict" raises for a bad label line or an image without
        a label, "skip" leaves it out with a warning. cache: keep "encoded" files in memory, decoded "pixels", or "none".
        """
        callbacks = Callbacks()
        named = Strings(classes) if classes is not None else None
        columns = Strings(score_columns) if score_columns is not None else None
        encoding = encode(names_encoding) if names_encoding is not None else None
        archive = options("extract_options", names_encoding=encoding)
        texts = [encode(text) if text is not None else None for text in (label_file, suffix, name_column, weight_column)]
        height, width = pair(size)
        how = options("dataset_options", height=height, width=width, policy=choose("policy", policy, POLICIES),
                      cache=choose("cache", cache, CACHES), labels=choose("labels", labels, LABELS), outputs=outputs,
                      label_file=texts[0], suffix=texts[1], name_column=texts[2], weight_column=texts[3],
                      archive=archive, warn=lib.py_warning, warn_user=callbacks.handle)
        if named is not None and classes is not None:
            how.classes, how.class_count = named.pointer, len(classes)
        if columns is not None:
            how.score_columns = columns.pointer
        return cls._adopt(callbacks, lib.an_dataset_open, encode_path(path), how)

    @classmethod
    def from_files(cls, paths: Any, scores: Any, size: Size = 350, *, classes: Sequence[str] | None = None,
                   policy: str = "strict", cache: str = "encoded") -> Dataset:
        """Make a data set from image files and their scores, such as two columns of a pandas table.

        paths: [count] strings or paths. scores: numbers [count] or [count,outputs], or names of classes [count]; with
        classes also their indices.
        """
        names = Strings(path_list(paths), encode_path)
        labels, outputs, classes = _labels(scores, classes)
        callbacks = Callbacks()
        how, kept = _options(callbacks, size, outputs, classes, policy, cache)
        _check_counts(len(names._kept), labels)
        return cls._adopt(callbacks, lib.an_dataset_from_files, names.pointer, address(labels, "double *"),
                          len(names._kept), how)

    @classmethod
    def from_bytes(cls, images: Sequence[bytes], scores: Any, size: Size = 350, *, names: Sequence[str] | None = None,
                   classes: Sequence[str] | None = None, policy: str = "strict") -> Dataset:
        """Make a data set from the contents of JPEG or PNG files. scores: as for from_files()."""
        kept_images = [ffi.from_buffer(image) for image in images]
        pointers = ffi.new("void *[]", kept_images)
        sizes = ffi.new("int64_t[]", [len(image) for image in kept_images])
        labels, outputs, classes = _labels(scores, classes)
        _check_counts(len(kept_images), labels)
        if names is not None and len(names) != len(kept_images):
            raise ValueError(f"{len(kept_images)} images and {len(names)} names; the counts must be the same")
        named = Strings(names) if names is not None else None
        callbacks = Callbacks()
        how, kept = _options(callbacks, size, outputs, classes, policy, "encoded")
        return cls._adopt(callbacks, lib.an_dataset_from_bytes, pointers, sizes,
                          named.pointer if named is not None else NULL, address(labels, "double *"),
                          len(kept_images), how)

    @classmethod
    def from_arrays(cls, images: Any, scores: Any, *, classes: Sequence[str] | None = None) -> Dataset:
        """Make a data set of pixels in memory: uint8 RGB [count,H,W,3], NumPy or anything with DLPack.

        The pixels are not copied if each row is dense, as in crops; do not change them while the data set or anything
        made from it is in use. For floats see Loader.from_arrays(). scores: as for from_files().
        """
        pixels = as_array(images)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
            raise ValueError(f"images of {pixels.dtype} with the shape {pixels.shape}; they must be uint8 [count,H,W,3]")
        labels, outputs, classes = _labels(scores, classes)
        _check_counts(len(pixels), labels)
        pixels, frame, row = strides_of(pixels)
        callbacks = Callbacks()
        how, kept = _options(callbacks, (1, 1), outputs, classes, "strict", "none")
        held = hold(pixels)
        try:
            return cls._adopt(callbacks, lib.an_dataset_borrow_pixels, address(pixels, "uint8_t *"), len(pixels),
                              pixels.shape[1], pixels.shape[2], frame, row, address(labels, "double *"), outputs,
                              lib.py_release, held, how)
        except BaseException:
            unhold(held)
            raise

    def _open_handle(self) -> Any:
        if self._handle is None:
            raise ValueError("the data set is closed")
        return self._handle

    def _count(self) -> int:
        return int(lib.an_dataset_count(self._open_handle()))

    def set_weights(self, weights: Any) -> None:
        """Set the weight of each sample, [count]; None: all count alike. It multiplies the sample's loss."""
        if weights is None:
            call(lib.an_dataset_set_weights, self._open_handle(), NULL, 0)
            return
        values = doubles(weights, "weights").reshape(-1)
        call(lib.an_dataset_set_weights, self._open_handle(), address(values, "double *"), len(values))

    def check(self, threads: int = 0, progress: Progress = "auto") -> Dataset:
        """Decode every image once, so that damaged ones are known before training; return the data set.

        Policy "strict": FormatError if there are any, after a warning for each. Policy "skip": they are left out with
        a warning; the samples after them move up. threads: 0 = one per processor.
        """
        with Shown(progress, "check") as shown:
            call(lib.an_dataset_check, self._open_handle(), threads, lib.py_progress, shown.callbacks.handle)
        return self

    @property
    def skipped(self) -> int:
        """How many label lines, files and images have been left out so far."""
        return int(lib.an_dataset_skipped(self._open_handle()))

    @property
    def labels_without_image(self) -> int:
        """How many labels had no image."""
        return int(lib.an_dataset_labels_without_image(self._open_handle()))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Dataset cannot be pickled or copied: open it in each process, or pass its images() and scores")

    def close(self) -> None:
        """Release the data set. Loaders made from it keep working."""
        self._handle = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._handle is None:
            return "<Dataset: closed>"
        height, width = self.size
        what = f"{len(self.classes)} classes" if self.classes else f"{self.outputs} score{'s' * (self.outputs > 1)} each"
        return f"<Dataset: {len(self)} images, {height}x{width}, {what}>"


class Subset(Samples):
    """Some samples of a data set, in a given order. It keeps the data set alive."""

    def __init__(self, dataset: Dataset, indices: Any) -> None:
        chosen = np.asarray(indices)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        if chosen.size == 0:
            chosen = chosen.astype(np.int64)
        if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
            raise TypeError(f"indices of {chosen.dtype} with the shape {chosen.shape}; they must be whole numbers [count]")
        self._dataset = dataset
        self._indices = np.ascontiguousarray(chosen, dtype=np.int64)

    @property
    def dataset(self) -> Dataset:
        """The data set that the samples are from."""
        return self._dataset

    @property
    def indices(self) -> Array:
        """int64 [count]: the samples' indices in the data set."""
        return self._all()

    def __repr__(self) -> str:
        return f"<Subset: {len(self)} of {self._dataset!r}>"


def strides_of(pixels: Array) -> tuple[Array, int, int]:
    """An array [N,H,W,3] whose rows are dense, and its strides in bytes for the library: (array, frame, row).

    A copy only where neither rows nor frames could be described by a stride.
    """
    frame, row, pixel, channel = pixels.strides
    n, height, width, _ = pixels.shape
    if pixels.flags.c_contiguous or 0 in pixels.shape:
        return pixels, 0, 0
    if (channel == 1 and pixel == 3 and (height == 1 or row >= 3 * width)
            and (n == 1 or frame >= (row * (height - 1) if height > 1 else 0) + 3 * width)):
        return pixels, 0 if n == 1 else frame, 0 if height == 1 else row
    return np.ascontiguousarray(pixels), 0, 0


def _labels(scores: Any, classes: Sequence[str] | None) -> tuple[Array, int, Sequence[str] | None]:
    """(labels as doubles, outputs, classes) of numbers or names of classes."""
    array = np.asarray(scores)
    if array.dtype.kind in "USO" and array.ndim == 1 and all(isinstance(name, str) for name in array):
        names = [str(name) for name in array]
        classes = list(classes) if classes is not None else sorted(set(names))
        index = {name: k for k, name in enumerate(classes)}
        unknown = sorted(set(names) - set(index))
        if unknown:
            raise ValueError(f"the class {unknown[0]!r} is not one of {list(classes)!r}")
        return np.array([index[name] for name in names], dtype=np.float64), len(classes), classes
    labels = doubles(scores, "scores")
    if classes is not None:
        if labels.ndim != 1:
            raise ValueError(f"class indices have the shape {labels.shape}; it must be [count]")
        return labels, len(classes), classes
    return labels, 1 if labels.ndim == 1 else labels.shape[1], None


def _check_counts(count: int, values: Array, what: str = "scores") -> None:
    if count != len(values):
        raise ValueError(f"{count} images and {len(values)} {what}; the counts must be the same")


def _options(callbacks: Callbacks, size: Size, outputs: int, classes: Sequence[str] | None, policy: str,
             cache: str) -> tuple[Any, Any]:
    """Options of a data set from arrays, and what they point to."""
    height, width = pair(size)
    how = options("dataset_options", height=height, width=width, outputs=outputs,
                  policy=choose("policy", policy, POLICIES), cache=choose("cache", cache, CACHES),
                  warn=lib.py_warning, warn_user=callbacks.handle)
    named = Strings(classes) if classes is not None else None
    if named is not None and classes is not None:
        how.labels, how.classes, how.class_count = lib.AN_LABELS_CLASSES, named.pointer, len(classes)
    return how, named


# --- step 3: prepare --------------------------------------------------------------------------------------------


def _split_options(test_size: float | int | None, train_size: float | int | None, random_state: int,
                   shuffle: bool) -> Any:
    if not 0 <= random_state < 2**32:
        raise ValueError(f"random_state is {random_state}; it must be 0 to 4294967295")
    how = options("split_options", shuffle=int(shuffle), seed=random_state)
    for name, size in (("test", test_size), ("train", train_size)):
        if size is None:
            continue
        if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
            setattr(how, name + "_kind", lib.AN_SIZE_COUNT)
            setattr(how, name + "_count", int(size))
        else:
            setattr(how, name + "_kind", lib.AN_SIZE_FRACTION)
            setattr(how, name + "_fraction", float(size))
    return how


def train_test_split(*arrays: Any, test_size: float | int | None = None, train_size: float | int | None = None,
                     random_state: int | None = 42, shuffle: bool = True) -> list[Any]:
    """Split data sets or arrays of the same length: scikit-learn's function, index for index.

    Returns [train, test] of the first, then of the second, and so on: a Subset for a Dataset or Subset, rows for
    arrays, lists, and pandas columns and tables. test_size, train_size: a fraction between 0 and 1, or a number of
    samples; both None: test is a quarter. random_state: the seed; None: another one each time.
    """
    if not arrays:
        raise ValueError("nothing to split: at least one data set or array is needed")
    count = len(arrays[0])
    for other in arrays[1:]:
        if len(other) != count:
            raise ValueError(f"{count} and {len(other)} samples; the counts must be the same")
    if random_state is None:
        random_state = int.from_bytes(os.urandom(4), "little")
    how = _split_options(test_size, train_size, random_state, shuffle)
    sizes = ffi.new("int64_t[2]")
    call(lib.an_split_compute_sizes, count, how, sizes, sizes + 1)
    train, test = np.empty(sizes[0], np.int64), np.empty(sizes[1], np.int64)
    call(lib.an_train_test_split, count, how, address(train, "int64_t *"), address(test, "int64_t *"))
    return [_take(whole, part) for whole in arrays for part in (train, test)]


def tutorial_split(data: Samples, random_state: int = 42) -> tuple[Subset, Subset, Subset]:
    """Split as the tutorial does, into training (70 %), validation (20 %) and test (10 %) samples."""
    if not isinstance(data, Samples):
        raise TypeError(f"data is of the type {type(data).__qualname__}; it must be a Dataset or Subset: make one with "
                        "Dataset.from_arrays(), or use train_test_split()")
    count = len(data)
    indices, sizes = np.empty(count, np.int64), ffi.new("int64_t[3]")
    call(lib.an_tutorial_split, count, random_state, address(indices, "int64_t *"), sizes, sizes + 1, sizes + 2)
    ends = [sizes[0], sizes[0] + sizes[1]]
    train, val, test = (data[part] for part in np.split(indices, ends))
    return train, val, test


def _take(whole: Any, indices: Array) -> Any:
    if isinstance(whole, Samples):
        return whole[indices]
    if hasattr(whole, "iloc"):
        return whole.iloc[indices]
    if isinstance(whole, (list, tuple)):
        return [whole[int(i)] for i in indices]
    return as_array(whole)[indices]


class Augment:
    """Random transforms of training images: one affine map (rotation, shift, shear and zoom), flips, colours, an erased rectangle.

    mode: "fast", "keras" (the draws and pixels of ImageDataGenerator.flow, bugs included), "legacy" (Keras of 2020)
    or "none". rotation: degrees, either way. width_shift, height_shift: below 1 a fraction of the length, else pixels;
    or a list of values to choose from. shear: degrees. zoom: z for 1-z to 1+z, or (low, high) factors. channel_shift:
    on the scale of the batch. brightness: (low, high) factors. fill: "nearest", "constant" (fill_value), "reflect",
    "wrap". Mode "fast" has contrast and saturation, c for factors from 1-c to 1+c, and erase, the probability that a
    rectangle gets the mean colour.
    """

    def __init__(self, mode: str = "fast", *, horizontal_flip: bool = False, vertical_flip: bool = False,
                 rotation: float = 0.0, width_shift: float | Sequence[float] = 0.0,
                 height_shift: float | Sequence[float] = 0.0, shear: float = 0.0,
                 zoom: float | tuple[float, float] = 0.0, channel_shift: float = 0.0,
                 brightness: tuple[float, float] | None = None, fill: str = "nearest", fill_value: float = 0.0,
                 contrast: float = 0.0, saturation: float = 0.0, erase: float = 0.0) -> None:
        self.mode = mode
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rotation = rotation
        self.width_shift = width_shift
        self.height_shift = height_shift
        self.shear = shear
        self.zoom = zoom
        self.channel_shift = channel_shift
        self.brightness = brightness
        self.fill = fill
        self.fill_value = fill_value
        self.contrast = contrast
        self.saturation = saturation
        self.erase = erase
        choose("mode", mode, AUGMENTS)
        choose("fill", fill, FILLS)

    @classmethod
    def tutorial(cls, mode: str = "fast", strength: float = 1.0) -> Augment:
        """The tutorial's: horizontal flip, rotation 40, shifts, shear and zoom 0.2, all but the flip times strength."""
        how = ffi.new("an_augment_options *")
        lib.an_augment_options_tutorial(how, ffi.sizeof("an_augment_options"))
        return cls(mode, horizontal_flip=bool(how.horizontal_flip), rotation=how.rotation * strength,
                   width_shift=how.width_shift * strength, height_shift=how.height_shift * strength,
                   shear=how.shear * strength,
                   zoom=(1 - (1 - how.zoom_low) * strength, 1 + (how.zoom_high - 1) * strength))

    def _options(self) -> tuple[Any, list[Any]]:
        kept: list[Any] = []
        low, high = (1 - self.zoom, 1 + self.zoom) if isinstance(self.zoom, (int, float)) else self.zoom
        dark, bright = self.brightness or (0.0, 0.0)
        how = options("augment_options", mode=choose("mode", self.mode, AUGMENTS),
                      horizontal_flip=int(self.horizontal_flip), vertical_flip=int(self.vertical_flip),
                      fill=choose("fill", self.fill, FILLS), rotation=self.rotation, shear=self.shear, zoom_low=low,
                      zoom_high=high, channel_shift=self.channel_shift, brightness_low=dark, brightness_high=bright,
                      fill_value=self.fill_value, contrast=self.contrast, saturation=self.saturation,
                      erase=self.erase)
        for name, value in (("width_shift", self.width_shift), ("height_shift", self.height_shift)):
            if isinstance(value, (int, float)):
                setattr(how, name, value)
            else:
                values = ffi.new("double[]", [float(one) for one in value])
                kept.append(values)
                setattr(how, name + "s", values)
                setattr(how, name + "_count", len(values))
        return how, kept

    def __repr__(self) -> str:
        plain = Augment()
        said = [f"{name}={value!r}" for name, value in vars(self).items()
                if name != "mode" and value != getattr(plain, name)]
        return f"Augment({', '.join([repr(self.mode), *said])})"


#: What a function for Loader.from_function() returns: x, y or x, y, weights.
Filled = Union["tuple[Any, Any]", "tuple[Any, Any, Any]"]


class _Source:
    """Samples from a function, as the library asks for them."""

    def __init__(self, fill: Callable[[Any], None], count: int, size: Size, outputs: int, varies: bool, weighted: bool,
                 any_range: bool, identity: str | None) -> None:
        self.fill = fill
        self.count = count
        self.size = pair(size)
        self.outputs = outputs
        self.varies = varies
        self.weighted = weighted
        self.any_range = any_range
        self.identity = identity


class Loader:
    """Batches of samples, epoch after epoch: shuffled, augmented, scaled by threads of the library.

    data: a Dataset or Subset. scale: "unit" (0 to 1), "tf" (-1 to 1), "article" (0 to 1000) or "torch" (ImageNet's); None: that of the model
    which reads the loader, "unit" where there is none. threads: that decode and augment; 0: the caller alone.
    prefetch: batches prepared in advance. iterator: how modes "keras" and "legacy" read Keras' iterator: "next" or
    "item". mixup: the alpha of C-Mixup, which mixes each sample with one whose label is close; mixup_bandwidth: how
    close, in standard deviations of the labels; 0: any pair.

    len(loader) is the number of batches per epoch. Iterating gives (x, y), with weights (x, y, weights):
    x float32 [n,H,W,3] RGB scaled, y float32 [n,outputs]; the first loop is epoch 0, the next one epoch 1, and so on.
    """

    def __init__(self, data: Samples, *, batch_size: int = 32, shuffle: bool = False, augment: Augment | None = None,
                 scale: str | None = None, drop_last: bool = False, threads: int = 1, prefetch: int = 2,
                 seed: int = 42, iterator: str = "next", mixup: float = 0.0, mixup_bandwidth: float = 0.5) -> None:
        if not isinstance(data, (Samples, _Source)):
            raise TypeError(f"a loader of a {type(data).__qualname__}; it must be a Dataset or Subset: "
                            "see Dataset.from_arrays() and Loader.from_arrays()")
        if augment is not None and not isinstance(augment, Augment):
            raise TypeError(f"augment is {augment!r}; it must be an Augment, such as Augment.tutorial(), or None")
        if scale is not None and choose("scale", scale, SCALES) == 0:
            raise ValueError("scale 'auto' says nothing here; it must be 'unit', 'tf', 'article' or 'torch', or None for the model's")
        self._data: Samples | _Source = data
        self._epoch = 0
        self._made: dict[str, Any] = {}
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.augment = augment
        self.scale = scale
        self.drop_last = drop_last
        self.threads = threads
        self.prefetch = prefetch
        self.seed = seed
        self.iterator = iterator
        self.mixup = mixup
        self.mixup_bandwidth = mixup_bandwidth
        choose("iterator", iterator, ITERATORS)
        if not isinstance(data, _Source):
            data._dataset._open_handle()

    @classmethod
    def from_function(cls, fill: Callable[[Array, int], Filled], *, count: int, size: Size, outputs: int = 1,
                      varies: bool = False, weighted: bool = False, any_range: bool = False,
                      identity: str | None = None, **how: Any) -> Loader:
        """A loader of samples that a function makes: fill(samples, epoch) returns (x, y) or (x, y, weights).

        samples: int64 [n], each 0 to count-1. x: float32 [n,H,W,3] RGB on the loader's scale (any_range: on none);
        y: [n,outputs]; weights: [n], if weighted. What it returns must depend on its arguments alone, and only with
        varies on the epoch. identity: a name of the samples, with which a run can be resumed. The other arguments
        are those of Loader().
        """
        height, width = pair(size)

        def into(batch: Any) -> None:
            n = batch.n
            samples = np.frombuffer(ffi.buffer(batch.samples, 8 * n), np.int64).copy()
            parts = fill(samples, int(batch.epoch))
            _fill(batch.x, (n, height, width, 3), parts[0], "x")
            _fill(batch.y, (n, outputs), parts[1], "y")
            if weighted:
                _fill(batch.weights, (n,), parts[2] if len(parts) > 2 else None, "weights")

        return cls(_Source(into, count, size, outputs, varies, weighted, any_range, identity), **how)  # type: ignore[arg-type]

    @classmethod
    def from_arrays(cls, x: Any, y: Any, weights: Any = None, *, any_range: bool = False,
                    **how: Any) -> Loader:
        """A loader of the caller's own floats: x float32 [count,H,W,3] RGB, scaled; y [count] or [count,outputs].

        x is not copied. With any_range its values need not lie on the loader's scale. For uint8 pixels use
        Dataset.from_arrays(). The other arguments are those of Loader().
        """
        images = as_array(x)
        if images.dtype != np.float32 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(f"images of {images.dtype} with the shape {images.shape}; they must be float32 [count,H,W,3] "
                             "(for uint8: Dataset.from_arrays())")
        labels = doubles(y, "y").astype(np.float32)
        labels = labels.reshape(len(labels), -1)
        _check_counts(len(images), labels)
        shares = None if weights is None else doubles(weights, "weights").astype(np.float32).reshape(-1)
        if shares is not None:
            _check_counts(len(images), shares, "weights")

        def into(batch: Any) -> None:
            samples = np.frombuffer(ffi.buffer(batch.samples, 8 * batch.n), np.int64)
            np.take(images, samples, axis=0, out=floats(batch.x, (batch.n, *images.shape[1:])), mode="clip")
            np.take(labels, samples, axis=0, out=floats(batch.y, (batch.n, labels.shape[1])), mode="clip")
            if shares is not None:
                np.take(shares, samples, out=floats(batch.weights, (batch.n,)), mode="clip")

        source = _Source(into, len(images), (images.shape[1], images.shape[2]), labels.shape[1], False,
                         shares is not None, any_range, None)
        return cls(source, **how)  # type: ignore[arg-type]

    def _bind(self, scale: str) -> Any:
        """The library's loader for a model with this scale, made once."""
        scale = self.scale or scale
        if scale not in self._made:
            augment, kept = self.augment._options() if self.augment is not None else (None, [])
            how = options("loader_options", batch_size=self.batch_size, shuffle=int(self.shuffle),
                          drop_last=int(self.drop_last), scale=choose("scale", scale, SCALES), threads=self.threads,
                          prefetch=self.prefetch, seed=self.seed, augment=augment, mixup=self.mixup,
                          mixup_bandwidth=self.mixup_bandwidth,
                          iterator=choose("iterator", self.iterator, ITERATORS))
            if isinstance(self._data, _Source):
                handle = self._from_source(self._data, how)
            else:
                indices = self._data._indices
                if indices is not None and len(indices) == 0:
                    raise ValueError("a loader without samples: the subset is empty")
                handle = own("loader", lib.an_loader_create, self._data._dataset._open_handle(),
                             NULL if indices is None else address(indices, "int64_t *"),
                             0 if indices is None else len(indices), how)
            call(lib.an_loader_set_cancel, handle, flag)
            self._made[scale] = handle
        return self._made[scale]

    @staticmethod
    def _from_source(data: _Source, how: Any) -> Any:
        identity = encode(data.identity) if data.identity is not None else None
        held = hold(Callbacks(fill=data.fill))  # until the last holder of the library's loader is destroyed
        try:
            source = options("loader_source", height=data.size[0], width=data.size[1], outputs=data.outputs,
                             count=data.count, varies=int(data.varies), weighted=int(data.weighted),
                             any_range=int(data.any_range), identity=identity, fill=lib.py_fill, user=held,
                             release=lib.py_release)
            return own("loader", lib.an_loader_create_from_callback, source, how)
        except BaseException:
            unhold(held)
            raise

    def _any(self) -> Any:
        return next(iter(self._made.values())) if self._made else self._bind("unit")

    def __len__(self) -> int:
        return int(lib.an_loader_steps(self._any()))

    @property
    def samples(self) -> int:
        """The number of samples in an epoch."""
        return int(lib.an_loader_samples(self._any()))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images in pixels."""
        handle = self._any()
        return lib.an_loader_height(handle), lib.an_loader_width(handle)

    def epoch(self, number: int) -> Iterator[tuple[Array, ...]]:
        """The batches of epoch number, from 0: the same ones every time."""
        handle = self._bind("unit")
        height, width = self.size
        outputs = int(lib.an_loader_outputs(handle))
        call(lib.an_loader_begin, handle, number, 0)
        x, y, n = ffi.new("float *[1]"), ffi.new("float *[1]"), ffi.new("int64_t *")
        while call_long(lib.py_loader_next, handle, ffi.cast("const float **", x), ffi.cast("const float **", y),
                        NULL, n) != DONE:
            batch = [floats(x[0], (n[0], height, width, 3)).copy(), floats(y[0], (n[0], outputs)).copy()]
            weights = lib.an_loader_batch_weights(handle)
            if weights != NULL:
                batch.append(floats(weights, (n[0],)).copy())
            yield tuple(batch)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        number = self._epoch
        self._epoch += 1
        return self.epoch(number)

    def __repr__(self) -> str:
        what = repr(self._data) if isinstance(self._data, Samples) else f"{self._data.count} samples of a function"
        said = [f"batch_size={self.batch_size}"]
        said += ["shuffle=True"] * self.shuffle + [f"augment={self.augment!r}"] * (self.augment is not None)
        said += [f"scale={self.scale!r}"] * (self.scale is not None)
        return f"<Loader: {', '.join(said)} of {what}>"


def _fill(pointer: Any, shape: tuple[int, ...], values: Any, what: str) -> None:
    """Copy what a function returned to the library's memory."""
    if values is None:
        raise ValueError(f"the function returned no {what}")
    array = as_array(values)
    if what == "y" and array.ndim == 1 and shape[1] == 1:
        array = array.reshape(-1, 1)
    if array.shape != shape:
        raise ValueError(f"the function returned {what} with the shape {array.shape}; it must be {shape}")
    if what == "x" and array.dtype != np.float32:
        raise TypeError(f"the function returned x of {array.dtype}; it must be float32")
    floats(pointer, shape)[...] = array


__all__ = ["Augment", "Dataset", "Loader", "Samples", "Subset", "download_data", "extract", "read_image", "resize",
           "train_test_split", "tutorial_split"]
