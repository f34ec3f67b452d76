"""Parts of a picture slid up and down along the columns of an eye or a mouth: what closing lids and lips share.

An eye's or a mouth's own frame has its origin at one corner, its first axis (t) towards the other, which is at 1, and
its second axis (y) downwards, in the same unit; `frame` [2, 2] holds both axes as rows, in the picture's x, y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

#: Between which lines of the new picture lies what lay between which lines of the old one: new a, new b, old a, old b.
Span = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass
class Columns:
    """The pixels of a rectangle of an eye's or a mouth's frame.

    Attributes:
        x0, y0, x1, y1: bounding box in the picture, pixels.
        t, y: [rows, columns] where its pixels lie in the frame.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    frame: np.ndarray
    origin: np.ndarray
    width: float

    @classmethod
    def around(
        cls, image: np.ndarray, corners: np.ndarray, frame: np.ndarray, origin: np.ndarray, width: float
    ) -> Columns | None:
        """Those between two opposite corners [2, 2] (t, y); None when too little of them is in the picture.

        Args:
            origin: [2] x, y in the picture, pixels.
            width: the frame's unit, pixels.
        """
        around = np.stack((corners[[0, 0, 1, 1], 0], corners[[0, 1, 0, 1], 1]), -1) * width @ frame + origin
        x0, y0 = np.maximum(np.floor(around.min(0)).astype(int), 0).tolist()
        x1, y1 = np.minimum(np.ceil(around.max(0)).astype(int) + 1, image.shape[1::-1]).tolist()
        return cls(x0, y0, x1, y1, frame, origin, width) if x1 - x0 >= 4 and y1 - y0 >= 4 else None

    def __post_init__(self) -> None:
        pixels = np.stack(np.meshgrid(np.arange(self.x0, self.x1), np.arange(self.y0, self.y1)), -1).astype(np.float64)
        self.t, self.y = np.moveaxis((pixels - self.origin) @ self.frame.T / self.width, -1, 0)

    def slide(self, image: np.ndarray, spans: Sequence[Span]) -> None:
        """Draw the rectangle anew in the picture; what is in no span stays."""
        source = self.y.copy()
        for new_a, new_b, now_a, now_b in spans:
            inside = (self.y >= new_a) & (self.y < new_b)
            part = (self.y - new_a) / np.maximum(new_b - new_a, 1e-6)
            source[inside] = (now_a + part * (now_b - now_a))[inside]
        moved = np.stack((self.t, source), -1) * self.width @ self.frame + self.origin - (self.x0, self.y0)
        here = image[self.y0 : self.y1, self.x0 : self.x1]
        cv2.remap(np.ascontiguousarray(here), moved[..., 0].astype(np.float32), moved[..., 1].astype(np.float32),
                  cv2.INTER_LINEAR, dst=here, borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
