"""A face's memory through time: its pose, its shape, its features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import pose as pose_module
from .face_shape import REFERENCE_SHAPE, AdaptiveShape
from .faces import Detection, Face
from .features import Features, eye_open
from .features.balanced import direction_to_camera

#: Below this confidence, or above this error of the fit, points are not normalised and features not updated.
MIN_CONFIDENCE, MAX_ERROR = 0.4, 300.0
#: After more frames than this above MAX_ERROR, shape and pose start over.
MAX_FAILURES = 5


class Slot:
    """What the tracker remembers of the face with one id.

    Args:
        id: number of the slot, from 0.
        contour: indices of the points that the pose is fitted to.
        adapt: whether the 3D shape adapts to the person.
        make_features: makes the features of a new person.
        keep_features: whether the features outlive a loss of the face.
    """

    def __init__(
        self,
        id: int,
        contour: np.ndarray,
        adapt: bool,
        make_features: Callable[[], Features],
        keep_features: bool,
    ) -> None:
        self.id = id
        self.centre: tuple[float, float] | None = None  # row, column where the face was last; None: never used
        self._contour = contour
        self._make_features = make_features
        self._keep_features = keep_features
        self._features = make_features()
        self._current: dict[str, float] = {}
        self._pose: pose_module.Pose | None = None
        self._shape = AdaptiveShape() if adapt else None
        self._failures = 0
        self._in_use = False

    def lose(self) -> None:
        """The face is gone: start over, but remember where it was."""
        if not self._in_use:
            return
        self._in_use = False
        self._restart_fit()
        if not self._keep_features:
            self._features = self._make_features()
        self._current = {}

    def resize(self, x_scale: float, y_scale: float) -> None:
        """The frame's size has changed by these factors: the pose belongs to the old camera and is found anew."""
        self._pose = None
        if self.centre is not None:
            self.centre = self.centre[0] * y_scale, self.centre[1] * x_scale

    @np.errstate(divide="ignore", invalid="ignore", over="ignore")  # what is not finite in the end is left out
    def update(self, detection: Detection, width: int, height: int) -> Face | None:
        """Fit the face to its landmarks in a frame of width x height pixels.

        Returns None when no pose can be found for them or when a number comes out that is not finite.
        """
        self._in_use = True
        self.centre = detection.centre
        shape = REFERENCE_SHAPE if self._shape is None else self._shape.points
        doubtful = pose_module.DOUBTFUL_ERROR * max(detection.bbox[2:])
        pose = pose_module.solve(shape, detection.lms, width, height, self._contour, self._pose, doubtful)
        self._pose = pose
        if pose is None:
            return None
        turned = points = pose_module.back_project(shape, detection.lms, pose, width, height)
        settled = detection.conf >= MIN_CONFIDENCE and pose.error <= MAX_ERROR
        if settled:
            points = pose_module.normalize(turned)
        if not (np.isfinite(points).all() and np.isfinite(detection.lms).all()):  # the pose is finite
            return None
        eyes = None
        if settled:
            try:
                camera = direction_to_camera(pose.matrix, width, height)
                self._current = self._features.update(points, turned, camera)
            except ValueError:
                return None
            eyes = eye_open(self._current)
        face = Face(
            id=self.id,
            conf=detection.conf,
            success=True,
            pnp_error=pose.error,
            quaternion=pose_module.quaternion(pose.matrix),
            euler=pose_module.euler(pose.matrix),
            rotation=pose.rotation,
            translation=pose.translation,
            lms=detection.lms,
            pts_3d=points,
            face_3d=shape.copy(),
            contour=self._contour,
            eye_blink=eyes,
            bbox=detection.bbox,
            current_features=dict(self._current),
        )
        self._prepare_next(face, pose, width, height)
        return face

    def _prepare_next(self, face: Face, pose: pose_module.Pose, width: int, height: int) -> None:
        """Count failures, and adapt the shape for the next frame."""
        if pose.error > MAX_ERROR:
            self._failures += 1
            if self._failures > MAX_FAILURES:
                self._restart_fit()
            return
        self._failures = 0
        if self._shape is not None and face.conf >= MIN_CONFIDENCE:

            def project(points: np.ndarray) -> np.ndarray:
                return pose_module.project(points, pose.matrix, pose.translation, width, height)

            self._shape.adapt(face.lms, face.euler, project)

    def _restart_fit(self) -> None:
        self._pose = None
        self._shape = None if self._shape is None else AdaptiveShape()
        self._failures = 0
