"""Many random heads as arrays."""

from collections.abc import Callable

import numpy as np

from training.heads.model import HeadModel
from training.heads.parameters import Rendering, Scene
from training.heads.people import random_head
from training.heads.rendering import render
from training.heads.surroundings import random_camera, random_scene


def random_rendering(model: HeadModel, rng: np.random.Generator, size: int = 256,
                     background: Callable[[np.random.Generator], np.ndarray] | None = None,
                     supersample: int = 2) -> Rendering:  # fmt: skip
    """One random head, the whole face in the picture: what the command line caches. size: height and width."""
    head = random_head(model, rng)
    scene = random_scene(rng, background)
    camera = random_camera(rng, head.rotation)
    # Skin that is darker gets a longer exposure, as a camera would, but not all the way.
    brightness = float(np.mean(head.appearance.skin))
    scene = Scene(scene.lights, scene.light_colors, scene.sky, scene.ground, scene.background,
                  scene.exposure * (0.35 / brightness) ** 0.45, scene.shadows)  # fmt: skip
    return render(model, head, camera, scene, (size, size), supersample)


EXPRESSION_NAMES = sorted({*(f"{n}_{s}" for n in (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
    "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress",
    "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer") for s in "LR"),
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"})  # fmt: skip


def make_dataset(model: HeadModel, count: int, size: int, seed: int,
                 background: Callable[[np.random.Generator], np.ndarray] | None = None) -> dict:  # fmt: skip
    """`count` random heads as arrays: images (n, size, size, 3) BGR uint8, points (n, 66, 2) and pupils (n, 2, 2)
    row, column, visible (n, 66), pupils_visible (n, 2), eye_open (n, 2), expression (n, k) with expression_names,
    pose (n, 3) yaw, pitch, roll in degrees. Head i depends on (seed, i) alone."""
    from tqdm import tqdm  # of the training requirements; the renderer itself does without

    rows = []
    for i in tqdm(range(count), unit="head"):
        rows.append(random_rendering(model, np.random.default_rng([seed, i]), size, background))
    return {
        "images": np.stack([r.image for r in rows]),
        "points": np.stack([r.points for r in rows]).astype(np.float32),
        "pupils": np.stack([r.pupils for r in rows]).astype(np.float32),
        "visible": np.stack([r.visible for r in rows]),
        "pupils_visible": np.stack([r.pupils_visible for r in rows]),
        "eye_open": np.stack([r.eye_open for r in rows]).astype(np.float32),
        "expression": np.array([[r.expression.get(n, 0.0) for n in EXPRESSION_NAMES] for r in rows], np.float32),
        "expression_names": np.array(EXPRESSION_NAMES),
        "pose": np.array([r.rotation for r in rows], np.float32),
    }
