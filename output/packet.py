"""The UDP record: one fixed block of 1785 bytes a face, little-endian and without padding (docs/packet.md).

`RECORD` is that block as a numpy type. `encode` fills it and `decode` reads it back.
"""

from collections.abc import Sequence

import numpy as np

from tracking.faces import Face
from tracking.features import FEATURE_NAMES

RECORD = np.dtype(
    [
        ("time", "<f8"),  # Unix seconds
        ("id", "<i4"),
        ("width", "<f4"),
        ("height", "<f4"),
        ("right_eye_open", "<f4"),  # 0 closed ... 1 open; right and left are the person's own
        ("left_eye_open", "<f4"),
        ("success", "u1"),
        ("pnp_error", "<f4"),
        ("quaternion", "<f4", 4),  # x, y, z, w
        ("euler", "<f4", 3),  # degrees
        ("translation", "<f4", 3),
        ("confidence", "<f4", 68),  # 66 landmarks, right pupil, left pupil
        ("points", "<f4", (68, 2)),  # x, y in pixels
        ("points_3d", "<f4", (70, 3)),  # x, -y, -z; as above, then right and left eyeball centre
        ("features", "<f4", len(FEATURE_NAMES)),  # in the order of FEATURE_NAMES
    ]
)
_FLOATS = (slice(12, 28), slice(29, None))  # the bytes before and behind `success`, all float32
_FLIP_YZ = np.array([1.0, -1.0, -1.0])


def encode(faces: Sequence[Face], time: float, width: float, height: float, face_id_offset: int = 0) -> bytes:
    """The datagram of one frame: the records of its faces, in the order given (by id).

    A face with a number that is not finite (or not a finite float32) is left out, as receivers
    pass every number on to an avatar; b"" when no face is left.

    Args:
        faces: the faces of the frame.
        time: of capture, in Unix seconds.
        width, height: of the frame, in pixels.
        face_id_offset: added to every face's id.

    Raises:
        OverflowError: an id that with its offset is no int32.
    """
    records = np.zeros(len(faces), RECORD)
    records["time"] = time
    records["width"] = width
    records["height"] = height
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is left out below
        for record, face in zip(records, faces, strict=True):
            record["id"] = face.id + face_id_offset
            eyes = (1.0, 1.0) if face.eye_blink is None else face.eye_blink
            record["right_eye_open"], record["left_eye_open"] = eyes
            record["success"] = bool(face.success)
            record["pnp_error"] = face.pnp_error
            record["quaternion"] = face.quaternion
            record["euler"] = face.euler
            record["translation"] = face.translation
            record["confidence"] = face.lms[:, 2]
            record["points"] = face.lms[:, 1::-1]  # row, column -> x, y
            record["points_3d"] = face.pts_3d * _FLIP_YZ
            record["features"] = [face.current_features.get(name, 0.0) for name in FEATURE_NAMES]
    return records[_finite(records)].tobytes()


def decode(data: bytes) -> np.ndarray:
    """The records of a datagram, one a face, as a structured array (n,) of type `RECORD`.

    Only the length is checked: a record may hold any numbers, as a socket may receive anything.

    Raises:
        ValueError: the length is 0 or no multiple of 1785.
    """
    if len(data) == 0 or len(data) % RECORD.itemsize:
        raise ValueError(f"{len(data)} bytes are not a whole number of {RECORD.itemsize}-byte records")
    return np.frombuffer(data, RECORD).copy()


def _finite(records: np.ndarray) -> np.ndarray:
    """(n,) bool: which records hold finite numbers only."""
    raw = records.view(np.uint8).reshape(len(records), RECORD.itemsize)
    finite = np.isfinite(records["time"])
    for part in _FLOATS:
        finite &= np.isfinite(raw[:, part].copy().view("<f4")).all(axis=1)
    return finite
