"""The licence texts of everything that ends up in the executable.

    python -m release.collect_licenses [--path FOLDER]

writes `Licenses/NAME.txt` for Python, for PyInstaller and for each package that requirements.txt asks for,
directly or through another one, from the distributions that are installed here. Packages that only another
system needs are installed into a folder first (`pip install --target FOLDER ...`), which `--path` names.
facetracker.spec uses the same functions, to refuse a build with a file whose licence text is missing.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "Licenses"
PYTHON = "python"
#: What the executable is made with leaves its own code in it: the bootloader and the hooks that run at start.
BUILDERS = ("pyinstaller", "pyinstaller-hooks-contrib")
#: On PyPI, the C++ runtime of Windows with Microsoft's words on passing it on; a build takes its files from the system.
RUNTIME = "msvc-runtime"
_RUNTIME_FILE = re.compile(r"(msvcp|vcruntime|concrt|vccorlib)140\w*\.dll", re.IGNORECASE)

_IS_TEXT = re.compile(r"(licen[cs]e|copying|notice|thirdpartynotices|authors)[^/]*$", re.IGNORECASE)
_NO_TEXT = (".py", ".pyc", ".so", ".pyi", ".pyd", ".dll", ".h")
_APACHE = re.compile(r"apache(?: software license|-| )*2(\.0)?", re.IGNORECASE)


class LicenseError(RuntimeError):
    """Something has no licence text; the message says what."""


def text_file(name: str, folder: Path = FOLDER) -> Path:
    """Where the text of a distribution lies."""
    return folder / f"{canonicalize_name(name)}.txt"


def requirement_lines(file: Path) -> list[str]:
    """The requirements in a pip file, without comments and options."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def installed(name: str) -> Distribution:
    """A distribution of this environment; LicenseError when there is none of that name."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise LicenseError(f"{name} is not installed here, so its licence text is not to be had.") from None


def required(lines: Iterable[str]) -> list[Distribution]:
    """The installed distributions that requirements ask for on this system, directly or through others.

    Raises:
        LicenseError: one of them is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting = [Requirement(line) for line in lines]
    while waiting:
        requirement = waiting.pop()
        extras = requirement.extras or {""}
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
        if name in found or not wanted:
            continue
        found[name] = installed(name)
        for line in found[name].requires or []:
            further = Requirement(line)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                further.marker = None
                waiting.append(further)
    return [found[name] for name in sorted(found)]


def license_text(source: Distribution) -> str:
    """The name and version of a distribution and all licence texts in it, each once.

    Raises:
        LicenseError: there are none.
    """
    name, version = source.metadata["Name"], source.version
    texts = _texts(source)
    fields = [field for field in ("License-Expression", "License") if field in source.metadata]
    stated = source.metadata[fields[0]] if fields else ""
    if not texts and len(stated.splitlines()) > 5:  # no name but the words themselves
        texts = {"\n".join(line.strip() for line in stated.splitlines()): "License, in the package's metadata"}
    if not texts and _APACHE.search(stated):
        # Named, but not carried along; the words of this licence are the same everywhere.
        apache = next(text for text, file in _texts(installed("packaging")).items() if file.endswith("LICENSE.APACHE"))
        texts = {apache: f"{stated}, as the metadata of {name} says"}
    if not texts and name.startswith("pyobjc-"):
        # One project in many packages, some without the text that the others have.
        beside = distributions(name="pyobjc-framework-Cocoa", path=[str(source.locate_file(""))])
        texts = {text: file for cocoa in beside for text, file in _texts(cocoa).items()}
    if not texts:
        raise LicenseError(f"{name} {version} carries no licence text.")
    return "\n\n".join([f"{name} {version}", *(f"----- {file} -----\n\n{text}" for text, file in texts.items())]) + "\n"


def python_text() -> str:
    """Python's version and licence.

    Raises:
        LicenseError: this Python came without it.
    """
    folders = [sysconfig.get_path("stdlib"), sys.base_prefix, f"/usr/share/doc/python3.{sys.version_info.minor}"]
    for path in (Path(folder, name) for folder in folders for name in ("LICENSE.txt", "LICENSE", "copyright")):
        if path.is_file():
            return f"Python {sys.version.split()[0]}\n\n----- {path.name} -----\n\n{_read(path)}\n"
    raise LicenseError("This Python came without its licence text.")


