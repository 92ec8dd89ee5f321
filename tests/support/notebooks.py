"""Notebooks run by nbval against their stored outputs, with a key already stored."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "notebooks"
_SANITIZE = Path(__file__).parent / "nbval_sanitize.cfg"


def run_notebook(name: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one of ``notebooks/`` under nbval; what varies from run to run is in nbval_sanitize.cfg."""
    words = [sys.executable, "-m", "pytest", "--nbval", str(FOLDER / name), "-q", "-p", "no:cacheprovider"]
    words += [f"--nbval-sanitize-with={_SANITIZE}", "-W", "ignore", "--rootdir", str(FOLDER), "-c", "/dev/null"]
    return subprocess.run(words, env=dict(environ), capture_output=True, text=True, timeout=180)
