"""Execution providers: where onnxruntime runs the networks. That is the CPU, unless the user asks for another one.

A graphics card that is not there, lacks a library or fails in mid-stream is no reason to end a stream: then the CPU
takes over.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime

CPU = "CPUExecutionProvider"
#: Offers a web service, which none of these networks uses.
NOT_OFFERED = "AzureExecutionProvider"
#: What people call a provider, where onnxruntime has another word for it.
ALIASES = {"directml": "dml"}


class Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`."""

    def get_inputs(self) -> Sequence[Any]: ...
    def get_outputs(self) -> Sequence[Any]: ...
    def get_overridable_initializers(self) -> Sequence[Any]: ...
    def run(
        self, outputs: Sequence[str] | None, inputs: Mapping[str, np.ndarray], options: Any = None, /
    ) -> list[np.ndarray]: ...


def available_providers() -> dict[str, str]:
    """The providers of this onnxruntime: from their short names ("cuda") to its own ("CUDAExecutionProvider")."""
    return {_short(name): name for name in onnxruntime.get_available_providers() if name != NOT_OFFERED}


def _short(name: str) -> str:
    short = name.strip().lower().removesuffix("executionprovider")
    return ALIASES.get(short, short)


class ExecutionProvider:
    """The provider that a tracker's networks run on, until it fails; then the CPU.

    Args:
        name: cpu, cuda, tensorrt, directml, openvino, coreml … or the name that onnxruntime has for it. When this
            onnxruntime does not have it, the CPU is used.
        report: gets a line when the CPU is used in place of it; at most one.

    Attributes:
        name: onnxruntime's name of the provider that sessions are made for.
    """

    def __init__(self, name: str, report: Callable[[str], None]) -> None:
        self._report = report
        self._lock = threading.Lock()
        available = available_providers()
        self.name = available.get(_short(name), CPU)
        if _short(name) not in available:
            there = ", ".join(sorted(available))
            report(
                f"This onnxruntime has no execution provider {name!r}, only: {there}. The networks run on the CPU."
            )
        elif self.name != CPU:
            onnxruntime.set_default_logger_severity(4)  # what goes wrong is said here, once
            _load_libraries()

    def session(self, path: Path, options: onnxruntime.SessionOptions) -> Session:
        """Make a session for a model.

        Raises whatever onnxruntime raises for a model that can't be run on the CPU either.
        """
        name = self.name
        if name == CPU:
            return cpu_session(path, options)
        try:
            session = _session(path, options, [name, CPU])
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            session = cpu_session(path, options)  # raises when it is the model that is at fault
            self.give_up(error)
            return session
        if name not in session.get_providers():  # how some say that they can't be used
            self.give_up("it finds no device, or not all of its libraries")
            return session
        return FallbackSession(session, lambda: cpu_session(path, options), self.give_up)

    def give_up(self, reason: object) -> None:
        """From now on, make sessions for the CPU."""
        with self._lock:
            failed, self.name = self.name, CPU
        if failed != CPU:
            text = " ".join(str(reason).split())[:300].rstrip(".")
            self._report(f"The execution provider {failed} can't be used ({text}). The networks run on the CPU.")


class FallbackSession:
    """A session for another provider than the CPU, which is replaced by one for the CPU when it fails.

    Args:
        session: for the other provider.
        make_cpu_session: makes a session for the same model on the CPU.
        give_up: called with the error once the CPU has done what the provider failed to do.
    """

    def __init__(
        self, session: Session, make_cpu_session: Callable[[], Session], give_up: Callable[[object], None]
    ) -> None:
        self._session = session
        self._make_cpu_session = make_cpu_session
        self._give_up = give_up
        self._on_cpu = False
        self._lock = threading.Lock()

    def get_inputs(self) -> Sequence[Any]:
        """The model's inputs, as onnxruntime describes them."""
        return self._session.get_inputs()

    def get_outputs(self) -> Sequence[Any]:
        """The model's outputs, as onnxruntime describes them."""
        return self._session.get_outputs()

    def get_overridable_initializers(self) -> Sequence[Any]:
        """None, whatever the model takes: not every provider can change the size of what it works on."""
        return []

    def run(
        self, outputs: Sequence[str] | None, inputs: Mapping[str, np.ndarray], options: Any = None, /
    ) -> list[np.ndarray]:
        """As `onnxruntime.InferenceSession.run`, of which it raises what the CPU raises for these inputs, too."""
        if self._on_cpu:
            return self._session.run(outputs, inputs, options)
        with self._lock:  # not every provider takes several runs of a session at a time: DirectML does not
            try:
                return self._session.run(outputs, inputs, options)
            except Exception as error:
                if self._on_cpu or (options is not None and options.terminate):
                    raise
                session = self._make_cpu_session()
                result = session.run(outputs, inputs, options)
                self._session, self._on_cpu = session, True
                self._give_up(error)
                return result


def cpu_session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """A session for a model on the CPU; raises whatever onnxruntime raises."""
    return _session(path, options, [CPU])


def _session(path: Path, options: onnxruntime.SessionOptions, names: list[str]) -> onnxruntime.InferenceSession:
    # onnxruntime's own fallback would print to standard output, which host programs read.
    return onnxruntime.InferenceSession(str(path), options, providers=names, enable_fallback=0)


def _load_libraries() -> None:
    """Have CUDA's libraries found that are installed as Python packages, as far as this onnxruntime can."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # from 1.21 on
    if preload is not None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):  # it prints what it misses
            preload()
