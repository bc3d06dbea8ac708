# SPDX-License-Identifier: MIT
"""Progress of long calls: tqdm in a notebook, a line that overwrites itself on a terminal, otherwise nothing."""

from __future__ import annotations

import sys
from typing import Any, Callable, Literal, Union

from ._call import Callbacks, decode

#: "auto", True or False, or a function that gets (units done, units in all or -1).
Progress = Union[Literal["auto"], bool, Callable[[int, int], None]]


def in_notebook() -> bool:
    """Does the output go to a Jupyter notebook?"""
    shell = sys.modules.get("IPython")
    if shell is None:
        return False
    found = shell.get_ipython()
    return found is not None and type(found).__name__ == "ZMQInteractiveShell"


def tqdm_bar(**arguments: Any) -> Any:
    """A bar of tqdm.auto, or None where tqdm is not installed."""
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    return tqdm(**arguments)


class Shown:
    """A context in which a call's progress is shown: `with Shown("auto", "download") as shown: ... shown.callbacks`."""

    def __init__(self, progress: Progress, title: str, warn: Callable[[str], None] | None = None) -> None:
        self.title = title
        self.bar: Any = None
        self.length = 0  # of the line on the terminal
        if callable(progress):
            report = progress
            show: Callable[[Any], None] = lambda p: report(p.done, p.total)
        elif progress is False or (progress == "auto" and not in_notebook() and not sys.stderr.isatty()):
            show = _nothing  # called all the same: Ctrl-C is noticed there
        else:
            show = self._tqdm if in_notebook() else self._line
        self.callbacks = Callbacks(progress=show, warn=warn)

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        if self.length:
            sys.stderr.write("\r" + " " * self.length + "\r")
            sys.stderr.flush()

    def _tqdm(self, p: Any) -> None:
        if self.bar is None:
            self.bar = tqdm_bar(desc=self.title, total=p.total if p.total >= 0 else None, unit=" " + decode(p.what),
                                unit_scale=p.total > 100000)
            if self.bar is None:
                self.callbacks.progress = self._line
                return
        self.bar.update(p.done - self.bar.n)

    def _line(self, p: Any) -> None:
        part = f"{p.done / p.total:4.0%}" if p.total > 0 else f"{p.done} {decode(p.what)}"
        left = f", {p.seconds_left:.0f} s left" if p.seconds_left >= 0 else ""
        text = f"{self.title}: {part}{left}"
        sys.stderr.write("\r" + text + " " * max(0, self.length - len(text)))
        sys.stderr.flush()
        self.length = max(self.length, len(text))


def _nothing(_: Any) -> None:
    pass
