"""What a folder of Windows programs needs besides itself and Windows 10.

    python -m release.windows_dlls dist/facetracker

names every DLL that a .dll, .pyd or .exe in the folder imports and that is neither where Windows would look for it nor
a part of Windows 10, and who imports it. facetracker.spec ends a build that lacks one. Libraries that a program loads
by name while it runs are in no list of imports; the tests of the executable use those.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pefile

PROGRAMS = (".dll", ".pyd", ".exe")

#: Of Windows 10 from its first version on, all editions. The three of Media Foundation (mf…) come with the Media
#: Feature Pack where an edition is called N; OpenCV cannot be imported without them.
WINDOWS_10 = {
    "advapi32", "bcrypt", "bcryptprimitives", "comdlg32", "crypt32", "d3d11", "dbghelp", "dxgi", "gdi32", "iphlpapi",
    "kernel32", "mf", "mfplat", "mfreadwrite", "msvcrt", "ntdll", "ole32", "oleaut32", "psapi", "rpcrt4", "secur32",
    "setupapi", "shell32", "shlwapi", "ucrtbase", "user32", "userenv", "version", "winmm", "ws2_32",
}  # fmt: skip
#: Names that Windows resolves by itself to one of its own libraries (API sets), the C library among them.
API_SETS = re.compile(r"(api|ext)-ms-win-[\w-]+-l\d+-\d+-\d+")

_TABLES = ("IMAGE_DIRECTORY_ENTRY_IMPORT", "IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT")


def imported(program: Path) -> list[str]:
    """The names of the DLLs that a program imports at once or when they are first used, in lower case.

    Raises:
        ValueError: it is no Windows program.
    """
    try:
        with pefile.PE(str(program), fast_load=True) as file:
            file.parse_data_directories([pefile.DIRECTORY_ENTRY[table] for table in _TABLES])
            tables = [getattr(file, table.removeprefix("IMAGE_"), []) for table in _TABLES]
            return sorted({entry.dll.decode("ascii").lower() for table in tables for entry in table})
    except pefile.PEFormatError as error:
        raise ValueError(f"{program} is no Windows program ({error.value}).") from error


def is_of_windows(dll: str, system: set[str] = WINDOWS_10) -> bool:
    """Whether Windows 10 has this DLL (lower case)."""
    name = dll.removesuffix(".dll")
    return name in system or API_SETS.fullmatch(name) is not None


def missing(folder: Path, system: set[str] = WINDOWS_10) -> dict[str, list[str]]:
    """The DLLs that a folder lacks, each with the programs in it that import it.

    A DLL is found beside the program that imports it, beside the executable, in `_internal` (where PyInstaller's loader
    has it looked for), and in the folders `*.libs` (which the packages that bring them add to the search).
    """
    programs = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PROGRAMS]
    shared = {path.parent for path in programs if path.parent.suffix == ".libs"} | {folder, folder / "_internal"}
    there = {(path.parent, path.name.lower()) for path in programs}
    lacking: dict[str, list[str]] = {}
    for program in programs:
        for dll in imported(program):
            if not is_of_windows(dll, system) and not any((place, dll) in there for place in {program.parent, *shared}):
                lacking.setdefault(dll, []).append(program.relative_to(folder).as_posix())
    return lacking


def main(arguments: list[str] | None = None) -> int:
    """Prints what is missing; exit code 1 when anything is."""
    names = sys.argv[1:] if arguments is None else arguments
    if len(names) != 1 or not Path(names[0]).is_dir():
        print("usage: python -m release.windows_dlls FOLDER", file=sys.stderr)
        return 2
    lacking = missing(Path(names[0]))
    for dll, programs in lacking.items():
        print(f"{dll} is missing: imported by {', '.join(programs)}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
