"""Draws the heads that the landmark models are tested with: clips of moving heads, and heads at set turns, with set
lids and with set lips, all with exact truth.

    python -m training.tables.drawn                    # -> drawn_clips.npz and drawn_stills.npz in the cache folder
    python -m training.tables.drawn --sheet sheet.png  # some of both to look at

The people are none that models are trained on: their seed is one that no training heads are made with.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from training import crops, data
from training.heads import (
    Actor,
    Camera,
    HeadModel,
    Rendering,
    face_middle,
    fitting_light,
    possible,
    random_camera,
    random_expression,
    random_head,
    random_scene,
    render,
)
from training.heads.expressions import MOUTHS
from training.tables.blinks import LIDS
from training.tables.mouths import LIPS

SEED = 900
FRAME = (240, 320)  # height, width of a clip
FRAMES = 60
PEOPLE_IN_CLIPS = 3  # for each motion
STILL = (256, 256)
PEOPLE_IN_STILLS = 40
PEOPLE_WITH_MOUTHS = 30
NOISE = 2.0  # of the camera, standard deviation of 255

MOTIONS = ("turn", "nod", "lean", "near and far")
TURNS = {
    "straight": [(0, 0, 0)], "yaw 60": [(-60, 0, 0), (60, 0, 0)], "pitch 30": [(0, -30, 0), (0, 30, 0)],
    "roll 45": [(0, 0, -45), (0, 0, 45)],
}  # fmt: skip


def motion(name: str, time: float) -> tuple[np.ndarray, float]:
    """Turn (yaw, pitch, roll in degrees) and share of the picture's height that the face (hairline to chin) has, at a
    time from 0 to 1. Every motion goes to both ends, and begins and ends in the middle."""
    swing, sway = np.sin(2 * np.pi * time), np.sin(2 * np.pi * (2 * time + 0.1))
    turn = np.array([4.0, 3.0, 3.0]) * sway
    share = 0.45
    if name == "near and far":
        share = float(np.exp(np.log(1 / 6) * (1 + swing) / 2))  # 40 of 240 pixels to all of them
    else:
        turn[MOTIONS.index(name)] = (75, 35, 50)[MOTIONS.index(name)] * swing
    return turn, share


def torso_of(turn: np.ndarray) -> np.ndarray:
    """How the shoulders are turned below a head: a little the same way, and never wrung off."""
    torso = turn * [0.35, 0.15, 0.15]
    return np.clip(torso, turn - [60, 90, 30], turn + [60, 90, 30])


def draw_clip(model: HeadModel, name: str, rng: np.random.Generator) -> list[Rendering]:
    """A random person in one of MOTIONS, with a face that changes."""
    head = random_head(model, rng)
    scene = fitting_light(random_scene(rng), head.appearance)
    actor = Actor.prepare(model, head.identity, head.appearance, 640)
    faces = [random_expression(rng) for _ in range(6)]
    focal = 1.6 if name == "near and far" else float(rng.uniform(1.5, 2.5))
    drawn = []
    for i in range(FRAMES):
        turn, share = motion(name, i / FRAMES)
        k, part = divmod(i / FRAMES * (len(faces) - 1), 1)
        before, after = faces[int(k)], faces[int(k) + 1]
        expression = {
            w: (1 - part) * before.get(w, 0.0) + part * after.get(w, 0.0) for w in sorted({*before, *after})
        }
        # The camera stands still before a head that turns on its neck, and follows one that comes near.
        middle = face_middle(tuple(turn) if name == "near and far" else (0, 0, 0))
        place = (float(-middle[0]), float(-middle[1]), 20 * focal / share + float(middle[2]))
        moved = replace(head, expression=expression, rotation=tuple(turn), torso=tuple(torso_of(turn)))
        drawn.append(render(model, moved, Camera(focal, place), scene, FRAME, 2, actor))
    return drawn


def with_lids(expression: dict[str, float], right: bool, left: bool, rng: np.random.Generator) -> dict[str, float]:
    """The face with each eye shut or open. An open eye narrows a little with the other; none is quite like the next."""
    weights = {k: v for k, v in expression.items() if not k.startswith(("eyeBlink", "eyeWide"))}
    for side, shut in (("R", right), ("L", left)):
        weights[f"eyeBlink_{side}"] = float(rng.uniform(0.9, 1.0) if shut else rng.uniform(0.0, 0.3))
        if shut:
            weights[f"eyeSquint_{side}"] = 0.3 * weights.get(f"eyeSquint_{side}", 0.0)
        if shut and right != left:
            weights[f"cheekSquint_{side}"] = float(rng.uniform(0, 0.7))
    return weights


def draw_person(model: HeadModel, rng: np.random.Generator) -> list[tuple[str, Rendering]]:
    """A random person at all TURNS, and twice with all LIDS at slight turns; the eyes can be seen."""
    head = random_head(model, rng)
    if head.appearance.glasses == "sun":
        head = replace(head, appearance=replace(head.appearance, glasses=""))
    scene = fitting_light(random_scene(rng), head.appearance)
    actor = Actor.prepare(model, head.identity, head.appearance, 640)
    drawn = []

    def draw(kind: str, turn: np.ndarray, expression: dict[str, float]) -> None:
        moved = replace(head, expression=expression, rotation=tuple(turn), torso=tuple(torso_of(turn)))
        camera = random_camera(rng, moved.rotation)
        drawn.append((kind, render(model, moved, camera, scene, STILL, 2, actor)))

    for kind, turns in TURNS.items():
        for turn in turns:
            draw(kind, np.array(turn, float), random_expression(rng))
    for _ in range(2):
        for kind, (right, left) in LIDS.items():
            draw(kind, rng.uniform(-1, 1, 3) * [30, 15, 10], with_lids(random_expression(rng), right, left, rng))
    return drawn


def with_lips(expression: dict[str, float], lips: str, rng: np.random.Generator) -> dict[str, float]:
    """The face with its lips shut, parted or open (of LIPS), as in speech."""
    weights = {k: v for k, v in expression.items() if not k.startswith(("mouth", "jaw", "tongue", "cheekPuff"))}
    if lips == "lips shut":
        mouth = str(rng.choice(["", "pressed", "rolled", "m"]))
        amount = float(rng.uniform(0.3, 1.0))
    else:
        mouth = str(rng.choice(["a", "e", "i", "o", "u", "l", "sh", "teeth", "breath"]))
        amount = float(rng.uniform(0.15, 0.4) if lips == "lips parted" else rng.uniform(0.7, 1.3))
    return possible(weights | {name: amount * weight for name, weight in MOUTHS.get(mouth, {}).items()})


def draw_mouths(model: HeadModel, rng: np.random.Generator) -> list[tuple[str, Rendering]]:
    """A random person three times with all LIPS at slight turns."""
    head = random_head(model, rng)
    scene = fitting_light(random_scene(rng), head.appearance)
    actor = Actor.prepare(model, head.identity, head.appearance, 640)
    drawn = []
    for kind in LIPS * 3:
        turn = rng.uniform(-1, 1, 3) * [30, 15, 10]
        expression = with_lips(random_expression(rng), kind, rng)
        moved = replace(head, expression=expression, rotation=tuple(turn), torso=tuple(torso_of(turn)))
        drawn.append((kind, render(model, moved, random_camera(rng, moved.rotation), scene, STILL, 2, actor)))
    return drawn


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as a camera gives it."""
    return np.clip(image + rng.normal(0, NOISE, image.shape) + 0.5, 0, 255).astype(np.uint8)


