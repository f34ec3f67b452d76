"""Turns: how the threads that share out a frame's faces keep out of each other's way."""

from __future__ import annotations

import threading


class Turns:
    """One thread at a time works, while the others run networks.

        with turns:
            ...  # anything
            with turns.away:
                ...  # a network; another thread may have its turn

    The interpreter has one thread at a time anyhow. But OpenCV lets go of it in every call, and threads that hand it to
    and fro at each of these lose more time with that than the calls take.

    Attributes:
        away: gives up the turn that this thread has, and waits for the next one at the end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.away = _Away(self._lock)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


class _Away:
    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.release()

    def __exit__(self, *error: object) -> None:
        self._lock.acquire()
