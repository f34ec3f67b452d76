"""The One Euro filter against its paper, the stated delays of the presets, and what must not be smoothed away."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from make_faces import make_face

from tracking.smoothing import PRESETS, Cutoff, OneEuro, OneEuroRotation, Preset, Smoothers

STEP = 1 / 30
SMOOTHING = {name: preset for name, preset in PRESETS.items() if preset is not None}


def paper(values: list[float], rate: float, minimum: float, beta: float) -> list[float]:
    """Algorithm 1 and 2 of the paper, word for word, for one value."""

    def alpha(cutoff: float) -> float:
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau * rate)

    result: list[float] = []
    held_speed = None
    for value in values:
        speed = 0.0 if not result else (value - result[-1]) * rate
        held_speed = speed if held_speed is None else alpha(1.0) * speed + (1 - alpha(1.0)) * held_speed
        share = alpha(minimum + beta * abs(held_speed))
        result.append(value if not result else share * value + (1 - share) * result[-1])
    return result


def about_y(degrees: float) -> np.ndarray:
    return cv2.Rodrigues(np.array([0.0, math.radians(degrees), 0.0]))[0]


def turned(angles: np.ndarray, cutoff: Cutoff, trust: float = 1.0) -> np.ndarray:
    """What becomes of a head that is turned by these angles, one a frame."""
    smooth = OneEuroRotation(cutoff)
    vectors = [cv2.Rodrigues(smooth(about_y(angle), STEP, trust))[0] for angle in angles]
    return np.degrees([vector[1, 0] for vector in vectors])


@pytest.mark.parametrize(("minimum", "beta"), [(1.0, 0.0), (1.0, 0.007), (0.3, 2.0)])
def test_it_is_the_papers_filter(minimum: float, beta: float) -> None:
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.normal(0, 1, (80, 3)), axis=0)
    smooth = OneEuro(Cutoff(minimum, beta))
    ours = np.array([smooth(value, 1 / 50) for value in values])
    theirs = np.transpose([paper(values[:, column].tolist(), 50, minimum, beta) for column in range(3)])
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_a_rotation_about_one_axis_is_smoothed_as_its_angle() -> None:
    rng = np.random.default_rng(2)
    angles = np.cumsum(rng.normal(0, 3, 60))
    expected = paper(angles.tolist(), 30, 1.0, 0.1)
    np.testing.assert_allclose(turned(angles, Cutoff(1.0, 0.1)), expected, atol=1e-6)


def test_rest_is_stiller_and_a_higher_beta_lags_less() -> None:
    """What the paper promises of its two numbers."""
    trembling = np.random.default_rng(3).normal(0, 0.1, 400)
    spread = [turned(trembling, Cutoff(minimum, 0.02))[50:].std() for minimum in (4.0, 1.0, 0.3)]
    assert trembling.std() > spread[0] > spread[1] > spread[2]
    ramp = 2.0 * np.arange(60)
    lag = [ramp[-1] - turned(ramp, Cutoff(1.0, beta))[-1] for beta in (0.0, 0.02, 0.2)]
    assert lag[0] > lag[1] > lag[2] > 0


def test_less_confident_landmarks_are_smoothed_more() -> None:
    trembling = np.random.default_rng(4).normal(0, 0.1, 400)
    sure, doubtful = (turned(trembling, Cutoff(1.0, 0.02), trust)[50:].std() for trust in (1.0, 0.4))
    assert doubtful < 0.8 * sure


@pytest.mark.parametrize("preset", SMOOTHING.values(), ids=SMOOTHING)
def test_the_stated_delays_are_those_measured(preset: Preset) -> None:
    speed = 60  # degrees a second
    ramp = np.arange(-60, 60, speed * STEP)
    behind = ramp[-1] - turned(ramp, preset.rotation)[-1]
    assert 1000 * behind / speed == pytest.approx(preset.turn_delay, abs=1)

    def half(values: np.ndarray) -> float:
        """When 10 degrees are passed, in ms after the last frame before the turn; straight between frames."""
        after = int(np.argmax(values >= 10))
        before = values[after - 1]
        return 1000 * STEP * (after - 30 + (10 - before) / (values[after] - before))

    sudden = np.concatenate((np.zeros(30), np.full(60, 20.0)))
    assert half(turned(sudden, preset.rotation)) - half(sudden) == pytest.approx(preset.step_delay, abs=1)


def test_each_preset_is_stiller_and_later_than_the_one_before() -> None:
    trembling = np.random.default_rng(5).normal(0, 0.3, 400)
    spread = [turned(trembling, preset.rotation)[50:].std() for preset in SMOOTHING.values()]
    assert trembling.std() > spread[0] > spread[1] > spread[2]
    delays = [(preset.turn_delay, preset.step_delay) for preset in SMOOTHING.values()]
    assert delays == sorted(delays)


@pytest.mark.parametrize("preset", SMOOTHING.values(), ids=SMOOTHING)
@pytest.mark.parametrize("frames", [[1, 1, 1], [0.5, 1, 0.5], [0.3, 1, 0.7], [0.8, 1, 0.2]], ids=str)
def test_a_blink_of_100_ms_is_not_smoothed_away(preset: Preset, frames: list[float]) -> None:
    smooth = OneEuro(preset.shapes)
    lids = [smooth(np.array([value]), STEP)[0] for value in [0.0] * 30 + frames + [0.0] * 10]
    assert max(lids) >= 0.85
    assert lids[-1] < 0.05


def test_a_smoothed_record_keeps_its_frame_and_its_form() -> None:
    """For the 1785-byte record: the odd pose stays what it is, and what belongs together goes on doing so."""
    rng = np.random.default_rng(6)
    smoothers, face = Smoothers(SMOOTHING["strong"]), make_face()
    turns, seen = [], []
    for frame in range(60):
        rotation = cv2.Rodrigues(cv2.Rodrigues(face.rotation)[0] @ about_y(rng.normal(0, 1)))[0].reshape(3)
        features = {name: float(rng.uniform(-1, 1)) for name in face.current_features}
        trembling = replace(face, rotation=rotation, current_features=features)
        (smoothed,) = smoothers.smooth([trembling], frame / 30)
        turns.append(cv2.Rodrigues(cv2.Rodrigues(rotation)[0].T @ cv2.Rodrigues(face.rotation)[0])[0])
        seen.append(cv2.Rodrigues(cv2.Rodrigues(smoothed.rotation)[0].T @ cv2.Rodrigues(face.rotation)[0])[0])
        assert smoothed.current_features.keys() == face.current_features.keys()
        np.testing.assert_array_equal(smoothed.lms, face.lms)
        x, y, z, w = smoothed.quaternion  # of the transposed rotation
        matrix = cv2.Rodrigues(smoothed.rotation)[0].T
        assert matrix[0, 0] == pytest.approx(1 - 2 * (y * y + z * z), abs=1e-6)
        assert matrix[1, 2] == pytest.approx(2 * (y * z - x * w), abs=1e-6)
        np.testing.assert_allclose(smoothed.euler, cv2.RQDecomp3x3(cv2.Rodrigues(smoothed.rotation)[0])[0], atol=1e-6)
    assert np.std(seen[20:]) < 0.5 * np.std(turns[20:])


def test_a_new_face_begins_anew() -> None:
    smoothers, face = Smoothers(SMOOTHING["strong"]), make_face()
    far = replace(face, translation=face.translation + 3)
    smoothers.smooth([face], 0.0)
    assert abs(smoothers.smooth([far], 0.03)[0].translation - far.translation).max() > 0.01
    smoothers.smooth([], 0.06)
    np.testing.assert_allclose(smoothers.smooth([far], 0.09)[0].translation, far.translation)
