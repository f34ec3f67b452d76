"""The running median: exact at first, near the true one for ever, in bounded memory."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remedian import remedian

numbers = st.floats(-1e6, 1e6)


def stored(r: remedian) -> int:
    """How many numbers it holds."""
    return sum(map(len, r._buffers))


@given(st.lists(numbers, min_size=1, max_size=63))
def test_is_exact_while_fewer_values_than_k_have_come(values):
    r = remedian()
    for count, value in enumerate(values, start=1):
        r + value
        assert r.median() == median(values[:count])


def test_interface_that_other_programs_use():
    r = remedian([], 64)
    r + 1
    r + 5
    r + 3
    assert r.median() == 3
    assert remedian([4, 1, 9]).median() == 4
    assert remedian(inits=[2.0], k=8).median() == 2.0
    assert remedian([4, 1]).median() == 2.5


def test_two_do_not_share_their_values():
    a, b = remedian(), remedian()
    a + 1
    b + 2
    assert (a.median(), b.median()) == (1, 2)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(100, 0.25), (1000, 0.12), (5000, 0.1)]),
    st.sampled_from(["uniform", "normal", "exponential"]),
)
def test_stays_near_the_true_median(seed, size, distribution):
    """By rank: the result splits the values nearly in half, within some five standard deviations.

    Of 100 values the first 64 decide alone, which is the worst there is.
    """
    count, tolerance = size
    values = getattr(np.random.default_rng(seed), distribution)(size=count)
    rank = (values < remedian(values).median()).mean()
    assert abs(rank - 0.5) < tolerance


@given(st.lists(numbers, min_size=1, max_size=300), st.integers(2, 8))
def test_is_a_value_between_the_extremes_at_any_buffer_size(values, k):
    r = remedian(values, k)
    assert min(values) <= r.median() <= max(values)


def test_asking_changes_nothing():
    values = np.random.default_rng(1).normal(size=5000)
    asked, silent = remedian(k=16), remedian(k=16)
    for value in values:
        asked + value
        asked.median()
        silent + value
    assert asked.median() == silent.median()


def test_constant_values_give_that_constant():
    r = remedian([0.25] * 10_000)
    assert r.median() == 0.25


def test_memory_is_bounded():
    """At most k - 1 values in each of log_k(n) buffers, and a single one in the last."""
    r = remedian()
    most = 0
    for value in range(300_000):  # 64**3 = 262,144
        r + (value * 7919 % 300_000)
        if value % 100 == 0:
            most = max(most, stored(r))
    assert 63 < most <= 3 * 63 + 1
    assert r.median() == pytest.approx(150_000, rel=0.05)


def test_no_values_have_no_median():
    with pytest.raises(ValueError):
        remedian().median()


@pytest.mark.parametrize("k", [1, 0, -3])
def test_buffers_must_hold_two_values(k):
    with pytest.raises(ValueError):
        remedian(k=k)
