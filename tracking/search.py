"""Where to look for faces that are not held: over the whole frame, and closer at parts of it for small ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from .detection import FaceDetector, RetinaFaceDetector
from .faces import Box, Candidate

#: Side of a part, as a share of the frame's shorter side: half of it, and faces are twice as large there; and as a
#: share of the longer side at the least, so that a strip is not cut into hundreds of parts.
PART, LEAST_PART = 0.5, 0.125
#: Share of a part that its neighbour shows too. Smaller faces are whole in one of them; larger ones, over an eighth of
#: the frame's shorter side, are large enough for the detector's view of the whole frame.
OVERLAP = 0.25
#: The least score in a part, as a share of that in the whole frame: landmarks are the better judge.
LENIENCY = 2 / 3
#: So many boxes more than the faces that are wanted come from all parts together: some may be turned down.
SPARE = 4


class Search:
    """Looks for faces with the detectors that there are.

    The light detector squeezes what it sees to a small square. In the whole frame it overlooks the faces of people who
    are far away, and in a part of the frame those of people who are near. As long as there is no face, it looks at the
    whole frame and at one part by turns, so that a frame costs no more than one look; at all parts only when asked to.
    A face that fills the frame is no object in it: once a round, the frame itself is a box.

    Args:
        detector: the light detector, if it is used.
        retinaface: the thorough one, if it is used.
        try_hard: also try the whole frame as a box in every look.
        report: is told of what a detector fails with, while the other one does not.

    Attributes:
        detectors: those that there are, the light one first.
    """

    def __init__(
        self,
        detector: FaceDetector | None,
        retinaface: RetinaFaceDetector | None,
        try_hard: bool,
        report: Callable[[Exception], None],
    ) -> None:
        self._detector = detector
        self._retinaface = retinaface
        self.detectors = [found for found in (detector, retinaface) if found is not None]
        self._try_hard = try_hard
        self._report = report
        self._turns = 0
        self._looks: list[Callable[[np.ndarray], list[Candidate]]] = []
        if detector is not None:
            self._looks.append(partial(self._take_turns, detector))
        if retinaface is not None:
            self._looks.append(partial(_at_whole, retinaface))

    def look(self, frame: np.ndarray) -> list[Candidate]:
        """Boxes of faces in a BGR uint8 frame while none is held.

        Raises:
            Exception: what the detectors failed with, if all of them did.
        """
        candidates: list[Candidate] = []
        failures: list[Exception] = []
        for look in self._looks:
            try:
                candidates += look(frame)
            except Exception as error:  # those of onnxruntime and OpenCV share no base class
                failures.append(error)
        if failures and len(failures) == len(self._looks):
            raise failures[0]
        for failure in failures:
            self._report(failure)
        return [*candidates, _whole(frame)] if self._try_hard else candidates

    def scan(self, frame: np.ndarray) -> list[Candidate]:
        """Boxes of faces in a BGR uint8 frame beside those that are held, from one detector."""
        return _at_whole(self.detectors[0], frame) if self.detectors else []

    def look_everywhere(self, frame: np.ndarray, known: Sequence[Box]) -> list[Candidate]:
        """Boxes of faces in all parts of a BGR uint8 frame, best first, besides those whose boxes are known."""
        if self._detector is None:
            return []
        found: list[tuple[float, Box]] = []
        try:
            for part in parts(frame.shape[1], frame.shape[0]):
                found += self._in_part(self._detector, frame, part)
        except Exception as error:
            self._report(error)
        taken, candidates = list(known), []
        for _, box in sorted(found, reverse=True):
            if not any(_is_centre_in(box, other) for other in taken):
                taken.append(box)
                candidates.append(Candidate(box, close=True))
        return [*candidates[: self._detector.max_faces - len(known) + SPARE], _whole(frame)]

    def _take_turns(self, detector: FaceDetector, frame: np.ndarray) -> list[Candidate]:
        """Look at the whole frame or, every other time, at its next part."""
        number, close = divmod(self._turns, 2)
        self._turns += 1
        if not close:
            return _at_whole(detector, frame)
        regions = parts(frame.shape[1], frame.shape[0])
        number %= len(regions) + 1
        if number == len(regions):
            return [_whole(frame)]
        found = self._in_part(detector, frame, regions[number])
        return [Candidate(box, close=True) for _, box in found[: detector.max_faces]]

    @staticmethod
    def _in_part(detector: FaceDetector, frame: np.ndarray, part: tuple[int, int, int, int]) -> list[tuple[float, Box]]:
        """Scores and boxes of the faces in a part of the frame, best first."""
        left, top, width, height = part
        maps = detector.infer(detector.prepare(frame[top : top + height, left : left + width]))
        found = detector.scored(*maps, width, height, detector.threshold * LENIENCY)
        return [(score, (x + left, y + top, w, h)) for score, (x, y, w, h) in found]


def parts(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Boxes (x, y, width, height; whole pixels) that cover a frame of that size and overlap, row by row.

    They are squares unless the frame is narrower.
    """
    side = math.ceil(max(PART * min(width, height), LEAST_PART * max(width, height)))

    def starts(length: int) -> list[int]:
        count = max(math.ceil((length - side * OVERLAP) / (side * (1 - OVERLAP))), 1)
        return [round(number * (length - side) / (count - 1)) if count > 1 else 0 for number in range(count)]

    return [(x, y, min(side, width), min(side, height)) for y in starts(height) for x in starts(width)]


def _at_whole(detector: FaceDetector | RetinaFaceDetector, frame: np.ndarray) -> list[Candidate]:
    return [Candidate(box) for box in detector.detect(frame)]


def _whole(frame: np.ndarray) -> Candidate:
    return Candidate((0.0, 0.0, float(frame.shape[1]), float(frame.shape[0])))


def _is_centre_in(box: Box, other: Box) -> bool:
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    return other[0] <= x <= other[0] + other[2] and other[1] <= y <= other[1] + other[3]
