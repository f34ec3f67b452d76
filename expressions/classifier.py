"""Which of the expressions that were taught a face makes: a trained support vector classifier, in numpy alone.

It is a C-SVC with an RBF kernel, one against one. Each pair of expressions has a decision value, which Platt's sigmoid
turns into how likely the first is beside the second; those of all pairs together give how likely each is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

#: The logarithm of the odds in a pair is at most this, ln(999999): one pair alone must not settle everything.
SUREST = math.log(999_999)
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
    _steep: np.ndarray = field(init=False, repr=False)
    _far: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # -gamma |z - s|^2 = 2 gamma s z - gamma |s|^2 - gamma |z|^2
        self._steep = 2 * self.gamma * self.support.T
        self._far = -self.gamma * (self.support**2).sum(1)

    def decisions(self, values: np.ndarray) -> np.ndarray:
        """Decision values of all pairs.

        Args:
            values: (..., COLUMNS) from `features.columns_of`.

        Returns:
            (..., pairs).
        """
        standard = (values.take(self.columns, -1) - self.mean) / self.scale
        exponent = standard @ self._steep
        exponent += self._far
        exponent -= self.gamma * (standard * standard).sum(-1, keepdims=True)
        return np.exp(exponent, out=exponent) @ self.weights.T + self.bias

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
    outputs", NIPS 1994). As r_ij is 1 / (1 + exp(-logit)), that is 1 / (1 + sum of exp(-logit)).

    Args:
        logits: (..., pairs): logarithms of the odds of the first of each pair.
        count: k, how many classes.

    Returns:
        (..., k) probabilities.
    """
    against = np.concatenate([-logits, logits], -1)
    np.minimum(np.maximum(against, -SUREST), SUREST, out=against)
    likely = 1 / (1 + np.exp(against, out=against) @ _sums(count))
    return likely / likely.sum(-1, keepdims=True)


@lru_cache
def _sums(count: int) -> np.ndarray:
    """(2 pairs, count): which of the values of pairs, for the first and then for the second, add up to each class's."""
    firsts, seconds = np.triu_indices(count, 1)
    return np.eye(count)[np.concatenate([firsts, seconds])]


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
