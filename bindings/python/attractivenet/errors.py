# SPDX-License-Identifier: MIT
"""Exceptions: one for each error status of the library, and a category of warnings."""

from __future__ import annotations


class Error(Exception):
    """Base of all errors that the library reports. The message says what was found and what was expected."""

    #: The status of the C call, AN_ERR_*.
    status: int = 0


class ArgumentError(Error, ValueError):
    """An argument or option is invalid, or arguments do not fit together (AN_ERR_ARG)."""

    status = -1


class OutOfMemoryError(Error, MemoryError):
    """Memory ran out (AN_ERR_NOMEM)."""

    status = -2


class FileError(Error, OSError):
    """A file or the network could not be read or written (AN_ERR_IO)."""

    status = -3


class FormatError(Error, ValueError):
    """Content is damaged, or is not what was expected (AN_ERR_FORMAT)."""

    status = -4


class UnsupportedError(Error, NotImplementedError):
    """Something is well formed, but not supported by the library or this build of it (AN_ERR_UNSUPPORTED)."""

    status = -5


class DeviceError(Error, RuntimeError):
    """The device is absent or has failed (AN_ERR_DEVICE)."""

    status = -6


class CancelledError(Error, RuntimeError):
    """A call was asked to stop (AN_ERR_CANCELLED)."""

    status = -7


class InternalError(Error, RuntimeError):
    """A bug in the library (AN_ERR_INTERNAL)."""

    status = -8


class AttractiveNetWarning(UserWarning):
    """Something that did not stop a call: an image left out, a label without an image, an old checkpoint."""


#: The class for each status.
BY_STATUS: dict[int, type[Error]] = {
    kind.status: kind
    for kind in (ArgumentError, OutOfMemoryError, FileError, FormatError, UnsupportedError, DeviceError,
                 CancelledError, InternalError)
}
