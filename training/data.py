"""The training images: where they are, whose face each shows, and the order of the 66 points.

Coordinates in `training/` are (x, y) pixels unless a name says otherwise; a pixel's centre is at whole numbers.
Only numpy and OpenCV are needed here, so that the module also runs in FaceMesh's older environment.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SOURCES = ("expressions", "youtube_faces", "masks")
HELD_OUT_SHARE = 10  # one person in ten is kept out of training

POINTS = 66
# For each of the 66 points its number in iBUG's 68: the inner mouth corners (60, 64) are gone, the mouth is re-ordered.
IBUG68_OF_66 = np.array(
    [*range(48), *range(49, 54), *range(55, 60), 48, 61, 62, 63, 54, 65, 66, 67], dtype=np.int64
)
_IBUG68_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
     45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
     54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65], dtype=np.int64
)  # fmt: skip
_66_OF_IBUG68 = np.full(68, -1)
_66_OF_IBUG68[IBUG68_OF_66] = np.arange(POINTS)
# points[MIRROR] after x -> width - 1 - x are the points of the mirrored picture.
MIRROR = _66_OF_IBUG68[_IBUG68_MIRROR[IBUG68_OF_66]]

JAW, BROWS, NOSE = range(0, 17), range(17, 27), range(27, 36)
RIGHT_EYE, LEFT_EYE, MOUTH = range(36, 42), range(42, 48), range(48, 66)
RIGHT_OUTER_CORNER, LEFT_OUTER_CORNER = 36, 45
# Outer or right corner, two points of the upper lid, the other corner, two points of the lower lid from there back:
# the order that each eye has in the 66 points, the person's right eye first. In the 66, and in FaceMesh's 478.
EYES_OF_66 = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
EYES_OF_MESH = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))
# Upper and lower point of the inner lips' gap, from the person's right to the left. In the 66, and in FaceMesh's 478.
LIPS_OF_66 = ((59, 65), (60, 64), (61, 63))
LIPS_OF_MESH = ((81, 178), (13, 14), (311, 402))
RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER = 58, 62

# lm_modelT: which of its 30 points stands for each of the 66 ...
POINTS30_OF_66 = np.array(
    [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7, 7, 8, 8, 9, 10, 10, 11, 11, 12, 21, 21, 21, 22, 23, 23,
     23, 23, 23, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 20, 20, 24, 25, 25, 25, 26, 26, 27, 27, 27, 24, 24, 28,
     28, 28, 26, 29, 29, 29]
)  # fmt: skip
# ... and of which of the 66 each of the 30 is the mean. On jaw, brows and bridge, and at the mouth's corners, it is one
# point out of its group: those that the pose is fitted to (0 2 8 14 16 27 30 33), and such that left mirrors right.
MEMBERS_OF_30 = (
    [0], [2], [5], [8], [11], [14], [16], [17], [19], [21], [22], [24], [26],
    [36], [37, 38], [39], [40, 41], [42], [43, 44], [45], [46, 47],
    [27], [30], [31, 32, 33, 34, 35], [58], [49, 50, 51], [62], [54, 55, 56], [59, 60, 61], [63, 64, 65],
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One training image."""

    path: Path
    source: str
    person: str  # lower case; the same person has the same name in every source

    @property
    def key(self) -> str:
        """Name in the caches: 'source/file'."""
        return f"{self.source}/{self.path.name}"


def repository() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parent.parent


def reference_folder() -> Path:
    """Folder with data/ and reference/: OSF_REFERENCE, or ../shared beside the repository."""
    return Path(os.environ.get("OSF_REFERENCE", repository().parent / "shared"))


def cache_folder() -> Path:
    """Folder for labels, crops and checkpoints: OSF_TRAINING_CACHE, or ~/.cache/openseeface-training. Created."""
    folder = Path(os.environ.get("OSF_TRAINING_CACHE", "~/.cache/openseeface-training")).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def person_of(name: str, source: str) -> str:
    """The person in a file's name: the name without numbering, file type and data set's prefixes.

    Files without a name of a person (masks have many) are each their own person.
    """
    stem = re.sub(r"\.webp$", "", name)
    stem = re.sub(r"^(training|test|with_mask|without_mask)_", "", stem)
    letters = re.sub(r"[^a-z]+", "_", stem.lower()).strip("_")
    anonymous = letters in ("", "copy", "k") or letters.startswith(
        ("with_mask", "augmented", "screenshot", "oip", "mask", "image", "download", "black", "yell")
    )
    if anonymous and source == "masks":
        return f"masks_{re.sub(r'_copy.*', '', stem)}"
    return re.sub(r"(_copy|_k)$", "", letters)


def list_samples() -> list[Sample]:
    """Every training image, in a fixed order."""
    return [
        Sample(path, source, person_of(path.name, source))
        for source in SOURCES
        for path in sorted((reference_folder() / "data" / source).glob("*.webp"))
    ]


def is_held_out(person: str) -> bool:
    """Whether a person is kept out of training, always the same one in ten (by CRC-32 of the name)."""
    return zlib.crc32(person.encode()) % HELD_OUT_SHARE == 0


def read_image(path: Path) -> np.ndarray:
    """BGR uint8 [h, w, 3]. Raises OSError when it can't be read."""
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"{path} is no readable image")
    return image


def annotated_points() -> dict[str, np.ndarray]:
    """The annotations that came with youtube_faces: from 'source/file' to the 66 points [66, 2], x, y.

    Raises FileNotFoundError without them.
    """
    stored = np.load(reference_folder() / "data" / "youtube_faces" / "landmarks68.npz")
    names = (f"youtube_faces/{name}" for name in stored["files"].tolist())
    return dict(zip(names, stored["points"][:, IBUG68_OF_66].astype(np.float64), strict=True))


def mirror_points(points: np.ndarray, width: float) -> np.ndarray:
    """66 points (x, y) [..., 66, 2] as they lie in the mirrored picture of that width."""
    points = points[..., MIRROR, :].copy()
    points[..., 0] = width - 1 - points[..., 0]
    return points


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Distance of the outer eye corners of 66 points [..., 66, 2], the unit of errors."""
    return np.linalg.norm(points[..., RIGHT_OUTER_CORNER, :] - points[..., LEFT_OUTER_CORNER, :], axis=-1)
