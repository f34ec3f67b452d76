"""A person who comes near while every slot holds somebody else, such as a face on a poster behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from .faces import SAME_FACE_IOU, Box, Candidate, Detection, iou
from .slots import Slot

#: Frames between two looks round, a good second at the usual rates. A look costs some nine tenths of a frame.
EVERY = 36
#: Frames for which a larger face has to be there, and between the looks meanwhile.
STAYS, CLOSER_LOOK = 24, 8
#: So many times as wide and high as the smallest face that is held.
LARGER = 2.0

Look = Callable[[np.ndarray], Sequence[Candidate]]
FindLandmarks = Callable[[np.ndarray, Sequence[Candidate]], tuple[list[Detection], float]]


class Takeover:
    """Looks round from time to time while all slots are taken, and gives the smallest face's to a much larger one."""

    def __init__(self) -> None:
        self._wait = EVERY  # frames to the next look
        self._seen = 0  # for how many frames the larger face has been there

    def rest(self) -> None:
        """There is a free slot, so that whoever comes is found anyway."""
        self._wait, self._seen = EVERY, 0

    def settle(
        self, frame: np.ndarray, held: list[Detection], slots: Sequence[Slot], look: Look, landmarks: FindLandmarks
    ) -> list[Detection]:
        """The faces of a frame whose slots are all taken: those that are held, or one of them replaced.

        Args:
            frame: (height, width, 3) BGR uint8.
            held: a face for each slot.
            slots: the one whose face is replaced starts over.
            look: finds boxes in the frame.
            landmarks: finds the landmarks of boxes.
        """
        self._wait -= 1
        if self._wait > 0:
            return held
        smallest = min(held, key=lambda detection: _side(detection.bbox))
        larger = None
        with suppress(Exception):  # a detector that fails is told of where it is needed
            larger = _larger_face(frame, held, LARGER * _side(smallest.bbox), look, landmarks)
        if larger is None:
            self.rest()
        elif self._seen < STAYS:
            self._seen += CLOSER_LOOK
            self._wait = CLOSER_LOOK
        else:
            self.rest()
            _slot_of(smallest, slots).lose()
            return [larger if detection is smallest else detection for detection in held]
        return held


def _larger_face(
    frame: np.ndarray, held: Sequence[Detection], side: float, look: Look, landmarks: FindLandmarks
) -> Detection | None:
    """The largest face that is not held and at least so large, pixels."""
    others = [
        candidate
        for candidate in look(frame)
        # A detector's box is a little larger or smaller than the landmarks' is.
        if 1.5 * _side(candidate.box) >= side
        and all(iou(candidate.box, detection.bbox) < SAME_FACE_IOU for detection in held)
    ]
    found = landmarks(frame, others)[0] if others else []
    found = [detection for detection in found if _side(detection.bbox) >= side]
    return max(found, key=lambda detection: _side(detection.bbox), default=None)


def _side(box: Box) -> float:
    """Side of the square that is as large as a box."""
    return (box[2] * box[3]) ** 0.5


def _slot_of(detection: Detection, slots: Sequence[Slot]) -> Slot:
    def distance(slot: Slot) -> float:
        return float("inf") if slot.centre is None else np.hypot(*np.subtract(slot.centre, detection.centre))

    return min(slots, key=distance)
