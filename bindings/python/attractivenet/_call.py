# SPDX-License-Identifier: MIT
"""Calls of the library: statuses become exceptions, callbacks become Python functions, structs get their defaults.

The interpreter lock is released during every call (cffi does that) and taken for every callback.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import warnings
from types import FrameType
from typing import Any, Callable, Iterable, NoReturn, Sequence, Union

import numpy as np

from ._core import ffi as ffi
from ._core import lib as lib
from .errors import BY_STATUS, AttractiveNetWarning, Error

Path = Union[str, "os.PathLike[str]"]
Size = Union[int, "tuple[int, int]"]

OK: int = lib.AN_OK
DONE: int = lib.AN_DONE
CANCELLED: int = lib.AN_ERR_CANCELLED
NULL = ffi.NULL


class _Thread(threading.local):
    """What belongs to one thread: the message of its last failure, and what its callbacks raised."""

    def __init__(self) -> None:
        self.err = ffi.new("an_error *")
        self.raised: BaseException | None = None


thread = _Thread()


def fail(status: int) -> NoReturn:
    """Raise what a callback raised, or the exception for a status."""
    raised, thread.raised = thread.raised, None
    if raised is not None:
        raise raised
    kind = BY_STATUS.get(status, Error)
    raise kind(ffi.string(thread.err.message).decode("utf-8", "replace"))


def call(function: Callable[..., int], *arguments: Any) -> int:
    """Call a function of the library with these arguments and an error; return its status, 0 or above."""
    status = function(*arguments, thread.err)
    if status < 0 or thread.raised is not None:
        fail(status)
    return status


def call_long(function: Callable[..., int], *arguments: Any) -> int:
    """Call a function that Ctrl-C ends (interrupt.c).

    The signal's handler runs when the function has returned. If that raises no exception, the call begins again:
    as in Python's own functions, a signal that raises nothing interrupts nothing.
    """
    while True:
        status = function(*arguments, thread.err)
        if status >= 0 and thread.raised is None:
            return status
        if status != CANCELLED or thread.raised is not None:
            fail(status)
        while not lib.py_interrupt_is_over():
            time.sleep(0.001)


def options(name: str, **fields: Any) -> Any:
    """Make a struct with its defaults, then set the fields that are not None. The caller keeps pointers alive."""
    struct = ffi.new(f"an_{name} *")
    getattr(lib, f"an_{name}_init")(struct, ffi.sizeof(f"an_{name}"))
    for field, value in fields.items():
        if value is not None:
            setattr(struct, field, value)
    return struct


def own(kind: str, create: Callable[..., int], *arguments: Any) -> Any:
    """Make a handle that is destroyed when nothing refers to it any more."""
    out = ffi.new(f"an_{kind} **")
    call(create, out, *arguments)
    return adopt(kind, out[0])


def adopt(kind: str, pointer: Any) -> Any:
    """A handle that is ours now."""
    return ffi.gc(pointer, getattr(lib, f"an_{kind}_destroy"))


def encode(text: str) -> Any:
    """Text as a C string, which lives as long as the result."""
    data = text.encode("utf-8")
    if b"\0" in data:
        raise ValueError(f"{text!r} contains a null character")
    return ffi.new("char[]", data)


def encode_path(path: Path) -> Any:
    """A path as a C string, which lives as long as the result."""
    data = os.fsencode(path)
    if b"\0" in data:
        raise ValueError(f"{path!r} contains a null character")
    return ffi.new("char[]", data)


class Strings:
    """An array of C strings, which live as long as this."""

    def __init__(self, texts: Sequence[Any], encoder: Callable[[Any], Any] = encode) -> None:
        self._kept = [encoder(text) for text in texts]
        self.pointer = ffi.new("char *[]", self._kept)


def decode(pointer: Any) -> str:
    return "" if pointer == NULL else str(ffi.string(pointer).decode("utf-8", "replace"))


def choose(what: str, value: str, names: Sequence[str]) -> int:
    """The index of a name among those of a C enum, in its order."""
    if value not in names:
        raise ValueError(f"{what} is {value!r}; it must be one of {', '.join(map(repr, names))}")
    return list(names).index(value)


def pair(size: Size) -> tuple[int, int]:
    """(height, width) of a size, which may be one number for both."""
    if isinstance(size, (int, np.integer)):
        return int(size), int(size)
    parts = () if isinstance(size, (str, bytes)) or not hasattr(size, "__iter__") else tuple(size)
    if len(parts) != 2 or not all(isinstance(part, (int, np.integer)) for part in parts):
        raise TypeError(f"size is {size!r}; it must be a whole number or (height, width)")
    return int(parts[0]), int(parts[1])


def path_list(paths: Iterable[Path]) -> list[Path]:
    """Paths as a list. One path alone, of which each letter would be taken for a path, is refused."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError(f"paths is {paths!r}; it must be a list of paths: for one file give [path]")
    return list(paths)


# --- arrays -----------------------------------------------------------------------------------------------------


