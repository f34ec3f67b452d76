"""Head pose: from projections with known poses back to these, whatever OpenCV returns and whatever comes in."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracking import pose
from tracking.face_shape import REFERENCE_SHAPE

WIDTH, HEIGHT = 640, 480
#: A face that looks straight into the camera.
FRONTAL = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
#: From a rotation of a head behind the camera to that of the head before it that looks most like it.
BEFORE_CAMERA = np.diag([-1.0, -1, 1])

yaws, pitches, rolls = st.floats(-60, 60), st.floats(-30, 30), st.floats(-45, 45)
distances = st.floats(3, 20)
offsets = st.floats(-0.3, 0.3)


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation of a head that is turned by these angles, degrees, seen from the camera."""
    axes = np.radians([(pitch, 0, 0), (0, yaw, 0), (0, 0, roll)])
    about_x, about_y, about_z = (cv2.Rodrigues(axis)[0] for axis in axes)
    return FRONTAL @ about_z @ about_y @ about_x


def seen(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Landmarks (68, 3) of the reference shape."""
    image = pose.project(REFERENCE_SHAPE[:68], rotation, translation, WIDTH, HEIGHT)
    return np.column_stack([image, np.ones(68)])


def degrees_apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(a @ b.T)[0])))


def solved(landmarks: np.ndarray, **arguments) -> pose.Pose:
    found = pose.solve(REFERENCE_SHAPE, landmarks, WIDTH, HEIGHT, **arguments)
    assert found is not None
    return found


# The projection


def test_projection_takes_rows_as_x_and_columns_as_y():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    image = pose.project(points, np.eye(3), np.array([0.0, 0, 2]), WIDTH, HEIGHT)
    assert image.tolist() == [[320, 240], [640, 240], [320, 560]]


def test_projection_is_that_of_opencv():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points, vector = rng.normal(size=(30, 3)), rng.normal(size=3)
        translation = rng.normal(size=3) + (0, 0, -8)
        expected = cv2.projectPoints(points, vector, translation, pose.camera_matrix(WIDTH, HEIGHT), None)[0]
        found = pose.project(points, vector, translation, WIDTH, HEIGHT)
        np.testing.assert_allclose(found, expected.reshape(-1, 2), atol=1e-8)


def test_projection_takes_a_rodrigues_vector_of_any_shape_and_a_matrix():
    rotation = turned(20, 10, 5)
    vector = cv2.Rodrigues(rotation)[0].reshape(3)
    expected = pose.project(REFERENCE_SHAPE, rotation, np.array([0.1, 0.2, -6]), WIDTH, HEIGHT)
    for shape in ((3,), (3, 1), (1, 3)):
        for translation in (np.array([0.1, 0.2, -6]), np.array([[0.1], [0.2], [-6]])):
            found = pose.project(REFERENCE_SHAPE, vector.reshape(shape), translation, WIDTH, HEIGHT)
            np.testing.assert_allclose(found, expected, atol=1e-9)


# Solving


@settings(max_examples=150, deadline=None)
@given(yaws, pitches, rolls, distances, offsets, offsets)
@example(0, 0, 30, 5, 0, 0)
@example(0, 0, -45, 5, 0, 0)
@example(60, 30, 45, 3, 0.3, 0.3)
@example(0, 0, 0, 5, 0, 0)
def test_known_poses_come_back_without_a_previous_frame(yaw, pitch, roll, distance, x, y):
    rotation, translation = turned(yaw, pitch, roll), np.array([x * distance, y * distance, -distance])
    found = solved(seen(rotation, translation))
    assert degrees_apart(found.matrix, rotation) < 0.1
    np.testing.assert_allclose(found.translation, translation, atol=0.01 * distance)
    assert found.error < 0.1
    np.testing.assert_allclose(found.matrix, cv2.Rodrigues(found.rotation)[0])
    assert found.rotation.shape == found.translation.shape == (3,)


@pytest.mark.parametrize("contour", [pose.CONTOUR, pose.CONTOUR_30_POINTS], ids=["66 points", "30 points"])
@pytest.mark.parametrize("roll", [-60, -45, -30, 30, 45, 60])
def test_a_leaning_person_is_solved_from_the_first_frame_on(roll, contour):
    rng = np.random.default_rng(roll + 100)
    rotation, translation = turned(15, -10, roll), np.array([0.5, -0.3, -5])
    landmarks = seen(rotation, translation)
    landmarks[:, :2] += rng.normal(0, 1, (68, 2))
    found = solved(landmarks, contour=contour)
    assert degrees_apart(found.matrix, rotation) < 5
    assert found.error < 3


@settings(max_examples=100, deadline=None)
@given(yaws, pitches, rolls, st.floats(1.5, 20))
def test_real_perspective_comes_out_on_the_branch_behind_the_camera(yaw, pitch, roll, distance):
    """What a camera really sees has t_z > 0; receivers are built on its counterpart with t_z < 0."""
    rotation = turned(yaw, pitch, roll)
    landmarks = seen(BEFORE_CAMERA @ rotation, np.array([0.0, 0, distance]))
    found = solved(landmarks)
    assert found.translation[2] < 0
    # The nearer the head, the less a head inside out can look like it.
    assert degrees_apart(found.matrix, rotation) < 5 + 50 / distance
    assert found.error < (0.02 + 0.3 / distance) * np.ptp(landmarks[:, :2], axis=0).max()


#: Share of the frame's height that a face takes, and of width to height of the frame.
SIZES = (0.04, 0.12, 0.4, 0.8, 1.2, 1.6)
ASPECTS = (1 / 4, 9 / 16, 1, 16 / 9, 4)


def seen_at_size(
    rotation: np.ndarray, size: float, aspect: float, x: float, y: float
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """A face of that share of the frame's height, its nose x, y frames from the middle; it may reach beyond it.

    Returns landmarks (66, 3), translation, width and height of the frame.
    """
    width, height = 480 * aspect, 480.0
    direction = np.array([y * height / width, x, -1])

    def extent(distance: float) -> float:
        if (REFERENCE_SHAPE[:66] @ rotation[2]).max() > distance - 0.01:
            return np.inf  # the camera is inside of the head
        image = pose.project(REFERENCE_SHAPE[:66], rotation, distance * direction, width, height)
        return np.ptp(image, axis=0).max()

    near, far = 0.01, 1000.0
    for _ in range(50):
        middle = np.sqrt(near * far)
        near, far = (middle, far) if extent(middle) > size * height else (near, middle)
    image = pose.project(REFERENCE_SHAPE[:66], rotation, far * direction, width, height)
    return np.column_stack([image, np.ones(66)]), far * direction, width, height


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize("size", SIZES)
def test_known_poses_come_back_at_any_size_and_place_in_any_frame(size, aspect):
    """From faces far away to such as the camera is next to, that reach beyond the frame."""
    for yaw, pitch, roll in itertools.product((-60, -20, 0, 40), (-30, 0, 30), (-45, 0, 30)):
        for x, y in ((0, 0), (0.4, -0.4)):
            rotation = turned(yaw, pitch, roll)
            landmarks, translation, width, height = seen_at_size(rotation, size, aspect, x, y)
            found = pose.solve(REFERENCE_SHAPE, landmarks, width, height)
            assert found is not None
            assert degrees_apart(found.matrix, rotation) < 0.1
            np.testing.assert_allclose(found.translation, translation, rtol=0.01, atol=0.01 * abs(translation[2]))


@settings(max_examples=200, deadline=None)
@given(
    yaws,
    pitches,
    rolls,
    st.floats(0.04, 1.6),
    st.floats(1 / 4, 4),
    st.tuples(offsets, offsets),
    st.integers(0, 1000),
    st.booleans(),
)
@example(0, 0, 0, 1.6, 1 / 4, (0, 0), 0, True)
@example(60, 30, 45, 1.6, 1.0, (0.3, 0.3), 0, False)
@example(0, 0, 0, 0.04, 4, (0, 0), 0, False)
def test_no_landmarks_of_a_face_give_nonsense(yaw, pitch, roll, size, aspect, place, seed, jump):
    """Of a projection and noise of 1 %; alone, and after a pose of another face elsewhere."""
    landmarks, _, width, height = seen_at_size(turned(yaw, pitch, roll), size, aspect, *place)
    extent = np.ptp(landmarks[:, :2], axis=0).max()
    rng = np.random.default_rng(seed)
    landmarks[:, :2] += rng.normal(0, 0.01 * extent, (66, 2))
    previous = None
    if jump:
        other, *_ = seen_at_size(turned(-yaw, pitch, -roll), rng.uniform(0.04, 1.6), aspect, -place[0], place[1])
        previous = pose.solve(REFERENCE_SHAPE, other, width, height)
    doubtful = pose.DOUBTFUL_ERROR * extent
    found = pose.solve(REFERENCE_SHAPE, landmarks, width, height, pose.CONTOUR, previous, doubtful)
    assert found is not None
    assert found.error < pose.DOUBTFUL_ERROR * extent
    assert (REFERENCE_SHAPE @ found.matrix[2] + found.translation[2]).max() < 0, "the whole head is behind the camera"


def test_a_pose_that_fits_a_little_does_not_outlive_a_jump():
    """Two people change seats: from the other one's pose the solver may stop where the error is not yet doubtful."""
    rng, worst = np.random.default_rng(1), 0.0
    for _ in range(300):
        poses = []
        for _ in range(2):
            rotation = turned(rng.uniform(-60, 60), rng.uniform(-30, 30), rng.uniform(-45, 45))
            size = np.exp(rng.uniform(np.log(0.04), np.log(1.6)))
            poses.append((rotation, *seen_at_size(rotation, size, 1.0, *rng.uniform(-0.3, 0.3, 2))))
        (_, before, _, width, height), (rotation, landmarks, _, _, _) = poses
        previous = pose.solve(REFERENCE_SHAPE, before, width, height)
        doubtful = pose.DOUBTFUL_ERROR * np.ptp(landmarks[:, :2], axis=0).max()
        found = pose.solve(REFERENCE_SHAPE, landmarks, width, height, pose.CONTOUR, previous, doubtful)
        assert found is not None
        worst = max(worst, degrees_apart(found.matrix, rotation))
    assert worst < 1


def test_a_pose_inside_of_the_head_is_none(monkeypatch):
    """A solver that stops where the jaw is on the other side of the camera has found nothing."""
    inside = (True, cv2.Rodrigues(FRONTAL)[0], np.array([[0.0], [0], [-0.5]]))
    monkeypatch.setattr(cv2, "solvePnP", lambda *arguments, **options: inside)
    assert pose.solve(REFERENCE_SHAPE, seen(FRONTAL, np.array([0.0, 0, -2])), WIDTH, HEIGHT) is None


def test_a_frontal_face_has_the_rotation_that_receivers_expect():
    found = solved(seen(FRONTAL, np.array([0.0, 0, -6])))
    np.testing.assert_allclose(found.matrix, FRONTAL, atol=1e-6)
    np.testing.assert_allclose(found.translation, (0, 0, -6), atol=1e-5)


def test_a_previous_pose_that_leads_astray_does_no_harm():
    rotation, translation = turned(20, 5, 30), np.array([0.2, 0.1, -6])
    landmarks = seen(rotation, translation)
    for wrong in (turned(0, 0, 180), turned(180, 0, 0), turned(0, 90, 0), np.eye(3)):
        for before in ((0, 0, -1), (0, 0, 5), (50, 50, -1000), (0, 0, 0)):
            previous = pose.Pose(cv2.Rodrigues(wrong)[0].reshape(3), wrong, np.array(before, float), 1.0)
            assert degrees_apart(solved(landmarks, previous=previous).matrix, rotation) < 0.5


def test_following_a_turning_head_gives_what_each_frame_gives_alone():
    previous = None
    for step in range(60):
        landmarks = seen(turned(step - 30, step / 3 - 10, 45 - step), np.array([0.3, 0.1, -6 + step / 30]))
        landmarks[:, :2] += np.random.default_rng(step).normal(0, 0.5, (68, 2))
        previous = solved(landmarks, previous=previous)
        assert degrees_apart(previous.matrix, solved(landmarks).matrix) < 0.1


def test_error_is_taken_over_jaw_line_and_tip_of_the_nose():
    landmarks = seen(FRONTAL, np.array([0.0, 0, -6]))
    landmarks[3, 0] += 10  # no point that is fitted, so that only the error changes
    found = solved(landmarks)
    assert found.error == pytest.approx(np.sqrt(10**2 / (2 * 14)), rel=1e-3)
    assert solved(landmarks, contour=pose.CONTOUR_30_POINTS).error == pytest.approx(
        np.sqrt(10**2 / (2 * 8)), rel=1e-3
    )


def test_points_that_are_not_fitted_do_not_move_the_pose():
    landmarks = seen(turned(10, 5, 5), np.array([0.0, 0, -6]))
    moved = landmarks.copy()
    others = np.setdiff1d(np.arange(66), pose.CONTOUR)
    moved[others, :2] += 20
    np.testing.assert_allclose(solved(moved).rotation, solved(landmarks).rotation)


# OpenCV 4 returns columns, OpenCV 5 rows in places ("shapes (3,3) and (1,3) not aligned")


@pytest.mark.parametrize("of_rodrigues", [(3,), (3, 1), (1, 3)], ids=str)
@pytest.mark.parametrize("of_solver", [(3,), (3, 1), (1, 3)], ids=str)
def test_shapes_3x3_and_1x3_not_aligned(monkeypatch, of_solver, of_rodrigues):
    """A face is solved whatever shapes solvePnP and Rodrigues return their vectors in."""
    solve_pnp, rodrigues = cv2.solvePnP, cv2.Rodrigues
    calls = []

    def solver(*arguments, **options):
        found, rotation, translation = solve_pnp(*arguments, **options)
        calls.append("solvePnP")
        return found, rotation.reshape(of_solver), translation.reshape(of_solver)

    def converter(vector, *arguments):
        result, jacobian = rodrigues(vector, *arguments)
        calls.append("Rodrigues")
        return (result if result.shape == (3, 3) else result.reshape(of_rodrigues)), jacobian

    rotation, translation = turned(-25, 10, 30), np.array([0.2, -0.4, -6])
    landmarks = seen(rotation, translation)
    monkeypatch.setattr(cv2, "solvePnP", solver)
    monkeypatch.setattr(cv2, "Rodrigues", converter)
    first = solved(landmarks)
    second = solved(landmarks, previous=first)
    monkeypatch.undo()
    assert {"solvePnP", "Rodrigues"} <= set(calls)
    for found in (first, second):
        assert found.rotation.shape == found.translation.shape == (3,)
        assert degrees_apart(found.matrix, rotation) < 0.1
        np.testing.assert_allclose(found.translation, translation, atol=1e-3)


def test_the_installed_opencv_solves_a_face_whatever_it_returns():
    found = solved(seen(FRONTAL, np.array([0.0, 0, -6])))
    points = pose.back_project(REFERENCE_SHAPE, seen(FRONTAL, np.array([0.0, 0, -6])), found, WIDTH, HEIGHT)
    assert points.shape == (70, 3) and np.isfinite(points).all()


@pytest.mark.parametrize("fails", ["raises", "finds nothing", "nan", "infinite", "in front"])
def test_a_solver_that_fails_gives_no_pose(monkeypatch, fails):
    nothing = np.zeros((3, 1))
    answers = {
        "finds nothing": (False, nothing, nothing),
        "nan": (True, np.full((3, 1), np.nan), np.full((3, 1), np.nan)),
        "infinite": (True, nothing, np.full((3, 1), -np.inf)),
        "in front": (True, nothing, np.array([[0.0], [0], [5]])),
    }

    def solver(*arguments, **options):
        if fails == "raises":
            raise cv2.error("solvePnP: it will not")
        return answers[fails]

    landmarks = seen(FRONTAL, np.array([0.0, 0, -6]))
    previous = solved(landmarks)
    monkeypatch.setattr(cv2, "solvePnP", solver)
    with np.errstate(all="ignore"):
        assert pose.solve(REFERENCE_SHAPE, landmarks, WIDTH, HEIGHT) is None
        assert pose.solve(REFERENCE_SHAPE, landmarks, WIDTH, HEIGHT, previous=previous) is None


# Landmarks that are none

nonsense = st.one_of(
    st.sampled_from([0.0, -1.0, 1e-30, 1e30, 1e300, float("nan"), float("inf"), -float("inf"), 100.0]),
    st.floats(-1000, 1000),
)


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.float64, (68, 3), elements=nonsense, fill=nonsense))
@example(np.zeros((68, 3)))
@example(np.full((68, 3), np.nan))
@example(np.full((68, 3), np.inf))
@example(np.full((68, 3), 250.0))
@example(np.column_stack([np.arange(68.0), np.arange(68.0), np.ones(68)]))
@example(np.column_stack([np.arange(68.0), np.zeros(68), np.ones(68)]))
def test_any_landmarks_give_a_finite_pose_or_none(landmarks):
    with np.errstate(all="ignore"):
        found = pose.solve(REFERENCE_SHAPE, landmarks, WIDTH, HEIGHT)
    if found is not None:
        assert np.isfinite(landmarks[:66, :2]).all()
        assert np.isfinite([*found.rotation, *found.translation, *found.matrix.ravel(), found.error]).all()
        assert found.translation[2] < 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("point", [3, 30])
