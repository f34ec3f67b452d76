"""Gives every file and folder of the Unity package that has none a .meta file, as Unity's editor would.

    python -m release.unity_metas

A GUID is made once, from the path that a file has then (MD5), and stays with it when the file is renamed: scenes refer
to scripts by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "Unity"
HEAD = "fileFormatVersion: 2\nguid: {guid}\n"
TAIL = "  externalObjects: {}\n  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
SCRIPT = """MonoImporter:
  externalObjects: {}
  serializedVersion: 2
  defaultReferences: []
  executionOrder: 0
  icon: {instanceID: 0}
  userData: \n  assetBundleName: \n  assetBundleVariant: \n"""
IMPORTERS = {
    ".cs": SCRIPT,
    ".asmdef": "AssemblyDefinitionImporter:\n" + TAIL,
    ".md": "TextScriptImporter:\n" + TAIL,
    ".txt": "TextScriptImporter:\n" + TAIL,
    ".json": "TextScriptImporter:\n" + TAIL,
}
FOLDER = "folderAsset: yes\nDefaultImporter:\n" + TAIL
MANIFEST = "PackageManifestImporter:\n" + TAIL
OTHER = "DefaultImporter:\n" + TAIL


def assets(package: Path) -> Iterator[Path]:
    """What needs a .meta. Unity looks at no folder whose name ends with ~, but samples are copied out of theirs."""
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package).parts
        if path.suffix == ".meta" or any(part.startswith(".") for part in parts):
            continue
        if parts[-1].endswith("~") or any(part.endswith("~") and part != "Samples~" for part in parts):
            continue
        yield path


def meta_of(path: Path) -> Path:
    """Where the .meta of a file or folder lies."""
    return path.with_name(path.name + ".meta")


def meta_text(path: Path, package: Path) -> str:
    """A new .meta."""
    name = path.relative_to(package).as_posix()
    guid = hashlib.md5(f"com.openseeface.again/{name}".encode(), usedforsecurity=False).hexdigest()
    if path.is_dir():
        importer = FOLDER
    elif name == "package.json":
        importer = MANIFEST
    else:
        importer = IMPORTERS.get(path.suffix, OTHER)
    return HEAD.format(guid=guid) + importer


def main() -> None:
    """Command line."""
    for path in assets(PACKAGE):
        if not meta_of(path).exists():
            meta_of(path).write_text(meta_text(path, PACKAGE), encoding="utf-8", newline="\n")
            print(meta_of(path).relative_to(PACKAGE))


if __name__ == "__main__":
    main()
