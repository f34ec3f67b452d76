"""What a person's resting face is like, so that it counts as zero: shapes and the way the head looks.

A mouth may droop at rest, an eye be half shut, a camera stand to the side. What rest is like is learnt slowly while
tracking, and at once when the person is asked to look neutral for a moment. It is kept in a profile, a JSON file.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .faces import BLENDSHAPE_NAMES, Face
from .saving import replace_text

VERSION = 1
SHAPES = len(BLENDSHAPE_NAMES)
#: Slow learning: what a shape rests at rises and falls by so much a second; it falls faster, as most of what a face
#: does, it does upwards from rest.
RISE, FALL = 0.004, 0.02
#: Learnt slowly, a rest is at most this; shown on demand, at most that.
SLOW_LIMIT, SHOWN_LIMIT = 0.25, 0.6
#: A shape is at its full strength where the person's strongest is, but not below the first; what nobody shows is
#: forgotten by so much a second.
LEAST_PEAK, FORGET = 0.7, 0.001
#: What is under this, above the rest, is rest too: faces are never quite still.
DEAD_ZONE = 0.04
#: Looks: where somebody happens to look is no rest, unless it is shown on demand.
_LOOKS = np.array([name.startswith("eyeLook") for name in BLENDSHAPE_NAMES])


class ProfileError(RuntimeError):
    """A profile can't be read or is none; the message is one sentence."""


@dataclass
class Profile:
    """One person before one camera.

    Attributes:
        rest: (52,) what the shapes are while the face does nothing.
        peak: (52,) what they are at their strongest.
        rotation: (3, 3) of the neutral head; None: not known. In which axes, and where from, is for who uses it.
        position: (3,) of the neutral head.
    """

    rest: np.ndarray = field(default_factory=lambda: np.zeros(SHAPES, np.float32))
    peak: np.ndarray = field(default_factory=lambda: np.ones(SHAPES, np.float32))
    rotation: np.ndarray | None = None
    position: np.ndarray | None = None

    def apply(self, shapes: np.ndarray) -> np.ndarray:
        """Shapes (52,) with the rest as 0 and the peak as 1, float32."""
        low = self.rest + DEAD_ZONE * (self.rest > 0)
        scaled = (shapes - low) / np.maximum(self.peak - low, 0.1)
        return np.clip(scaled, 0, 1).astype(np.float32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile beside an old one, and only then in its place: a full disk loses nothing. OSError when it
        can't be written."""
        stored = {
            "profile": "face tracker",
            "version": VERSION,
            "shapes": {
                name: {"rest": round(float(rest), 5), "peak": round(float(peak), 5)}
                for name, rest, peak in zip(BLENDSHAPE_NAMES, self.rest, self.peak, strict=True)
            },
            "rotation": None if self.rotation is None else self.rotation.tolist(),
            "position": None if self.position is None else self.position.tolist(),
        }
        replace_text(path, json.dumps(stored, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a profile. FileNotFoundError when there is none yet; ProfileError for anything else that is no profile
        of ours, or of a later version."""
        try:
            stored = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
            raise ProfileError(f"The profile {path} can't be read ({reason}).") from error
        if not isinstance(stored, dict) or stored.get("profile") != "face tracker":
            raise ProfileError(f"{path} is no profile of this program.")
        if stored.get("version") != VERSION:
            version = stored.get("version")
            raise ProfileError(f"The profile {path} has version {version!r}; this program knows {VERSION}.")
        try:
            shapes = [stored["shapes"][name] for name in BLENDSHAPE_NAMES]
            profile = cls(
                _numbers([shape["rest"] for shape in shapes], (SHAPES,)).astype(np.float32),
                _numbers([shape["peak"] for shape in shapes], (SHAPES,)).astype(np.float32),
                None if stored["rotation"] is None else _numbers(stored["rotation"], (3, 3)),
                None if stored["position"] is None else _numbers(stored["position"], (3,)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(f"The profile {path} is damaged.") from error
        if not ((profile.rest >= 0) & (profile.rest <= 1) & (profile.peak >= 0) & (profile.peak <= 1)).all():
            raise ProfileError(f"The profile {path} is damaged.")
        return profile


def _numbers(values: object, shape: tuple[int, ...]) -> np.ndarray:
    """The values as an array of that shape; ValueError when they are not or not finite."""
    array = np.array(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError
    return array


class Calibration:
    """Learns a person's profile from frame to frame, and applies it.

    Args:
        profile: what is known already; None: nothing.
    """

    def __init__(self, profile: Profile | None = None) -> None:
        self.profile = profile or Profile()
        self._rest_known = profile is not None  # what was shown, or kept, is not unlearnt
        self._last: float | None = None
        self._seconds = 0.0  # for how long the person is to look neutral, from the next frame with the face on
        self._until: float | None = None
        self._shown: list[np.ndarray] = []
        self._heads: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def waiting(self) -> bool:
        """Whether the person is to look neutral, now or as soon as they are seen."""
        return self._until is not None or self._seconds > 0

    def remaining(self, now: float) -> float:
        """For how many more seconds the person is to look neutral."""
        return self._seconds if self._until is None else max(0.0, self._until - now)

    def start(self, seconds: float) -> None:
        """From the next time that the face is seen, and for so long, it is neutral."""
        self._seconds, self._until, self._shown, self._heads = seconds, None, [], []

    def update(self, face: Face, now: float, head: tuple[np.ndarray, np.ndarray] | None = None) -> bool:
        """Learn from a face, and apply what is known to its shapes, in place.

        Args:
            face: of one frame.
            now: when it was taken, seconds.
            head: the head's rotation (3, 3) and position (3,); needed while `waiting`, None when not known.

        Returns:
            Whether a neutral look has just been taken in.
        """
        shapes = face.blendshapes
        taken = False
        if self._seconds and shapes is not None:
            self._until, self._seconds = now + self._seconds, 0.0
        if self._until is not None:
            if shapes is not None:
                self._shown.append(shapes)
                self._heads += [] if head is None else [head]
            if now >= self._until and self._shown:
                self._take()
                taken = True
        elif shapes is not None and self._last is not None:
            self._learn(shapes, min(max(now - self._last, 0.0), 0.2))
        self._last = now
        if shapes is not None:
            face.blendshapes = self.profile.apply(shapes)
        return taken

    def _take(self) -> None:
        # The middle of each shape, which a blink meanwhile does not move.
        rest = np.minimum(np.median(np.stack(self._shown), 0), SHOWN_LIMIT)
        self.profile.rest = rest.astype(np.float32)
        self.profile.peak = np.maximum(self.profile.peak, self.profile.rest)
        if self._heads:
            rotations, positions = (np.stack(rows) for rows in zip(*self._heads, strict=True))
            u, _, v = np.linalg.svd(rotations.mean(0))  # the rotation nearest to the mean
            self.profile.rotation = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
            self.profile.position = np.median(positions, 0)
        self._until, self._shown, self._heads, self._rest_known = None, [], [], True

    def _learn(self, shapes: np.ndarray, seconds: float) -> None:
        profile = self.profile
        if not self._rest_known:
            step = np.where(shapes > profile.rest, RISE, -FALL) * seconds
            profile.rest = np.where(_LOOKS, 0, np.clip(profile.rest + step, 0, SLOW_LIMIT)).astype(np.float32)
        faded = np.maximum(profile.peak - FORGET * seconds, LEAST_PEAK)
        profile.peak = np.maximum(faded, np.minimum(shapes, 1)).astype(np.float32)
