"""Head pose: solvePnP with a sound first guess, back-projection, quaternion, Euler angles.

Coordinates. An image point is (row, column), and the pose is solved with the **row as x and the column as y**. The
camera is K = [[W, 0, W/2], [0, W, H/2], [0, 0, 1]] for a frame of W x H pixels, without distortion. A point X of the
head stands at P = R X + t before the camera and is seen at (row, column) = (W Px/Pz + W/2, W Py/Pz + H/2).

Receivers of the tracking data undo this transposition, and they are built on the solution with negative depth,
t_z < 0, so that both must stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .face_shape import REFERENCE_SHAPE

#: The points that the pose is fitted to: ends of the jaw line, chin, bridge of the nose, nostrils.
CONTOUR = np.array([0, 1, 8, 15, 16, 27, 28, 29, 30, 31, 32, 33, 34, 35])
#: The same for the model of 30 points, of which some stand for several of the 66.
CONTOUR_30_POINTS = np.array([0, 2, 8, 14, 16, 27, 30, 33])
#: The points over which the error of the fit is taken: jaw line and tip of the nose.
ERROR_POINTS = np.array([*range(17), 30])
#: First and second corner of the right and the left eye.
EYE_CORNERS = ((36, 39), (42, 45))
#: Eyeball centres lie this far behind the middle between the eye's corners, as a share of the eye's width.
EYEBALL_DEPTH = 0.385
#: An error over this share of the face's size in the image is doubtful; see `solve`.
DOUBTFUL_ERROR = 0.15
#: An error that has grown to more than this multiple of the previous one and this share of the doubtful one, too.
MAX_GROWTH = (1.5, 0.15)
#: When a pose is doubtful, guesses from a scaled-orthographic fit and so many steps are tried.
ORTHOGRAPHIC_STEPS = (1, 3)


@dataclass
class Pose:
    """A solved head pose.

    Attributes:
        rotation: (3,) Rodrigues vector.
        matrix: (3, 3) the same rotation as a matrix R.
        translation: (3,) t.
        error: see `solve`.
    """

    rotation: np.ndarray
    matrix: np.ndarray
    translation: np.ndarray
    error: float


def camera_matrix(width: float, height: float) -> np.ndarray:
    """(3, 3) camera matrix for a frame of that size (pixels), for points (row, column); see the module's text."""
    return np.array([[width, 0.0, width / 2], [0.0, width, height / 2], [0.0, 0.0, 1.0]])


def project(
    points_3d: np.ndarray, rotation: np.ndarray, translation: np.ndarray, width: float, height: float
) -> np.ndarray:
    """Project points of the head into the image.

    Args:
        points_3d: (n, 3) in the head's frame.
        rotation: (3,) Rodrigues vector or (3, 3) matrix.
        translation: (3,).
        width, height: size of the frame, pixels.

    Returns:
        (n, 2) row, column.
    """
    matrix = rotation if np.shape(rotation) == (3, 3) else cv2.Rodrigues(np.asarray(rotation, np.float64))[0]
    seen = points_3d @ matrix.T + np.reshape(translation, 3)
    return seen[:, :2] * (width / seen[:, 2:]) + (width / 2, height / 2)