def test_a_single_landmark_that_is_not_finite_gives_no_pose(value, point):
    landmarks = seen(FRONTAL, np.array([0.0, 0, -6]))
    landmarks[point, 1] = value
    assert pose.solve(REFERENCE_SHAPE, landmarks, WIDTH, HEIGHT) is None


# Back-projection


@settings(max_examples=100, deadline=None)
@given(yaws, pitches, rolls, distances)
def test_back_projection_undoes_the_projection(yaw, pitch, roll, distance):
    rotation, translation = turned(yaw, pitch, roll), np.array([0.1, -0.2, -distance])
    landmarks = seen(rotation, translation)
    landmarks[:, :2] += np.random.default_rng(0).normal(0, 3, (68, 2))  # also of landmarks that are off
    found = pose.Pose(cv2.Rodrigues(rotation)[0].reshape(3), rotation, translation, 0.0)
    points = pose.back_project(REFERENCE_SHAPE, landmarks, found, WIDTH, HEIGHT)
    image = pose.project(points[:68], rotation, translation, WIDTH, HEIGHT)
    np.testing.assert_allclose(image, landmarks[:, :2], atol=1e-6)
    depths = points[:66] @ rotation[2], REFERENCE_SHAPE[:66] @ rotation[2]
    np.testing.assert_allclose(*depths, atol=1e-9)


