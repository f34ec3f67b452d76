"""Draws samples/talking_head.mp4, the clip that a person without a camera tries first, and the truth beside it.

    python -m training.sample_clip                 # about five minutes on one core
    python -m training.sample_clip --sheet s.png   # twelve small frames of it to look at

A made-up person talks, turns, nods, blinks, winks, raises the brows and smiles. Every run draws the same pictures.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from training.heads import (
    REPOSITORY,
    VISEMES,
    Actor,
    Appearance,
    Camera,
    HeadModel,
    HeadParameters,
    Scene,
    gaze,
    render,
)

WIDTH, HEIGHT, FPS, SECONDS = 640, 480, 25, 6.4

PERSON = Appearance(
    seed=11,
    skin=(0.66, 0.43, 0.32),
    redness=0.55,
    hair=(0.06, 0.034, 0.02),
    hair_style="side",
    parting=3.5,
    iris=(0.13, 0.19, 0.25),
    brow_color=(0.022, 0.013, 0.009),
    brow_strength=0.9,
    cloth=(0.05, 0.11, 0.17),
    lip_color=(0.48, 0.20, 0.18),
    lip_strength=0.7,
    stubble=0.1,
)

# What is said: viseme and when its mouth shape is fullest, in seconds.
SPEECH = [
    (0.62, "l"), (0.74, "e"), (0.88, "o"), (1.02, "m"), (1.14, "a"), (1.30, "i"), (1.42, "f"), (1.54, "o"),
    (1.70, "u"), (1.84, "m"), (1.96, "a"), (2.12, "l"), (2.24, "i"), (2.42, "m"), (2.86, "a"), (3.00, "l"),
    (3.14, "o"), (3.30, "u"), (3.42, "f"), (3.54, "a"), (3.70, "e"), (3.86, "m"), (3.98, "o"), (4.14, "a"), (4.32, "m"),
]  # fmt: skip

# Value at times (seconds), joined smoothly: degrees for the turn, weights for the face.
TRACKS: dict[str, list[tuple[float, float]]] = {
    "yaw": [(0, 0), (0.7, 0), (1.7, 24), (2.2, 26), (3.4, -27), (3.8, -28), (4.8, 0), (6.4, 0)],
    "pitch": [(0, 0), (0.5, 0), (0.8, -9), (1.1, 3), (2.0, 2), (2.6, 7), (3.2, 0), (4.4, 0), (4.75, -12), (5.05, 4),
              (5.35, -8), (5.7, 0), (6.4, 0)],
    "roll": [(0, 0), (0.9, -2), (1.9, 5), (2.8, -2), (3.6, -7), (4.6, 0), (5.4, 5), (6.0, 0), (6.4, 0)],
    "smile": [(0, 0.3), (0.6, 0.2), (2.3, 0.15), (2.6, 0.5), (2.85, 0.15), (4.3, 0.15), (4.8, 0.75), (5.8, 0.7),
              (6.3, 0.3), (6.4, 0.3)],
    "brows": [(0, 0), (1.0, 0), (1.2, 0.5), (1.5, 0), (2.45, 0), (2.65, 1), (2.95, 0.9), (3.2, 0), (5.75, 0),
              (5.9, 0.4), (6.2, 0), (6.4, 0)],
    "blink": [(0, 0), (0.40, 0), (0.46, 1), (0.50, 1), (0.62, 0), (1.66, 0), (1.74, 1), (1.78, 1), (1.90, 0), (3.26, 0),
              (3.34, 1), (3.38, 1), (3.50, 0), (4.50, 0), (4.58, 1), (4.62, 1), (4.74, 0), (6.4, 0)],
    "wink": [(0, 0), (5.2, 0), (5.34, 1), (5.58, 1), (5.74, 0), (6.4, 0)],
    "look": [(0, 0), (0.8, 0), (1.3, -0.5), (2.1, -0.55), (2.4, 0.1), (2.8, 0.5), (3.7, 0.55), (4.3, 0.1), (4.7, 0),
             (6.4, 0)],
    "look_up": [(0, 0), (2.4, 0), (2.7, 0.25), (3.1, 0), (6.4, 0)],
}  # fmt: skip


def track(name: str, time: float) -> float:
    """The value of one track at a time, in seconds."""
    keys = np.array(TRACKS[name])
    i = int(np.clip(np.searchsorted(keys[:, 0], time, side="right") - 1, 0, len(keys) - 2))
    t = np.clip((time - keys[i, 0]) / (keys[i + 1, 0] - keys[i, 0]), 0, 1)
    return float(keys[i, 1] + (keys[i + 1, 1] - keys[i, 1]) * t * t * (3 - 2 * t))


def expression(time: float) -> dict[str, float]:
    """ARKit weights at a time, in seconds."""
    weights = gaze(track("look", time), track("look_up", time))

    def add(name, weight):
        weights[name] = min(1.0, weights.get(name, 0.0) + weight)

    for peak, viseme in SPEECH:
        strength = max(0.0, 1 - ((time - peak) / 0.13) ** 2) ** 1.5
        for name, weight in VISEMES[viseme].items():
            add(name, 0.85 * strength * weight)
    for side in "LR":
        smile, brows, wink = track("smile", time), track("brows", time), track("wink", time) if side == "R" else 0.0
        add(f"mouthSmile_{side}", 0.8 * smile + 0.25 * wink)
        add(f"cheekSquint_{side}", 0.5 * smile + 0.5 * wink)
        add(f"mouthUpperUp_{side}", 0.18 * smile)
        add(f"mouthLowerDown_{side}", 0.15 * smile)
        add(f"browInnerUp_{side}", 0.8 * brows)
        add(f"browOuterUp_{side}", 0.9 * brows)
        add(f"eyeWide_{side}", (0.2 + 0.3 * brows) * (1 - max(track("blink", time), wink)))
        add(f"browDown_{side}", 0.35 * wink)
        add(f"eyeBlink_{side}", max(track("blink", time), wink))
    add("jawOpen", 0.06 * track("smile", time))
    return weights


def head_at(time: float, identity: np.ndarray) -> HeadParameters:
    """The head at a time in seconds, with the small sway of a living person."""
    sway = np.array([np.sin(1.9 * time + 0.3), np.sin(2.3 * time + 1.1), np.sin(1.4 * time)]) * [0.9, 0.5, 0.5]
    sway *= min(1.0, time / 1.0)
    turn = np.array([track("yaw", time), track("pitch", time), track("roll", time)]) + sway
    torso = np.array([0.22 * track("yaw", time - 0.15), 0.1 * track("pitch", time - 0.1), 0.12 * turn[2]])
    return HeadParameters(identity, PERSON, expression(time), tuple(turn.tolist()), tuple(torso.tolist()))


def room(rng: np.random.Generator) -> np.ndarray:
    """A room out of focus, BGR uint8: a wall in lamp light, shelves with books, a plant, a window's edge."""
    wall = np.empty((HEIGHT, WIDTH, 3), np.float32)
    x, y = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    light = 0.62 + 0.38 * np.exp(-(((x - 0.2) / 0.5) ** 2) - ((y - 0.25) / 0.6) ** 2)
    wall[:] = light[..., None] * np.array([168, 186, 196])
    for shelf in range(3):
        top = 60 + 120 * shelf
        cv2.rectangle(wall, (455, top + 84), (640, top + 92), (62, 84, 112), -1)
        left = 462
        while left < 630:
            wide, tall = int(rng.integers(9, 19)), int(rng.integers(50, 80))
            book = np.array([110, 112, 118]) + rng.normal(0, 26) + rng.normal(0, 13, 3)
            cv2.rectangle(wall, (left, top + 83 - tall), (left + wide - 2, top + 83), book.tolist(), -1)
            left += wide if rng.random() < 0.85 else wide + 25
    cv2.rectangle(wall, (0, 20), (70, 330), (235, 232, 224), -1)
    cv2.rectangle(wall, (70, 14), (80, 336), (150, 165, 175), -1)
    for _ in range(26):
        root = np.array([112, 452]) + rng.normal(0, 5, 2)
        tip = root + [rng.normal(0, 55), -rng.uniform(60, 150)]
        cv2.line(wall, root.astype(int).tolist(), tip.astype(int).tolist(),
                 (np.array([62, 108, 70]) * rng.uniform(0.6, 1.25)).tolist(), int(rng.integers(5, 11)))  # fmt: skip
    cv2.rectangle(wall, (84, 440), (142, 480), (78, 104, 150), -1)
    return np.clip(cv2.GaussianBlur(wall, (0, 0), 7), 0, 255).astype(np.uint8)


