# SPDX-License-Identifier: MIT
"""The notebook runs from clean, and shows its pictures."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path

import pytest

import attractivenet as an

from conftest import ROOT

NOTEBOOK = ROOT / "examples/notebook/train.ipynb"


def test_the_notebook_runs_from_clean(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PATH", f"{Path(program).parent}:{os.environ['PATH']}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells), "it is kept without outputs"
    at = next(k for k, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell("COUNT, SIZE, EPOCHS = 300, 32, 4"))
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [base64.b64decode(output["data"]["image/png"]) for output in shown if "image/png" in output.get("data", {})]
    keep = os.environ.get("AN_KEEP_PICTURES")  # to look at them
    for k, picture in enumerate(pictures):
        if keep:
            Path(keep, f"notebook{k}.png").write_bytes(picture)
    assert len(pictures) == 6  # faces, their scores, augmented ones, curves, scatter, guesses
    text = "".join(output.get("text", "") for output in shown)
    assert "epoch 4/4" in text and "RMSE" in text
    assert not any(output.get("name") == "stderr" for output in shown), [o for o in shown if o.get("name") == "stderr"]
    assert (tmp_path / "run/history.csv").exists() and any((tmp_path / "run/events").rglob("*tfevents*"))
    assert len(an.History.read_csv(tmp_path / "run/history.csv")) == 4


def test_the_button_that_interrupts_a_kernel_ends_a_training() -> None:
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    kernel, client = manager.start_new_kernel(kernel_name="python3")
    try:
        code = ("import numpy as np, attractivenet as an\nmodel = an.MobileNetV2(size=160, alpha=0.35)\n"
                "model.fit(np.zeros((64, 160, 160, 3), np.uint8), np.zeros(64), epochs=1000, verbose=2)")
        request = client.execute(code)
        said = ""
        while "loss" not in said:  # an epoch is done
            message = client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "error":
                pytest.fail(str(message["content"]))
            said += message["content"].get("text", "") if message["msg_type"] == "stream" else ""
        begun = time.monotonic()
        kernel.interrupt_kernel()
        while (message := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != request:
            pass
        assert message["content"]["ename"] == "KeyboardInterrupt" and time.monotonic() - begun < 30
        reply = client.execute("len(model.history)", reply=True, timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
