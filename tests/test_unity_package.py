"""The Unity package as files: what the package manager and the editor expect to find."""

from __future__ import annotations

import json
import re

from unity_project import PACKAGE, ROOT, compile_sources

from release.unity_metas import assets, meta_of


def guid(path) -> str:
    found = re.search(r"^guid: ([0-9a-f]{32})$", meta_of(path).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, path
    return found[1]


def test_everything_has_a_meta_with_a_guid_of_its_own() -> None:
    paths = list(assets(PACKAGE))
    assert paths
    missing = [path for path in paths if not meta_of(path).exists()]
    assert not missing, f"{missing}: python -m release.unity_metas"
    guids = [guid(path) for path in paths]
    assert len(set(guids)) == len(guids)


def test_no_meta_is_left_behind() -> None:
    wanted = {meta_of(path) for path in assets(PACKAGE)}
    assert set(PACKAGE.rglob("*.meta")) == wanted


def test_the_manifest_names_what_is_there() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"com(\.[a-z-]+){2,}", manifest["name"]) and manifest["unity"] == "2021.3"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{manifest["version"]}"' in project
    for sample in manifest["samples"]:
        assert list((PACKAGE / sample["path"]).glob("*.cs")), sample
    listed = {sample["path"] for sample in manifest["samples"]}
    assert listed == {f"Samples~/{path.name}" for path in (PACKAGE / "Samples~").glob("*") if path.is_dir()}


def test_a_component_lies_in_a_file_of_its_name() -> None:
    """Unity finds it by that."""
    for path in PACKAGE.rglob("*.cs"):
        for name in re.findall(r"class (\w+) : MonoBehaviour", path.read_text(encoding="utf-8")):
            assert name == path.stem, path


def test_the_readme_shows_every_component_and_its_pictures() -> None:
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    components = [path.stem for path in PACKAGE.glob("Runtime/**/OpenSee*.cs") if ": MonoBehaviour" in path.read_text()]
    assert len(components) >= 7 and all(name in readme for name in components)
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert links and all((PACKAGE / link).exists() for link in links)


def test_the_package_compiles_without_a_warning(unity, tmp_path) -> None:
    assert unity.package.exists()
    sources = sorted((PACKAGE / "Runtime").rglob("*.cs"))
    compile_sources(sources, tmp_path / "newer.dll", [unity.engine], "UNITY_2023_1_OR_NEWER")
    broken = tmp_path / "Unused.cs"
    broken.write_text("class C { int unused; }", encoding="utf-8")
    try:
        compile_sources([broken], tmp_path / "unused.dll")
    except AssertionError as said:
        assert "unused" in str(said)
    else:
        raise AssertionError("a warning passed")
