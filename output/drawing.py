"""The picture of what was tracked: points, pose and names over a copy of the frame."""

from collections.abc import Sequence

import cv2
import numpy as np

from tracking.faces import Face
from tracking.pose import project

Point = Sequence[float] | np.ndarray  # x, y in pixels
Colour = Sequence[float]  # blue, green, red

_SURE, _UNSURE = np.array([80, 220, 40]), np.array([40, 60, 255])  # a point of confidence 1 and of 0
_PUPIL = (255, 220, 40)
_SHAPE = (255, 80, 255)
_AXES = ((60, 60, 255), (70, 230, 70), (255, 140, 60))  # x red, y green, z blue
_TEXT = (255, 255, 255)
_OUTLINE = (20, 20, 20)
_SUBPIXEL = 4  # fractional bits of the coordinates of lines
_AXIS_LENGTH = 0.5  # in units of the shape, whose head is about 0.9 wide


def draw(
    frame: np.ndarray, faces: Sequence[Face], level: int, pnp_points: int = 0, face_id_offset: int = 0
) -> np.ndarray:
    """Draw what was tracked over a copy of the frame.

    Landmarks are green where the model is sure and red where it is not, pupils are rings.

    Args:
        frame: (height, width, 3) BGR, uint8.
        faces: what was found in it. Points that are not finite or lie outside are left out.
        level: 1 points; 2 also face ids; 3 also confidence; 4 also the points' numbers. 0: none of these.
        pnp_points: 1 the projected points that the pose was fitted to, 2 all 66, and the head's axes
            (x to the person's right red, y up green, z forward blue); 0 nothing.
        face_id_offset: added to the ids shown.

    Returns:
        A new picture of the same size.
    """
    canvas = _Canvas(frame)
    for face in faces:
        # Points, lines and letters grow with the face, but stay visible on a small one.
        size = float(np.nan_to_num(max(face.bbox[2:])))
        unit = max(0.7, min(size / 140, min(frame.shape[:2]) / 200))
        if pnp_points:
            _draw_pose(canvas, face, range(66) if pnp_points > 1 else face.contour, unit, frame.shape)
        if level >= 1:
            _draw_points(canvas, face, unit)
        if level >= 4:
            for i, (row, column) in enumerate(face.lms[:, :2]):
                canvas.text(str(i), (column + 3 * unit, row - 2 * unit), max(0.25, 0.22 * unit))
        if level >= 2:
            label = f"{face.id + face_id_offset}"
            if level >= 3:
                label += f"  {face.conf:.2f}"
            x, y, width, _ = face.bbox
            canvas.text(label, (x + width / 2, y - 12 * unit), 0.6 * unit, centred=True)
    return canvas.picture()


class _Canvas:
    """Draws in a frame's own coordinates, x and y in pixels, on an enlarged copy.

    OpenCV turns small dots and letters into crosses, so that small frames are enlarged, drawn on and shrunk
    again, which leaves the pixels between as they were.
    """

    def __init__(self, frame: np.ndarray) -> None:
        self._size = frame.shape[1], frame.shape[0]
        self._factor = int(np.clip(round(800 / frame.shape[0]), 1, 4))
        enlarged = frame.shape[1] * self._factor, frame.shape[0] * self._factor
        self._image = cv2.resize(frame, enlarged, interpolation=cv2.INTER_NEAREST)

    def picture(self) -> np.ndarray:
        """The frame with what was drawn."""
        return cv2.resize(self._image, self._size, interpolation=cv2.INTER_AREA)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """A dot."""
        if self._near(centre):
            self._circle(centre, radius, colour, -1)

    def ring(self, centre: Point, radius: float, colour: Colour, thickness: float) -> None:
        """A ring."""
        if self._near(centre):
            self._circle(centre, radius, colour, self._pixels(thickness))

    def line(self, start: Point, end: Point, colour: Colour, thickness: float) -> None:
        """A line with a dark edge."""
        if self._near(start) and self._near(end):
            for width, paint in ((1.6 * thickness, _OUTLINE), (thickness, colour)):
                ends = self._fixed(start), self._fixed(end)
                cv2.line(self._image, *ends, paint, self._pixels(width), cv2.LINE_AA, _SUBPIXEL)

    def text(self, text: str, corner: Point, scale: float, centred: bool = False) -> None:
        """Text with its lower left corner, or the middle of its lower edge, there; moved into the frame."""
        if not self._near(corner):
            return
        font, scale = cv2.FONT_HERSHEY_SIMPLEX, scale * self._factor
        thick = max(1, round(2 * scale))
        (width, height), _ = cv2.getTextSize(text, font, scale, thick)
        x, y = corner[0] * self._factor, corner[1] * self._factor
        if centred:
            x -= width / 2
        at = (
            round(max(1, min(x, self._image.shape[1] - width - 1))),
            round(max(height + 1, min(y, self._image.shape[0] - 2))),
        )
        cv2.putText(self._image, text, at, font, scale, _OUTLINE, 2 * thick + 1, cv2.LINE_AA)
        cv2.putText(self._image, text, at, font, scale, _TEXT, thick, cv2.LINE_AA)

    def _circle(self, centre: Point, radius: float, colour: Colour, thickness: int) -> None:
        fixed = round(radius * self._factor * 2**_SUBPIXEL)
        cv2.circle(self._image, self._fixed(centre), fixed, colour, thickness, cv2.LINE_AA, _SUBPIXEL)

    def _near(self, point: Point) -> bool:
        """Whether it is finite and not far outside, where OpenCV's integers would overflow."""
        return bool((np.abs(point) < 3 * max(self._size)).all())

    def _fixed(self, point: Point) -> tuple[int, int]:
        """OpenCV's fixed-point coordinates; a pixel's centre has whole numbers, in both sizes."""
        x, y = ((at + 0.5) * self._factor - 0.5 for at in point)
        return round(x * 2**_SUBPIXEL), round(y * 2**_SUBPIXEL)

    def _pixels(self, thickness: float) -> int:
        return max(1, round(thickness * self._factor))


def _draw_points(canvas: _Canvas, face: Face, unit: float) -> None:
    confidence = np.clip(np.nan_to_num(face.lms[:, 2:]), 0, 1)
    colours = (_UNSURE + confidence * (_SURE - _UNSURE)).tolist()
    for row, column in face.lms[:66, :2]:
        canvas.disc((column, row), 2.4 * unit, _OUTLINE)
    for (row, column), colour in zip(face.lms[:66, :2], colours, strict=False):
        canvas.disc((column, row), 1.7 * unit, colour)
    for row, column, sureness in face.lms[66:]:
        if sureness > 0:  # 0: not looked for
            canvas.ring((column, row), 3.2 * unit, _PUPIL, 1.3 * unit)


def _draw_pose(
    canvas: _Canvas, face: Face, points: Sequence[int] | np.ndarray, unit: float, size: tuple[int, ...]
) -> None:
    """The shape where the pose puts it, and the head's axes from the tip of its nose."""
    tip = face.face_3d[30]
    shape = np.concatenate([face.face_3d[list(points)], [tip], tip + _AXIS_LENGTH * np.eye(3)])
    with np.errstate(all="ignore"):
        seen = project(shape, face.rotation, face.translation, size[1], size[0])[:, ::-1]
    for point in seen[:-4]:
        canvas.ring(point, 2.9 * unit, _SHAPE, unit)
    for end, colour in zip(seen[-3:], _AXES, strict=True):
        canvas.line(seen[-4], end, colour, 2.2 * unit)
