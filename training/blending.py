"""How several teachers' answers become one label.

FaceMesh's points are turned into the definitions of the 66 (`restyle`) and averaged with the reference models'; the
annotations say how turned faces are seen by people (`annotation_view`); the gaps of the lids and the lips become
FaceMesh's (`mesh_lids`, `mesh_lips`). All of these are functions of points: `training.labels` runs the teachers and
puts it all together.
"""

from __future__ import annotations

import numpy as np

from training import data


def face_size(points: np.ndarray) -> np.ndarray:
    """Size of a face, the square root of its points' bounding box area; points [..., k, 2] -> [...]."""
    span = points.max(-2) - points.min(-2)
    return np.sqrt(span[..., 0] * span[..., 1])


def eye_frame(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eye-aligned frame of 66 points [n, 66, 2]: origin [n, 2] between the outer eye corners, and the matrix
    [n, 2, 2] so that (p - origin) @ matrix has the line of the eyes level and their distance 1."""
    right, left = points[:, data.RIGHT_OUTER_CORNER], points[:, data.LEFT_OUTER_CORNER]
    x = (left - right) / ((left - right) ** 2).sum(-1, keepdims=True)
    matrix = np.stack((x, np.stack((-x[:, 1], x[:, 0]), -1)), -1)
    return (left + right) / 2, matrix


def _mesh_features(mesh: np.ndarray, origin: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    flat = np.einsum("nki,nij->nkj", mesh[..., :2] - origin[:, None], matrix)
    depth = mesh[..., 2:] * np.linalg.norm(matrix[:, :, 0], axis=-1)[:, None, None]
    return np.concatenate((flat, depth), -1).reshape(len(mesh), -1)


def restyle(mesh: np.ndarray, points: np.ndarray, good: np.ndarray, components: int = 120) -> np.ndarray:
    """FaceMesh's points [n, 478, 3] turned into the 66 points' definitions [n, 66, 2] by one linear map.

    The map is ridge regression on principal components, fitted on the `good` images against `points`, in a frame laid
    on FaceMesh's own eye corners.
    """
    corners = mesh[:, (33, 263), :2].astype(np.float64)  # outer eye corners
    frame_points = np.zeros((len(mesh), data.POINTS, 2))
    frame_points[:, (data.RIGHT_OUTER_CORNER, data.LEFT_OUTER_CORNER)] = corners
    origin, matrix = eye_frame(frame_points)
    features = _mesh_features(mesh.astype(np.float64), origin, matrix)
    target = np.einsum("nki,nij->nkj", points - origin[:, None], matrix).reshape(len(mesh), -1)

    mean = features[good].mean(0)
    _, _, axes = np.linalg.svd((features[good] - mean)[:: max(1, good.sum() // 4000)], full_matrices=False)
    reduced = (features - mean) @ axes[:components].T
    reduced = np.concatenate((reduced, np.ones((len(reduced), 1))), 1)
    a, b = reduced[good], target[good]
    weight = np.ones(len(a))
    for _ in range(3):  # least squares with outliers weighed down
        gram = (a * weight[:, None]).T @ a + 1e-4 * np.eye(a.shape[1])
        coefficients = np.linalg.solve(gram, (a * weight[:, None]).T @ b)
        residual = np.sqrt(((a @ coefficients - b) ** 2).mean(1))
        weight = 1 / (1 + (residual / np.median(residual)) ** 2)
    flat = (reduced @ coefficients).reshape(len(mesh), data.POINTS, 2)
    return np.einsum("nki,nij->nkj", flat, np.linalg.inv(matrix)) + origin[:, None]


def mesh_share() -> np.ndarray:
    """How much of the blended label [66] is FaceMesh's: more at lids and lips, where it is the finer teacher."""
    share = np.full(data.POINTS, 0.35)
    share[list(data.JAW)] = 0.3
    share[[*data.RIGHT_EYE, *data.LEFT_EYE]] = 0.5
    share[list(data.MOUTH)] = 0.5
    share[np.ravel(data.LIPS_OF_66)] = 0.7
    return share


def between_lips(points: np.ndarray) -> np.ndarray:
    """Points [n, 66, 2] with the upper and the lower inner lip both at the middle between them."""
    result = points.copy()
    for upper, lower in data.LIPS_OF_66:
        result[:, upper] = result[:, lower] = (points[:, upper] + points[:, lower]) / 2
    return result


def face_frame(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `eye_frame`, but with the face's size for unit, which stays sound in profile: origin [n, 2] and matrix
    [n, 2, 2] of (p - origin) @ matrix."""
    origin, matrix = eye_frame(points)
    unit = np.linalg.norm(matrix[:, :, 0], axis=-1) * face_size(points)
    return origin, matrix / unit[:, None, None]


def mesh_lids(points: np.ndarray, mesh: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The 66 points [n, 66, 2] with FaceMesh's lid gaps, from its points [n, 478, 3].

    The reference models see shut eyes half open, and so does whatever is averaged with them or fitted to them. Here
    each gap becomes FaceMesh's in units of the eye's width, times the ratio that makes the `good` faces' gaps as wide
    as they were on average. The middle between the lids stays.
    """
    result = points.copy()
    for eye, mesh_eye in zip(data.EYES_OF_66, data.EYES_OF_MESH, strict=True):
        level = points[:, eye[3]] - points[:, eye[0]]
        width = np.maximum(np.linalg.norm(level, axis=-1), 1e-6)
        right_angle = np.stack((-level[:, 1], level[:, 0]), -1) / width[:, None]
        mesh_width = np.linalg.norm(mesh[:, mesh_eye[3], :2] - mesh[:, mesh_eye[0], :2], axis=-1)
        for upper, lower in ((1, 5), (2, 4)):
            mesh_gap = np.linalg.norm(mesh[:, mesh_eye[upper], :2] - mesh[:, mesh_eye[lower], :2], axis=-1)
            mesh_gap = mesh_gap / np.maximum(mesh_width, 1e-6)
            upper, lower = eye[upper], eye[lower]
            across = points[:, lower] - points[:, upper]
            gap = np.linalg.norm(across, axis=-1) / width
            ratio = np.median(gap[good]) / np.median(mesh_gap[good])
            # Along the line from lid to lid as it was; of lids that touched, at a right angle to the eye.
            direction = np.where(gap[:, None] < 0.03, right_angle, across / np.maximum(gap * width, 1e-6)[:, None])
            half = direction * (ratio * mesh_gap * width / 2)[:, None]
            middle = (points[:, upper] + points[:, lower]) / 2
            result[:, upper], result[:, lower] = middle - half, middle + half
    return result


def mesh_lips(points: np.ndarray, mesh: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The 66 points [n, 66, 2] with FaceMesh's gaps of the inner lips, from its points [n, 478, 3].

    FaceMesh's gaps are next to nothing as long as lips are shut and grow at once when they part; the reference models
    see shut lips a little open, and small openings hardly at all. Each gap becomes FaceMesh's, times the ratio between
    the two on the `good` faces' mouths that are clearly open. The middle between the lips stays.
    """
    result = points.copy()
    level = points[:, data.LEFT_MOUTH_CORNER] - points[:, data.RIGHT_MOUTH_CORNER]
    right_angle = np.stack((-level[:, 1], level[:, 0]), -1)
    eyes = data.eye_distance(points)
    for (upper, lower), (mesh_upper, mesh_lower) in zip(data.LIPS_OF_66, data.LIPS_OF_MESH, strict=True):
        mesh_gap = np.linalg.norm(mesh[:, mesh_upper, :2] - mesh[:, mesh_lower, :2], axis=-1)
        across = points[:, lower] - points[:, upper]
        is_open = good & (mesh_gap > 0.08 * eyes)
        ratio = np.median(np.linalg.norm(across[is_open], axis=-1) / mesh_gap[is_open]) if is_open.any() else 1.0
        # Along the line from lip to lip as it was; the nearer they were, the more at a right angle to the mouth.
        direction = across + 0.05 * right_angle
        direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-6)
        half = direction * (ratio * mesh_gap / 2)[:, None]
        middle = (points[:, upper] + points[:, lower]) / 2
        result[:, upper], result[:, lower] = middle - half, middle + half
    return result


def annotation_view(points: np.ndarray, annotated: np.ndarray, components: int = 12) -> np.ndarray:
    """By how much annotators would have placed the points otherwise, as far as the face's shape foretells it.

    points [n, 66, 2] are the labels of all images, annotated [n, 66, 2] the annotations (NaN where there are none).
    The differences are regressed on the labels' principal components in the face's frame, so that the annotations'
    noise averages out, and applied to all images. Constant differences are style and taken off, and an eye's points
    move together, as the lids' gaps are the teachers' strong side. Returns [n, 66, 2] pixels.
    """
    origin, matrix = face_frame(points)
    shape = np.einsum("nki,nij->nkj", points - origin[:, None], matrix).reshape(len(points), -1)
    difference = np.einsum("nki,nij->nkj", annotated - points, matrix).reshape(len(points), -1)
    distance = np.sqrt((difference**2).mean(1))
    index = np.flatnonzero(distance < 3 * np.nanmedian(distance))
    mean = shape[index].mean(0)
    _, scale, axes = np.linalg.svd(shape[index] - mean, full_matrices=False)
    scale = scale[:components] / np.sqrt(len(index))
    reduced = np.clip((shape - mean) @ axes[:components].T / scale, -2.5, 2.5)  # nothing is known further out
    coefficients, *_ = np.linalg.lstsq(np.c_[reduced[index], np.ones(len(index))], difference[index], rcond=None)
    view = (reduced @ coefficients[:-1]).reshape(points.shape)
    for eye in (data.RIGHT_EYE, data.LEFT_EYE):
        view[:, list(eye)] = view[:, list(eye)].mean(1, keepdims=True)
    return np.einsum("nki,nij->nkj", view - np.median(view[index], axis=0), np.linalg.inv(matrix))