class _Owner:
    """Memory of the library as NumPy sees it: the array that is made from this keeps it, and so the handle, alive."""

    def __init__(self, pointer: Any, shape: tuple[int, ...], typestr: str, handle: Any, read_only: bool) -> None:
        self.handle = handle
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": typestr,
                                    "data": (int(ffi.cast("uintptr_t", pointer)), read_only)}


def view(pointer: Any, shape: tuple[int, ...], typestr: str, handle: Any, read_only: bool = False) -> np.ndarray[Any, Any]:
    """An array over memory of the library, without a copy. It keeps handle alive."""
    if pointer == NULL or 0 in shape:
        return np.zeros(shape, np.dtype(typestr))
    return np.asarray(_Owner(pointer, shape, typestr, handle, read_only))


def address(array: np.ndarray[Any, Any], kind: str) -> Any:
    """The address of an array's first element; the caller keeps the array alive."""
    return ffi.cast(kind, array.__array_interface__["data"][0])


def floats(pointer: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """An array over float32 of the library that are valid during a call."""
    return np.frombuffer(ffi.buffer(pointer, 4 * math.prod(shape)), np.float32).reshape(shape)


def as_array(x: Any) -> np.ndarray[Any, Any]:
    """An array of anything that NumPy or DLPack understands, without a copy where there is one already."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array_interface__"):
        device = getattr(x, "__dlpack_device__", lambda: (1, 0))()
        if device[0] not in (1, 3, 11):  # kDLCPU, and memory of a GPU that the host can read
            raise TypeError(f"a {type(x).__module__}.{type(x).__qualname__} on device {tuple(map(int, device))}; "
                            "it must be in the memory of the host: call its .cpu()")
        return np.from_dlpack(x)
    return np.asarray(x)


def doubles(values: Any, what: str) -> np.ndarray[Any, Any]:
    """A dense array of doubles: labels, weights, scores of a pandas column."""
    array = np.ascontiguousarray(as_array(values), dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ValueError(f"{what} has the shape {array.shape}; it must be [count] or [count,outputs]")
    return array


# --- callbacks --------------------------------------------------------------------------------------------------
# user is a handle of a Callbacks object. What a function raises is kept for the call that is in progress on this
# thread, which ends with AN_ERR_CANCELLED and raises it.


class Callbacks:
    """The Python functions that a call may call. The handle is valid as long as this object."""

    def __init__(self, *, progress: Callable[[Any], None] | None = None, warn: Callable[[str], None] | None = None,
                 event: Callable[[Any], None] | None = None, text: Callable[[str], None] | None = None,
                 loss: Callable[[Any], None] | None = None, fill: Callable[[Any], None] | None = None) -> None:
        self.progress = progress
        self.warn = warn or warn_user
        self.event = event
        self.text = text
        self.loss = loss
        self.fill = fill
        self.handle = ffi.new_handle(self)


def warn_user(message: str) -> None:
    """Show a warning at the first frame outside of this package."""
    level = 2
    frame: FrameType | None = sys._getframe(1)
    package = os.path.dirname(__file__) + os.sep
    while frame is not None and frame.f_code.co_filename.startswith(package):
        frame = frame.f_back
        level += 1
    warnings.warn(message, AttractiveNetWarning, stacklevel=level)


def _run(function: Callable[[Any], None] | None, argument: Any) -> int:
    try:
        if function is not None:
            function(argument)
    except BaseException as error:  # also KeyboardInterrupt: it is raised again by fail()
        if thread.raised is None:
            thread.raised = error
        return 1
    return 0


@ffi.def_extern()  # type: ignore[untyped-decorator]
def py_progress(user: Any, progress: Any) -> int:
    return _run(ffi.from_handle(user).progress, progress)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def py_warning(user: Any, warning: Any) -> int:
    return _run(ffi.from_handle(user).warn, decode(warning.message))


@ffi.def_extern()  # type: ignore[untyped-decorator]
def py_event(user: Any, event: Any) -> int:
    return _run(ffi.from_handle(user).event, event)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def py_text(user: Any, text: Any) -> int:
    return _run(ffi.from_handle(user).text, decode(text))


@ffi.def_extern()  # type: ignore[untyped-decorator]
def py_loss(user: Any, batch: Any) -> int:
    return _run(ffi.from_handle(user).loss, batch)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def py_fill(user: Any, batch: Any) -> int:
    return _run(ffi.from_handle(user).fill, batch)


#: What the library still refers to, until it calls py_release(): by the address of its handle.
_held: dict[int, Any] = {}


def hold(thing: Any) -> Any:
    """Keep a Python object until the library releases it; return the user pointer for py_release()."""
    handle = ffi.new_handle(thing)
    _held[int(ffi.cast("uintptr_t", handle))] = handle
    return handle


def unhold(handle: Any) -> None:
    _held.pop(int(ffi.cast("uintptr_t", handle)), None)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def py_release(user: Any) -> None:
    unhold(user)


flag = lib.py_interrupt_flag()
if flag == NULL:
    raise MemoryError("no memory for a flag")
