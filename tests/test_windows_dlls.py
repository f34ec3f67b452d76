"""What a folder of Windows programs lacks, tried with the small programs that pip brings along on every system."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("pefile", reason="pefile is not installed (pip install -r release/requirements.txt)")
vendored = pytest.importorskip("pip._vendor.distlib", reason="this Python has no pip")

from release.windows_dlls import WINDOWS_10, imported, is_of_windows, main, missing  # noqa: E402

PROGRAM = Path(vendored.__file__).parent / "w64.exe"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="this pip was stripped of its Windows programs")


def test_imports_are_read() -> None:
    names = imported(PROGRAM)
    assert {"kernel32.dll", "user32.dll"} <= set(names)
    assert names == sorted(name.lower() for name in names)


def test_what_windows_has_is_known() -> None:
    for name in ("kernel32.dll", "api-ms-win-crt-runtime-l1-1-0.dll", "ucrtbase.dll"):
        assert is_of_windows(name), name
    for name in ("msvcp140.dll", "vcruntime140.dll", "python311.dll", "api-ms-win-not-one.dll"):
        assert not is_of_windows(name), name


def test_a_folder_that_lacks_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(PROGRAM, tmp_path / "program.exe")
    assert missing(tmp_path) == {}
    assert main([str(tmp_path)]) == 0 and capsys.readouterr().out == ""


def test_what_is_missing_is_named_with_those_that_need_it(tmp_path: Path) -> None:
    system = WINDOWS_10 - {"user32"}
    (tmp_path / "_internal" / "part").mkdir(parents=True)
    for place in (tmp_path / "program.exe", tmp_path / "_internal" / "part" / "module.PYD"):
        shutil.copy(PROGRAM, place)
    assert missing(tmp_path, system) == {"user32.dll": ["_internal/part/module.PYD", "program.exe"]}
    # In a folder where nobody looks for it.
    (tmp_path / "_internal" / "other").mkdir()
    shutil.copy(PROGRAM, tmp_path / "_internal" / "other" / "USER32.dll")
    assert list(missing(tmp_path, system)) == ["user32.dll"]
    shutil.move(tmp_path / "_internal" / "other" / "USER32.dll", tmp_path / "_internal" / "USER32.dll")
    assert missing(tmp_path, system) == {}


def test_what_is_no_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.dll").write_bytes(b"no program" * 100)
    with pytest.raises(ValueError, match=r"text\.dll is no Windows program"):
        missing(tmp_path)
    assert main([str(tmp_path / "nowhere")]) == 2 and "usage" in capsys.readouterr().err
