"""Synthetic heads: the pictures hold a head, and the truth beside them moves as heads move."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is not installed (training/requirements.txt)")

from training import heads  # noqa: E402
from training.heads.dataset import person_of  # noqa: E402
from training.heads.tongue import TIP  # noqa: E402

SIZE = (160, 160)
CAMERA = heads.Camera(2.2, (0.0, 0.0, 90.0))
PLAIN = heads.Appearance(seed=3, hair_style="short")


@pytest.fixture(scope="module")
def model():
    if not (heads.data_folder() / "ict_face_model.npz").is_file():
        pytest.skip("the 3D head (ict_face_model.npz) is not in $OSF_REFERENCE/data")
    return heads.HeadModel.load()


@pytest.fixture(scope="module")
def scene():
    return heads.Scene(
        lights=np.array([[0.0, 0.5, 0.866]], np.float32),
        light_colors=np.array([[0.6, 0.6, 0.6]], np.float32),
        sky=np.full(3, 0.4, np.float32),
        ground=np.full(3, 0.3, np.float32),
        background=np.full((8, 8, 3), 255, np.uint8),
    )


@pytest.fixture(scope="module")
def average(model):
    """The average person, ready to be drawn, on whom left and right are alike."""
    return heads.Actor.prepare(model, np.zeros(100), PLAIN, 512, 0.3)


@pytest.fixture
def draw(model, scene, average):
    def draw(expression=None, rotation=(0.0, 0.0, 0.0), **changes):
        head = heads.HeadParameters(np.zeros(100), PLAIN, expression or {}, rotation)
        return heads.render(model, head, changes.pop("camera", CAMERA), scene, SIZE, 1, average)

    return draw


def test_mirror_is_an_involution_and_keeps_the_middle():
    mirror = heads.MIRROR_66
    assert sorted(mirror) == list(range(66))
    assert (mirror[mirror] == np.arange(66)).all()
    assert [i for i in range(66) if mirror[i] == i] == [8, 27, 28, 29, 30, 33, 50, 55, 60, 64]


def test_a_head_is_drawn_where_its_points_are(draw):
    drawn = draw()
    assert drawn.image.shape == (*SIZE, 3) and drawn.image.dtype == np.uint8
    assert drawn.points.shape == (66, 2) and drawn.pupils.shape == (2, 2)
    assert (drawn.points > 0).all() and (drawn.points < np.array(SIZE) - 1).all()
    assert drawn.visible[17:].all()
    rows, columns = np.round(drawn.points).astype(int).T
    assert (drawn.image[rows, columns][17:].min(axis=1) < 250).all(), "a point lies on the white background"
    x, y, w, h = drawn.box
    np.testing.assert_allclose([y, x], drawn.points.min(0), atol=1e-3)
    np.testing.assert_allclose([y + h, x + w], drawn.points.max(0), atol=1e-3)
    assert drawn.image[0, 0].min() >= 253


def test_the_points_are_in_the_trackers_order(draw):
    rows, columns = draw().points.T
    assert columns[0] < columns[8] < columns[16] and rows[8] == rows.max()
    assert rows[17:27].max() < rows[27] < rows[30] < rows[33] < rows[48:].min()
    assert columns[36] < columns[39] < columns[42] < columns[45]
    assert rows[37:39].max() < rows[40:42].min() and rows[43:45].max() < rows[46:48].min()
    assert columns[58] == columns[48:].min() and columns[62] == columns[48:].max()
    assert rows[48:53].mean() < rows[53:58].mean()


@pytest.mark.parametrize(("side", "upper", "lower"), [("R", (37, 38), (41, 40)), ("L", (43, 44), (47, 46))])
def test_blinking_closes_one_eye(draw, side, upper, lower):
    def gap(drawn):
        return (drawn.points[list(lower), 0] - drawn.points[list(upper), 0]).mean()

    open_, half, shut = draw(), draw({f"eyeBlink_{side}": 0.5}), draw({f"eyeBlink_{side}": 1.0})
    index, other = ("R", "L").index(side), ("L", "R").index(side)
    assert gap(shut) < 0.25 * gap(open_) and gap(shut) < gap(half) < gap(open_)
    assert open_.eye_open[index] == pytest.approx(1, abs=1e-3)
    assert shut.eye_open[index] < 0.05 < half.eye_open[index] < 0.9
    assert shut.eye_open[other] == pytest.approx(1, abs=0.05)
    row, column = np.round(open_.pupils[index]).astype(int)
    assert shut.image[row, column].mean() > open_.image[row, column].mean() + 20, "the lid does not cover the pupil"
    assert open_.pupils_visible[index] and not shut.pupils_visible[index]


def test_turning_moves_the_nose(draw):
    straight = draw().points[30]
    assert draw(rotation=(30, 0, 0)).points[30, 1] > straight[1] + 5, "yaw: to the person's left, the image's right"
    assert draw(rotation=(-30, 0, 0)).points[30, 1] < straight[1] - 5
    assert draw(rotation=(0, 20, 0)).points[30, 0] < straight[0] - 5, "pitch: the face looks up"
    leaning = draw(rotation=(0, 0, 25)).points
    assert leaning[27, 1] > leaning[8, 1] + 5, "roll: the crown leans to the image's right"
    assert leaning[45, 0] > leaning[36, 0] + 5


def test_a_far_jaw_is_hidden_and_the_near_one_is_not(draw):
    visible = draw(rotation=(60, 0, 0)).visible
    assert visible[1:5].all() and not visible[13:16].any()


def test_looking_aside_moves_both_pupils_alike(draw):
    straight, left = draw().pupils, draw(heads.gaze(1.0, 0.0)).pupils
    up = draw(heads.gaze(0.0, 1.0)).pupils
    assert (left[:, 1] > straight[:, 1] + 1).all()
    assert (up[:, 0] < straight[:, 0] - 0.5).all()


def test_a_mirrored_head_has_mirrored_points(draw):
    smile = {"mouthSmile_R": 0.8, "eyeBlink_R": 0.6, "browOuterUp_R": 0.7, **heads.gaze(0.5, 0.2)}
    mirrored = {"mouthSmile_L": 0.8, "eyeBlink_L": 0.6, "browOuterUp_L": 0.7, **heads.gaze(-0.5, 0.2)}
    a, b = draw(smile, (25, 10, 15)), draw(mirrored, (-25, 10, -15))
    flipped = np.stack([b.points[heads.MIRROR_66, 0], SIZE[1] - 1 - b.points[heads.MIRROR_66, 1]], 1)
    np.testing.assert_allclose(a.points, flipped, atol=0.35)
    pupils = np.stack([b.pupils[::-1, 0], SIZE[1] - 1 - b.pupils[::-1, 1]], 1)
    np.testing.assert_allclose(a.pupils, pupils, atol=0.35)
    np.testing.assert_allclose(a.eye_open, b.eye_open[::-1], atol=0.03)


def test_the_same_seed_gives_the_same_picture(model):
    first, again = (heads.random_rendering(model, np.random.default_rng(5), 96, supersample=1) for _ in range(2))
    other = heads.random_rendering(model, np.random.default_rng(6), 96, supersample=1)
    assert (first.image == again.image).all() and (first.points == again.points).all()
    assert first.expression == again.expression
    assert (first.image != other.image).any()


def test_a_given_background_is_used(model):
    drawn = heads.random_rendering(
        model, np.random.default_rng(5), 96, lambda rng: np.full((4, 4, 3), (255, 0, 255), np.uint8), 1
    )
    assert (np.abs(drawn.image.astype(int) - (255, 0, 255)) < 3).all(-1).mean() > 0.1


def test_every_style_of_hair_and_glasses_can_be_drawn(model, scene):
    for style, glasses in zip(heads.HAIR_STYLES, ["", "thin", "thick", "sun"] * 3, strict=False):
        look = replace(PLAIN, hair_style=style, glasses=glasses, beard_length=1.0, freckles=0.5, collar=1.0)
        actor = heads.Actor.prepare(model, np.zeros(100), look, 256, 0.1)
        head = heads.HeadParameters(np.zeros(100), look)
        drawn = heads.render(model, head, CAMERA, scene, (64, 64), 1, actor)
        assert drawn.image.std() > 10
        assert drawn.pupils_visible.all() == (glasses != "sun"), "dark glasses hide the eyes, others do not"


def test_the_data_set_has_one_row_a_head(model):
    data = heads.make_dataset(model, 2, 64, seed=1)
    assert data["images"].shape == (2, 64, 64, 3)
    assert data["points"].shape == (2, 66, 2) and data["pupils"].shape == (2, 2, 2)
    assert data["expression"].shape == (2, len(data["expression_names"]))
    assert (np.abs(data["pose"]) <= (75, 35, 50)).all()
    assert (data["images"][0] != data["images"][1]).any()


def test_the_tongue_comes_out_over_the_lower_lip(model, draw):
    open_mouth = {"jawOpen": 0.3}
    tip = model.shape(np.zeros(100), {**open_mouth, "tongueOut": 1.0})[TIP]
    lip = model.shape(np.zeros(100), open_mouth)[model.anatomy[[64, 55]]]
    assert tip[2] > lip[:, 2].max() + 0.3 and tip[1] < lip[1, 1], "before the lip, and below its lower edge"
    within = model.shape(np.zeros(100), open_mouth)[TIP]
    assert within[2] < lip[0, 2], "without it the tongue lies in the mouth"
    halfway = model.shape(np.zeros(100), {**open_mouth, "tongueOut": 0.5})[TIP]
    assert within[2] < halfway[2] and tip[1] < halfway[1]
    row, column = np.round(draw(open_mouth).points[55]).astype(int)
    before, after = (draw({**open_mouth, "tongueOut": w}).image[row, column].astype(int) for w in (0.0, 1.0))
    assert np.abs(after - before).sum() > 20, "the tongue is seen on the lower lip"
    rest = draw(open_mouth).points
    np.testing.assert_array_equal(rest, draw({**open_mouth, "tongueOut": 1.0}).points)


def test_random_shapes_draw_every_shape_and_only_possible_faces():
    rng = np.random.default_rng(0)
    faces = [heads.random_shapes(rng) for _ in range(3000)]
    strong = {name for face in faces for name, weight in face.items() if weight > 0.8}
    assert strong >= set(heads.EXPRESSION_NAMES)
    for face in faces:
        assert all(0 < weight <= 1 for weight in face.values())
        if "tongueOut" in face:
            assert face["jawOpen"] > 0.1 and "mouthClose" not in face
        assert face.get("mouthClose", 0) <= face.get("jawOpen", 0) + 1e-6
        assert not ("jawLeft" in face and "jawRight" in face)
    alone = [face for face in faces if face.get("eyeBlink_L", 0) > 0.8 and face.get("eyeBlink_R", 0) < 0.05]
    assert len(alone) > 50, "the sides are independent"


def test_a_mirrored_face_is_the_face_again_in_the_mirrors_mirror():
    face = {"mouthSmile_L": 0.4, "jawLeft": 0.2, "jawOpen": 0.3, "mouthRight": 0.1, "tongueOut": 0.5}
    assert heads.mirrored(face) == {
        "mouthSmile_R": 0.4, "jawRight": 0.2, "jawOpen": 0.3, "mouthLeft": 0.1, "tongueOut": 0.5
    }  # fmt: skip
    assert heads.mirrored(heads.mirrored(face)) == face


def test_people_who_are_held_out_are_shown_at_no_other_place():
    people = [person_of(i) for i in range(400)]
    assert not set(people[::10]) & {p for i, p in enumerate(people) if i % 10}
    counts = [people.count(p) for p in set(people[:390])]
    assert set(counts) == {3}
