"""The UDP record: one fixed block of 1785 bytes a face, little-endian and without padding (docs/packet.md).

`RECORD` is that block as a numpy type. `encode` fills it and `decode` reads it back.
"""

import math
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
_BEFORE_SUCCESS, _BEHIND_SUCCESS = slice(12, 28), slice(29, None)  # bytes that are all float32
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
    if not math.isfinite(time):
        return b""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is left out below
        records = [_record(face, time, width, height, face_id_offset) for face in faces]
    return b"".join(record for record in records if _finite(record))


def _record(face: Face, time: float, width: float, height: float, face_id_offset: int) -> bytes:
    record = np.zeros((), RECORD)
    # All fields at once: one by one takes three times as long.
    record[()] = (
        time,
        face.id + face_id_offset,
        width,
        height,
        *((1.0, 1.0) if face.eye_blink is None else face.eye_blink),
        bool(face.success),
        face.pnp_error,
        face.quaternion,
        face.euler,
        face.translation,
        face.lms[:, 2],
        face.lms[:, 1::-1],  # row, column -> x, y
        face.pts_3d * _FLIP_YZ,
        [face.current_features.get(name, 0.0) for name in FEATURE_NAMES],
    )
    return record.tobytes()


def _finite(record: bytes) -> bool:
    """Whether all float32 of a record are finite."""
    numbers = np.frombuffer(record[_BEFORE_SUCCESS] + record[_BEHIND_SUCCESS], "<f4")
    return bool(np.isfinite(numbers).all())


def decode(data: bytes) -> np.ndarray:
    """The records of a datagram, one a face, as a structured array (n,) of type `RECORD`.

    Only the length is checked: a record may hold any numbers, as a socket may receive anything.

    Raises:
        ValueError: the length is 0 or no multiple of 1785.
    """
    if len(data) == 0 or len(data) % RECORD.itemsize:
        raise ValueError(f"{len(data)} bytes are not a whole number of {RECORD.itemsize}-byte records")
    return np.frombuffer(data, RECORD).copy()
