"""What the features are called, and how far eyes are open by them."""

from __future__ import annotations

#: In the order of the packet.
FEATURE_NAMES = (
    "eye_l",
    "eye_r",
    "eyebrow_steepness_l",
    "eyebrow_updown_l",
    "eyebrow_quirk_l",
    "eyebrow_steepness_r",
    "eyebrow_updown_r",
    "eyebrow_quirk_r",
    "mouth_corner_updown_l",
    "mouth_corner_inout_l",
    "mouth_corner_updown_r",
    "mouth_corner_inout_r",
    "mouth_open",
    "mouth_wide",
)
#: Left out at feature level 1 and by the model of 30 points.
FINE_FEATURES = frozenset(name for name in FEATURE_NAMES if "steepness" in name or "quirk" in name or "inout" in name)


def eye_open(features: dict[str, float]) -> tuple[float, float] | None:
    """How far the right and the left eye are open, 0 to 1; None without features."""
    if not features:
        return None
    right, left = (1 - min(max(-features[name], 0.0), 1.0) for name in ("eye_r", "eye_l"))
    return right, left
