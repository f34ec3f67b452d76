"""`--dump-points`: a person's 3D face shape as a file."""

import os

import numpy as np

# Each point's partner on the other side of the face, in the order of `Face.face_3d`; on the midline itself.
MIRROR = np.array(
    [
        *range(16, -1, -1),  # 0-16: jaw line
        *range(26, 16, -1),  # 17-26: brows
        *range(27, 31),  # nose bridge
        *range(35, 30, -1),  # 31-35: nostrils
        *(45, 44, 43, 42, 47, 46),  # 36-41: right eye
        *(39, 38, 37, 36, 41, 40),  # 42-47: left eye
        *range(52, 47, -1),  # 48-52: outer upper lip
        *range(57, 52, -1),  # 53-57: outer lower lip
        *(62, 61, 60, 59, 58),  # 58-62: mouth corners and inner upper lip
        *(65, 64, 63),  # inner lower lip
        *(67, 66),  # pupils
        *(69, 68),  # eyeball centres
    ]
)


def symmetric(shape: np.ndarray) -> np.ndarray:
    """The mean of a shape (70, 3) and its mirror image; x, the first coordinate, is 0 on the midline."""
    return (shape + shape[MIRROR] * (-1.0, 1.0, 1.0)) / 2


def write_shape(path: str | os.PathLike[str], shape: np.ndarray) -> None:
    """Writes a shape (70, 3), made symmetric, as CSV: the line `point,x,y,z`, then a line for each point.

    Raises:
        OSError: the file can't be written.
    """
    lines = [f"{point},{x:.9g},{y:.9g},{z:.9g}" for point, (x, y, z) in enumerate(symmetric(shape) + 0.0)]
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(["point,x,y,z", *lines]) + "\n")
