"""Names that programs know which import the original, or a fork of it, as a library. They only lead to ours."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .faces import Face
from .models import default_model_dir
from .pose import camera_matrix

FaceInfo = Face


def get_model_base_path(model_dir: str | Path | None) -> str:
    """The folder with the models: the one given, else the one that `Tracker` takes without one."""
    return os.fspath(model_dir) if model_dir is not None else str(default_model_dir())


class TrackerNames:
    """What such programs ask of a tracker itself."""

    _size: tuple[int, int]  # width, height of the frames

    @property
    def camera(self) -> np.ndarray:
        """(3, 3) camera matrix for frames of the tracker's size; see `tracking.pose`."""
        return camera_matrix(*self._size)
