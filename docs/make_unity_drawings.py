"""Draws the pictures of Unity/README.md: python -m docs.make_unity_drawings (needs matplotlib)."""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from tracker import Tracker

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "Unity" / "Documentation~"
CLIP = ROOT / "samples" / "talking_head.mp4"
OURS, OTHERS, LINES = "#dcebfb", "#ececec", "#3b5b7d"
#: Chains of landmarks, as OpenSeeShowPoints joins them.
CHAINS = (
    range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36), (36, 37, 38, 39, 40, 41, 36),
    (42, 43, 44, 45, 46, 47, 42), (58, 48, 49, 50, 51, 52, 62, 53, 54, 55, 56, 57, 58), (58, *range(59, 66), 58),
)  # fmt: skip


def canvas(width: float, height: float) -> tuple[plt.Figure, Axes]:
    """A figure of so many tenths of an inch, with these as its units and y downwards."""
    figure, axes = plt.subplots(figsize=(width / 10, height / 10))
    figure.subplots_adjust(0, 0, 1, 1)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.axis("off")
    return figure, axes


def box(axes: Axes, place: tuple[float, float, float, float], title: str, lines: str = "", colour: str = OURS) -> None:
    """A box at x, y, width, height with a title, and lines below it."""
    x, y, width, height = place
    style = {"boxstyle": "round,pad=0,rounding_size=1", "facecolor": colour, "edgecolor": LINES, "linewidth": 1.2}
    axes.add_patch(FancyBboxPatch((x, y), width, height, **style))
    if lines:
        axes.text(x + 1.5, y + 2.6, title, va="center", weight="bold", fontsize=9.5)
        axes.text(x + 1.5, y + 4.8, lines, va="top", fontsize=8, linespacing=1.45)
    else:
        axes.text(x + width / 2, y + height / 2, title, ha="center", va="center", weight="bold", fontsize=9.5)


def arrow(axes: Axes, points: list[tuple[float, float]], text: str = "", at: tuple[float, float] | None = None) -> None:
    """A line through these points, with an arrow's head at the last, and a text beside it."""
    for start, end in zip(points, points[1:], strict=False):
        last = end == points[-1]
        style = {"arrowstyle": "-|>" if last else "-", "color": LINES, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style)
    if text and at:
        axes.text(*at, text, ha="center", va="center", fontsize=8, color=LINES)


def draw_parts() -> plt.Figure:
    """Who tells whom what."""
    figure, axes = canvas(100, 44)
    box(axes, (2, 19, 14, 10), "camera", colour=OTHERS)
    box(axes, (24, 17, 17, 14), "facetracker", colour=OTHERS)
    box(axes, (58, 6, 40, 8), "OpenSee", "receives faces: points, pose, eyes, features")
    box(axes, (58, 34, 40, 8), "OpenSeeShapes", "receives the 52 shapes, moves meshes")
    box(axes, (24, 2, 17, 8), "OpenSeeLauncher")
    for x, name in ((50, "OpenSeeShowPoints"), (67.5, "OpenSeeIKTarget"), (84, "OpenSeeExpression")):
        box(axes, (x, 21, 15.5 if x < 84 else 15, 6), "", colour=OURS)
        axes.text(x + 7.7, 24, name, ha="center", va="center", weight="bold", fontsize=7.2)
        arrow(axes, [(x + 7.7 if x > 58 else 62, 14), (x + 7.7 if x > 58 else 62, 21)])
    arrow(axes, [(16, 24), (24, 24)])
    arrow(axes, [(32.5, 10), (32.5, 17)], "starts, ends", (40, 13.5))
    arrow(axes, [(41, 20), (47, 20), (47, 10), (58, 10)], "UDP 11573", (51, 8))
    arrow(axes, [(41, 28), (47, 28), (47, 38), (58, 38)], "--send vmc\nUDP 39539", (51.5, 34))
    return figure