def draw_all() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Clips and stills: images BGR uint8 [n, h, w, 3], points [n, 66, 2] x, y in the style of reference model 1, poses
    [n, 3]; clips also with names [m] and the clip [n] of each frame; stills with their kinds [n] (of TURNS, LIDS,
    LIPS)."""
    model = HeadModel.load()
    names = [name for name in MOTIONS for _ in range(PEOPLE_IN_CLIPS)]
    clips = [
        draw_clip(model, name, np.random.default_rng([SEED, 0, i])) for i, name in enumerate(tqdm(names, desc="clips"))
    ]
    people = tqdm(range(PEOPLE_IN_STILLS), desc="stills")
    stills = [drawn for i in people for drawn in draw_person(model, np.random.default_rng([SEED, 1, i]))]
    talkers = tqdm(range(PEOPLE_WITH_MOUTHS), desc="mouths")
    stills += [drawn for i in talkers for drawn in draw_mouths(model, np.random.default_rng([SEED, 3, i]))]

    rng = np.random.default_rng([SEED, 2])
    drawn = [frame for clip in clips for frame in clip] + [still for _, still in stills]
    images = [noisy(one.image, rng) for one in drawn]
    truth = np.stack([one.points[:, ::-1] for one in drawn]).astype(np.float64)
    poses = np.array([one.rotation for one in drawn])
    neutral = model.neutral[model.landmarks].astype(np.float64)
    points = crops.styled_points(images, truth, poses, neutral).astype(np.float32)
    n = len(names) * FRAMES
    return (
        {"images": np.stack(images[:n]), "points": points[:n], "poses": poses[:n], "names": np.array(names),
         "clip": np.repeat(np.arange(len(names)), FRAMES)},
        {"images": np.stack(images[n:]), "points": points[n:], "poses": poses[n:],
         "kinds": np.array([kind for kind, _ in stills])},
    )  # fmt: skip


def sheet(clips: dict[str, np.ndarray], stills: dict[str, np.ndarray]) -> np.ndarray:
    """Some frames of every clip, and a person's stills, with their points."""
    rows = []
    for first in range(0, len(clips["images"]), FRAMES):
        rows.append([(clips["images"][i], clips["points"][i]) for i in range(first, first + FRAMES, FRAMES // 8)][:8])
    rows += [list(zip(stills["images"][i : i + 8], stills["points"][i : i + 8], strict=True)) for i in range(0, 45, 8)]
    lines = []
    for row in rows:
        tiles = []
        for image, points in row:
            tile = cv2.resize(image, None, fx=240 / image.shape[0], fy=240 / image.shape[0])
            for x, y in points * 240 / image.shape[0]:
                cv2.circle(tile, (round(float(x)), round(float(y))), 1, (0, 255, 0), -1)
            tiles.append(cv2.copyMakeBorder(tile, 0, 0, 0, 320 - tile.shape[1], cv2.BORDER_CONSTANT))
        lines.append(np.hstack(tiles))
    return np.vstack(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw the heads that landmark models are tested with.")
    parser.add_argument("--sheet", type=Path, help="also write a picture of them")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        clips, stills = draw_all()
    except FileNotFoundError as error:
        parser.error(f"{error.filename} is not there (OSF_REFERENCE names the folder with the 3D head)")
    np.savez(data.cache_folder() / "drawn_clips.npz", **clips)
    np.savez(data.cache_folder() / "drawn_stills.npz", **stills)
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), sheet(clips, stills))
    print(f"{len(clips['names'])} clips of {FRAMES} frames and {len(stills['images'])} stills")


if __name__ == "__main__":
    main()
