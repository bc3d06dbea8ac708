# SPDX-License-Identifier: MIT
"""The eight steps in Python give the bits of the C program with the same options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import attractivenet as an

TUTORIAL = Path(__file__).resolve().parents[1] / "examples/tutorial.py"


@pytest.mark.parametrize("augment", ["fast", "keras"])
def test_the_tutorial_gives_the_bits_of_the_program(program: str, archive: Path, tmp_path: Path, augment: str) -> None:
    same = ["--data", archive, "--weights", "none", "--size", "64", "--alpha", "0.35", "--epochs1", "2", "--epochs2", "3",
            "--batch", "8", "--augment", augment]
    ours, theirs = tmp_path / "python", tmp_path / "c"
    said = subprocess.run([sys.executable, TUTORIAL, *same, "--out", ours, "--rate2", "2e-3", "--momentum", "0.9"], check=True,
                          capture_output=True, text=True).stdout
    subprocess.run([program, "train", *same, "--out", theirs, "--lr2", "2e-3", "--bn-momentum", "0.9", "--scale", "unit",
                    "--interval", "0"], check=True, capture_output=True)
    assert (ours / "model.safetensors").read_bytes() == (theirs / "model.safetensors").read_bytes()

    def columns(path: Path) -> list[list[str]]:  # all but the seconds
        return [line.split(",")[:5] for line in path.read_text().splitlines()]

    assert columns(ours / "history.csv") == columns(theirs / "history.csv") and len(columns(ours / "history.csv")) == 6
    assert (ours / "loss.png").read_bytes() == (theirs / "loss.png").read_bytes()
    assert (ours / "scatter.png").read_bytes() == (theirs / "scatter.png").read_bytes()
    metrics = (theirs / "metrics.json").read_text()
    rmse = float(said.split("RMSE ")[1].split(",")[0])
    assert f'"rmse": {rmse:.2f}'[:-1] in metrics, (rmse, metrics)


def test_predictions_are_those_of_the_program(program: str, folder: Path, trained: an.Model, tmp_path: Path) -> None:
    trained.save(tmp_path / "model.safetensors")
    said = subprocess.run([program, "predict", "--model", tmp_path / "model.safetensors", folder], check=True,
                          capture_output=True, text=True).stdout
    theirs = dict(line.rsplit("\t", 1) for line in said.splitlines())
    paths = sorted(folder.glob("*.jpg"))
    scores = trained.predict_files(paths)[:, 0]
    assert {path.name: f"{score:.6f}" for path, score in zip(paths, scores)} == theirs


@pytest.mark.parametrize("arguments", [["--epochs1", "0", "--epochs2", "1"], ["--epochs1", "1", "--epochs2", "0"]])
@pytest.mark.filterwarnings("ignore")
def test_the_tutorial_runs_with_one_stage(archive: Path, tmp_path: Path, arguments: list[str]) -> None:
    said = subprocess.run([sys.executable, TUTORIAL, "--data", archive, "--weights", "none", "--size", "32", "--alpha", "0.35",
                           "--out", tmp_path, *arguments, "--verbose", "2"], check=True, capture_output=True, text=True).stdout
    assert "true score" in said and np.isfinite(float(said.split("RMSE ")[1].split(",")[0]))
