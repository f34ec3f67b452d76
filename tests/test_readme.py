"""What README.md and CONTRIBUTING.md say holds: commands run, options and files exist, messages are those printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.options import Options
from cli.parser import build_parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")

OPTIONS = {"--" + setting.name.replace("_", "-"): setting for setting in fields(Options) if setting.metadata}
RECEIVER = (ROOT / "sending" / "receive.py").read_text(encoding="utf-8")
OF_OTHER_PROGRAMS = {"--noconfirm", "--version", *re.findall(r'add_argument\("(--\w+)"', RECEIVER)}


def code(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def commands(text: str, language: str = "sh") -> list[str]:
    """The lines of the code blocks of a language."""
    return [line.strip() for block in code(text, language) for line in block.splitlines() if line.strip()]


def tracker_arguments(command: str) -> list[list[str]]:
    """The arguments of each call of the tracker in a command line."""
    calls = [shlex.split(part) for part in command.split("&&")]
    return [call[1 + call.index("facetracker.py") :] for call in calls if "facetracker.py" in call]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=300
    )


def test_the_two_commands_are_the_ones_that_continuous_integration_runs() -> None:
    track, test = commands(README)[:2]
    assert track.endswith("facetracker.py -c samples/talking_head.mp4")
    assert test.endswith("-m pytest")
    for command in (track, test, *commands(README, "bat")):
        assert f"run: {command}\n" in WORKFLOW, command


def test_the_windows_commands_are_the_same() -> None:
    def on_windows(command: str) -> str:
        in_folder = command.replace("python3", "python").replace("/bin/", "/Scripts/")
        return re.sub(r"(\S)/", r"\1\\", in_folder)

    assert commands(README, "bat") == [on_windows(command) for command in commands(README)[:2]]


def test_the_first_command_prints_what_the_text_says() -> None:
    (arguments,) = tracker_arguments(commands(README)[0])
    finished = run("facetracker.py", *arguments)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert sum(line.startswith("Took ") for line in lines) > 100
    assert sum(line.startswith("Confidence[0]") for line in lines) > 100
    assert any(line.startswith("Average tracking time per detected face") for line in lines[-3:])


@pytest.mark.parametrize("command", [command for command in commands(README) if "--benchmark" in command])
def test_the_benchmark_command_prints_seven_speeds(command: str) -> None:
    finished = run("facetracker.py", *tracker_arguments(command)[0])
    assert finished.returncode == 0, finished.stderr
    assert len([float(line) for line in finished.stdout.splitlines()]) == 7


@pytest.mark.parametrize("command", [command for command in commands(README) if "--list-cameras" in command])
def test_the_cameras_are_listed(command: str) -> None:
    finished = run("facetracker.py", *tracker_arguments(command)[0])
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("Available cameras:")


@pytest.mark.parametrize("program", code(README, "python"))
def test_the_python_example_prints_faces(program: str) -> None:
    finished = run("-c", program)
    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.splitlines()) > 100


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_call_of_the_tracker_is_accepted(text: str) -> None:
    inline = [part for part in re.findall(r"`([^`\n]+)`", text) if "facetracker.py -" in part]
    calls = [arguments for line in commands(text) + inline for arguments in tracker_arguments(line)]
    assert calls
    for arguments in calls:
        if arguments != ["-h"]:
            build_parser().parse_args(arguments)  # ends the program when it is wrong


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_no_option_is_named_that_does_not_exist(text: str) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", text))
    if text is CONTRIBUTING:
        named -= {"--evaluate"}
    assert named <= OPTIONS.keys() | OF_OTHER_PROGRAMS, named - OPTIONS.keys()


def option_rows() -> list[tuple[list[str], list[str]]]:
    """The rows of the tables of options: the long names in one, and their defaults."""
    section = README.split("\n## Options\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`-.*?) \| (.*?) \|", section, re.MULTILINE)
    return [(re.findall(r"--[\w-]+", names), defaults.split(", ")) for names, defaults in rows]


def test_every_option_stands_in_one_table_with_its_default() -> None:
    stated = {name: default for names, defaults in option_rows() for name, default in zip(names, defaults, strict=True)}
    assert sum(len(names) for names, _ in option_rows()) == len(stated)
    shown = {None: "none", "": "none"}
    assert stated == {
        name: "off" if setting.default is False else str(setting.default or shown.get(setting.default, 0))
        for name, setting in OPTIONS.items()
    }


def test_short_options_are_named_beside_their_long_ones() -> None:
    for name, setting in OPTIONS.items():
        for short in setting.metadata["short"]:
            assert f"`{short}`, `{name}`" in README


def anchors_of(page: str) -> set[str]:
    """What links to the headings of a page end with."""
    headings = [re.sub(r"[^\w -]", "", line).strip() for line in re.findall(r"^#+(.*)", page, re.MULTILINE)]
    return {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Licenses/README.md", "models/README.md", "samples/README.md"],
)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    text = (ROOT / page).read_text(encoding="utf-8")
    anchors = anchors_of(text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            path, _, anchor = target.partition("#")
            assert (folder / path).exists(), target
            assert not anchor or anchor in anchors_of((folder / path).read_text(encoding="utf-8")), target


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_files_and_modules_that_are_named_exist(text: str) -> None:
    plain = re.sub(r"\S+://\S+", "", text).replace("\\", "/")
    names = re.findall(r"[\w./-]+\.(?:py|txt|md|toml|spec|sh|bat|mp4|yml|cff)\b", plain)
    assert names
    for name in names:
        assert (ROOT / name).exists(), name
    modules = re.findall(r"(?:-m |`)((?:training|release|sending|benchmarks)(?:\.\w+)+)", plain)
    for module in modules:
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
    for package in re.findall(r"-m ([a-z]+)(?![\w.])", plain):
        doors = (ROOT / package / "__main__.py", ROOT / "release" / package / "__main__.py")  # the latter: in the wheel
        assert package in ("venv", "pytest") or any(door.exists() for door in doors), package


def test_quoted_messages_are_those_of_the_program() -> None:
    sources = [path for path in ROOT.glob("*.py")]
    for folder in ("cli", "capture", "sending", "expressions", "output", "tracking"):
        sources += (ROOT / folder).glob("*.py")
    # Joined as the compiler joins neighbouring strings.
    program = re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in sources))
    section = README.split("\n## Troubleshooting\n")[1].split("\n## ")[0]
    messages = re.findall(r'"([^"]+)"', section)
    assert len(messages) >= 4
    for message in messages:
        for part in message.split("…"):
            assert part.strip() in program, message


def test_the_picture_can_be_drawn_again(tmp_path: Path) -> None:
    drawn = run("-m", "release.pictures", "--output", str(tmp_path / "tracking.png"))
    assert drawn.returncode == 0, drawn.stderr
    picture = cv2.imread(str(tmp_path / "tracking.png"))
    shown = cv2.imread(str(ROOT / "docs" / "pictures" / "tracking.png"))
    assert picture.shape == shown.shape
    # Another landmark model moves the points; the person and the place stay.
    assert np.median(cv2.absdiff(picture, shown)) <= 2


def test_the_portraits_can_be_drawn_again(tmp_path: Path, astronaut: Path) -> None:
    drawn = run("-m", "release.pictures", "--portrait", str(astronaut), "--output", str(tmp_path / "models.png"))
    assert drawn.returncode == 0, drawn.stderr
    shown = cv2.imread(str(ROOT / "docs" / "pictures" / "models.png"))
    assert cv2.imread(str(tmp_path / "models.png")).shape == shown.shape


def test_the_versions_of_python_are_the_same_everywhere() -> None:
    assert "Python 3.10 or later" in README
    assert re.search(r'python: \["3\.10", .*"3\.14"\]', WORKFLOW)
