"""How long a frame took."""

from dataclasses import dataclass


@dataclass
class Timings:
    """How long the steps of a frame took, milliseconds; 0 for a step that did not run. Blend shapes count as 3D points,
    as what is found in a face whose place is known."""

    detect: float = 0.0
    crop: float = 0.0
    track: float = 0.0
    points_3d: float = 0.0