def test_exact_landmarks_give_the_shape_itself():
    rotation, translation = turned(10, 5, -20), np.array([0.1, -0.2, -6])
    found = pose.Pose(cv2.Rodrigues(rotation)[0].reshape(3), rotation, translation, 0.0)
    points = pose.back_project(REFERENCE_SHAPE, seen(rotation, translation), found, WIDTH, HEIGHT)
    np.testing.assert_allclose(points[:66], REFERENCE_SHAPE[:66], atol=1e-9)


def test_pupil_depth_lies_between_the_eyes_corners():
    rotation, translation = turned(40, 0, 0), np.array([0.0, 0, -6])
    found = pose.Pose(cv2.Rodrigues(rotation)[0].reshape(3), rotation, translation, 0.0)
    depth = REFERENCE_SHAPE @ rotation[2] + translation[2]
    for share in (0.0, 0.25, 0.5, 1.0):
        landmarks = seen(rotation, translation)
        landmarks[66, :2] = landmarks[36, :2] * (1 - share) + landmarks[39, :2] * share
        landmarks[67, :2] = landmarks[42, :2] * (1 - share) + landmarks[45, :2] * share
        points = pose.back_project(REFERENCE_SHAPE, landmarks, found, WIDTH, HEIGHT)
        # The spec's weights, as they are: the first corner's depth times the distance to the first corner.
        expected = [depth[36] * share + depth[39] * (1 - share), depth[42] * share + depth[45] * (1 - share)]
        np.testing.assert_allclose(points[66:68] @ rotation[2] + translation[2], expected)


