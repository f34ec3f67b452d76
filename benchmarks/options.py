"""Options that several benchmarks share."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.common import CLOCKS, SAMPLE_CLIP
from tracking.models import LANDMARK_MODELS


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of WIDTHxHEIGHT, pixels."""
    width, x, height = text.partition("x")
    if not (x and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: it is written like 1280x720")
    return int(width), int(height)


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    """Clip, model and clock."""
    parser.add_argument("-c", "--clip", type=Path, default=SAMPLE_CLIP, help="video (default: the sample clip)")
    parser.add_argument("--model", type=int, default=3, choices=sorted(LANDMARK_MODELS), help="default: 3")
    parser.add_argument("--model-dir", type=Path, help="folder with the models (default: the tracker's own)")
    parser.add_argument(
        "--clock", choices=sorted(CLOCKS), default="wall", help="wall time or processor time (default: wall)"
    )