def draw_scene() -> plt.Figure:
    """What goes where in a scene."""
    figure, axes = canvas(100, 57)
    box(axes, (2, 2, 28, 38), "Hierarchy", "", OTHERS)
    axes.patches[-1].set_facecolor("#fafafa")
    axes.texts[-1].set_position((16, 5))
    tree = ((9, 0, "Tracking"), (15, 0, "Avatar"), (20, 2, "Armature … Head"), (25, 2, "Face (skinned mesh)"),
            (30, 2, "Head target"), (36, 0, "Points (to look at)"))  # fmt: skip
    for y, indent, text in tree:
        axes.text(4 + indent, y + 1, "▸ " + text, va="center", fontsize=9)
    cards = (
        (2, 17, "Tracking", "OpenSee\n    Listen Port  11573\nOpenSeeLauncher\n    Open See Target  Tracking\n"
         "    Exe Path  …/facetracker\n    Auto Start  ✓"),
        (21, 9.5, "Avatar", "OpenSeeShapes\n    Listen Port  39539"),
        (32.5, 11.5, "Head target", "OpenSeeIKTarget\n    Open See  Tracking\n    Calibrate  ✓"),
        (46, 9.5, "Points (to look at)", "OpenSeeShowPoints\n    Open See  Tracking"),
    )  # fmt: skip
    for y, height, title, lines in cards:
        box(axes, (44, y, 30, height), title, lines)
    for start, across, end in ((10, 35, 10), (16, 39, 26), (31, 37, 38), (37, 35, 50)):
        arrow(axes, [(28, start), (across, start), (across, end), (44, end)])
    axes.text(
        76, 36.5, "The avatar's inverse kinematics,\nor a constraint, makes Head\nfollow Head target.", fontsize=8
    )
    return figure


def draw_points() -> plt.Figure:
    """What OpenSeeShowPoints shows: the sample clip's head as it turns, and once it is lost."""
    video = cv2.VideoCapture(str(CLIP))
    size = [int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    wanted, faces = (20, 60, 135), {}
    with Tracker(*size, static_model=True) as tracker:
        for number in range(max(wanted) + 1):
            faces[number] = tracker.predict(video.read()[1])[0]
    video.release()
    figure, panels = plt.subplots(1, 4, figsize=(10, 3), layout="constrained", facecolor="#30343a")
    for axes, number in zip(panels, (*wanted, wanted[-1]), strict=True):
        draw_head(axes, faces[number], lost=axes is panels[-1])
    return figure


def draw_head(axes: Axes, face, lost: bool) -> None:
    """One face, as Unity's camera sees it."""
    # As sent: x to the person's right, y down, z into the head. In Unity: x to the picture's right, y up.
    points = face.pts_3d * (1, -1, -1) * (-1, -1, 1)
    x, y, z = -(face.euler[0] + 180), -face.euler[1], face.euler[2] - 90
    points = points @ (about(2, z) @ about(1, y) @ about(0, x)).T
    for chain in CHAINS:
        axes.plot(*points[list(chain), :2].T, color="0.75", lw=0.7, zorder=1)
    sure = np.clip(np.concatenate([face.lms[:, 2], face.lms[66:, 2]]), 0, 1)
    colours = np.column_stack([1 - sure, sure, 0 * sure])
    axes.scatter(*points[:, :2].T, s=14, c="cyan" if lost else colours, zorder=2)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title("lost" if lost else "tracked", color="white", fontsize=9)


def about(axis: int, degrees: float) -> np.ndarray:
    """A turn about an axis (0 x, 1 y, 2 z)."""
    vector = np.zeros(3)
    vector[axis] = np.radians(degrees)
    return cv2.Rodrigues(vector)[0]


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in (("parts", draw_parts), ("scene", draw_scene), ("points", draw_points)):
        figure = draw()
        figure.savefig(FOLDER / f"{name}.png", dpi=100)
        plt.close(figure)


if __name__ == "__main__":
    main()
