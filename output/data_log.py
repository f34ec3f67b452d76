"""`--log-data`: everything that is tracked as CSV, a line for each face and frame."""

import csv
import io
import math
import os
from collections.abc import Sequence

import numpy as np

from output.console import warn
from output.line_file import LineFile
from tracking.faces import BLENDSHAPE_NAMES, Face
from tracking.features import FEATURE_NAMES

COLUMNS = (
    *("Frame", "Time", "Width", "Height", "FPS", "Face", "FaceID"),
    *("RightOpen", "LeftOpen", "AverageConfidence", "Success3D", "PnPError"),
    *(f"RotationQuat.{axis}" for axis in "XYZW"),
    *(f"{name}.{axis}" for name in ("Euler", "RVec", "TVec") for axis in "XYZ"),
    *(f"Landmark[{i}].{part}" for i in range(68) for part in ("X", "Y", "Confidence")),
    *(f"Point3D[{i}].{axis}" for i in range(70) for axis in "XYZ"),
    *FEATURE_NAMES,
    "VideoTime",
)
EXPRESSION_COLUMNS = ("Expression", "ExpressionConfidence")
# Whole numbers, times to the microsecond, the rest as precise as the packet's float32.
_FORMATS = {
    **dict.fromkeys(("Frame", "Face", "FaceID", "Success3D"), "%d"),
    **dict.fromkeys(("Time", "VideoTime"), "%.6f"),
    "Expression": "%s",  # a name without commas and quotes
}


class DataLog:
    """A CSV file (RFC 4180: `\\r\\n` line ends) that any reader takes, also while it is being written.

    The lines of a frame are written at once, without a buffer: after a killed process every line is whole,
    but perhaps the last. On a full disk one warning is given, frames are left out until there is room again,
    and the file keeps ending with a whole line.

    Args:
        path: an existing file is overwritten.
        blendshapes: whether the blend shapes are written too, in columns after all others.
        expressions: whether each face's expression is, after those: its name (nothing for none), and how sure it is.

    Raises:
        OSError: the file can't be opened, or not even the header fits on the disk.
    """

    def __init__(self, path: str | os.PathLike[str], blendshapes: bool = False, expressions: bool = False) -> None:
        self._path = path
        self._failed = False
        self._blendshapes = blendshapes
        self._expressions = expressions
        columns = COLUMNS + BLENDSHAPE_NAMES * blendshapes + EXPRESSION_COLUMNS * expressions
        self._row = ",".join(_FORMATS.get(name, "%.9g") for name in columns)
        header = io.StringIO()
        csv.writer(header).writerow(columns)
        self._file = LineFile(path)
        try:
            self._file.write(header.getvalue().encode())
        except OSError:
            self._file.close()
            raise

    def write(
        self,
        frame_number: int,
        time: float,
        width: float,
        height: float,
        fps: float,
        faces: Sequence[Face],
        face_id_offset: int = 0,
        video_time: float | None = None,
    ) -> None:
        """Append a line for each face of a frame. Never raises for trouble with the disk.

        The numbers are those of the packet: 3D points as x, -y, -z, eyes 1 when unknown, missing features and blend
        shapes 0, and a face with a number that is not finite is left out.

        Args:
            frame_number: of the frame, counted by the caller.
            time: of capture, Unix seconds.
            width, height: of the frame, pixels.
            fps: the frame rate of the video, or that was asked of the camera.
            faces: column `Face` counts them from 0.
            face_id_offset: added to the id in column `FaceID`.
            video_time: of the frame in its video, seconds from the beginning; None, written as nan: it has none.
        """
        at = math.nan if video_time is None else video_time
        lines = []
        for number, face in enumerate(faces):
            values = _values(face)
            shapes = np.zeros(len(BLENDSHAPE_NAMES)) if face.blendshapes is None else face.blendshapes
            more: list[object] = shapes.tolist() if self._blendshapes else []
            if self._expressions:
                more += face.expression or ("", 0.0)
            if np.isfinite(values).all():
                face_id = face.id + face_id_offset
                lines.append(
                    self._row % (frame_number, time, width, height, fps, number, face_id, *values.tolist(), at, *more)
                )
        if not lines:
            return
        try:
            self._file.write(("\r\n".join(lines) + "\r\n").encode())
        except OSError as error:
            if not self._failed:
                self._failed = True
                reason = f"{error.strerror}; what does not fit is left out"
                warn(f"Writing to {self._path} failed: {reason}. Tracking goes on.")

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._file.close()

    def __enter__(self) -> "DataLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _values(face: Face) -> np.ndarray:
    """The columns from RightOpen to the last feature, (444,) float64."""
    eyes = (1.0, 1.0) if face.eye_blink is None else face.eye_blink
    return np.concatenate(
        [
            [*eyes, face.conf, face.success, face.pnp_error],
            face.quaternion,
            face.euler,
            face.rotation,
            face.translation,
            face.lms[:, [1, 0, 2]].ravel(),  # row, column -> x, y
            (face.pts_3d * (1.0, -1.0, -1.0)).ravel(),
            [face.current_features.get(name, 0.0) for name in FEATURE_NAMES],
        ],
        dtype=np.float64,
    )
