"""Draws docs/pictures/blendshapes.png: a drawn head that makes faces, and what the tracker says of them.

    python -m training.shapes.picture

The person is that of the sample clip. First they look neutral, which counts as zero, as with `--calibrate`.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tracker import Tracker
from tracking.calibration import Profile
from tracking.faces import BLENDSHAPE_NAMES
from training import data
from training.heads import Actor, Camera, HeadModel, HeadParameters, render
from training.sample_clip import PERSON, scene

SIDE, PANEL, SHOWN = 360, 200, 9  # pixels of a picture and of the bars beside it; how many bars
FACES = {
    "puffed cheeks": {"cheekPuff_L": 1.0, "cheekPuff_R": 1.0, "mouthPress_L": 0.3, "mouthPress_R": 0.3},
    "tongue": {"tongueOut": 1.0, "jawOpen": 0.35},
    "wink": {"eyeBlink_L": 1.0, "cheekSquint_L": 0.5, "mouthSmile_L": 0.4},
    "sneer": {"noseSneer_L": 1.0, "noseSneer_R": 1.0, "browDown_L": 0.6, "browDown_R": 0.6},
}  # fmt: skip


def bars(shapes: np.ndarray) -> np.ndarray:
    """The strongest shapes (52,) as bars, BGR (SIDE, PANEL, 3)."""
    panel = np.full((SIDE, PANEL, 3), 30, np.uint8)
    row = SIDE // SHOWN
    for place, k in enumerate(np.argsort(-shapes)[:SHOWN]):
        top = place * row
        cv2.rectangle(panel, (8, top + row // 2), (8 + round(0.92 * PANEL * float(shapes[k])), top + row - 6),
                      (80, 220, 40), -1)  # fmt: skip
        text = f"{BLENDSHAPE_NAMES[k]} {shapes[k]:.2f}"
        at = (8, top + row // 2 - 4)
        cv2.putText(panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return panel


def main() -> None:
    """Writes the picture."""
    cv2.setNumThreads(1)
    model = HeadModel.load()
    rng = np.random.default_rng(2024)
    identity, light = np.clip(rng.normal(0, 0.45, 100), -1, 1), scene(rng)
    actor = Actor.prepare(model, identity, PERSON, 1024)
    neutral = HeadParameters(identity, PERSON)
    camera = Camera(2.6, (0.0, 0.5, 80.0))

    def seen(expression: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        head = replace(neutral, expression=expression)
        image = render(model, head, camera, light, (SIDE, SIDE), 2, actor).image
        with Tracker(SIDE, SIDE, blendshapes=True) as tracker:
            (face,) = [tracker.predict(image) for _ in range(3)][-1]
        assert face.blendshapes is not None
        return image, face.blendshapes

    profile = Profile(rest=seen({})[1])
    tiles = []
    for expression in FACES.values():
        image, shapes = seen(expression)
        tiles.append(np.hstack([image, bars(profile.apply(shapes))]))
    output = data.repository() / "docs" / "pictures" / "blendshapes.png"
    cv2.imwrite(str(output), np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])]))


if __name__ == "__main__":
    main()
