"""Draws the picture at the head of README.md: `python -m release.pictures`.

It tracks the sample clip as the program does by default and shows a few of its frames side by side, with the 66
points, the pupils, the points of the pose and the head's axes. With `--portrait PHOTO` it shows instead what several
landmark models find in one photo; the one in the model card is scikit-image's `data/astronaut.png` (Eileen Collins, by
NASA, in the public domain).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from output.drawing import draw
from tracker import Tracker

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "samples" / "talking_head.mp4"
PICTURE = ROOT / "docs" / "pictures" / "tracking.png"
PORTRAITS = ROOT / "docs" / "pictures" / "models.png"
FRAMES = (20, 60, 135)  # talks, turns, leans with a wink
PORTRAIT_MODELS = (4, 3, 0, -2, -3, -1)
PORTRAIT_SIDE = 300  # pixels


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


def tracked_portraits(photo: Path, models: tuple[int, ...], model_dir: str | None) -> list[np.ndarray]:
    """The face in a photo with each model's points and pupils; BGR (PORTRAIT_SIDE, PORTRAIT_SIDE, 3) each.

    Raises:
        ValueError: a model found no face in it.
    """
    image = cv2.imread(str(photo))
    pictures = []
    for model in models:
        with Tracker(image.shape[1], image.shape[0], model_type=model, model_dir=model_dir) as tracker:
            for _ in range(5):  # until crop and points have settled
                faces = tracker.predict(image)
        if not faces:
            raise ValueError(f"Model {model} found no face in {photo}.")
        points = faces[0].lms[: 66 if model == -1 else 68, :2]  # model -1 has no pupils
        low, high = points[:66].min(axis=0), points[:66].max(axis=0)
        middle, reach = (low + high) / 2, 0.65 * (high - low).max()
        scale = PORTRAIT_SIDE / (2 * reach)
        place = np.float32([[scale, 0, scale * (reach - middle[1])], [0, scale, scale * (reach - middle[0])]])
        picture = cv2.warpAffine(image, place, (PORTRAIT_SIDE, PORTRAIT_SIDE), flags=cv2.INTER_CUBIC)
        for row, column in (points - middle + reach) * scale:
            cv2.circle(picture, (round(column), round(row)), 2, (0, 255, 0), -1, cv2.LINE_AA)
        cv2.putText(picture, f"model {model}", (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        pictures.append(picture)
    return pictures


def main(arguments: list[str] | None = None) -> int:
    """Writes the picture."""
    parser = argparse.ArgumentParser(prog="python -m release.pictures", description=main.__doc__)
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to, if not into docs/pictures")
    parser.add_argument("--portrait", type=Path, metavar="PHOTO", help="a photo of a face, in place of the clip")
    parser.add_argument("--frames", type=int, nargs="+", default=FRAMES, metavar="N", help="which frames of the clip")
    parser.add_argument("--model", type=int, default=3, metavar="N", help="as in facetracker.py")
    parser.add_argument("--model-dir", metavar="FOLDER", help="as in facetracker.py")
    options = parser.parse_args(arguments)
    if options.portrait:
        output = options.output or PORTRAITS
        pictures = tracked_portraits(options.portrait, PORTRAIT_MODELS, options.model_dir)
    else:
        output = options.output or PICTURE
        pictures = tracked_frames(CLIP, tuple(options.frames), options.model, options.model_dir)
        margin = pictures[0].shape[1] // 6  # the head is in the middle
        pictures = [picture[:, margin:-margin] for picture in pictures]
    output.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(output), np.hstack(pictures)):
        raise OSError(f"{output} could not be written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
