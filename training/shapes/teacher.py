"""MediaPipe's FaceLandmarker looks at the training images and at drawn heads: a teacher for the shapes that it sees
well, and what our shapes are compared with.

    mesh-venv/bin/python -m training.shapes.teacher --task face_landmarker.task                   # the images
    mesh-venv/bin/python -m training.shapes.teacher --task face_landmarker.task --heads heads.npz  # drawn heads

    mesh-venv/bin/python -m training.shapes.teacher --task face_landmarker.task --clip clip.mp4   # times, when asked

The first two write beside the other caches: shapes_images.npz, and shapes_NAME.npz for heads in NAME.npz. It needs
mediapipe 0.10.21, as FaceMesh does. Nothing of it becomes part of the project.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tracking.faces import BLENDSHAPE_NAMES
from training import data

BORDERS = (0.0, 0.4)  # faces that fill the picture are only found with some border


class FaceLandmarker:
    """MediaPipe's model in the file `task`."""

    def __init__(self, task: Path, video: bool = False) -> None:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self._image = lambda rgb: mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(task)), output_face_blendshapes=True, num_faces=1,
            min_face_detection_confidence=0.3,
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
        )  # fmt: skip
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def shapes(self, image: np.ndarray) -> np.ndarray:
        """(52,) in the order of BLENDSHAPE_NAMES, of a BGR picture; nan for what it has no answer for (tongueOut)."""
        for border in BORDERS:
            pad = int(border * max(image.shape[:2]))
            padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE) if pad else image
            found = self._landmarker.detect(self._image(cv2.cvtColor(padded, cv2.COLOR_BGR2RGB)))
            if found.face_blendshapes:
                scores = {shape.category_name: shape.score for shape in found.face_blendshapes[0]}
                return np.array([scores.get(name, np.nan) for name in BLENDSHAPE_NAMES], np.float32)
        return np.full(len(BLENDSHAPE_NAMES), np.nan, np.float32)


    def milliseconds(self, frame: np.ndarray, number: int) -> float:
        """How long it takes for a BGR frame of a video, by the frame's number."""
        began = time.perf_counter()
        self._landmarker.detect_for_video(self._image(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)), 40 * number)
        return 1e3 * (time.perf_counter() - began)


def answer_times(landmarker: FaceLandmarker, clip: Path) -> None:
    """For each line that comes in, looks at the clip's next frame and says how many milliseconds that took."""
    video = cv2.VideoCapture(str(clip))
    frames = []
    while (frame := video.read())[0]:
        frames.append(frame[1])
    print(len(frames), flush=True)
    for number, _ in enumerate(sys.stdin):
        print(landmarker.milliseconds(frames[number % len(frames)], number), flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="FaceLandmarker's blend shapes of what we train and measure on.")
    parser.add_argument("--task", type=Path, required=True, help="face_landmarker.task")
    parser.add_argument("--every", type=int, default=1, help="of the images only every so many'th")
    parser.add_argument("--heads", type=Path, nargs="+", help="files of drawn heads, in place of the images")
    parser.add_argument("--clip", type=Path, help="answer with times on a clip, for training.tables.shapes")
    arguments = parser.parse_args()
    landmarker = FaceLandmarker(arguments.task, video=arguments.clip is not None)
    if arguments.clip:
        cv2.setNumThreads(1)
        answer_times(landmarker, arguments.clip)
        return
    for path in arguments.heads or []:
        images = np.load(path)["images"]
        shapes = np.stack([landmarker.shapes(image) for image in tqdm(images, desc=path.stem, mininterval=5)])
        np.savez(data.cache_folder() / f"shapes_{path.stem}.npz", shapes=shapes)
    if not arguments.heads:
        samples = data.list_samples()[:: arguments.every]
        shapes = np.stack([landmarker.shapes(data.read_image(s.path)) for s in tqdm(samples, mininterval=5)])
        np.savez(data.cache_folder() / "shapes_images.npz", keys=[s.key for s in samples], shapes=shapes)


if __name__ == "__main__":
    main()
