"""The block at the head of facetracker.py, from which `uv run` installs, says what requirements.txt says (PEP 723)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def script_metadata() -> str:
    """The TOML text of the block, found by the expression that PEP 723 gives."""
    source = (ROOT / "facetracker.py").read_text(encoding="utf-8")
    blocks = re.findall(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$", source)
    assert [block[0] for block in blocks] == ["script"]
    return "".join(line[2:] + "\n" for line in blocks[0][1].splitlines())


def test_it_asks_for_the_same_packages() -> None:
    dependencies = re.search(r"^dependencies = (\[.*?^\])$", script_metadata(), re.MULTILINE | re.DOTALL)
    assert dependencies
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    assert ast.literal_eval(dependencies[1]) == required  # a TOML list of strings is also a Python one


def test_it_asks_for_the_same_python() -> None:
    assert 'requires-python = ">=3.10"' in script_metadata().splitlines()