def test_eyeballs_lie_behind_the_middle_of_the_eyes():
    rotation, translation = turned(0, 0, 0), np.array([0.0, 0, -6])
    found = pose.Pose(cv2.Rodrigues(rotation)[0].reshape(3), rotation, translation, 0.0)
    points = pose.back_project(REFERENCE_SHAPE, seen(rotation, translation), found, WIDTH, HEIGHT)
    for ball, outer, inner in ((68, 36, 39), (69, 42, 45)):
        width = np.linalg.norm(points[outer] - points[inner])
        np.testing.assert_allclose(points[ball], (points[outer] + points[inner]) / 2 - (0, 0, 0.385 * width))


def test_pupil_on_an_eye_without_width_stays_finite():
    rotation, translation = turned(0, 0, 0), np.array([0.0, 0, -6])
    found = pose.Pose(cv2.Rodrigues(rotation)[0].reshape(3), rotation, translation, 0.0)
    landmarks = seen(rotation, translation)
    landmarks[[36, 39, 66], :2] = 100.0
    assert np.isfinite(pose.back_project(REFERENCE_SHAPE, landmarks, found, WIDTH, HEIGHT)).all()


# Normalising


def test_the_reference_shape_is_normal_already():
    np.testing.assert_allclose(pose.normalize(REFERENCE_SHAPE), REFERENCE_SHAPE, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(-170, 170), st.floats(0.2, 5), st.tuples(*[st.floats(-3, 3)] * 3))
