"""The command in a process of its own, stopped in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import limbeck

__all__ = ["stopped"]


def stopped(path: Path, runs: Path, mark: Path, how: signal.Signals, command: str = "run") -> tuple[int, str]:
    """Start a command on a recipe, wait for the file `mark`, send the signal; the exit code, and what was said."""
    environment = {**os.environ, "PYTHONPATH": str(Path(limbeck.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "limbeck", command, str(path), "--runs", str(runs)],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A shell's background jobs, of which the tests may be one, have Ctrl-C switched off, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        end = time.monotonic() + 60
        while not mark.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        assert mark.exists() and process.poll() is None, "the command was not at work when it should be stopped"
        process.send_signal(how)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    return process.returncode, said
