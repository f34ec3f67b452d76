"""Draws people who make six faces, to teach the tracker and to see what it learnt: one clip for each person, face and
purpose.

    python -m training.tables.expression_clips FOLDER --people 4     # about ten minutes a person on one core

Each face is made three times: to be recorded (held still, then with a turning head, then talking, as the tracker asks
for), to be tested (another day: all of that at once, other turns, words and blinks), and to be tested in another light
and place. The people are none that models are trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from training.heads import (
    VISEMES,
    Actor,
    Camera,
    HeadModel,
    HeadParameters,
    face_middle,
    fitting_light,
    gaze,
    possible,
    random_head,
    random_scene,
    render,
)
from training.tables.drawn import SEED, noisy, torso_of

SIZE = (360, 480)  # height, width
RATE = 12  # frames a second
#: How long each clip is, seconds. Recordings are half as long as the tracker's own.
LENGTHS = {"record": 10.0, "test": 4.0, "light": 4.0}


def _both(**weights: float) -> dict[str, float]:
    return {f"{name}_{side}": weight for name, weight in weights.items() for side in "LR"}


#: The six faces, as ARKit weights.
FACES: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": _both(mouthSmile=0.8, cheekSquint=0.5, mouthUpperUp=0.2, eyeSquint=0.2),
    "angry": _both(browDown=0.9, noseSneer=0.35, eyeSquint=0.35, mouthPress=0.3, mouthFrown=0.2),
    "surprise": {**_both(browInnerUp=0.85, browOuterUp=0.85, eyeWide=0.7), "jawOpen": 0.3},
    "puff": _both(cheekPuff=0.95, mouthPress=0.3),
    "wink": {"eyeBlink_L": 1.0, "cheekSquint_L": 0.4, "mouthSmile_L": 0.2},
}
#: What can be said with cheeks full of air.
HUMMED = ("m", "u")
#: How much of a word's mouth is there beside the face's own.
LOUDNESS = 0.8
YAW, PITCH, ROLL = 22.0, 12.0, 10.0  # how far heads turn, degrees


@dataclass(frozen=True)
class Moves:
    """What a person does in a clip beside the face, by phases that differ from clip to clip.

    Attributes:
        phases: (8,) of the sways.
        blinks: when lids close, seconds.
        words: visemes in their order.
    """

    phases: np.ndarray
    blinks: np.ndarray
    words: tuple[str, ...]

    @classmethod
    def random(cls, rng: np.random.Generator, seconds: float, visemes: tuple[str, ...]) -> Moves:
        """Blinks every two to five seconds, eight visemes a second."""
        blinks = np.cumsum(rng.uniform(2, 5, int(seconds / 2) + 1)) - 1.5
        words = rng.choice(visemes, int(8 * seconds) + 2)
        return cls(rng.uniform(0, 2 * np.pi, 8), blinks, tuple(map(str, words)))

    def turn(self, time: float) -> np.ndarray:
        """yaw, pitch, roll in degrees when the head turns as far as it does."""
        a, b, c, d, e, f, *_ = self.phases
        yaw = 0.8 * np.sin(1.9 * time + a) + 0.2 * np.sin(4.1 * time + b)
        pitch = 0.8 * np.sin(1.3 * time + c) + 0.2 * np.sin(3.7 * time + d)
        roll = 0.8 * np.sin(0.9 * time + e) + 0.2 * np.sin(2.9 * time + f)
        return np.array([YAW * yaw, PITCH * pitch, ROLL * roll])

    def face(self, name: str, time: float, talking: float) -> dict[str, float]:
        """The face at a time, and what is said, as ARKit weights."""
        strength = 0.92 + 0.12 * np.sin(1.1 * time + self.phases[6])
        weights = {shape: weight * strength for shape, weight in FACES[name].items()}
        number, part = divmod(8 * time, 1)
        for word, amount in ((self.words[int(number)], 1 - part), (self.words[int(number) + 1], part)):
            for shape, weight in VISEMES[word].items():
                weights[shape] = weights.get(shape, 0.0) + LOUDNESS * talking * amount * weight
        shut = float(np.clip(1.6 - np.abs(time - self.blinks).min() / 0.07, 0, 1))
        for side in "LR":
            lid = f"eyeBlink_{side}"
            weights[lid] = max(weights.get(lid, 0.0), shut)
        look = 0.25 * np.sin(0.7 * time + self.phases[7]), 0.12 * np.sin(1.7 * time + self.phases[0])
        return possible({**weights, **gaze(*look)})


def pictures(
    model: HeadModel, person: int, name: str, purpose: str, actor: Actor | None = None, every: int = 1
) -> Iterator[np.ndarray]:
    """Every so many-th frame of one clip (BGR uint8): of the person with that number, a face of `FACES`, for one of
    `LENGTHS`."""
    head = somebody(model, person)
    actor = actor or prepared(model, head)
    stage = np.random.default_rng([SEED, 7, person, int(purpose == "light")])  # light and place
    rng = np.random.default_rng([SEED, 7, person, list(FACES).index(name), list(LENGTHS).index(purpose), 1])
    scene = fitting_light(random_scene(stage), head.appearance)
    focal, share = float(stage.uniform(1.3, 2.2)), float(stage.uniform(0.42, 0.55))
    middle = face_middle() + [*stage.uniform(-4, 4, 2), 0]
    camera = Camera(focal, (float(-middle[0]), float(-middle[1]), 20 * focal / share + float(middle[2])))
    seconds = LENGTHS[purpose]
    moves = Moves.random(rng, seconds, HUMMED if name == "puff" else tuple(VISEMES))
    for number in range(0, round(seconds * RATE), every):
        time = number / RATE
        share_done = time / seconds
        # To be recorded: a third each still, turning, and talking while turning a little.
        turning, talking = 1.0, 1.0
        if purpose == "record":
            turning = 0.1 if share_done < 1 / 3 else 1.0 if share_done < 2 / 3 else 0.7
            talking = float(share_done >= 2 / 3)
        turn = turning * moves.turn(time)
        moved = replace(head, expression=moves.face(name, time, talking), rotation=tuple(turn.tolist()),
                        torso=tuple(torso_of(turn).tolist()))  # fmt: skip
        yield noisy(render(model, moved, camera, scene, SIZE, 2, actor).image, rng)


def somebody(model: HeadModel, person: int) -> HeadParameters:
    """The person with that number; the eyes can be seen."""
    head = random_head(model, np.random.default_rng([SEED, 7, person]))
    if head.appearance.glasses == "sun":
        head = replace(head, appearance=replace(head.appearance, glasses="thin"))
    return head


def prepared(model: HeadModel, head: HeadParameters) -> Actor:
    """What all frames of a person share."""
    return Actor.prepare(model, head.identity, head.appearance, 640)


def path_of(folder: Path, person: int, name: str, purpose: str) -> Path:
    """The file of one clip."""
    return folder / f"{person}_{name}_{purpose}.avi"


def write(path: Path, frames: Iterable[np.ndarray], rate: float = RATE) -> None:
    """Write a clip; it is there when it is whole.

    Raises:
        OSError: it can't be written.
    """
    unfinished = path.with_suffix(".part.avi")
    video = cv2.VideoWriter(str(unfinished), cv2.VideoWriter_fourcc(*"MJPG"), rate, SIZE[::-1])
    if not video.isOpened():
        raise OSError(f"{unfinished} can't be written")
    for frame in frames:
        video.write(frame)
    video.release()
    unfinished.rename(path)


def draw(model: HeadModel, folder: Path, person: int) -> None:
    """The clips of a person that are not in the folder yet."""
    actor = None
    for purpose in LENGTHS:
        for name in FACES:
            path = path_of(folder, person, name, purpose)
            if path.exists():
                continue
            actor = actor or prepared(model, somebody(model, person))
            write(path, pictures(model, person, name, purpose, actor))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=4, help="how many (default: 4)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    model = HeadModel.load()
    for person in range(arguments.people):
        draw(model, arguments.folder, person)


if __name__ == "__main__":
    main()
