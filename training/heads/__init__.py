"""Synthetic heads: random people drawn with exact truth, for training and testing face trackers.

The shape is the ICT FaceKit head (USC Institute for Creative Technologies, MIT licence); it has no colours, so skin,
hair, eyes, clothing, glasses, light and background are made here.

    model = HeadModel.load()
    rng = np.random.default_rng(1)
    head, camera, scene = random_head(model, rng), random_camera(rng), random_scene(rng)
    rendering = render(model, head, camera, scene, (256, 256))

`model` is the mesh, with a `tongue`; `expressions`, `people` and `surroundings` draw the lots; `skin`, `hair` and
`things` dress a head; `rendering` makes the picture with `rasterizer`, and `dataset` gathers many.

    python -m training.heads --count 1000 --out cache/heads.npz --size 256 --seed 0
"""

from training.heads.dataset import EXPRESSION_NAMES, make_dataset, random_rendering
from training.heads.expressions import VISEMES, gaze, mirrored, possible, random_expression, random_shapes
from training.heads.geometry import head_rotation
from training.heads.model import (
    FACE_MIDDLE,
    LANDMARKS,
    MIRROR_66,
    NECK,
    REPOSITORY,
    HeadModel,
    data_folder,
)
from training.heads.parameters import HAIR_STYLES, Appearance, Camera, HeadParameters, Rendering, Scene
from training.heads.people import random_appearance, random_head, random_identity, random_turn
from training.heads.rendering import Actor, render
from training.heads.surroundings import face_middle, fitting_light, random_background, random_camera, random_scene

__all__ = [
    "Actor", "Appearance", "Camera", "EXPRESSION_NAMES", "FACE_MIDDLE", "HAIR_STYLES", "HeadModel",
    "HeadParameters", "LANDMARKS", "MIRROR_66", "NECK", "REPOSITORY", "Rendering", "Scene", "VISEMES",
    "data_folder", "face_middle", "fitting_light", "gaze", "head_rotation", "make_dataset", "mirrored", "possible",
    "random_appearance", "random_background", "random_camera", "random_expression", "random_head",
    "random_identity", "random_rendering", "random_scene", "random_shapes", "random_turn", "render",
]  # fmt: skip
