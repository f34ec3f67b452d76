"""How long the program takes from the start of its process to the first datagram, and how much memory.

    python -m benchmarks.start
    python -m benchmarks.start --executable dist/facetracker/facetracker

It is set against an interpreter that only imports the same packages, and against an executable. They are started in
turn, on one core.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import ONE_THREAD, ROOT, Spread, machine, one_core, pinned, table
from benchmarks.options import add_tracker_options

PACKAGES = "import onnxruntime, cv2"
SOURCE = str(ROOT / "facetracker.py")
#: How long a first datagram is waited for, seconds, and how often the memory is looked at after that.
PATIENCE, EVERY = 60.0, 0.02


@dataclass
class Start:
    """One process.

    Attributes:
        wall: seconds from its start to its first datagram, or to the end of its imports.
        cpu: its processor time until then, seconds; None where it can't be told.
        memory: its peak, MB, until then or, of the tracker, in the whole run; None where it can't be told.
    """

    wall: float
    cpu: float | None
    memory: float | None


def start_tracker(
    arguments: Sequence[str], receiver: socket.socket, program: Sequence[str] = (sys.executable, SOURCE)
) -> Start:
    """Run the program to its end.

    Raises:
        RuntimeError: it failed, or sent nothing.
    """
    began = time.perf_counter()
    with launch([*program, *arguments]) as process:
        receiver.settimeout(EVERY)
        wall = cpu = memory = None
        while process.poll() is None or wall is None:
            ended = process.poll() is not None
            memory = peak_memory(process.pid) or memory
            try:
                receiver.recv(65536)
            except TimeoutError:
                if ended or (wall is None and time.perf_counter() - began > PATIENCE):
                    break
            else:
                if wall is None:
                    wall = time.perf_counter() - began
                    cpu = processor_time(process.pid)
        if wall is None or process.returncode:
            process.kill()
            raise RuntimeError(f"The tracker failed: {complaint(process) or 'it sent nothing'}")
    return Start(wall, cpu, memory)


def start_imports(packages: str = PACKAGES) -> Start:
    """Run an interpreter that only imports.

    Raises:
        RuntimeError: it failed.
    """
    began = time.perf_counter()
    with launch([sys.executable, "-c", f"{packages}; print('imported', flush=True); input()"]) as process:
        assert process.stdout is not None
        imported = process.stdout.readline()
        result = Start(time.perf_counter() - began, processor_time(process.pid), peak_memory(process.pid))
        process.kill()
        if not imported:
            raise RuntimeError(f"The imports failed: {complaint(process)}")
    return result


def launch(command: Sequence[str]) -> subprocess.Popen[str]:
    """A process with one thread."""
    # Without leave to keep its bytecode the program would be compiled with each start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        command,
        env=environment | ONE_THREAD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def complaint(process: subprocess.Popen[str]) -> str:
    """The last line of standard error of a process that has ended."""
    assert process.stderr is not None
    return "".join(process.stderr.read().strip().splitlines()[-1:])


def peak_memory(pid: int) -> float | None:
    """Most memory that a running process has had resident, MB; None where it can't be told.

    Not `ru_maxrss`, which on Linux begins with the memory of the process that started it.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def processor_time(pid: int) -> float | None:
    """Processor time of a process so far, seconds, to a hundredth; None where it can't be told."""
    if sys.platform != "linux":
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    clip: Path, model: int, model_dir: Path | None, count: int, executable: Path | None = None
) -> list[list[Start]]:
    """Starts of the program, of the interpreter that imports packages only, and of the executable if there is one.

    The program tracks the whole clip, so that its memory is that of a run.
    """
    starts: list[list[Start]] = [[], []] if executable is None else [[], [], []]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, pinned(one_core()):
        receiver.bind(("127.0.0.1", 0))
        arguments = ["-c", str(clip), "-p", str(receiver.getsockname()[1]), "--model", str(model)]
        arguments += ["--silent", "1", "--max-threads", "1"]
        arguments += ["--model-dir", str(model_dir)] if model_dir else []
        for _ in range(count + 1):  # the first one fills the caches
            starts[0].append(start_tracker(arguments, receiver))
            forget(receiver)
            starts[1].append(start_imports())
            if executable:
                starts[2].append(start_tracker(arguments, receiver, [str(executable)]))
                forget(receiver)
    return [of_one[1:] for of_one in starts]


def forget(receiver: socket.socket) -> None:
    """Read what is left of a run."""
    receiver.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            receiver.recv(65536)


def report(tracker: Sequence[Start], imports: Sequence[Start], executable: Sequence[Start] = ()) -> str:
    """The table in Markdown."""
    rows: list[list[object]] = []
    if executable:
        values = [[start.wall for start in starts] for starts in (tracker, executable)]
        source, built = map(Spread.of, values)
        row = ["to the first datagram: s", source, built, f"{built.median / source.median:.2f} ×"]
        return table(["", "`facetracker.py`", "the executable", "ratio"], [row])
    for title, name in (
        ("to the first datagram, to the end of the imports: s", "wall"),
        ("processor time until then, s", "cpu"),
        ("peak memory, MB", "memory"),
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
    parser.add_argument("--executable", type=Path, metavar="FILE", help="an executable to start as well")
    parser.add_argument("--starts", type=int, default=10, help="how many of each (default: 10)")
    options = parser.parse_args(arguments)
    print(f"{options.clip.name}, model {options.model}, one core. {machine()}\n")
    print(report(*measure(options.clip, options.model, options.model_dir, options.starts, options.executable)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
