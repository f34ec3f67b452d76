"""Threads that take turns."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tracking.turns import Turns

PATIENCE = 60.0


def test_one_thread_works_at_a_time():
    turns, working, most = Turns(), [], []

    def work(number: int) -> None:
        for _ in range(200):
            with turns:
                working.append(number)
                most.append(len(working))
                working.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(most) == 800 and max(most) == 1


def test_another_thread_has_its_turn_while_one_is_away():
    turns, back, done = Turns(), threading.Event(), threading.Event()

    def other() -> None:
        with turns:
            done.set()
            assert back.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool, turns:
        waiting = pool.submit(other)
        assert not done.wait(0.05), "not before its turn"
        with turns.away:
            assert done.wait(PATIENCE)
            back.set()
        assert waiting.done() or waiting.result(PATIENCE) is None, "the turn came back when the other's was over"


def test_an_error_while_away_ends_the_turn_as_any_other():
    turns = Turns()
    with pytest.raises(OSError), turns, turns.away:
        raise OSError
    with turns:
        pass
