"""Draws the picture at the head of README.md: `python -m release.pictures`.

It tracks the sample clip as the program does by default and shows a few of its frames side by side, with the 66
points, the pupils, the points of the pose and the head's axes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from output.visualization import draw
from tracker import Tracker

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "samples" / "talking_head.mp4"
PICTURE = ROOT / "docs" / "pictures" / "tracking.png"
FRAMES = (20, 60, 135)  # talks, turns, leans with a wink


def tracked_frames(clip: Path, numbers: tuple[int, ...], model: int, model_dir: str | None) -> list[np.ndarray]:
    """Frames of a clip, counted from 0, with what was tracked drawn over them; BGR (h, w, 3).

    Raises:
        ValueError: one of them is not in the clip, or no face was found in it.
    """
    video = cv2.VideoCapture(str(clip))
    width, height = (int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    pictures = {}
    with Tracker(width, height, model_type=model, model_dir=model_dir, static_model=True) as tracker:
        for number in range(max(numbers) + 1):
            there, frame = video.read()
            if not there:
                raise ValueError(f"{clip} has no frame {number}.")
            faces = tracker.predict(frame)
            if number in numbers:
                if not faces:
                    raise ValueError(f"No face was found in frame {number}.")
                pictures[number] = draw(frame, faces, level=1, pnp_points=1)
    video.release()
    return [pictures[number] for number in numbers]


def main(arguments: list[str] | None = None) -> int:
    """Writes the picture."""
    parser = argparse.ArgumentParser(prog="python -m release.pictures", description=main.__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="FILE")
    parser.add_argument("--frames", type=int, nargs="+", default=FRAMES, metavar="N", help="which frames of the clip")
    parser.add_argument("--model", type=int, default=3, metavar="N", help="as in facetracker.py")
    parser.add_argument("--model-dir", metavar="FOLDER", help="as in facetracker.py")
    options = parser.parse_args(arguments)
    pictures = tracked_frames(CLIP, tuple(options.frames), options.model, options.model_dir)
    margin = pictures[0].shape[1] // 6  # the head is in the middle
    options.output.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(options.output), np.hstack([picture[:, margin:-margin] for picture in pictures])):
        raise OSError(f"{options.output} could not be written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
