# SPDX-License-Identifier: MIT
"""What tests share: a small data set that the program attractivenet draws, and a small model."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attractivenet as an

SIZE, ALPHA = 64, 0.35
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def program() -> str:
    """The installed program, which the environment names."""
    found = os.environ.get("AN_PROGRAM")
    if not found:
        pytest.skip("AN_PROGRAM does not name the program attractivenet")
    return found


@pytest.fixture(scope="session")
def archive(program: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 60 drawn faces."""
    path = tmp_path_factory.mktemp("faces") / "faces.zip"
    subprocess.run([program, "faces", "--out", str(path), "--count", "60", "--size", "64", "--quiet"], check=True)
    return path


@pytest.fixture(scope="session")
def folder(archive: Path) -> Path:
    """The same faces as files, and All_labels.txt."""
    return Path(an.extract(archive, archive.parent / "extracted"))


@pytest.fixture
def faces(archive: Path) -> an.Dataset:
    return an.Dataset.open(archive, size=SIZE)


@pytest.fixture
def model() -> an.Model:
    return an.MobileNetV2(size=SIZE, alpha=ALPHA, momentum=0.9, seed=7)


@pytest.fixture(scope="session")
def trained_bytes(archive: Path) -> bytes:
    faces = an.Dataset.open(archive, size=SIZE)
    model = an.MobileNetV2(size=SIZE, alpha=ALPHA, momentum=0.5)
    model.fit(an.Loader(faces, shuffle=True), epochs=2, verbose=0)
    return model.to_bytes()


@pytest.fixture
def trained(trained_bytes: bytes) -> an.Model:
    """A model whose scores differ from image to image."""
    return an.Model.from_bytes(trained_bytes)


@pytest.fixture
def frames() -> Any:
    """Noise: uint8 [5,64,64,3]."""
    return np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)
