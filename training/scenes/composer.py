"""Composes scenes: faces, things that are none, and a background; and shows each several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training import data
from training.scenes.faceless import (
    any_colour,
    draw_hand,
    draw_shape,
    faceless_patch,
    procedural_background,
    soften,
    spoil_face,
)
from training.scenes.faces import Cutout, FaceSource
from training.scenes.pasting import colourise, head_alpha, paste, spoil_picture

ASPECTS = (16 / 9, 4 / 3, 1.0, 9 / 16, 3 / 4, 2.0)  # a frame's width / height
ASPECT_SHARE = (0.45, 0.25, 0.12, 0.08, 0.05, 0.05)
SMALLEST, LARGEST = (
    0.055,
    1.0,
)  # a face's landmarks' height / frame height: 20 of 360 pixels, and the whole frame
FOREHEAD = 0.38  # of the way from the chin to the nose's root: from the brows on to the hairline


@dataclass
class Scene:
    """image [size, size, 3] BGR uint8; points [n, 66, 2] (x, y), one set of landmarks for each face."""

    image: np.ndarray
    points: np.ndarray

    @property
    def boxes(self) -> np.ndarray:
        """The landmarks' bounding boxes [n, 4]: left, top, right, bottom; may reach over the picture's
        edge."""
        if not len(self.points):
            return np.zeros((0, 4), np.float32)
        return np.concatenate([self.points.min(1), self.points.max(1)], 1).astype(np.float32)


class Composer:
    """Makes scenes. face: gives a cutout for a generator; size: side of the square; pictures: faceless
    images."""

    def __init__(self, face: FaceSource, size: int, pictures: Sequence[np.ndarray] = (), smallest: float = SMALLEST):
        self.face = face
        self.size = size
        self.smallest = smallest
        self.pictures = pictures

    def background(self, rng: np.random.Generator) -> np.ndarray:
        """A faceless picture [size, size, 3] BGR uint8."""
        size, chance = self.size, rng.random()
        if self.pictures and chance < 0.2:
            return self._piece(rng, self.pictures[rng.integers(len(self.pictures))])
        if chance < 0.4:
            return self._collage(rng)
        if chance < 0.75:  # one or a few pieces of real pictures beside faces
            canvas = None
            for _ in range(int(rng.integers(1, 5))):
                cutout = self.face(rng)
                patch = faceless_patch(rng, cutout) if cutout.alpha is None else None
                if patch is None:
                    continue
                piece = self._piece(rng, patch)
                if canvas is None:
                    canvas = piece
                    continue
                x, y = rng.integers(0, size, 2)
                canvas[y:, x:] = piece[y:, x:] if rng.random() < 0.5 else piece[: size - y, : size - x]
            if canvas is not None:
                if rng.random() < 0.3:
                    canvas = soften(canvas, rng.uniform(0.5, 0.02 * size))
                return canvas
        return procedural_background(rng, size)

    def _collage(self, rng: np.random.Generator) -> np.ndarray:
        """Many small sharp pieces: rooms are full of things, and small things look most like small faces."""
        size = self.size
        canvas = procedural_background(rng, size)
        cutouts = [self.face(rng) for _ in range(4)]
        patches = [patch for c in cutouts for patch in [faceless_patch(rng, c)] if patch is not None]
        patches += [spoil_face(rng, c) for c in cutouts[:2]]
        if self.pictures:
            patches.append(self.pictures[rng.integers(len(self.pictures))])
        for _ in range(int(rng.integers(8, 45))):
            h, w = np.exp(rng.uniform(np.log(0.03), np.log(0.35), 2)) * size
            y, x = rng.integers(-int(h) // 2, size - 2), rng.integers(-int(w) // 2, size - 2)
            y, x, y1, x1 = max(0, y), max(0, x), min(size, int(y + h) + 2), min(size, int(x + w) + 2)
            patch = patches[rng.integers(len(patches))]
            patch = patch[int(rng.uniform(0, 0.5) * len(patch)) :]
            patch = np.rot90(patch, int(rng.integers(4)))
            canvas[y:y1, x:x1] = cv2.resize(patch, (x1 - x, y1 - y), interpolation=cv2.INTER_AREA)
        for _ in range(int(rng.integers(0, 25))):
            draw_shape(rng, canvas, 0.15)
        return canvas

    def _piece(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        h, w = image.shape[:2]
        share = rng.uniform(0.3, 1.0, 2)
        ch, cw = max(8, int(h * share[0])), max(8, int(w * share[1]))
        y, x = rng.integers(0, max(1, h - ch + 1)), rng.integers(0, max(1, w - cw + 1))
        piece = image[y : y + ch, x : x + cw]
        piece = piece[:, ::-1] if rng.random() < 0.5 else piece
        grown = piece.shape[0] < self.size
        return cv2.resize(piece, (self.size, self.size), interpolation=cv2.INTER_CUBIC if grown else cv2.INTER_AREA)

    def _matrix(
        self, cutout: Cutout, height: float, roll: float, centre: np.ndarray, aspect: float, flip: bool
    ) -> np.ndarray:
        """Image to square: the face's points `height` high in frame heights, turned, about `centre` of the
        frame."""
        lo, hi = cutout.points.min(0), cutout.points.max(0)
        scale = height / max(hi[1] - lo[1], hi[0] - lo[0], 1.0)
        c, s = np.cos(roll) * scale, np.sin(roll) * scale
        linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
        matrix = np.concatenate([linear, (centre - linear @ ((lo + hi) / 2))[:, None]], 1)
        return np.diag([self.size / aspect, self.size]) @ matrix

    def compose(self, rng: np.random.Generator, faces: int | None = None, height: float | None = None,
                roll: float | None = None, aspect: float | None = None, spoil: bool = True) -> Scene:  # fmt: skip
        """A scene. Any of these can be held: number of faces, their height / frame height, roll in degrees,
        aspect."""
        size = self.size
        aspect = aspect or ASPECTS[rng.choice(len(ASPECTS), p=ASPECT_SHARE)]
        count = int(rng.choice(5, p=[0.14, 0.36, 0.28, 0.14, 0.08])) if faces is None else faces
        canvas = self.background(rng)
        self._clutter(rng, canvas, aspect)
        in_a_row = count > 1 and rng.random() < 0.5
        row_height = np.exp(rng.uniform(np.log(self.smallest), np.log(min(LARGEST, 1.25 * aspect / max(count, 1)))))
        placed: list[np.ndarray] = []
        front = np.zeros((size, size), np.float32)  # where faces are that later ones' shoulders must not hide
        for index in range(count):
            cutout = self.face(rng)
            for _ in range(12):
                if height is not None:
                    h = height
                elif in_a_row:
                    h = row_height * rng.uniform(0.85, 1.15)
                else:
                    h = np.exp(rng.uniform(np.log(self.smallest), np.log(min(LARGEST, 1.3 * aspect / count**0.5))))
                turn = (
                    np.radians(rng.uniform(-60, 60) if rng.random() < 0.65 else rng.normal(0, 8))
                    if roll is None
                    else np.radians(roll)
                )
                margin = np.minimum(np.array([0.42, 0.45]) * h, np.array([aspect, 1.0]) / 2)
                span = np.array([aspect, 1.0]) - 2 * margin
                centre = margin + span * rng.random(2)
                if in_a_row:
                    centre[0] = margin[0] + span[0] * (index + rng.uniform(0.3, 0.7)) / count
                    if index:
                        centre[1] = np.clip(
                            placed[-1][:, 1].mean() / size + rng.normal(0, 0.3) * h, margin[1], 1 - margin[1]
                        )
                matrix = self._matrix(cutout, h, turn, centre, aspect, bool(rng.random() < 0.5))
                points = cutout.points @ matrix[:, :2].T + matrix[:, 2]
                if not any(_overlap(points, other) for other in placed):
                    break
            else:
                continue
            self._paste_face(rng, canvas, cutout, matrix, front if placed else None)
            placed.append(points)
            up = FOREHEAD * (points[27] - points[8])
            hull = cv2.convexHull(np.concatenate([points, points[17:27] + up]).astype(np.int32))
            cv2.fillConvexPoly(front, hull, 1.0, cv2.LINE_AA)
        if spoil:
            canvas = spoil_picture(rng, canvas)
        return Scene(canvas, np.array(placed, np.float32).reshape(-1, 66, 2))

    def _paste_face(
        self, rng: np.random.Generator, canvas: np.ndarray, cutout: Cutout, matrix: np.ndarray, front: np.ndarray | None
    ) -> None:
        size = self.size
        image = colourise(rng, cutout.image)
        points = cutout.points @ matrix[:, :2].T + matrix[:, 2]
        face = points.max(0) - points.min(0)
        alpha = head_alpha(rng, cutout)
        if (
            front is None and cutout.alpha is None and rng.random() < 0.35
        ):  # the picture goes on to the frame's edge, blurred
            wide = cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
            blurred = soften(wide, max(1.0, 0.06 * size))
            # Only away from the face: what is left of it there must not look like a second one.
            canvas[:] = cv2.addWeighted(blurred, 0.8, canvas, 0.2, 0)
        elif rng.random() < 0.4:  # shoulders
            down = points[8] - points[27]
            across = np.array([-down[1], down[0]])
            a, b = rng.uniform(0.3, 0.6), rng.uniform(1.0, 2.0)
            neck, hem = points[8] + down * rng.uniform(-0.2, 0.2), points[8] + down * 4
            drop = down * rng.uniform(0.4, 0.9)
            corners = np.array([neck - across * a, neck + across * a, neck + drop + across * b, hem + across * b,
                                hem - across * b, neck + drop - across * b])  # fmt: skip
            before = canvas.copy() if front is not None else None
            cv2.fillPoly(canvas, [corners.astype(np.int32)], tuple(map(float, any_colour(rng))), cv2.LINE_AA)
            if before is not None:
                np.copyto(canvas, before, where=front[..., None] > 0.5)
        if cutout.alpha is None and rng.random() < 0.3:  # light that does not fit the room
            image = np.clip(image * np.exp(rng.normal(0, 0.25)), 0, 255).astype(np.uint8)
        paste(canvas, image, alpha, matrix, front)
        if rng.random() < 0.15:  # something before the face
            where = points[rng.integers(66)] + rng.normal(0, 0.1, 2) * face
            if rng.random() < 0.6:
                draw_hand(rng, canvas, where, float(face.mean() * rng.uniform(0.25, 0.7)))
            else:
                w, h = face * rng.uniform(0.1, 0.4, 2) / 2 + 1
                angle, colour = float(rng.uniform(0, 180)), tuple(map(float, any_colour(rng)))
                cv2.ellipse(
                    canvas,
                    (tuple(map(float, where)), (2 * float(w), 2 * float(h)), angle),
                    colour,
                    -1,
                    cv2.LINE_AA,
                )

    def _clutter(self, rng: np.random.Generator, canvas: np.ndarray, aspect: float) -> None:
        """Hard negatives, pasted just as faces are, so that a seam says nothing."""
        for _ in range(int(rng.choice(5, p=[0.35, 0.25, 0.2, 0.12, 0.08]))):
            chance = rng.random()
            if chance < 0.2:
                draw_hand(
                    rng,
                    canvas,
                    rng.uniform(0, self.size, 2),
                    float(self.size * np.exp(rng.uniform(-3.5, -0.7))),
                )
                continue
            if chance < 0.35:
                draw_shape(rng, canvas)
                continue
            cutout = self.face(rng)
            if cutout.alpha is not None:
                continue
            image = spoil_face(rng, cutout) if chance < 0.75 else faceless_patch(rng, cutout)
            if image is None:
                continue
            image = colourise(rng, image)
            h, w = image.shape[:2]
            high = np.exp(rng.uniform(np.log(0.08), np.log(0.9)))
            frame = np.array([[0, 0], [w, h]], np.float32)
            stand_in = Cutout(image, np.repeat(frame, 33, 0))
            centre = rng.random(2) * [aspect, 1.0]
            matrix = self._matrix(
                stand_in, high, np.radians(rng.uniform(-45, 45)), centre, aspect, bool(rng.random() < 0.5)
            )
            alpha = np.zeros((h, w), np.float32)
            border = max(1, int(0.08 * min(h, w)))
            if rng.random() < 0.5:
                alpha[border : h - border, border : w - border] = 1
            else:
                cv2.ellipse(
                    alpha,
                    (w // 2, h // 2),
                    (max(1, w // 2 - border), max(1, h // 2 - border)),
                    0,
                    0,
                    360,
                    1.0,
                    -1,
                )
            paste(canvas, image, soften(alpha, rng.uniform(0.3, border)), matrix)


class Replay:
    """Scenes for batches: each composed once and then shown several times, mirrored and spoilt anew.

    Composing costs more than a step of training does. share: how many of a batch are new; keep: how many are kept.
    """

    def __init__(self, composer: Composer, share: float = 0.25, keep: int = 3000):
        self.composer = composer
        self.share = share
        self.keep = keep
        self.kept: list[Scene] = []

    def __call__(self, rng: np.random.Generator, count: int) -> list[Scene]:
        """That many scenes."""
        new = count if len(self.kept) < 8 * count else max(1, round(self.share * count))
        made = [self.composer.compose(rng, spoil=False) for _ in range(new)]
        shown = made + [self.kept[i] for i in rng.integers(0, max(1, len(self.kept)), count - new)]
        for scene in made:
            if len(self.kept) < self.keep:
                self.kept.append(scene)
            else:
                self.kept[rng.integers(self.keep)] = scene
        return [self._show(rng, scene) for scene in shown]

    def _show(self, rng: np.random.Generator, scene: Scene) -> Scene:
        image, points = scene.image, scene.points
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            points = data.mirror_points(points, image.shape[1])
        return Scene(spoil_picture(rng, image), points)


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two sets of points' boxes come so close that one face would hide much of the other."""
    grow = 0.12
    a0, a1, b0, b1 = a.min(0), a.max(0), b.min(0), b.max(0)
    slack_a, slack_b = grow * (a1 - a0), grow * (b1 - b0)
    slack_a[1], slack_b[1] = 2.5 * slack_a[1], 2.5 * slack_b[1]  # the forehead and hair above the points
    return bool(((a0 - slack_a < b1 + slack_b) & (b0 - slack_b < a1 + slack_a)).all())
