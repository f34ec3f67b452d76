"""The record, byte by byte: against a decoder written from the protocol's table, and against recordings."""

import math
import random
import re
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_faces import golden, golden_face, make_face

from sending.packet import RECORD, decode, encode
from tracking.features import FEATURE_NAMES

f32 = np.float32
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def independent(data: bytes) -> list[list[tuple]]:
    """What a receiver does: the fields at their offsets, with `struct` alone."""
    fields = [(0, "<d"), (8, "<i"), (12, "<2f"), (20, "<2f"), (28, "<B"), (29, "<f"), (33, "<4f")]
    fields += [(49, "<3f"), (61, "<3f"), (73, "<68f"), (345, "<136f"), (889, "<210f"), (1729, "<14f")]
    return [
        [struct.unpack_from(code, data, start + offset) for offset, code in fields]
        for start in range(0, len(data), 1785)
    ]


def test_every_field_lies_where_receivers_read_it():
    face = make_face(3, success=True)
    ((time, number, size, eyes, success, error, quaternion, euler, translation, *rest),) = independent(
        encode([face], 1700000000.125, 640, 360, face_id_offset=10)
    )
    confidence, points, points_3d, features = rest
    assert time == (1700000000.125,)
    assert number == (13,)
    assert size == (640, 360)
    assert eyes == tuple(f32(face.eye_blink))
    assert success == (1,)
    assert error == (f32(face.pnp_error),)
    assert quaternion == tuple(f32(face.quaternion))
    assert euler == tuple(f32(face.euler))
    assert translation == tuple(f32(face.translation))
    assert confidence == tuple(f32(face.lms[:, 2]))
    for i in range(68):
        row, column, _ = f32(face.lms[i])
        assert points[2 * i : 2 * i + 2] == (column, row)
    for i in range(70):
        x, y, z = f32(face.pts_3d[i])
        assert points_3d[3 * i : 3 * i + 3] == (x, -y, -z)
    order = (
        *("eye_l", "eye_r"),
        *("eyebrow_steepness_l", "eyebrow_updown_l", "eyebrow_quirk_l"),
        *("eyebrow_steepness_r", "eyebrow_updown_r", "eyebrow_quirk_r"),
        *("mouth_corner_updown_l", "mouth_corner_inout_l", "mouth_corner_updown_r", "mouth_corner_inout_r"),
        *("mouth_open", "mouth_wide"),
    )
    assert features == tuple(f32(face.current_features[name]) for name in order)


def test_faces_follow_one_another():
    faces = [make_face(0), make_face(1), make_face(5)]
    data = encode(faces, 1.0, 640, 360)
    assert len(data) == 3 * 1785
    assert data == b"".join(encode([face], 1.0, 640, 360) for face in faces)
    assert [record[1] for record in independent(data)] == [(0,), (1,), (5,)]
    assert encode([], 1.0, 640, 360) == b""


def test_what_is_unknown():
    face = make_face(eye_blink=None, current_features={"mouth_open": 0.5}, success=False)
    ((_, _, _, eyes, success, *_, features),) = independent(encode([face], 1.0, 640, 360))
    assert eyes == (1, 1)
    assert success == (0,)
    assert features == (0,) * 12 + (0.5, 0)


