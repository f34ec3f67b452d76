"""How well expressions are told that somebody taught the tracker: drawn people record, train and are tried, all through
the command line.

    python -m training.tables.expressions FOLDER    # with the clips of training.tables.expression_clips

For each person: the six faces are recorded from clips, trained, and told in two other clips of each face, one in the
same light and one in another light and place, all of them with turning heads that talk and blink. Every frame counts,
also those in which lids are shut for a blink and the first of each clip, when no answer has come twice yet.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.common import table
from expressions.collection import Collection
from training.heads import REPOSITORY
from training.tables.expression_clips import FACES, LENGTHS, path_of

PURPOSES = {"test": "same light", "light": "another light"}


def run(*arguments: object) -> str:
    """What a command of this repository prints."""
    command = [sys.executable, *map(str, arguments)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ended.stderr.strip()}")
    return ended.stdout


def record(folder: Path, person: int, file: Path, options: tuple[str, ...] = ()) -> None:
    """Have a person record all faces."""
    for name in FACES:
        clip = path_of(folder, person, name, "record")
        run("facetracker.py", "-c", clip, "--ip", "none", "--expressions", file, "--record", name,
            "--record-seconds", LENGTHS["record"], *options)  # fmt: skip


def told(clip: Path, file: Path, options: tuple[str, ...] = ()) -> Counter[str]:
    """How often each expression was told in a clip ("" for none; frames without a face are none)."""
    with tempfile.TemporaryDirectory() as place:
        log = Path(place, "log.csv")
        printed = run("facetracker.py", "-c", clip, "--ip", "none", "--expressions", file, "--log-data", log, *options)
        with open(log, newline="", encoding="utf-8") as rows:
            counts = Counter(row["Expression"] for row in csv.DictReader(rows))
    frames = sum(line.startswith("Took ") for line in printed.splitlines())
    counts[""] += frames - counts.total()
    return counts


def confusion(folder: Path, person: int, purpose: str, file: Path, options: tuple[str, ...] = ()) -> np.ndarray:
    """(6, 7) share of each face's frames (row) in which each was told (the last column: none)."""
    rows = []
    for name in FACES:
        counts = told(path_of(folder, person, name, purpose), file, options)
        rows.append([counts[one] / counts.total() for one in (*FACES, "")])
    return np.array(rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without-shapes", action="store_true", help="leave the blend shapes out")
    arguments = parser.parse_args()
    options = ("--blendshapes", "0") if arguments.without_shapes else ()
    folder = arguments.folder.resolve()
    last, last_purpose = list(FACES)[-1], list(LENGTHS)[-1]
    people = [number for number in range(100) if path_of(folder, number, last, last_purpose).exists()]
    rows, all_of = [], {purpose: [] for purpose in PURPOSES}
    for person in people:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place, "person.osfx")
            record(folder, person, file, options)
            began = time.perf_counter()
            run("-m", "expressions", "train", file)
            seconds = time.perf_counter() - began
            for purpose, what in PURPOSES.items():
                matrix = confusion(folder, person, purpose, file, options)
                all_of[purpose].append(matrix)
                right = np.diag(matrix)
                rows.append((person, what, f"{right.mean():.3f}", *(f"{share:.2f}" for share in right)))
            support = len(Collection.load(file).classifiers[0].support)
        print(f"Person {person}: trained in {seconds:.1f} s, {support} support vectors", flush=True)
    print()
    print(table(("person", "tried in", "mean", *FACES), rows))
    for purpose, what in PURPOSES.items():
        mean = np.mean(all_of[purpose], 0)
        right = np.diag(mean)
        print(f"{what}: mean {right.mean():.3f}, least of a face {right.min():.3f}; which was told:\n")
        print(table(("", *FACES, "none"), [(name, *(f"{share:.3f}" for share in row))
                                           for name, row in zip(FACES, mean, strict=True)]))  # fmt: skip


if __name__ == "__main__":
    main()
