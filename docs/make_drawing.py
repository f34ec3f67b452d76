"""Draws docs/coordinates.png from the sample clip: python -m docs.make_drawing (needs matplotlib)."""

from pathlib import Path

import cv2
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from tracking.face_shape import REFERENCE_SHAPE
from tracking.pose import project, solve

ROOT = Path(__file__).resolve().parent.parent
RED, GREEN, BLUE = "#e8413c", "#2fae4a", "#3b7ddd"
SENT = REFERENCE_SHAPE * (1, -1, -1)  # as the packet holds 3D points
LENGTH = 0.55


def arrow(axes: Axes, start: np.ndarray, end: np.ndarray, colour: str, text: str) -> None:
    """An arrow with its name at the tip."""
    ends = (float(end[0]), float(end[1])), (float(start[0]), float(start[1]))
    axes.annotate("", *ends, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.5, "shrinkA": 0, "shrinkB": 0})
    tip = end + 0.13 * (end - start)
    axes.text(tip[0], tip[1], text, color=colour, ha="center", va="center", weight="bold")


def main() -> None:
    """Write the picture."""
    truth = np.load(ROOT / "samples" / "talking_head.npz")
    number = int(np.argmax(truth["pose"][:, 0]))  # turned furthest to the person's left
    video = cv2.VideoCapture(str(ROOT / "samples" / "talking_head.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, number)
    frame = cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB)
    height, width = frame.shape[:2]
    points = truth["points"][number]

    figure, (image, front, side) = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained")
    image.imshow(frame)
    image.scatter(points[:, 1], points[:, 0], s=7, color="#50dc28", edgecolors="black", linewidths=0.4)
    pose = solve(REFERENCE_SHAPE, points, width, height)
    if pose is None:
        raise SystemExit("The pose of the sample could not be solved.")
    tips = np.concatenate([REFERENCE_SHAPE[30:31], np.diag([1, -1, -1]) * LENGTH])
    seen = project(tips, pose.rotation, pose.translation, width, height)[:, ::-1]
    for end, colour, name in zip(seen[1:], (RED, GREEN, BLUE), "xyz", strict=True):
        arrow(image, seen[0], end, colour, name)
    image.annotate("", (150, 12), (12, 12), arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 2})
    image.annotate("", (12, 150), (12, 12), arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 2})
    image.text(165, 22, "x (pixels)", color="white")
    image.text(20, 180, "y (pixels)", color="white")
    image.set(title="image positions, axes of the 3D points", xticks=[], yticks=[])

    for axes, across, title in ((front, 0, "3D points, seen from the front"), (side, 2, "from the person's left")):
        sign = -1 if across == 0 else 1  # the person's right is at the picture's left
        flat = np.column_stack([sign * SENT[:, across], SENT[:, 1]])
        axes.scatter(*flat[:66].T, s=14, color="0.35")
        axes.scatter(*flat[66:68].T, s=70, facecolors="none", edgecolors="#00a0c0", linewidths=1.6)
        axes.scatter(*flat[68:].T, s=25, marker="+", color="#00a0c0")
        zero = np.zeros(2)
        arrow(axes, zero, np.array([sign * LENGTH, 0]), RED if across == 0 else BLUE, "xyz"[across])
        arrow(axes, zero, np.array([0, LENGTH]), GREEN, "y")
        axes.set(title=title, aspect="equal", xlim=(-0.8, 0.8) if across == 0 else (-0.45, 1.15), ylim=(0.8, -0.65))
        axes.grid(alpha=0.3)
    side.text(0.4, -0.4, "○ pupil\n+ centre of the eyeball", color="#00a0c0", fontsize=9)
    figure.savefig(ROOT / "docs" / "coordinates.png", dpi=100)


if __name__ == "__main__":
    main()
