"""How well expressions are told that somebody taught the tracker: drawn people record, train and are tried, all through
the command line.

    python -m training.tables.expressions FOLDER               # with the clips of training.tables.expression_clips
    python -m training.tables.expressions FOLDER --left-out    # and what an expression is told to be that nobody taught

For each person: the six faces are recorded from clips, trained, and told in two other clips of each face, one in the
same light and one in another light and place, all of them with turning heads that talk and blink. Every frame counts,
also those in which lids are shut for a blink and the first of each clip, when no answer has come twice yet.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
import timeit
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.common import table
from expressions import training
from expressions.classifier import Classifier
from expressions.collection import Collection
from training.heads import REPOSITORY
from training.tables.expression_clips import FACES, LENGTHS, path_of

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PURPOSES = {"test": "same light", "light": "another light"}


def run(*arguments: object) -> str:
    """What a command of this repository prints."""
    command = [sys.executable, *map(str, arguments)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ended.stderr.strip()}")
    return ended.stdout


def train_file(file: Path) -> str:
    """Train, and say what that took (on Linux and macOS)."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "expressions", "train", file],
        cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError("train failed")
    seconds, memory = time.perf_counter() - began, used.ru_maxrss / (1 << 10 if sys.platform == "linux" else 1 << 20)
    return f"{seconds:.1f} s ({used.ru_utime + used.ru_stime:.1f} of the processor), {memory:.0f} MB"


def microseconds(classifier: Classifier, sample: np.ndarray) -> float:
    """Processor time that telling one face takes, the median of 50 times 100."""
    times = timeit.repeat(lambda: classifier.tell(sample), number=100, repeat=50, timer=time.thread_time)
    return float(np.median(times)) / 100 * 1e6


def record(folder: Path, person: int, file: Path, options: tuple[str, ...] = (), purpose: str = "record") -> None:
    """Have a person record all faces."""
    for name in FACES:
        clip = path_of(folder, person, name, purpose)
        run("facetracker.py", "-c", clip, "--ip", "none", "--expressions", file, "--record", name,
            "--record-seconds", LENGTHS[purpose], *options)  # fmt: skip


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


def left_out(taught: Collection, tried: Collection) -> tuple[np.ndarray, np.ndarray]:
    """What is told when one of a person's faces, not the neutral one, was not taught.

    Args:
        taught: all faces, as they were recorded.
        tried: the same faces in other clips.

    Returns:
        For each of THRESHOLDS, which share of the frames of the face that was left out is told to be none (the mean of
        all faces), and which share of the frames of those that were taught.
    """
    unknown, known = [], []
    for name in list(FACES)[1:]:
        rest = Collection([one for one in taught.expressions if one.name != name])
        classifier = training.train(rest)[0].classifier
        sure = {one.name: classifier.probabilities(one.recordings[0].samples).max(1) for one in tried.expressions}
        unknown.append([(sure[name] < threshold).mean() for threshold in THRESHOLDS])
        others = np.concatenate([values for other, values in sure.items() if other != name])
        known.append([(others < threshold).mean() for threshold in THRESHOLDS])
    return np.mean(unknown, 0), np.mean(known, 0)


def show_left_out(folder: Path, people: list[int]) -> None:
    """Print `left_out` of all people."""
    found = []
    for person in people:
        with tempfile.TemporaryDirectory() as place:
            taught, tried = Path(place, "taught.osfx"), Path(place, "tried.osfx")
            record(folder, person, taught)
            record(folder, person, tried, purpose="test")
            found.append(left_out(Collection.load(taught), Collection.load(tried)))
    unknown, known = np.mean(found, 0)
    print("Told to be none, by threshold:\n")
    print(table(("", *map(str, THRESHOLDS)), [("a face that was not taught", *(f"{share:.2f}" for share in unknown)),
                                              ("one that was", *(f"{share:.2f}" for share in known))]))  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without-shapes", action="store_true", help="leave the blend shapes out")
    parser.add_argument("--left-out", action="store_true", help="only: teach five faces, and show the sixth")
    arguments = parser.parse_args()
    options = ("--blendshapes", "0") if arguments.without_shapes else ()
    folder = arguments.folder.resolve()
    last, last_purpose = list(FACES)[-1], list(LENGTHS)[-1]
    people = [number for number in range(100) if path_of(folder, number, last, last_purpose).exists()]
    if arguments.left_out:
        show_left_out(folder, people)
        return
    rows, all_of = [], {purpose: [] for purpose in PURPOSES}
    for person in people:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place, "person.osfx")
            record(folder, person, file, options)
            took = train_file(file)
            for purpose, what in PURPOSES.items():
                matrix = confusion(folder, person, purpose, file, options)
                all_of[purpose].append(matrix)
                right = np.diag(matrix)
                rows.append((person, what, f"{right.mean():.3f}", *(f"{share:.2f}" for share in right)))
            taught = Collection.load(file)
        classifier = taught.classifiers[0]
        telling = microseconds(classifier, taught.expressions[0].recordings[0].samples[0])
        print(f"Person {person}: training took {took}; {len(classifier.support)} support vectors, "
              f"telling takes {telling:.0f} us", flush=True)  # fmt: skip
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
