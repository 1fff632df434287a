"""Where something was measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["facts", "machine"]


def facts() -> dict[str, Any]:
    """The machine, and what is on it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    compiler = shutil.which(os.environ.get("CC", "cc"))
    found = "no C compiler"
    if compiler is not None:
        done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
        found = (done.stdout.splitlines() or [compiler])[0]
    return {"processor": models[0] if models else platform.machine(), "cpus": os.cpu_count(), "compiler": found,
            "system": platform.system(), "python": platform.python_version(),
            "numpy": np.__version__}  # fmt: skip


def machine(found: dict[str, Any] | None = None) -> str:
    """One line on where this was measured."""
    its = facts() if found is None else found
    where = f"{its['processor']}, {its['cpus']} CPUs, {its['system']} {platform.machine()}"
    return f"Measured on {where}, Python {its['python']}, NumPy {its['numpy']}, {its['compiler']}."
