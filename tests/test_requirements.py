"""The environment of the oldest packages holds those that requirements.txt admits."""

from __future__ import annotations

import re
from pathlib import Path


def requirements(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-r")]


def test_oldest_packages_are_those_that_are_admitted(root: Path) -> None:
    admitted = dict(line.split(";")[0].split(">=") for line in requirements(root / "requirements.txt"))
    oldest = dict(line.split("==") for line in requirements(root / "tests" / "requirements-oldest.txt"))
    for package, version in oldest.items():
        assert (version + ".").startswith(admitted[package] + "."), package


def test_the_wheel_asks_for_the_same_packages(root: Path) -> None:
    listed = re.search(r"^dependencies = \[\n(.*?)^\]", (root / "pyproject.toml").read_text(), re.M | re.S).group(1)
    assert [line.strip().rstrip(",")[1:-1] for line in listed.splitlines()] == requirements(root / "requirements.txt")