def test_equals_the_recorded_datagrams(reference):
    """Datagrams and numbers were recorded in two runs, which differ in a last bit here and there."""
    recorded = golden(reference, "carphone_model0_packets")["packets"]
    rows = golden(reference, "carphone_model0")
    assert len(recorded) == len(rows["frame"]) == 120
    times = decode(recorded.tobytes())["time"]
    ours = [encode([golden_face(rows, i)], times[i], 176, 144) for i in range(120)]
    assert [len(data) for data in ours] == [1785] * 120
    ours = np.frombuffer(b"".join(ours), np.uint8).reshape(120, 1785)
    assert (ours == recorded).all(axis=1).sum() == 2  # frames without such a bit
    exact = np.r_[0:33, 49:345]  # time to fit error, Euler to confidence
    np.testing.assert_array_equal(ours[:, exact], recorded[:, exact])
    for start, end, tolerance in [(33, 49, 2e-7), (345, 889, 1e-5), (889, 1729, 4e-7), (1729, 1785, 2e-5)]:
        field = np.ascontiguousarray(ours[:, start:end]).view("<f4")
        expected = np.ascontiguousarray(recorded[:, start:end]).view("<f4")
        np.testing.assert_allclose(field, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda face, bad: setattr(face, "pnp_error", bad),
        lambda face, bad: setattr(face, "eye_blink", (bad, 1.0)),
        lambda face, bad: setattr(face, "eye_blink", (1.0, bad)),
        lambda face, bad: face.quaternion.put(3, bad),
        lambda face, bad: face.euler.put(0, bad),
        lambda face, bad: face.translation.put(2, bad),
        lambda face, bad: face.lms.put(2, bad),
        lambda face, bad: face.lms.put(67 * 3, bad),
        lambda face, bad: face.pts_3d.put(69 * 3 + 2, bad),
        lambda face, bad: face.current_features.update(mouth_wide=bad),
    ],
)
def test_a_face_that_is_not_finite_is_left_out(spoil, bad, recwarn):
    broken = make_face(1)
    spoil(broken, bad)
    assert encode([broken], 1.0, 640, 360) == b""
    both = encode([make_face(0), broken, make_face(2)], 1.0, 640, 360)
    assert list(decode(both)["id"]) == [0, 2]
    assert not recwarn.list


def test_a_time_that_is_not_finite_sends_nothing():
    assert encode([make_face()], float("nan"), 640, 360) == b""


def test_an_id_that_does_not_fit():
    with pytest.raises(OverflowError):
        encode([make_face(1)], 1.0, 640, 360, face_id_offset=2**31 - 1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 30), max_size=4, unique=True),
    finite,
    finite,
    st.floats(0, 2e9),
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=14, max_size=14),
    st.none() | st.tuples(finite, finite),
)
def test_round_trip(ids, number, other, time, features, eyes):
    faces = [
        make_face(
            i,
            pnp_error=number,
            translation=np.array([number, other, -other]),
            current_features=dict(zip(FEATURE_NAMES, features, strict=True)),
            eye_blink=eyes,
        )
        for i in ids
    ]
    data = encode(faces, time, 1920, 1080, 7)
    if not faces:
        assert data == b""
        return
    records = decode(data)
    assert records.tobytes() == data
    assert list(records["id"]) == [i + 7 for i in ids]
    assert (records["time"] == time).all()
    for record, face in zip(records, faces, strict=True):
        assert record["pnp_error"] == f32(number)
        np.testing.assert_array_equal(record["points"], f32(face.lms[:, [1, 0]]))
        np.testing.assert_array_equal(record["confidence"], f32(face.lms[:, 2]))
        np.testing.assert_array_equal(record["points_3d"] * f32([1, -1, -1]), f32(face.pts_3d))
        np.testing.assert_array_equal(record["features"], f32(features))
        assert (record["right_eye_open"], record["left_eye_open"]) == ((1, 1) if eyes is None else eyes)


