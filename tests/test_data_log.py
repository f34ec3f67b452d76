"""The CSV file: what it holds, and that it stays readable on a full disk and after a killed program."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from make_faces import make_face

from output.data_log import COLUMNS, DataLog
from tracking.features import FEATURE_NAMES


def rows_of(path) -> list[dict[str, float]]:
    with open(path, newline="", encoding="ascii") as file:
        return [
            {key: float(value) for key, value in row.items()} for row in csv.DictReader(file, strict=True)
        ]


def test_every_column_holds_what_it_says(tmp_path):
    face = make_face(2)
    with DataLog(tmp_path / "log.csv") as log:
        log.write(7, 1700000000.123456, 640, 360, 24, [face], face_id_offset=10, video_time=1.25)
    (row,) = rows_of(tmp_path / "log.csv")
    expected = {
        **{
            "Frame": 7,
            "Time": 1700000000.123456,
            "Width": 640,
            "Height": 360,
            "FPS": 24,
            "Face": 0,
            "FaceID": 12,
        },
        **{"RightOpen": face.eye_blink[0], "LeftOpen": face.eye_blink[1], "AverageConfidence": face.conf},
        **{"Success3D": 1, "PnPError": face.pnp_error},
        **{f"RotationQuat.{axis}": face.quaternion[i] for i, axis in enumerate("XYZW")},
        **{f"Euler.{axis}": face.euler[i] for i, axis in enumerate("XYZ")},
        **{f"RVec.{axis}": face.rotation[i] for i, axis in enumerate("XYZ")},
        **{f"TVec.{axis}": face.translation[i] for i, axis in enumerate("XYZ")},
    }
    for i, (y, x, confidence) in enumerate(face.lms):
        expected |= {f"Landmark[{i}].X": x, f"Landmark[{i}].Y": y, f"Landmark[{i}].Confidence": confidence}
    for i, (x, y, z) in enumerate(face.pts_3d):
        expected |= {f"Point3D[{i}].X": x, f"Point3D[{i}].Y": -y, f"Point3D[{i}].Z": -z}
    expected |= face.current_features | {"VideoTime": 1.25}
    assert list(row) == list(expected) == list(COLUMNS)
    assert len(row) == 25 + 3 * 68 + 3 * 70 + 14 + 1
    for name in expected:
        assert row[name] == pytest.approx(expected[name], rel=1e-8), name
    assert np.float32(row["Landmark[3].X"]) == np.float32(face.lms[3, 1])


def test_lines(tmp_path):
    with DataLog(tmp_path / "log.csv") as log:
        log.write(1, 1.0, 640, 360, 24, [make_face(0), make_face(4)])
        log.write(2, 2.0, 640, 360, 24, [])
        log.write(3, 3.0, 320, 180, 24, [make_face(0)])
    data = (tmp_path / "log.csv").read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") == 4 and data.endswith(b"\r\n")
    rows = rows_of(tmp_path / "log.csv")
    assert [(row["Frame"], row["Face"], row["FaceID"]) for row in rows] == [(1, 0, 0), (1, 1, 4), (3, 0, 0)]
    assert rows[2]["Width"] == 320


def test_what_is_unknown(tmp_path):
    with DataLog(tmp_path / "log.csv") as log:
        log.write(1, 1.0, 640, 360, 24, [make_face(eye_blink=None, current_features={}, success=False)])
    (row,) = rows_of(tmp_path / "log.csv")
    assert (row["RightOpen"], row["LeftOpen"], row["Success3D"]) == (1, 1, 0)
    assert all(row[name] == 0 for name in FEATURE_NAMES)


def test_nothing_that_is_not_finite(tmp_path):
    broken = make_face(1)
    broken.pts_3d[3, 1] = np.nan
    with DataLog(tmp_path / "log.csv") as log:
        log.write(
            1, 1.0, 640, 360, 24, [broken, make_face(2, conf=np.inf), make_face(3, rotation=[np.nan] * 3)]
        )
        log.write(2, 1.0, 640, 360, 24, [make_face(0), broken])
    assert [row["Frame"] for row in rows_of(tmp_path / "log.csv")] == [2]


@pytest.mark.parametrize("path", ["no/such/folder/log.csv", "."])
def test_a_path_that_can_not_be_opened(tmp_path, path):
    with pytest.raises(OSError):
        DataLog(tmp_path / path)


def test_an_old_log_is_overwritten(tmp_path):
    (tmp_path / "log.csv").write_text("old\n" * 100_000)
    DataLog(tmp_path / "log.csv").close()
    assert rows_of(tmp_path / "log.csv") == []


def test_full_disk(small_disk, capsys):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(24_000))
    with DataLog(small_disk / "log.csv") as log:
        for frame in range(50):
            log.write(frame, 1.0, 640, 360, 24, [make_face(0), make_face(1)])
        full = (small_disk / "log.csv").read_bytes()
        assert full.endswith(b"\r\n")
        before = rows_of(small_disk / "log.csv")
        assert 0 < len(before) < 20
        ballast.unlink()
        log.write(50, 1.0, 640, 360, 24, [make_face(0)])
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "No space left" in said and str(small_disk / "log.csv") in said
    assert (small_disk / "log.csv").read_bytes().startswith(full)
    after = rows_of(small_disk / "log.csv")
    assert [row["Frame"] for row in after] == [row["Frame"] for row in before] + [50]


def test_a_disk_that_is_full_from_the_start(small_disk):
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize))
    with pytest.raises(OSError, match="No space left"):
        DataLog(small_disk / "log.csv")


def test_a_reader_that_goes_away(tmp_path, capsys):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with DataLog(tmp_path / "pipe") as log:
        log.write(1, 1.0, 640, 360, 24, [make_face()])
        os.close(reader)
        for frame in range(10):
            log.write(frame, 1.0, 640, 360, 24, [make_face()])
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_at_any_moment(tmp_path, root):
    program = (
        "import sys; sys.path[:0] = ['.', 'tests']\n"
        "from make_faces import make_face\n"
        "from output.data_log import DataLog\n"
        "log, faces, i = DataLog(sys.argv[1]), [make_face(0), make_face(1)], 0\n"
        "while True: log.write(i := i + 1, 1.0, 640, 360, 24, faces)\n"
    )
    paths = [tmp_path / f"{i}.csv" for i in range(4)]
    running = [subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=root) for path in paths]
    try:
        for i, (path, process) in enumerate(zip(paths, running, strict=True)):
            deadline = time.monotonic() + 60
            while not (path.exists() and path.stat().st_size > 50_000):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(0.0137 * i)
            process.kill()
            process.wait()
            data = path.read_bytes()
            whole = data[: data.rindex(b"\r\n") + 2]
            path.write_bytes(whole)
            rows = rows_of(path)
            assert len(rows) > 5 and all(len(row) == len(COLUMNS) for row in rows)
            assert [row["Face"] for row in rows[:4]] == [0, 1, 0, 1]
            assert [row["Frame"] for row in rows[::2]] == list(range(1, len(rows[::2]) + 1))
    finally:
        for process in running:
            process.kill()
            process.wait()
