"""Random people: what they look like and how they hold their heads."""

from collections.abc import Callable

import numpy as np

from training.heads.expressions import random_expression
from training.heads.model import HeadModel
from training.heads.parameters import HAIR_STYLES, Appearance, HeadParameters

# Linear RGB from the palest to the darkest skin; reflectances near those of the Monk skin tone scale.
SKIN_TONES = np.array(
    [(0.80, 0.60, 0.50), (0.72, 0.50, 0.39), (0.60, 0.38, 0.27), (0.47, 0.27, 0.17), (0.33, 0.17, 0.10),
     (0.20, 0.095, 0.055), (0.11, 0.052, 0.033)]
)  # fmt: skip
HAIR_COLORS = np.array(
    [(0.012, 0.010, 0.009), (0.03, 0.018, 0.012), (0.075, 0.042, 0.024), (0.17, 0.10, 0.05), (0.42, 0.29, 0.15),
     (0.22, 0.075, 0.025), (0.35, 0.34, 0.33), (0.65, 0.63, 0.60)]
)  # fmt: skip
IRIS_COLORS = np.array(
    [(0.08, 0.04, 0.02), (0.16, 0.085, 0.035), (0.22, 0.15, 0.06), (0.16, 0.19, 0.10), (0.14, 0.22, 0.30),
     (0.22, 0.27, 0.30)]
)  # fmt: skip


def random_appearance(rng: np.random.Generator) -> Appearance:
    """A random person's skin, eyes, hair, brows, beard, glasses and clothes."""
    tone = rng.uniform(0, len(SKIN_TONES) - 1)
    i = min(int(tone), len(SKIN_TONES) - 2)
    skin = SKIN_TONES[i] * (1 - tone + i) + SKIN_TONES[i + 1] * (tone - i)
    skin = skin * np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.03, 3))
    pale = tone < 2.5
    hair_p = [0.2, 0.2, 0.18, 0.1, 0.12, 0.07, 0.08, 0.05] if pale else [0.5, 0.28, 0.08, 0.01, 0.01, 0.01, 0.07, 0.04]
    hair = HAIR_COLORS[rng.choice(len(HAIR_COLORS), p=hair_p)] * np.exp(rng.normal(0, 0.2, 3) * [1, 0.4, 0.4])
    iris_p = [0.15, 0.2, 0.15, 0.15, 0.2, 0.15] if pale else [0.55, 0.32, 0.09, 0.02, 0.01, 0.01]
    brow = hair * rng.uniform(0.35, 0.9) if hair.mean() < 0.3 else hair * rng.uniform(0.2, 0.7)
    bearded, made_up = rng.random() < 0.3, rng.random() < 0.3
    lips = skin * np.array([0.85, 0.52, 0.55]) * rng.uniform(0.8, 1.05)
    if made_up and rng.random() < 0.6:
        lips = np.array([0.45, 0.05, 0.07]) * rng.uniform(0.5, 1.3, 3)
    glasses = str(rng.choice(["", "thin", "thick", "sun"], p=[0.74, 0.12, 0.11, 0.03]))
    style_p = [0.08, 0.09, 0.2, 0.14, 0.12, 0.08, 0.09, 0.09, 0.11]
    return Appearance(
        seed=int(rng.integers(2**31)),
        skin=tuple(skin),
        redness=float(rng.uniform(0.1, 0.9)),
        freckles=float(rng.uniform(0.2, 1)) if pale and rng.random() < 0.2 else 0.0,
        lip_color=tuple(np.clip(lips, 0, 1)),
        lip_strength=float(rng.uniform(0.4, 0.95)),
        iris=tuple(IRIS_COLORS[rng.choice(len(IRIS_COLORS), p=iris_p)] * np.exp(rng.normal(0, 0.15, 3))),
        iris_size=float(rng.uniform(0.375, 0.43)),
        pupil_size=float(rng.uniform(0.25, 0.55)),
        hair=tuple(hair),
        hair_style=str(rng.choice(HAIR_STYLES, p=style_p)),
        parting=float(rng.choice([-1, 1]) * rng.uniform(0, 4)),
        hairline=float(rng.choice([0, rng.uniform(0.3, 2.5)], p=[0.7, 0.3]) + rng.normal(0, 0.3)),
        brow_color=tuple(brow),
        brow_thickness=float(rng.uniform(0.6, 1.5)),
        brow_strength=float(rng.uniform(0.4, 1.0)),
        lash_strength=float(rng.uniform(0.3, 1.3)) * (1.3 if made_up else 1),
        eyeliner=float(rng.uniform(0.3, 1)) if made_up else 0.0,
        stubble=float(rng.uniform(0.1, 0.8)) if bearded else 0.0,
        beard_length=float(rng.uniform(0.3, 1.8)) if bearded and rng.random() < 0.45 else 0.0,
        glasses=glasses,
        glasses_color=tuple(rng.choice([0.01, 0.05, 0.3]) * rng.uniform(0.3, 1.5, 3)),
        lens=(float(rng.uniform(2.2, 2.8)), float(rng.uniform(1.5, 2.3))),
        cloth=tuple(np.clip(rng.uniform(0.02, 0.6) * rng.uniform(0.3, 1.6, 3), 0.01, 0.8)),
        collar=float(rng.choice([0, 0.8, 3.0], p=[0.7, 0.2, 0.1])),
    )


def random_turn(rng: np.random.Generator, max_yaw=75.0, max_pitch=35.0,
                max_roll=50.0) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """How head and torso are turned: yaw, pitch, roll (3,) of each, degrees; half of the turns are small, as in real
    use."""
    if rng.random() < 0.5:
        limits = np.array([max_yaw, max_pitch, max_roll])
        rotation = rng.uniform(-1, 1, 3) * limits
        rotation[1] *= 1 - 0.4 * abs(rotation[0]) / max(max_yaw, 1e-6)
        rotation[2] *= rng.choice([0.3, 1.0])
    else:
        rotation = np.clip(rng.normal(0, 1, 3) * [20, 10, 8], [-max_yaw, -max_pitch, -max_roll],
                           [max_yaw, max_pitch, max_roll])  # fmt: skip
    torso = rotation * [0.35, 0.15, 0.15] + rng.normal(0, [8, 3, 3])
    # Nobody turns the head further than this against the shoulders.
    torso[0] = np.clip(torso[0], rotation[0] - 60, rotation[0] + 60)
    torso[2] = np.clip(torso[2], rotation[2] - 30, rotation[2] + 30)
    return rotation, torso


def random_identity(rng: np.random.Generator, count: int, spread: float = 0.9) -> np.ndarray:
    """Weights (count,) of a person's shape modes."""
    identity = rng.normal(0, spread, count) * np.where(np.arange(count) < 12, 0.9, 1.0)
    return np.clip(identity, -2.2, 2.2).astype(np.float32)


def random_head(model: HeadModel, rng: np.random.Generator, max_yaw=75.0, max_pitch=35.0, max_roll=50.0,
                identity_spread=0.9, face: Callable[[np.random.Generator], dict[str, float]] = random_expression,
                ) -> HeadParameters:  # fmt: skip
    """A random person with a random face and turn, degrees."""
    rotation, torso = random_turn(rng, max_yaw, max_pitch, max_roll)
    identity = random_identity(rng, len(model.identity), identity_spread)
    return HeadParameters(identity, random_appearance(rng), face(rng), tuple(float(a) for a in rotation),
                          tuple(float(a) for a in torso))  # fmt: skip
