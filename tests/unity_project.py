"""The Unity package, compiled by Mono against a stand-in of UnityEngine, and the C# programs that try it.

`unity/UnityEngine` and `unity/VRM` are the stand-ins, `unity/Drivers` the programs, one class a file: `NAMEDriver.Run`
is what `Drivers.start("NAME", …)` runs. All print JSON lines. No Unity is part of this.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "Unity"
HERE = Path(__file__).resolve().parent / "unity"
#: What Mono's compiler knows of; Unity 2021.3 takes C# 9.
LANGUAGE = "7.2"


def compile_sources(sources: list[Path], out: Path, references: list[Path] | None = None, define: str = "") -> Path:
    """Compiles C# files, warnings as errors; fails the test with what the compiler says."""
    assert sources, out
    arguments = [f"-langversion:{LANGUAGE}", "-warn:4", "-warnaserror", "-nologo", f"-out:{out}"]
    arguments += [f"-target:{'exe' if out.suffix == '.exe' else 'library'}"]
    arguments += [f"-r:{reference}" for reference in references or []] + [f"-d:{define}"] * bool(define)
    done = subprocess.run(["mcs", *arguments, *map(str, sources)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class Running:
    """A driver as it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        self._errors.extend(self.process.stderr)

    def read(self, seconds: float = 60) -> SimpleNamespace:
        """The next line of JSON, objects as namespaces."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"nothing printed in {seconds} s: {''.join(self._errors)}") from None
        assert line is not None, f"it ended: {''.join(self._errors)}"
        return json.loads(line, object_hook=lambda fields: SimpleNamespace(**fields))

    def rest(self) -> list[SimpleNamespace]:
        """All lines up to the driver's end."""
        lines = []
        while (line := self._lines.get(timeout=60)) is not None:
            lines.append(json.loads(line, object_hook=lambda fields: SimpleNamespace(**fields)))
        return lines

    def say(self, line: str = "") -> None:
        """Writes a line to its standard input."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, code: int = 0) -> str:
        """Waits until it has ended; what it wrote on standard error."""
        found = self.process.wait(timeout=60)
        for thread in self._threads:
            thread.join(timeout=60)
        assert found == code, "".join(self._errors)
        return "".join(self._errors)


class Drivers:
    """The compiled programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = compile_sources(sorted((HERE / "UnityEngine").glob("*.cs")), folder / "UnityEngine.dll")
        runtime = sorted((PACKAGE / "Runtime").rglob("*.cs"))
        self.package = compile_sources(runtime, folder / "OpenSeeFace.dll", [self.engine])
        vrm = compile_sources(sorted((HERE / "VRM").glob("*.cs")), folder / "VRM.dll", [self.engine])
        samples = sorted((PACKAGE / "Samples~").rglob("*.cs"))
        self.samples = compile_sources(samples, folder / "Samples.dll", [self.engine, self.package, vrm])
        drivers = sorted((HERE / "Drivers").glob("*.cs"))
        references = [self.engine, self.package, vrm, self.samples]
        self.program = compile_sources(drivers, folder / "drivers.exe", references)

    def command(self, name: str, *arguments: object) -> list[str]:
        """The command line of a driver."""
        return ["mono", str(self.program), name, *map(str, arguments)]

    @contextmanager
    def start(self, name: str, *arguments: object) -> Iterator[Running]:
        """A driver as it runs; killed at the end if it still does."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(self.command(name, *arguments), text=True, encoding="utf-8", **pipes)
        try:
            yield Running(process)
        finally:
            process.kill()
            process.wait()

    def run(self, name: str, *arguments: object) -> list[SimpleNamespace]:
        """Runs a driver to its end; what it printed. An error in the Unity log fails the test."""
        with self.start(name, *arguments) as running:
            lines = running.rest()
            running.end()
        return lines


def compiled(folder: Path) -> Drivers:
    """Compiles everything; skips the test where there is no Mono."""
    for program in ("mcs", "mono"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (Debian: mono-mcs): the Unity package can't be compiled here")
    return Drivers(folder)
