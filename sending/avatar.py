"""What every protocol sends: a face as an avatar wears it, smoothed, and what is left of it after it was lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sending.head import Head, euler_angles, head
from sending.landmark_shapes import gaze_of, landmark_shapes
from tracking.faces import BLENDSHAPE_NAMES, Face
from tracking.smoothing import Preset, Smoother, Smoothers, trust

#: How far the head that looks into the camera is away, metres, as long as no neutral place is known.
USUAL_DISTANCE = 0.6
#: Places further than this from the neutral one are sent as this far, metres.
FURTHEST = 5.0
#: A lost face goes to neutral in this time, seconds.
FADE = 0.5
#: An expression comes and goes in this time, seconds.
BLENDING = 0.15


def _other_side(name: str) -> str:
    return name.replace("Left", "Right") if "Left" in name else name.replace("Right", "Left")


#: For each shape the place of the one on the other side.
_MIRROR = np.array([BLENDSHAPE_NAMES.index(_other_side(name)) for name in BLENDSHAPE_NAMES])


@dataclass(frozen=True)
class Avatar:
    """One face, in avatar axes (see `sending.head`); all numbers are finite.

    Attributes:
        id: the face's, from 0.
        rotation: rx, ry, rz of the head against the neutral one, degrees, -180 to 180.
        position: px, py, pz of the head against the neutral one, metres: px > 0 to the person's own right, py > 0 up,
            pz > 0 away from the camera.
        gaze: rx, ry of both eyes in the head, degrees.
        shapes: (52,) 0 to 1, in the order of `BLENDSHAPE_NAMES`.
        expressions: how strongly each expression that is looked for is there, 0 to 1, by its name.
        expression: the name of the one that has come; None: none of them.
    """

    id: int
    rotation: tuple[float, float, float]
    position: tuple[float, float, float]
    gaze: tuple[float, float]
    shapes: np.ndarray
    expressions: dict[str, float] = field(default_factory=dict)
    expression: str | None = None

    def mirrored(self) -> Avatar:
        """What this one's mirror image does."""
        (rx, ry, rz), (px, py, pz), (down, side) = self.rotation, self.position, self.gaze
        return replace(
            self, rotation=(rx, -ry, -rz), position=(-px, py, pz), gaze=(down, -side), shapes=self.shapes[_MIRROR]
        )

    def faded(self, share: float) -> Avatar:
        """That share of it, the rest neutral; of a face that is lost."""
        rx, ry, rz = (share * angle for angle in self.rotation)
        px, py, pz = (share * place for place in self.position)
        down, side = (share * angle for angle in self.gaze)
        expressions = {name: share * weight for name, weight in self.expressions.items()}
        return Avatar(self.id, (rx, ry, rz), (px, py, pz), (down, side), share * self.shapes, expressions)


NEUTRAL = Avatar(0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0), np.zeros(len(BLENDSHAPE_NAMES)))


@dataclass(frozen=True)
class NeutralHead:
    """Where a head is that an avatar shows as upright and in its place; both as in `sending.head.Head`."""

    rotation: np.ndarray
    position: np.ndarray


#: Upright, in the middle of the picture, face to the camera.
BEFORE_CAMERA = NeutralHead(np.eye(3), np.array([0.0, 0.0, -USUAL_DISTANCE]))


class Blend:
    """Has expressions come and go over `BLENDING`, so that an avatar's face does not jump."""

    def __init__(self) -> None:
        self._weights: dict[str, float] = {}
        self._last: float | None = None

    def weights(self, names: Sequence[str], seen: str | None, time: float) -> dict[str, float]:
        """How strongly each is there, 0 to 1, at a time in seconds; `seen` is the one that is to be, None: none."""
        step = 0.0 if self._last is None else max(0.0, time - self._last) / BLENDING
        self._last = time
        before = self._weights
        self._weights = {
            name: min(before.get(name, 0.0) + step, 1.0) if name == seen else max(before.get(name, 0.0) - step, 0.0)
            for name in names
        }
        return self._weights


