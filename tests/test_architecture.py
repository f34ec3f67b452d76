"""Which part of the program may import which, read off the imports, so that data goes on flowing one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

#: Each part and what it may import of the others. Whatever is not named here is no part of the program.
ARROWS = {
    "facetracker": {"cli", "capture", "input_reader", "tracking", "expressions", "sending", "output"},
    "cli": {"input_reader", "tracker", "tracking", "expressions", "sending", "output"},
    "input_reader": {"capture"},
    "capture": set(),
    "tracker": {"tracking"},
    "tracking": {"remedian"},
    "remedian": set(),
    "expressions": {"tracking", "output"},
    "sending": {"tracking", "output"},
    "output": {"tracking"},
}
#: What is no part of the program but lies beside it: nothing of it is shipped, so the program can't import it.
BESIDE = {"training", "benchmarks", "release", "tests"}


def modules(part: str) -> list[Path]:
    """The source files of a part."""
    file = ROOT / f"{part}.py"
    return [file] if file.exists() else sorted((ROOT / part).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The names of all modules that a file imports, also inside of functions; relative ones made absolute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                package = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
                yield ".".join([*package, *(node.module or "").split(".")])
            else:
                yield node.module or ""


@pytest.mark.parametrize("part", ARROWS)
def test_arrows_run_one_way(part: str) -> None:
    files = modules(part)
    assert files, f"{part} is gone: mend ARROWS"
    parts = set(ARROWS) | BESIDE
    for file in files:
        uses = {name.split(".")[0] for name in imported(file)} & parts - {part}
        assert uses <= ARROWS[part], f"{file.relative_to(ROOT)} imports {uses - ARROWS[part]}"


def test_there_is_no_circle() -> None:
    left = {part: set(uses) for part, uses in ARROWS.items()}
    while left:
        free = [part for part, uses in left.items() if not uses & set(left)]
        assert free, f"a circle among {sorted(left)}"
        for part in free:
            del left[part]


def test_only_the_program_itself_imports_the_command_line() -> None:
    assert [part for part, uses in ARROWS.items() if "cli" in uses] == ["facetracker"]


def test_protocols_do_not_depend_on_the_screen() -> None:
    """Only the receiver to try things with, a program of its own, prints anything."""
    for file in modules("sending"):
        if file.name != "receive.py":
            assert not any(name.split(".")[0] == "output" for name in imported(file)), file


def test_no_file_has_more_than_400_lines() -> None:
    long = {}
    files = [file for part in [*ARROWS, *BESIDE - {"tests"}] for file in modules(part)]
    unity = sorted((ROOT / "Unity").rglob("*.cs"))
    assert unity
    for file in files + unity:
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400:
            long[str(file.relative_to(ROOT))] = lines
    assert not long