def solve(
    shape: np.ndarray,
    landmarks: np.ndarray,
    width: float,
    height: float,
    contour: np.ndarray = CONTOUR,
    previous: Pose | None = None,
    doubtful: float = 0.0,
) -> Pose | None:
    """Fit the pose of a shape to landmarks.

    Starts from the previous frame's pose; without one, or when that leads astray, from closed-form guesses, so that a
    face is solved from its first frame on however it leans and however near it is.

    Args:
        shape: (70, 3) points of the head.
        landmarks: (66 or more, 2 or more) row, column.
        width, height: size of the frame, pixels.
        contour: indices of the points to fit.
        previous: pose of the same face in the previous frame.
        doubtful: from this error on, in pixels, a pose found from the previous one is checked against a fresh one; it
            is checked below that, too, when its error has grown by as much as a jump to another face makes it grow.

    Returns:
        The pose, always with the whole head behind the camera (t_z < 0), or None when there is none for these
        landmarks. Its error is sqrt(sum |landmark - projection|^2 over ERROR_POINTS / (2 * number of fitted points)),
        pixels.
    """
    image_points = np.ascontiguousarray(landmarks[:66, :2], dtype=np.float64)
    if not np.isfinite(image_points).all():
        return None
    camera = camera_matrix(width, height)
    # (`take` needs a third of the time that indexing does.)
    fitted_shape, fitted_points = shape.take(contour, axis=0), image_points.take(contour, axis=0)
    error_points = image_points.take(ERROR_POINTS, axis=0) - camera[:2, 2]

    def refine(guess: tuple[np.ndarray, np.ndarray] | None) -> Pose | None:
        if guess is None:
            return None
        rotation, translation = guess
        try:
            solved, rotation, translation = cv2.solvePnP(
                fitted_shape,
                fitted_points,
                camera,
                None,
                rotation.reshape(3, 1).copy(),
                translation.reshape(3, 1).copy(),
                useExtrinsicGuess=True,
                flags=cv2.SOLVEPNP_ITERATIVE,
            )
        except cv2.error:
            return None
        # Reshaped: OpenCV 4 returns columns here, OpenCV 5 rows in some builds; nothing below may depend on it.
        rotation, translation = rotation.reshape(3), translation.reshape(3)
        if not solved or not -math.inf < translation[2] < 0:
            return None
        matrix = cv2.Rodrigues(rotation)[0]
        seen = shape @ matrix.T + translation
        if not np.maximum.reduce(seen[:, 2]) < 0:  # the camera is inside of the head
            return None
        seen = seen.take(ERROR_POINTS, axis=0)
        residual = (seen[:, :2] * (width / seen[:, 2:]) - error_points).reshape(-1)
        error = math.sqrt(residual @ residual / (2 * len(contour)))
        return Pose(rotation, matrix, translation, error) if math.isfinite(error) else None

    followed = None
    if previous is not None:
        followed = refine((previous.rotation, previous.translation))
        allowed = min(doubtful, MAX_GROWTH[0] * previous.error + MAX_GROWTH[1] * doubtful)
        if followed is not None and followed.error < allowed:
            return followed
    solutions = [followed, refine(_global_guess(fitted_shape, fitted_points, camera))]
    doubtful = DOUBTFUL_ERROR * float(np.ptp(image_points, axis=0).max())
    for steps in ORTHOGRAPHIC_STEPS:
        best = min(filter(None, solutions), key=lambda pose: pose.error, default=None)
        if best is not None and best.error < doubtful:
            return best
        solutions.append(refine(_orthographic_guess(fitted_shape, fitted_points, camera, steps)))
    return min(filter(None, solutions), key=lambda pose: pose.error, default=None)


