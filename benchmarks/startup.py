"""How long the command line and the import take to start, beside Python and PyTorch alone.

usage: python benchmarks/startup.py [--repeats 7]      medians of new processes, the commands in turns
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _workload import machine

LIMBECK = str(Path(sys.executable).with_name("limbeck"))

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "limbeck --help": [LIMBECK, "--help"],
    "python -c 'import limbeck'": [sys.executable, "-c", "import limbeck"],
    "python -c 'import torch'": [sys.executable, "-c", "import torch"],
    "limbeck check digits": [LIMBECK, "check", "digits"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(parser.parse_args().repeats + 1):
        for name, command in COMMANDS.items():
            seconds[name].append(_run(command))
    found = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}  # the first one fills the caches
    print(f"{machine()}\n\n| command | seconds |\n|---|---|")
    for name, taken in found.items():
        print(f"| `{name}` | {taken:.2f} |")
    beyond = found["limbeck check digits"] - found["python -c 'import torch'"]
    print(f"\n`limbeck check digits` beyond `import torch`: {beyond:.2f} s")


def _run(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "120"})
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
