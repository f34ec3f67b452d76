"""Heads drawn at known turns, places and gazes, in the words of avatar programs rather than of the renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 480, 360
FPS = 30
#: Frames of each pose in a clip; the first may still be found at the place of the one before.
FRAMES = 3


@dataclass(frozen=True)
class Pose:
    """rx > 0 down, ry > 0 to the own right, rz > 0 crown to the own left, degrees, of the head and of the eyes; px > 0
    to the own right, py > 0 up, pz the distance, metres."""

    name: str
    rx: float = 0.0
    ry: float = 0.0
    rz: float = 0.0
    px: float = 0.0
    py: float = 0.0
    pz: float = 0.65
    eyes_rx: float = 0.0
    eyes_ry: float = 0.0


POSES = [
    Pose("straight"),
    Pose("to the own right", ry=20),
    Pose("to the own left", ry=-20),
    Pose("down", rx=10),
    Pose("up", rx=-10),
    Pose("crown to the own left", rz=18),
    Pose("crown to the own right", rz=-18),
    Pose("further to the own right", px=0.08),
    Pose("further to the own left", px=-0.08),
    Pose("higher", py=0.06),
    Pose("lower", py=-0.06),
    Pose("nearer", pz=0.5),
    Pose("away", pz=0.85),
    Pose("eyes to the own right", eyes_ry=18),
    Pose("eyes to the own left", eyes_ry=-18),
    Pose("eyes up", eyes_rx=-15),
    Pose("eyes down", eyes_rx=15),
]


def draw_heads() -> list[np.ndarray]:
    """A BGR picture for each of `POSES`, of the person in the sample clip.

    Raises:
        FileNotFoundError: the 3D head is not here.
        ImportError: a package that draws is not here.
    """
    from training import heads
    from training.heads.rendering import GAZE_DOWN, GAZE_SIDE, GAZE_UP
    from training.sample_clip import PERSON, scene

    model = heads.HeadModel.load()
    identity = np.clip(np.random.default_rng(2024).normal(0, 0.45, 100), -1, 1).astype(np.float32)
    light = scene(np.random.default_rng(1))
    actor = heads.Actor.prepare(model, identity, PERSON, 512, 0.6)
    pictures = []
    for pose in POSES:
        up = -pose.eyes_rx / (GAZE_UP if pose.eyes_rx < 0 else GAZE_DOWN)
        face = heads.gaze(-pose.eyes_ry / GAZE_SIDE, up)
        # The renderer's yaw is to the person's own left and its pitch up.
        head = heads.HeadParameters(identity, PERSON, face, (-pose.ry, -pose.rx, pose.rz))
        camera = heads.Camera(WIDTH / HEIGHT, (-100 * pose.px, 100 * pose.py, 100 * pose.pz))
        pictures.append(heads.render(model, head, camera, light, (HEIGHT, WIDTH), 1, actor).image)
    return pictures
