"""Prints how good the landmark models are: ours, and the reference ones where their folder is there.

    python -m training.evaluate                  # every table
    python -m training.evaluate accuracy timing  # some
    python -m training.evaluate tracking --clip carphone_pristine.mp4

What the tables measure is told in training/tables/.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2

from training import data
from training.tables import blinks, clips, evaluation, mouths
from training.tables.answers import MissingError, find_models


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure the landmark models.")
    parser.add_argument("tables", nargs="*", help="which tables, see below (default: all)")
    parser.add_argument("--folder", type=Path, default=data.repository() / "models", help="our models")
    parser.add_argument("--clip", type=Path, help="a video of one face")
    parser.add_argument("--count", type=int, default=300, help="held-out faces (default 300)")
    arguments = parser.parse_args()
    compared = find_models(arguments.folder, "ours")
    if not compared:
        parser.error(f"there are no lm_model*_opt.onnx in {arguments.folder}")
    compared += find_models(data.reference_folder() / "reference" / "models", "reference")
    count = arguments.count
    tables: dict[str, Callable[[], None]] = {
        "accuracy": lambda: evaluation.accuracy(compared, count),
        "steadiness": lambda: evaluation.steadiness(compared, max(10, count // 10)),
        "recovery": lambda: evaluation.recovery(compared, count // 2),
        "rolled": lambda: evaluation.rolled(compared, count // 3),
        "heads": lambda: evaluation.heads(compared),
        "turns": lambda: evaluation.turns(compared),
        "confidence": lambda: evaluation.confidence(compared, count // 2),
        "tracking": lambda: clips.tracking(compared, arguments.clip),
        "drawn": lambda: clips.drawn(compared),
        "moving": lambda: clips.moving(compared, max(10, count // 10)),
        "leaving": lambda: clips.leaving(compared, max(12, count // 8)),
        "blinks": lambda: blinks.blinks(compared),
        "winks": lambda: blinks.winks(compared),
        "mouths": lambda: mouths.mouths(compared, count),
        "timing": lambda: evaluation.timing(compared),
    }
    unknown = set(arguments.tables) - set(tables)
    if unknown:
        parser.error(f"no such table: {', '.join(sorted(unknown))}; tables are {', '.join(tables)}")
    cv2.setNumThreads(1)
    for name in arguments.tables or tables:
        try:
            tables[name]()
        except MissingError as missing:
            print(f"\nThe table {name!r} is left out: {missing}.")


if __name__ == "__main__":
    main()
