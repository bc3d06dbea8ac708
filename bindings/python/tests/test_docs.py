# SPDX-License-Identifier: MIT
"""The blocks of Python in the documents run, in their order."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_blocks_of_a_page_run(page: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pandas", "sklearn"):
        pytest.importorskip(package)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    monkeypatch.chdir(tmp_path)
    subprocess.run([program, "faces", "--out", "faces.zip", "--count", "300", "--size", "64", "--quiet"], check=True)
    subprocess.run([program, "faces", "--out", "photos", "--count", "1", "--size", "64", "--quiet"], check=True)
    next(Path("photos").rglob("*.jpg")).rename("photo.jpg")
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
