"""Faces for the tests of what happens behind the tracker."""

from pathlib import Path

import numpy as np

from tracking.faces import Face
from tracking.features import FEATURE_NAMES


def make_face(seed: int = 0, **changes) -> Face:
    """A face whose every number differs, so that none can be taken for another."""
    rng = np.random.default_rng(seed)
    face = Face(
        id=seed,
        conf=float(rng.uniform(0.5, 1)),
        success=True,
        pnp_error=float(rng.uniform(1, 5)),
        quaternion=rng.normal(size=4),
        euler=rng.uniform(-180, 180, 3),
        rotation=rng.uniform(-3, 3, 3),
        translation=rng.normal(size=3) - (0, 0, 6),
        lms=np.column_stack([rng.uniform(50, 300, 68), rng.uniform(100, 500, 68), rng.uniform(0.5, 1, 68)]),
        pts_3d=rng.normal(size=(70, 3)),
        face_3d=rng.normal(size=(70, 3)),
        contour=np.array([0, 1, 8, 15, 16, 27, 28, 29, 30, 31, 32, 33, 34, 35]),
        eye_blink=(float(rng.uniform()), float(rng.uniform())),
        bbox=(100.0, 50.0, 200.0, 220.0),
        current_features=dict(zip(FEATURE_NAMES, rng.uniform(-1, 1, 14).tolist(), strict=True)),
    )
    for name, value in changes.items():
        assert hasattr(face, name)
        setattr(face, name, value)
    return face


def golden(reference: Path, name: str) -> dict[str, np.ndarray]:
    """A recording of the original program."""
    with np.load(reference / "reference" / "golden" / f"{name}.npz") as file:
        return dict(file)


def golden_face(record: dict[str, np.ndarray], i: int) -> Face:
    """Row i of a recording as a face."""
    one = {key: record[key][i] for key in record if len(record[key]) == len(record["frame"])}
    names = [str(name) for name in record["feature_names"]]
    return make_face(
        id=int(one["id"]),
        conf=float(one["conf"]),
        success=bool(one["success"]),
        pnp_error=float(one["pnp_error"]),
        quaternion=one["quaternion"],
        euler=one["euler"],
        rotation=one["rotation"],
        translation=one["translation"],
        lms=one["lms"],
        pts_3d=one["pts_3d"],
        eye_blink=tuple(one["eye_blink"]),
        bbox=tuple(one["bbox"]),
        current_features=dict(zip(names, one["features"].tolist(), strict=True)),
    )
