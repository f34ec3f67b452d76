"""Many random heads as arrays."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.heads.expressions import PAIRED, SINGLE, random_shapes
from training.heads.model import HeadModel
from training.heads.parameters import Camera, HeadParameters, Rendering, Scene
from training.heads.people import random_head
from training.heads.rendering import Actor, render, texture_size
from training.heads.surroundings import fitting_light, random_camera, random_scene


def random_moment(model: HeadModel, rng: np.random.Generator,
                  background: Callable[[np.random.Generator], np.ndarray] | None = None,
                  actor: Actor | None = None) -> tuple[HeadParameters, Scene, Camera]:  # fmt: skip
    """What is drawn: a random head, its light and the camera. actor: who it is, or anybody."""
    head = random_head(model, rng, face=random_shapes)
    if actor is not None:
        head = replace(head, identity=actor.identity, appearance=actor.look)
    scene = fitting_light(random_scene(rng, background), head.appearance)
    return head, scene, random_camera(rng, head.rotation)


def random_rendering(model: HeadModel, rng: np.random.Generator, size: int = 256,
                     background: Callable[[np.random.Generator], np.ndarray] | None = None,
                     supersample: int = 2, actor: Actor | None = None) -> Rendering:  # fmt: skip
    """One random head, the whole face in the picture: what the command line caches. size: height and width."""
    head, scene, camera = random_moment(model, rng, background, actor)
    return render(model, head, camera, scene, (size, size), supersample, actor)


def random_person(model: HeadModel, rng: np.random.Generator) -> HeadParameters:
    """Who somebody is: of the head only identity and appearance matter."""
    return random_head(model, rng)


def random_actor(model: HeadModel, rng: np.random.Generator, size: int = 256) -> Actor:
    """A random person, ready to be drawn in pictures of that height."""
    person = random_person(model, rng)
    return Actor.prepare(model, person.identity, person.appearance, texture_size(size))


# A person's hair and skin take longer than the picture of it, so each one is drawn in several moments.
MOMENTS = 3


def person_of(index: int) -> tuple[int, int]:
    """The number of the person that head `index` of a data set shows. Those at every tenth place, which training holds
    out, are shown at no other."""
    block, place = divmod(index, 10)
    return (block // MOMENTS, 0) if place == 0 else (block, 1 + (place - 1) // MOMENTS)


def person_rng(seed: int, index: int) -> np.random.Generator:
    """What the person at a place of a data set is drawn with."""
    return np.random.default_rng([seed, 1, *person_of(index)])


def moment_rng(seed: int, index: int) -> np.random.Generator:
    """What the rest at that place is drawn with."""
    return np.random.default_rng([seed, index])


LOOKS = ("eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp")
EXPRESSION_NAMES = sorted([*(f"{name}_{side}" for name in (*PAIRED, *LOOKS) for side in "LR"), *SINGLE])


def make_dataset(model: HeadModel, count: int, size: int, seed: int,
                 background: Callable[[np.random.Generator], np.ndarray] | None = None) -> dict:  # fmt: skip
    """`count` random heads as arrays: images (n, size, size, 3) BGR uint8, points (n, 66, 2) and pupils (n, 2, 2)
    row, column, visible (n, 66), pupils_visible (n, 2), eye_open (n, 2), expression (n, k) with expression_names,
    person (n, 2) number of who it is, seed, pose (n, 3) yaw, pitch, roll in degrees. Head i depends on (seed, i)
    alone."""
    from tqdm import tqdm  # of the training requirements; the renderer itself does without

    rows: list[Rendering] = []
    actors: dict[bool, tuple[tuple[int, int], Actor]] = {}  # the last one held out, and the last of the others
    for i in tqdm(range(count), unit="head"):
        person = person_of(i)
        held_out = person[1] == 0
        if held_out not in actors or actors[held_out][0] != person:
            actors[held_out] = person, random_actor(model, person_rng(seed, i), size)
        rows.append(random_rendering(model, moment_rng(seed, i), size, background, actor=actors[held_out][1]))
    return {
        "images": np.stack([r.image for r in rows]),
        "points": np.stack([r.points for r in rows]).astype(np.float32),
        "pupils": np.stack([r.pupils for r in rows]).astype(np.float32),
        "visible": np.stack([r.visible for r in rows]),
        "pupils_visible": np.stack([r.pupils_visible for r in rows]),
        "eye_open": np.stack([r.eye_open for r in rows]).astype(np.float32),
        "expression": np.array([[r.expression.get(n, 0.0) for n in EXPRESSION_NAMES] for r in rows], np.float32),
        "expression_names": np.array(EXPRESSION_NAMES),
        "person": np.array([person_of(i) for i in range(count)]),
        "seed": np.array(seed),
        "pose": np.array([r.rotation for r in rows], np.float32),
    }
