"""Nothing ends up in the executable without its licence text."""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.collect_licenses import (
    BUILDERS,
    FOLDER,
    ROOT,
    LicenseError,
    license_text,
    python_text,
    required,
    requirement_lines,
    shipped_without_text,
    system_texts,
    text_file,
    write_texts,
)

LINES = requirement_lines(ROOT / "requirements.txt")
SHIPPED = [source.metadata["Name"] for source in required(LINES)]
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_packages_that_this_system_installs_are_found() -> None:
    assert {"numpy", "onnxruntime", "opencv-python", "pillow", "flatbuffers", "protobuf"} <= set(SHIPPED)


@pytest.mark.parametrize("name", sorted({*SHIPPED, *BUILDERS, *(Requirement(line).name for line in LINES)}))
def test_each_package_has_its_text(name: str) -> None:
    text = text_file(name).read_text(encoding="utf-8")
    title = text.splitlines()[0]
    assert re.match(r"[\w.-]+ \d", title), title
    assert re.search(r"permission|license|licence|redistribut", text, re.IGNORECASE)
    assert len(text) > 500, "a name of a licence is not its text"
    try:
        source = distribution(name)
    except Exception:
        return  # of another system, or of the builder
    # The wheels of other systems hold other libraries; a build there takes their texts (see facetracker.spec).
    if sys.platform == "linux" and title == f"{source.metadata['Name']} {source.version}":
        assert text == license_text(source), "run python -m release.collect_licenses"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("LICENSE.txt", "BSD 2-Clause License"),
        ("python.txt", "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2"),
        ("python-incorporated-software.txt", "Expat maintainers"),
        ("pyinstaller.txt", "special exception"),
        ("opencv-python.txt", "FFmpeg is redistributed within all opencv-python packages"),
        ("opencv-python.txt", "GNU LESSER GENERAL PUBLIC LICENSE"),
        ("onnxruntime.txt", "ThirdPartyNotices"),
        ("numpy.txt", "OpenBLAS"),
        ("flatbuffers.txt", "END OF TERMS AND CONDITIONS"),
        ("python-windows-libraries.txt", "OpenSSL"),
        ("python-windows-libraries.txt", "END OF TERMS AND CONDITIONS"),
        ("msvc-runtime.txt", "Visual C++ Runtime Files"),
        ("ICT-FaceKit.txt", "USC Institute for Creative Technologies"),
    ],
)
def test_texts_are_whole(file: str, words: str) -> None:
    assert words in (FOLDER / file).read_text(encoding="utf-8")


def test_every_text_is_named_in_the_index() -> None:
    for path in FOLDER.glob("*.txt"):
        assert path.name in INDEX or (path.name.startswith("pyobjc-") and "pyobjc-*.txt" in INDEX), path.name


def test_the_index_credits_data_and_teachers() -> None:
    for data in ("facial_expressions", "P1_Facial_Keypoints", "Face-Mask-Detection", "ICT FaceKit"):
        assert data in INDEX
    for teacher in ("OpenSeeFace", "MediaPipe"):
        assert teacher in INDEX


def made_up(folder: Path, metadata: str, files: dict[str, str]) -> Distribution:
    """An installed distribution of that metadata and those files beside it."""
    info = folder / "made_up-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n{metadata}\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("latin-1"))
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    return PathDistribution(info)


def test_all_texts_of_a_distribution_are_taken_once(tmp_path: Path) -> None:
    files = {
        "made_up/LICENSE": "Free for Jos\xe9.\r\n",
        "made_up-1.0.dist-info/licenses/LICENSE": "Free for Jos\xe9.\n",
        "made_up-1.0.dist-info/licenses/vendored/COPYING.md": "Copy it.",
        "made_up/license.py": "VALID = True",
    }
    text = license_text(made_up(tmp_path, "", files))
    assert text.startswith("made-up 1.0\n")
    assert text.count("Free for José.") == 1 and "Copy it." in text and "VALID" not in text


def test_a_distribution_without_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LicenseError, match="made-up 1.0 carries no licence text"):
        license_text(made_up(tmp_path, "License: MIT", {"made_up/__init__.py": ""}))


def test_a_licence_that_is_only_named_gets_its_words(tmp_path: Path) -> None:
    text = license_text(made_up(tmp_path, "License: Apache 2.0", {"made_up/__init__.py": ""}))
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in text


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(LicenseError, match="not-there-at-all is not installed"):
        required(["not-there-at-all>=1"])


def test_requirements_of_other_systems_are_left_out() -> None:
    assert required(['not-there-at-all; sys_platform == "amiga"']) == []


def test_pythons_own_text_is_found() -> None:
    assert "PYTHON SOFTWARE FOUNDATION" in python_text()


def test_files_of_a_build_are_told_apart(tmp_path: Path) -> None:
    import numpy

    stray = tmp_path / "libstray.so.1"
    stray.touch()
    runtime = tmp_path / "MSVCP140_1.dll"
    sources = [Path(numpy.__file__), Path(re.__file__), ROOT / "tracker.py", stray, runtime]
    assert shipped_without_text(sources) == ([], [stray.resolve()])
    assert shipped_without_text(sources, folder=tmp_path)[0] == ["msvc-runtime", "numpy", "python"]


def test_a_build_holds_the_texts_of_its_own_packages(tmp_path: Path) -> None:
    pytest.importorskip("PyInstaller", reason="nothing is built here (pip install -r release/requirements.txt)")
    written = {path.stem for path in write_texts(tmp_path)}
    assert written == {canonicalize_name(name) for name in (*SHIPPED, *BUILDERS)}
    assert (tmp_path / "numpy.txt").read_text(encoding="utf-8") == license_text(distribution("numpy"))


@pytest.mark.skipif(
    sys.platform != "linux" or not Path("/usr/share/doc/libc6/copyright").exists(),
    reason="kept only by Debian and its relatives",
)
def test_texts_of_system_libraries_come_with_what_they_refer_to(tmp_path: Path) -> None:
    library = next(Path("/usr/lib").glob("*-linux-gnu*/libc.so.6"))
    assert system_texts([library, tmp_path / "libstray.so.1"], tmp_path) == [tmp_path / "libstray.so.1"]
    text = (tmp_path / "libc6.txt").read_text(encoding="utf-8")
    assert "GNU C Library" in text or "glibc" in text
    assert list((tmp_path / "common-licenses").glob("LGPL-2.1*"))