def _global_guess(
    points_3d: np.ndarray, image_points: np.ndarray, camera: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """A pose (rotation, translation) near the wanted one, from a closed-form solver; None when that finds nothing.

    The solver (G. Terzakis, M. Lourakis, "A Consistently Fast and Globally Optimal Solution to the Perspective-n-Point
    Problem", ECCV 2020) looks for positive depths. R X + t behind the camera is seen where -(R X + t) before it is, and
    that is the shape turned inside out, -X, with the same rotation, at -t.
    """
    try:
        solved, rotation, translation = cv2.solvePnP(
            -points_3d, image_points, camera, None, flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:  # of a face that is too small it says that all its points are the same
        return None
    if not solved or not np.isfinite(rotation).all() or not np.isfinite(translation).all():
        return None
    return rotation, -translation


def _orthographic_guess(
    points_3d: np.ndarray, image_points: np.ndarray, camera: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """The same from a scaled-orthographic fit, which takes every depth for that of the middle; None for points in one.

    Further steps take the depths from the pose of the step before (D. DeMenthon, L. Davis, "Model-Based Object Pose in
    25 Lines of Code", IJCV 15 (1995), 123-141).
    """
    seen = (image_points - camera[:2, 2]) / camera[0, 0]
    middle = points_3d.mean(axis=0)
    centred = points_3d - middle
    excess = np.zeros(len(points_3d))  # how much farther than the middle a point is, as a share of its depth
    try:
        inverse = np.linalg.pinv(centred)
        for _ in range(steps):
            level = seen * (1 + excess)[:, None]
            place = level.mean(axis=0)
            left, scales, right = np.linalg.svd((inverse @ (level - place)).T, full_matrices=False)
            scale = scales.mean()
            rows = -left @ right  # negative, as depths are
            matrix = np.vstack([rows, np.cross(*rows)])
            excess = centred @ matrix[2] * -scale
    except np.linalg.LinAlgError:
        return None
    if not 0 < scale < math.inf:
        return None
    translation = np.append(-place, -1.0) / scale - matrix @ middle
    return cv2.Rodrigues(matrix)[0], translation


def back_project(
    shape: np.ndarray, landmarks: np.ndarray, pose: Pose, width: float, height: float
) -> np.ndarray:
    """Give each landmark the depth of its point of the shape, in the head's frame.

    Args:
        shape: (70, 3) points of the head.
        landmarks: (68, 2 or more) row, column of 66 landmarks, right pupil, left pupil.
        pose: where the head is.
        width, height: size of the frame, pixels.

    Returns:
        (70, 3) the 66 landmarks, the pupils (at the depth of the line between their eye's corners) and the eyeball
        centres (right first).
    """
    image_points = landmarks[:68, :2]
    depth = shape[:68] @ pose.matrix[2] + pose.translation[2]
    for pupil, first, second in ((66, *EYE_CORNERS[0]), (67, *EYE_CORNERS[1])):
        # Plain numbers, here and below: for so few of them numpy takes several times as long.
        place = image_points[pupil].tolist()
        to_first = math.dist(place, image_points[first].tolist())
        total = to_first + math.dist(place, image_points[second].tolist())
        share = to_first / total if total > 0 else 0.5
        depth[pupil] = depth[first] * share + depth[second] * (1 - share)

    seen = np.empty((68, 3))
    seen[:, :2] = (image_points - (width / 2, height / 2)) * (depth / width)[:, None]
    seen[:, 2] = depth
    points = np.empty((70, 3))
    points[:68] = (seen - pose.translation) @ pose.matrix  # from the right: R^-1 = R^T
    for eyeball, first, second in ((68, *EYE_CORNERS[0]), (69, *EYE_CORNERS[1])):
        a, b = points[first].tolist(), points[second].tolist()
        x, y, z = ((one + other) / 2 for one, other in zip(a, b, strict=True))
        points[eyeball] = x, y, z - EYEBALL_DEPTH * math.dist(a, b)
    return points


def normalize(points: np.ndarray) -> np.ndarray:
    """Bring 3D points into the frame that features are measured in.

    The tip of the nose is the origin, the bridge is vertical, and the sizes of bridge and face (x, y) are those of the
    reference shape; z stays.

    Args:
        points: (70, 3) from `back_project`.

    Returns:
        (70, 3).
    """
    result = points.copy()
    tip = points[30, :2]
    x, y = (points[27, :2] - tip).tolist()
    length = math.hypot(x, y)
    plane = (points[:, :2] - tip) @ (np.array([[y, x], [-x, y]]) / length)
    across, along = plane.T.tolist()
    widths = sum(abs(across[a] - across[b]) * share for a, b, share in _WIDTHS)
    bridge = sum((along[a] - along[b]) * share for a, b, share in _BRIDGE_STEPS)
    result[:, :2] = plane / (widths, bridge)
    return result


# From point to point, and what a distance is multiplied with: the mean of three ratios to the reference shape is the
# sum of the products with a third of the reference's reciprocals. Widths of face and eyes; steps of the bridge.
_WIDTHS = [
    (a, b, 1 / (3 * abs(REFERENCE_SHAPE[a, 0] - REFERENCE_SHAPE[b, 0]))) for a, b in ((0, 16), (36, 39), (42, 45))
]
_BRIDGE_STEPS = [(a, a + 1, 1 / (3 * (REFERENCE_SHAPE[a, 1] - REFERENCE_SHAPE[a + 1, 1]))) for a in (27, 28, 29)]


def quaternion(matrix: np.ndarray) -> np.ndarray:
    """(4,) x, y, z, w of the transpose of a rotation matrix, of length 1.

    The branch is that of the largest component, which comes out positive (S. W. Shepperd, "Quaternion from Rotation
    Matrix", Journal of Guidance and Control 1 (1978), 223-224).
    """
    (m00, m01, m02), (m10, m11, m12), (m20, m21, m22) = matrix.T.tolist()
    trace = m00 + m11 + m22
    largest = max(m00, m11, m22, trace)
    if largest == m00:
        q = (1 + 2 * m00 - trace, m10 + m01, m02 + m20, m21 - m12)
    elif largest == m11:
        q = (m10 + m01, 1 + 2 * m11 - trace, m21 + m12, m02 - m20)
    elif largest == m22:
        q = (m02 + m20, m21 + m12, 1 + 2 * m22 - trace, m10 - m01)
    else:
        q = (m21 - m12, m02 - m20, m10 - m01, 1 + trace)
    return np.array(q) / math.hypot(*q)


def euler(matrix: np.ndarray) -> np.ndarray:
    """(3,) angles about x, y, z of a rotation matrix, degrees, as `cv2.RQDecomp3x3` decomposes it."""
    return np.array(cv2.RQDecomp3x3(matrix)[0])