def scene(rng: np.random.Generator) -> Scene:
    """A window at the left, a warm room at the right, a lamp behind."""
    lights = np.array([[-0.62, 0.42, 0.68], [0.8, 0.15, 0.5], [0.55, 0.6, -0.65]])
    lights /= np.linalg.norm(lights, axis=1, keepdims=True)
    return Scene(
        lights.astype(np.float32),
        np.array([[0.72, 0.68, 0.64], [0.22, 0.18, 0.14], [0.45, 0.38, 0.3]], np.float32),
        np.array([0.34, 0.35, 0.37], np.float32),
        np.array([0.26, 0.22, 0.19], np.float32),
        room(rng),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=REPOSITORY / "samples" / "talking_head.mp4")
    parser.add_argument("--sheet", type=Path, help="write twelve frames as one picture instead")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(2024)
    model = HeadModel.load()
    identity = np.clip(rng.normal(0, 0.45, 100), -1, 1).astype(np.float32)
    surroundings = scene(rng)
    camera = Camera(2.05, (0.0, -1.2, 82.0))

    if arguments.sheet:
        actor = Actor.prepare(model, identity, PERSON, 1024)
        frames = [render(model, head_at(t, identity), camera, surroundings, (HEIGHT, WIDTH), 1, actor).image
                  for t in np.linspace(0, SECONDS - 0.2, 12)]  # fmt: skip
        rows = [np.hstack(frames[i : i + 4]) for i in range(0, 12, 4)]
        cv2.imwrite(str(arguments.sheet), np.vstack(rows))
        return

    from tqdm import tqdm

    actor = Actor.prepare(model, identity, PERSON, 2048, 1.6)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(arguments.out), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
    if not writer.isOpened():
        raise SystemExit(f"Cannot write {arguments.out}")
    truth = []
    for i in tqdm(range(round(SECONDS * FPS)), unit="frame"):
        drawn = render(model, head_at(i / FPS, identity), camera, surroundings, (HEIGHT, WIDTH), 2, actor)
        writer.write(drawn.image)
        truth.append(drawn)
    writer.release()
    np.savez_compressed(
        arguments.out.with_suffix(".npz"),
        points=np.array([r.points for r in truth], np.float32),  # (frames, 66, 2) row, column
        pupils=np.array([r.pupils for r in truth], np.float32),  # (frames, 2, 2) right, left
        eye_open=np.array([r.eye_open for r in truth], np.float32),  # (frames, 2) right, left
        pose=np.array([r.rotation for r in truth], np.float32),  # (frames, 3) yaw, pitch, roll in degrees
    )


if __name__ == "__main__":
    main()