def test_normalising_undoes_turning_sizing_and_shifting_in_the_plane(angle, size, shift):
    turn = cv2.Rodrigues(np.radians([0.0, 0, angle]))[0]
    sized = REFERENCE_SHAPE * (size, size, 1)
    points = sized @ turn.T + shift
    np.testing.assert_allclose(
        pose.normalize(points), REFERENCE_SHAPE + (0, 0, shift[2]), atol=1e-9 * (1 + 1 / size)
    )


def test_normalising_divides_by_the_mean_of_ratios():
    points = REFERENCE_SHAPE.copy()
    points[0, 0] *= 3  # the width of the jaw doubles: (2 + 1 + 1) / 3
    x = pose.normalize(points)[:, 0]
    np.testing.assert_allclose(x, points[:, 0] / (4 / 3))
    points = REFERENCE_SHAPE.copy()
    step = points[29, 1] - points[30, 1]
    points[27:30, 1] += 3 * step  # the lowest step of the bridge is four times as long: (1 + 1 + 4) / 3
    np.testing.assert_allclose(pose.normalize(points)[:, 1], points[:, 1] / 2)


# Angles


def rotate(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """q v q*, for q = (x, y, z, w)."""
    axis, w = quaternion[:3], quaternion[3]
    return vector + 2 * w * np.cross(axis, vector) + 2 * np.cross(axis, np.cross(axis, vector))


vectors = st.tuples(*[st.floats(-np.pi, np.pi)] * 3).map(np.array)


@settings(max_examples=200, deadline=None)
@given(vectors)
@example(np.zeros(3))
@example(np.array([np.pi, 0, 0]))
@example(np.array([0, np.pi, 0]))
@example(np.array([0, 0, np.pi]))
@example(np.array([0, 0, 3.0]))
def test_quaternion_turns_vectors_as_the_transpose_does(vector):
    rotation = cv2.Rodrigues(vector)[0]
    quaternion = pose.quaternion(rotation)
    assert np.linalg.norm(quaternion) == pytest.approx(1)
    for basis in np.eye(3):
        np.testing.assert_allclose(rotate(quaternion, basis), rotation.T @ basis, atol=1e-9)


@pytest.mark.parametrize(
    ("largest", "vector"), [(0, (3, 0.2, 0.1)), (1, (0.2, 3, 0.1)), (2, (0.1, 0.2, 3)), (3, (0.3, 0.2, 0.1))]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_quaternions_largest_component_is_positive_on_every_branch(largest, vector, sign):
    quaternion = pose.quaternion(cv2.Rodrigues(sign * np.array(vector, float))[0])
    assert np.abs(quaternion).argmax() == largest
    assert quaternion[largest] > 0.5


def test_euler_angles_are_those_of_opencv():
    for rotation in (np.eye(3), FRONTAL, turned(30, 20, 10), turned(-50, 5, -40)):
        assert tuple(pose.euler(rotation)) == tuple(cv2.RQDecomp3x3(rotation)[0])
    assert pose.euler(FRONTAL).shape == (3,)


@pytest.mark.parametrize("axis", range(3))
def test_angles_are_those_that_receivers_undo(axis):
    """Unity's receiver computes -y, z - 90 and -(x + 180), modulo 360; a frontal face has none of them left."""
    for angle in (-40, -1, 1, 40):
        turn = [0.01, 0.01, 0.01]
        turn[axis] = angle
        x, y, z = pose.euler(turned(turn[1], turn[0], turn[2]))
        left = np.array([-(x + 180), -y, z - 90])
        left = np.abs((left + 180) % 360 - 180)
        assert np.sort(left)[1] < 0.1, "one angle alone"
        assert left.max() == pytest.approx(abs(angle), abs=0.1)
