"""What a rendered head is made from, and what comes of it: plain values that flow between the parts.

Camera space has x to the image's right, y up and z towards the viewer, so an unturned head's axes are the camera's.
"""

from dataclasses import dataclass, field

import numpy as np

HAIR_STYLES = ("bald", "buzz", "short", "side", "fringe", "back", "curly", "bob", "long")


@dataclass(frozen=True)
class Appearance:
    """What one person looks like beside their shape. Colours are linear RGB; `seed` settles the fine detail."""

    seed: int = 0
    skin: tuple[float, float, float] = (0.62, 0.38, 0.27)
    redness: float = 0.5  # of cheeks, nose and lips, 0..1
    freckles: float = 0.0
    lip_color: tuple[float, float, float] = (0.50, 0.20, 0.18)
    lip_strength: float = 0.6
    iris: tuple[float, float, float] = (0.16, 0.09, 0.04)
    iris_size: float = 0.41  # radius over the eyeball's
    pupil_size: float = 0.38  # radius over the iris'
    hair: tuple[float, float, float] = (0.035, 0.02, 0.012)
    hair_style: str = "short"  # one of HAIR_STYLES
    parting: float = 3.0  # x of the parting, cm
    hairline: float = 0.0  # cm higher than usual
    brow_color: tuple[float, float, float] = (0.03, 0.018, 0.012)
    brow_thickness: float = 1.0
    brow_strength: float = 0.85
    lash_strength: float = 0.7
    eyeliner: float = 0.0
    stubble: float = 0.0
    beard_length: float = 0.0  # cm; 0: none
    glasses: str = ""  # "", "thin", "thick", "sun"
    glasses_color: tuple[float, float, float] = (0.02, 0.02, 0.02)
    lens: tuple[float, float] = (2.5, 1.9)  # half width and height, cm
    cloth: tuple[float, float, float] = (0.08, 0.12, 0.25)
    collar: float = 0.0  # height of the collar above a round neck, cm


@dataclass
class HeadParameters:
    """One head in one moment: who, with what face, turned how.

    identity (k,): weights of the shape modes (normal deviates); expression: ARKit name -> weight 0..1, eyes' looking
    directions included; rotation and torso: yaw, pitch, roll in degrees (see head_rotation).
    """

    identity: np.ndarray
    appearance: Appearance = field(default_factory=Appearance)
    expression: dict[str, float] = field(default_factory=dict)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    torso: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. focal: in units of the picture's height; position (3,): of the head's origin (between the
    ears) from the camera, cm: to the image's right, up, and away."""

    focal: float = 1.8
    position: tuple[float, float, float] = (0.0, 0.0, 80.0)


@dataclass(frozen=True)
class Scene:
    """Light and background. lights (m, 3): directions towards the lights in camera space, the first throws shadows;
    light_colors (m, 3), sky and ground (3,): linear RGB; exposure: factor on everything;
    background (h, w, 3): BGR uint8 picture, stretched to the frame."""

    lights: np.ndarray
    light_colors: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    background: np.ndarray
    exposure: float = 1.0
    shadows: bool = True


@dataclass
class Rendering:
    """A picture and its truth.

    image (h, w, 3): BGR uint8; points (66, 2) and pupils (2, 2; right, left): row, column in pixels, pixel centres
    at whole numbers; points_3d (66, 3): camera space, cm; visible (66,) and pupils_visible (2,): not hidden by
    anything and inside the picture; eye_open (2,; right, left): lid gap over that of the same person's relaxed open
    eye, 0 closed; expression: weights by ARKit name; rotation: yaw, pitch, roll in degrees; box: x, y, w, h around
    the points.
    """

    image: np.ndarray
    points: np.ndarray
    points_3d: np.ndarray
    pupils: np.ndarray
    visible: np.ndarray
    pupils_visible: np.ndarray
    eye_open: np.ndarray
    expression: dict[str, float]
    rotation: tuple[float, float, float]
    box: tuple[float, float, float, float]
