"""What every face of a frame expresses, from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

from expressions import simple
from expressions.classifier import Classifier, Stabiliser
from expressions.features import columns_of
from tracking.faces import Expression, Face

#: Less sure than this, the answer is none of them.
THRESHOLD = 0.4


class _Person:
    """What is remembered of a face."""

    def __init__(self) -> None:
        self.stabiliser = Stabiliser()
        self.simple = simple.SimpleClassifier()
        self.sure = 0.0  # of what is shown, when it was found last


class Recogniser:
    """Finds the expression of each face: `Face.expression`.

        with Tracker(640, 480, blendshapes=True) as tracker:
            recogniser = Recogniser(Collection.load("me.osfx").classifier(shapes=True))
            faces = tracker.predict(frame)
            recogniser.update(faces)

    Args:
        classifier: as trained; None: the simple expressions.
        threshold: least probability of an answer, 0 to 1.
    """

    def __init__(self, classifier: Classifier | None, threshold: float = THRESHOLD) -> None:
        self._classifier = classifier
        self._threshold = threshold
        self._people: dict[int, _Person] = {}
        self.names: tuple[str, ...] = simple.NAMES if classifier is None else classifier.names

    def update(self, faces: Sequence[Face]) -> None:
        """Set `expression` of all faces of a frame; their shapes as the tracker gave them, not calibrated.

        A face that is not there is forgotten.
        """
        self._people = {face.id: self._people.get(face.id) or _Person() for face in faces}
        for face in faces:
            person = self._people[face.id]
            if self._classifier is None:
                number, sure = person.simple.tell(face.current_features)
            else:
                number, sure = self._classifier.tell(columns_of(face))
            answer = number if sure >= self._threshold or self._classifier is None else None
            shown = person.stabiliser.update(answer)
            person.sure = sure if shown == number else person.sure
            face.expression = None if shown is None else Expression(self.names[shown], person.sure)