class Avatars:
    """Turns the faces of each frame into avatars.

    Args:
        preset: how they are smoothed; None: not at all.
        neutral: gives the neutral head that counts now.
        shapes: whether anybody takes them.
        report: is told once when shapes have to be worked out from landmarks.
        expressions: gives the names of the expressions that are looked for now.
    """

    def __init__(
        self,
        preset: Preset | None,
        report: Callable[[str], None],
        neutral: Callable[[], NeutralHead] = lambda: BEFORE_CAMERA,
        shapes: bool = True,
        expressions: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._expressions = expressions
        self._blends: dict[int, Blend] = {}
        self._smoothers = Smoothers(preset) if preset else None
        self._report = report
        self._neutral = neutral
        self._takes_shapes = shapes
        self._told = False

    def of(self, faces: Sequence[Face], time: float, size: tuple[float, float]) -> list[Avatar]:
        """The avatars of a frame's faces, by id; faces whose numbers give none are left out.

        Args:
            faces: of one frame.
            time: when it was taken, seconds.
            size: width and height of the frame, pixels.
        """
        found = [(face, there) for face in faces if (there := head(face, size)) is not None]
        smoothers = self._smoothers.of([face.id for face, _ in found]) if self._smoothers else [None] * len(found)
        self._blends = {face.id: self._blends.get(face.id) or Blend() for face, _ in found}
        avatars = []
        for (face, there), smoother in zip(found, smoothers, strict=True):
            avatar = self._avatar(face, there, smoother, time)
            if avatar is not None:
                avatars.append(avatar)
        return sorted(avatars, key=lambda avatar: avatar.id)

    def _avatar(self, face: Face, there: Head, smoother: Smoother | None, time: float) -> Avatar | None:
        shapes = self._shapes(face, there.gaze)
        if not np.isfinite(shapes).all():
            return None
        gaze = np.array(there.gaze or gaze_of(shapes))
        rotation, position = there.rotation, there.position
        if smoother is not None:
            step, trusted = smoother.step(time), trust(face.conf)
            rotation = smoother.rotation(rotation, step, trusted)
            position = smoother.position(position, step, trusted)
            gaze = smoother.gaze(gaze, step, trusted)
            shapes = smoother.shapes(shapes, step, trusted)
        neutral = self._neutral()
        px, py, z = ((position - neutral.position) @ neutral.rotation).clip(-FURTHEST, FURTHEST).tolist()
        rx, ry = gaze.tolist()
        seen = face.expression.name if face.expression else None
        expressions = self._blends[face.id].weights(self._expressions(), seen, time)
        turn = euler_angles(neutral.rotation.T @ rotation)
        return Avatar(face.id, turn, (px, py, -z), (rx, ry), shapes, expressions, seen)

    def _shapes(self, face: Face, gaze: tuple[float, float] | None) -> np.ndarray:
        if face.blendshapes is not None:
            return np.clip(face.blendshapes, 0.0, 1.0, dtype=np.float64)
        if not self._takes_shapes:
            return NEUTRAL.shapes
        if not self._told:
            self._told = True
            self._report("Without the model of the blend shapes they come from the landmarks: blinks, jaw, smile, "
                         "brows and gaze move, the others do not.")  # fmt: skip
        return landmark_shapes(face, gaze)


class Wearer:
    """Follows the one face that a receiver takes.

    Args:
        face: the id of the face to follow; None: the lowest there is.
        mirror: take its mirror image.
    """

    def __init__(self, face: int | None = None, mirror: bool = False) -> None:
        self._face = face
        self._mirror = mirror
        self._last = NEUTRAL
        self._seen = -FADE

    def follow(self, avatars: Sequence[Avatar], time: float) -> tuple[Avatar, bool]:
        """The face as it is to be shown, and whether it is in this frame: one that is lost goes to neutral.

        Args:
            avatars: those of a frame, by id.
            time: when it was taken, seconds.
        """
        for avatar in avatars:
            if self._face is None or avatar.id == self._face:
                self._last, self._seen = avatar.mirrored() if self._mirror else avatar, time
                return self._last, True
        share = 1 - (time - self._seen) / FADE
        if not 0 < share <= 1:
            return replace(NEUTRAL, id=self._last.id, expressions=dict.fromkeys(self._last.expressions, 0.0)), False
        return self._last.faded(share), False
