"""Unity's `OpenSeeLauncher` with the real facetracker.py: starts, lists, measures, ends, and leaves nothing."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from program import ROOT, run

CLIP = ROOT / "samples" / "talking_head.mp4"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The tracker as one executable file, in a folder with a name that has to be quoted; it notes its process id."""
    folder = tmp_path / 'a "folder" of $mine'
    folder.mkdir()
    file = folder / "facetracker"
    words = shlex.join([sys.executable, str(ROOT / "facetracker.py")])
    file.write_text(f'#!/bin/sh\necho $$ > "$(dirname "$0")/pid"\nexec {words} "$@"\n', encoding="utf-8")
    file.chmod(0o755)
    return file


def stub(folder: Path, lines: str) -> Path:
    """A program in the tracker's place that runs these lines."""
    file = folder / "stub"
    file.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def runs(pid: int) -> bool:
    """Whether a process is there, and no zombie that waits for somebody to look at it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        if sys.platform == "linux":
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"after a minute still not: {what}"
        time.sleep(0.05)


def ask(running, line: str, seconds: float = 60):
    """What the driver answers to a line."""
    running.say(line)
    return running.read(seconds)


def started(running, program: Path) -> tuple[int, SimpleNamespace]:
    """Starts the tracker; its process id, and the state once faces have come."""
    note = program.parent / "pid"
    note.unlink(missing_ok=True)
    before = ask(running, "state").packets
    assert ask(running, "start") is True
    deadline = time.monotonic() + 60
    while (state := ask(running, "state")).packets < before + 5:
        assert state.alive and time.monotonic() < deadline, state
        time.sleep(0.05)
    return int(note.read_text()), state


def test_it_lists_the_cameras(unity, program: Path) -> None:
    with unity.start("Launch", f"exePath={program}") as running:
        assert ask(running, "list") == run("--list-cameras", 2).out
        running.say("quit")
        running.end()


def test_a_line_for_each_camera(unity, tmp_path: Path) -> None:
    file = stub(tmp_path, 'test "$1 $2" = "--list-cameras 2" && printf "Caméra HD\\nOBS  Virtual Camera\\n\\nlast\\n"')
    with unity.start("Launch", f"exePath={file}") as running:
        assert ask(running, "list") == ["Caméra HD", "OBS  Virtual Camera", "", "last"]
        running.say("quit")
        running.end()


def test_it_measures_the_models(unity, program: Path) -> None:
    with unity.start("Launch", f"exePath={program}") as running:
        speeds = ask(running, "benchmark 1", 300)
        assert len(speeds) == 7 and all(speed > 0 for speed in speeds)
        running.say("quit")
        running.end()


def test_it_starts_and_ends_the_tracker(unity, program: Path) -> None:
    arguments = f"exePath={program}", f"videoPath={CLIP}", "dynamicPort=true", "logCommandline=true"
    with unity.start("Launch", *arguments) as running:
        ask(running, "set --repeat-video 1")
        first, state = started(running, program)
        assert runs(first) and f'"--port" "{state.port}"' in state.logs[0] and "--parent-pid" in state.logs[0]
        second, _ = started(running, program)  # anew: the one before is gone
        assert second != first and not runs(first) and runs(second)
        assert ask(running, "stop").alive is False and not runs(second)
        third, _ = started(running, program)
        running.say("quit")
        assert running.end() == "" and not runs(third)


def test_nothing_is_left_when_unity_is_killed(unity, program: Path) -> None:
    with unity.start("Launch", f"exePath={program}", f"videoPath={CLIP}") as running:
        ask(running, "set --repeat-video 1")
        pid, _ = started(running, program)
        running.process.kill()
        running.process.wait()
        wait_until(lambda: not runs(pid), "the tracker has ended")


@pytest.mark.parametrize("silent", [False, True])
def test_it_says_when_the_tracker_ends(unity, program: Path, tmp_path: Path, silent: bool) -> None:
    """And passes on what it prints, as long as it is wanted in the console."""
    file = stub(tmp_path, "echo said; echo warned >&2; exit 4") if silent else program
    with unity.start("Launch", f"exePath={file}", "videoPath=no such video", f"dontPrint={silent}") as running:
        assert ask(running, "start") is True
        wait_until(lambda: not ask(running, "state").alive, "the end was noticed")
        if silent:
            state = ask(running, "state")
            assert state.logs == state.warnings == []
        else:
            wait_until(lambda: ask(running, "state").warnings != [], "why it ended is in the console")
            state = ask(running, "state")
            assert "no such video" in state.warnings[0]
            assert state.logs == ["The tracker has ended with exit code 1."]
        running.say("quit")
        assert running.end() == ""


def test_a_program_that_is_not_there_or_fails(unity, tmp_path: Path) -> None:
    with unity.start("Launch", f"exePath={tmp_path / 'nothing'}") as running:
        assert ask(running, "start") is False and ask(running, "list") == []
        state = ask(running, "state")
        assert len(state.errors) == 2 and all(f"{tmp_path / 'nothing'}" in error for error in state.errors)
        ask(running, f"exePath={stub(tmp_path, 'echo 7; exit 3')}")
        assert ask(running, "list") == ask(running, "benchmark 1") == []
        assert "exit code 3" in ask(running, "state").errors[-1]
        running.say("quit")
        running.end(code=3)


def test_options_are_set_and_taken_back(unity) -> None:
    with unity.start("Launch") as running:
        assert ask(running, "state").options == ["--silent", "1", "--max-threads", "1"]
        assert ask(running, "set --max-threads 2").options == ["--silent", "1", "--max-threads", "2"]
        assert ask(running, "set --model -3").options[4:] == ["--model", "-3"]
        assert ask(running, "set --mirror-input").options[6:] == ["--mirror-input"]
        assert ask(running, "unset --model").options == ["--silent", "1", "--max-threads", "2", "--mirror-input"]
        assert ask(running, "unset --mirror-input").options == ["--silent", "1", "--max-threads", "2"]
        assert ask(running, "unset --faces").options == ["--silent", "1", "--max-threads", "2"]
        running.say("quit")
        running.end()


def test_the_script_itself_is_run_with_python(unity, tmp_path: Path) -> None:
    """With the environment beside it, as the README makes it."""
    script, interpreter = tmp_path / "facetracker.py", tmp_path / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    script.write_text("import sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    interpreter.symlink_to(sys.executable)
    with unity.start("Launch", f"exePath={script}") as running:
        assert ask(running, "list")[0].startswith("['--list-cameras', '2', '--parent-pid', ")
        running.say("quit")
        running.end()


def taken_apart(line: str) -> list[str]:
    """A command line as Windows' programs read it: the rules of Microsoft's C runtime, for quoted words."""
    words, at = [], 0
    while at < len(line):
        assert line[at] == '"'
        word, at = "", at + 1
        while True:
            slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
            at += slashes
            word += "\\" * (slashes // 2 if line[at] == '"' else slashes)
            if line[at] != '"' or slashes % 2:
                word, at = word + line[at], at + 1
                continue
            at += 2  # the mark and the space behind it
            break
        words.append(word)
    return words


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text('ab "\\$`\'', min_size=0, max_size=12), min_size=1, max_size=60))
def test_words_are_quoted_so_that_they_are_read_back(unity, words: list[str]) -> None:
    """As Windows does it, and, through a real process, as Mono does it here."""
    with unity.start("Quote") as running:
        for word in words:
            running.say(word)
        running.process.stdin.close()
        said = running.read()
        running.end()
    assert taken_apart(" ".join(said.windows)) == words
    assert said.here == words
    assert said.pointerSize != 8 or said.jobSize == 144, "JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h"
