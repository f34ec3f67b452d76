"""What is said when a package that the tracker needs is not there or can't be loaded."""

from __future__ import annotations

import sys
from types import TracebackType

PACKAGES = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "pythonosc": "python-osc",
}
"""What is imported, and the package to install for it."""


def missing_package(error: ImportError) -> str:
    """One sentence for the user on an import that failed: what is missing and the command that installs it."""
    install = f'"{sys.executable}" -m pip install'
    module = (error.name or "").split(".")[0]
    if isinstance(error, ModuleNotFoundError):
        package = PACKAGES.get(module, module)
        return f"The package {package} is missing: install it with {install} {package}"
    package = next((PACKAGES[name] for name in _importing(error.__traceback__) if name in PACKAGES), module)
    reason = " ".join(str(error).split()).rstrip(".")
    return (
        f"The package {package} is there but can't be loaded ({reason}): it may lack a library of the system, see the "
        f"README's troubleshooting, or be damaged: {install} --force-reinstall {package}"
    )


def _importing(traceback: TracebackType | None) -> list[str]:
    """The packages whose code was running, the innermost first."""
    names = []
    while traceback is not None:
        names.append(str(traceback.tb_frame.f_globals.get("__name__", "")).split(".")[0])
        traceback = traceback.tb_next
    return names[::-1]