def shipped_without_text(sources: Iterable[Path], folder: Path = FOLDER) -> tuple[list[str], list[Path]]:
    """Goes through the files that an executable is made of.

    Args:
        sources: where each file came from, in this environment.
        folder: where the texts lie.

    Returns:
        The names of distributions whose text is missing; the files that belong neither to a distribution nor to
        Python nor to this program, which are libraries of the system.
    """
    owners = {path: dist for dist in distributions() for path in _files(dist)}
    names, system = set(), set()
    for source in (Path(source).resolve() for source in sources):
        if source in owners:
            names.add(owners[source].metadata["Name"])
        elif _RUNTIME_FILE.fullmatch(source.name):
            names.add(RUNTIME)
        elif _is_python(source):
            names.add(PYTHON)
        elif not source.is_relative_to(ROOT):
            system.add(source)
    return sorted(name for name in names if not text_file(name, folder).is_file()), sorted(system)


def write_texts(folder: Path = FOLDER) -> Iterator[Path]:
    """Writes the texts of the packages that an executable built here holds, and of what it is built with.

    Wheels of other systems hold other libraries, and so other texts.

    Raises:
        LicenseError: a package is not installed, or carries no text.
    """
    for source in (*required(requirement_lines(ROOT / "requirements.txt")), *map(installed, BUILDERS)):
        file = text_file(source.metadata["Name"], folder)
        _write(file, license_text(source))
        yield file


def system_texts(libraries: Iterable[Path], folder: Path) -> list[Path]:
    """Writes the licence texts of the system's libraries into a folder, as Debian and its relatives keep them.

    Returns:
        The libraries for which none was found.
    """
    without = []
    for library in libraries:
        packages = _debian_package(library)
        copyright_file = Path("/usr/share/doc", packages or "-", "copyright")
        if not (packages and copyright_file.is_file()):
            without.append(library)
            continue
        text = _read(copyright_file)
        _write(folder / f"{packages}.txt", f"{packages}\n\n{text}\n")
        # Debian's files name the common licences by their place instead of repeating them.
        for common in re.findall(r"/usr/share/common-licenses/([\w.+-]*\w)", text):
            source = Path("/usr/share/common-licenses", common)
            if source.is_file():
                _write(folder / "common-licenses" / f"{common}.txt", _read(source) + "\n")
    return without


def _texts(source: Distribution) -> dict[str, str]:
    """The licence texts in a distribution, each once, with the name of its file."""
    texts: dict[str, str] = {}
    for file in sorted(source.files or [], key=lambda file: (len(file.parts), str(file))):
        if _IS_TEXT.search(file.as_posix()) and file.suffix not in _NO_TEXT:
            path = Path(str(source.locate_file(file)))
            if path.is_file():
                texts.setdefault(_read(path), file.as_posix())
    return texts


def _files(source: Distribution) -> Iterator[Path]:
    """The absolute paths of a distribution's files; only its folder is resolved, as there are many thousands."""
    folder = Path(str(source.locate_file(""))).resolve()
    return (folder / file for file in source.files or [])


def _is_python(path: Path) -> bool:
    if path.is_relative_to(Path(sysconfig.get_path("stdlib")).resolve()) or path.name.startswith("libpython"):
        return True
    # On these systems Python brings its libraries along; elsewhere its prefix may be the whole system's.
    return sys.platform in ("win32", "darwin") and path.is_relative_to(Path(sys.base_prefix).resolve())


def _debian_package(library: Path) -> str | None:
    """The package that owns a file; its path may be listed without /usr."""
    for path in (str(library), str(library).removeprefix("/usr")):
        try:
            answer = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        return answer.split(":")[0]
    return None


def _read(path: Path) -> str:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> int:
    """Writes the texts and prints their names; a missing one ends it with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m release.collect_licenses", description=main.__doc__)
    parser.add_argument("--path", metavar="FOLDER", help="collect from the distributions in this folder instead")
    options = parser.parse_args(arguments)
    try:
        if options.path:
            for source in distributions(path=[options.path]):
                _write(text_file(source.metadata["Name"]), license_text(source))
                print(text_file(source.metadata["Name"]).name)
        else:
            _write(text_file(PYTHON), python_text())
            print(text_file(PYTHON).name)
            for file in write_texts():
                print(file.name)
    except LicenseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