def test_decode_returns_records_or_raises_value_error():
    rng = random.Random(0)
    good = encode([make_face(0), make_face(1)], 1.0, 640, 360)
    lengths = [0, 1, 1784, 1785, 1786, 3569, 3570, 3571, 65507]
    decoded = 0
    for i in range(10_000):
        if i % 2:
            data = bytearray(good[: rng.choice([1785, 3570, rng.randrange(3571)])])
            for _ in range(rng.randrange(20)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
        else:
            data = bytearray(rng.randbytes(rng.choice(lengths)))
        if data and len(data) % 1785 == 0:
            records = decode(bytes(data))
            assert records.tobytes() == bytes(data) and len(records) == len(data) // 1785
            decoded += 1
        else:
            with pytest.raises(ValueError, match="record"):
                decode(bytes(data))
    assert 3000 < decoded < 9000


def test_the_record_is_packed():
    assert RECORD.itemsize == 1785
    offsets = [RECORD.fields[name][1] for name in RECORD.names]
    assert offsets == [0, 8, 12, 16, 20, 24, 28, 29, 33, 49, 61, 73, 345, 889, 1729]


@pytest.fixture(scope="module")
def page(root) -> str:
    return (root / "docs" / "packet.md").read_text("utf-8")


def test_the_table_of_the_page_is_the_record(page):
    sizes = {"float64": 8, "int32": 4, "float32": 4, "uint8": 1}
    rows = re.findall(r"^\| (\d+) \| (\w+) \| ([\d ×]+) \|", page, re.MULTILINE)
    end = 0
    for offset, kind, count in rows:
        assert int(offset) == end
        end += sizes[kind] * math.prod(int(number) for number in count.split("×"))
    assert end == 1785 and len(rows) == 13


def test_the_decoder_of_the_page_works(page):
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(code, names)
    faces = [make_face(0), make_face(3)]
    first, second = names["decode"](encode(faces, 5.0, 640, 360))
    assert (second["time"], second["id"], second["size"]) == (5.0, 3, [640, 360])
    assert second["points"][4] == [f32(faces[1].lms[4, 1]), f32(faces[1].lms[4, 0])]
    assert second["points_3d"][69][0] == f32(faces[1].pts_3d[69, 0])
    assert second["features"] == [f32(value) for value in faces[1].current_features.values()]
    assert names["decode"](bytes(1784)) == []
    assert re.search(", ".join(FEATURE_NAMES), page)


def test_the_angles_of_the_page(page):
    """The table's Euler angles are the rotations that it says, in the camera of tracking/pose.py."""
    rows = re.findall(r"^\| (\w[^|]*) \| ([−\d]+), ([−\d]+), ([−\d]+) \| ([−\d]+), ([−\d]+), ([−\d]+) \|", page, re.M)
    s, c = math.sin(math.radians(20)), math.cos(math.radians(20))
    # Where the head's axes (right, up, front) point: upwards in the image, and to its left.
    seen = {
        "looks straight ahead": ((0, 1, 0), (1, 0, 0)),
        "looks up": ((0, c, s), (1, 0, 0)),
        "looks down": ((0, c, -s), (1, 0, 0)),
        "turns to their left": ((0, 1, 0), (c, 0, -s)),
        "turns to their right": ((0, 1, 0), (c, 0, s)),
        "leans to their right": ((-s, c, 0), (c, s, 0)),
        "leans to their left": ((s, c, 0), (c, -s, 0)),
    }
    assert len(rows) == len(seen)
    for text, *numbers in rows:
        x, y, z, *unity = (float(number.replace("−", "-")) for number in numbers)
        up, aside = next(axes for name, axes in seen.items() if text.startswith(name))
        expected = np.array([up, aside, np.cross(up, aside)], float)
        np.testing.assert_allclose(rotation(x, y, z), expected, atol=1e-9)
        found = cv2.RQDecomp3x3(expected)[0]
        np.testing.assert_allclose(rotation(*found), expected, atol=1e-9)
        assert [(-(x + 180) - unity[0]) % 360, (-y - unity[1]) % 360, (z - 90 - unity[2]) % 360] == [0, 0, 0]


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """The matrix of Euler angles as `cv2.RQDecomp3x3` means them: Rz Ry Rx, degrees."""
    turn = [cv2.Rodrigues(np.radians(angle) * np.eye(3)[i])[0] for i, angle in enumerate((x, y, z))]
    return turn[2] @ turn[1] @ turn[0]
