"""Which of the expressions that were taught a face makes: a trained support vector classifier, in numpy alone.

It is a C-SVC with an RBF kernel, one against one. Each pair of expressions has a decision value, which Platt's sigmoid
turns into how likely the first is beside the second; those of all pairs together give how likely each is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

#: So near to 0 or 1 a pair's probability may come: one pair alone must not settle everything.
SURE = 1e-6
#: So many frames running must tell the same before the answer changes.
FRAMES = 2


@dataclass
class Classifier:
    """A trained classifier of k expressions, with m columns and s support vectors.

    Attributes:
        names: of the k expressions.
        columns: (m,) which columns of `features` it looks at.
        mean, scale: (m,) what is taken off a column, and what it is divided by then.
        gamma: of the kernel exp(-gamma * squared distance).
        support: (s, m) support vectors, standardised by mean and scale.
        weights: (pairs, s) of each support vector in the decision of each pair: (0, 1), (0, 2) ... (k - 2, k - 1).
        bias: (pairs,) added to it. What is positive then says the first of the pair, what is negative the second.
        slope, offset: (pairs,) of the sigmoid: the first is there with 1 / (1 + exp(-(slope * decision + offset))).
        accuracy: (k,) of each expression on recordings that were kept out.
    """

    names: tuple[str, ...]
    columns: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    gamma: float
    support: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    accuracy: np.ndarray
    _squares: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._squares = (self.support**2).sum(1)
        first, second = np.array(list(combinations(range(len(self.names)), 2))).T
        self._first, self._second = first, second
        self._inverse = 1 / self.scale

    def decisions(self, values: np.ndarray) -> np.ndarray:
        """Decision values of all pairs.

        Args:
            values: (..., COLUMNS) from `features.columns_of`.

        Returns:
            (..., pairs).
        """
        standard = (values[..., self.columns] - self.mean) * self._inverse
        distance = self._squares + (standard**2).sum(-1)[..., None] - 2 * (standard @ self.support.T)
        return np.exp(-self.gamma * distance) @ self.weights.T + self.bias

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """How likely each expression is: (..., k), adding up to 1, of values (..., COLUMNS)."""
        return couple(self.decisions(values) * self.slope + self.offset, len(self.names))

    def tell(self, values: np.ndarray) -> tuple[int, float]:
        """The likeliest expression's number, and how likely it is, of values (COLUMNS,)."""
        likely = self.probabilities(values)
        best = int(likely.argmax())
        return best, float(likely[best])


def couple(logits: np.ndarray, count: int) -> np.ndarray:
    """From pairs to classes.

    p_i is 1 / (sum over the others of 1 / r_ij - (k - 2)), where r_ij is how likely i is beside j, and then divided by
    the sum (D. Price, S. Knerr, L. Personnaz, G. Dreyfus, "Pairwise neural network classifiers with probabilistic
    outputs", NIPS 1994).

    Args:
        logits: (..., pairs): logarithms of the odds of the first of each pair.
        count: k, how many classes.

    Returns:
        (..., k) probabilities.
    """
    first, second = np.triu_indices(count, 1)
    limit = np.log((1 - SURE) / SURE)
    odds = np.exp(np.clip(logits, -limit, limit))
    inverse = np.zeros((*logits.shape[:-1], count, count))
    inverse[..., first, second] = 1 + 1 / odds
    inverse[..., second, first] = 1 + odds
    likely = 1 / (inverse.sum(-1) - (count - 2))
    return likely / likely.sum(-1, keepdims=True)


class Stabiliser:
    """Lets an answer change only when the new one came some frames running.

    Args:
        frames: how many; 1: at once.
    """

    def __init__(self, frames: int = FRAMES) -> None:
        self._frames = frames
        self._shown: int | None = None
        self._next: int | None = None
        self._count = 0

    def update(self, answer: int | None) -> int | None:
        """The answer to show after this one; None is one, too: none of the expressions."""
        if answer == self._shown:
            self._count = 0
        elif self._count and answer == self._next:
            self._count += 1
        else:
            self._next, self._count = answer, 1
        if self._count >= self._frames:
            self._shown, self._count = answer, 0
        return self._shown
