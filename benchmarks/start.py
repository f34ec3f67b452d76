"""How long the program takes from the start of its process to the first datagram, and how much memory.

    python -m benchmarks.start

It is set against an interpreter that only imports the same packages. Both are started in turn, on one core.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import ONE_THREAD, ROOT, Spread, machine, one_core, pinned, table
from benchmarks.options import add_tracker_options

PACKAGES = "import onnxruntime, cv2"
#: How long a first datagram is waited for, seconds.
PATIENCE = 60.0


@dataclass
class Start:
    """One process.

    Attributes:
        wall: seconds from its start to its first datagram, or to its end when none is waited for.
        cpu: its processor time until then, seconds; None where it can't be told.
        memory: peak of the whole process, MB; None where it can't be told.
    """

    wall: float
    cpu: float | None
    memory: float | None


def start(command: Sequence[str], receiver: socket.socket | None) -> Start:
    """Run a process to its end.

    Raises:
        RuntimeError: it failed, or sent nothing.
    """
    # Without leave to keep its bytecode the program would be compiled with each start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], env=environment | ONE_THREAD, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    sent = receiver is None
    cpu = memory = None
    if receiver is not None:
        try:
            receiver.recv(65536)
            wall = time.perf_counter() - began
            cpu = processor_time(process.pid)
            sent = True
        except TimeoutError:
            process.kill()
    assert process.stderr is not None
    complaint = process.stderr.read().decode(errors="replace").strip()
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if receiver is None:
            cpu = usage.ru_utime + usage.ru_stime
        memory = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    else:
        process.wait()
    if receiver is None:
        wall = time.perf_counter() - began
    process.stderr.close()
    if process.returncode or not sent:
        raise RuntimeError(f"{' '.join(command)} failed: {complaint or 'it sent nothing'}")
    return Start(wall, cpu, memory)


def processor_time(pid: int) -> float | None:
    """Processor time of a process so far, seconds, to a hundredth; None where it can't be told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(clip: Path, model: int, model_dir: Path | None, count: int) -> tuple[list[Start], list[Start]]:
    """Starts of the program and of the interpreter that imports packages only.

    The program tracks the whole clip, so that its memory is that of a run.
    """
    tracker, imports = [], []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, pinned(one_core()):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE)
        program = [str(ROOT / "facetracker.py"), "-c", str(clip), "-p", str(receiver.getsockname()[1])]
        program += ["--model", str(model), "--silent", "1", "--max-threads", "1"]
        program += ["--model-dir", str(model_dir)] if model_dir else []
        for _ in range(count + 1):  # the first one fills the caches
            tracker.append(start(program, receiver))
            receiver.setblocking(False)
            try:
                while True:
                    receiver.recv(65536)  # the rest of the clip
            except BlockingIOError:
                receiver.settimeout(PATIENCE)
            imports.append(start(["-c", PACKAGES], None))
    return tracker[1:], imports[1:]


def report(tracker: Sequence[Start], imports: Sequence[Start]) -> str:
    """The table in Markdown."""
    rows: list[list[object]] = []
    for title, name in (
        ("to the first datagram, to the end of the imports: s", "wall"),
        ("processor time until then, s", "cpu"),
        ("peak memory of the whole run, MB", "memory"),
    ):
        values = [[getattr(start, name) for start in starts] for starts in (tracker, imports)]
        if None not in values[0] + values[1]:
            program, packages = map(Spread.of, values)
            rows.append([title, program, packages, program.median - packages.median])
    return table(["", "`facetracker.py`", f"`{PACKAGES}`", "difference"], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__.splitlines()[0])
    add_tracker_options(parser)
    parser.add_argument("--starts", type=int, default=10, help="how many of each (default: 10)")
    options = parser.parse_args(arguments)
    print(f"{options.clip.name}, model {options.model}, one core. {machine()}\n")
    print(report(*measure(options.clip, options.model, options.model_dir, options.starts)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
