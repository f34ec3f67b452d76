"""The table about pictures with boxes: which face belongs to which box, and what is counted."""

from __future__ import annotations

import json

import cv2
import pytest
from make_faces import make_face

pytest.importorskip("tqdm", reason="training needs tqdm (training/requirements.txt)")

from training.tables import pictures  # noqa: E402


def test_each_face_belongs_to_one_box_the_most_overlapping_first():
    boxes = [(0, 0, 10, 10), (4, 0, 10, 10), (100, 0, 10, 10)]
    assert pictures.matches(boxes, [(4, 0, 10, 10), (1, 0, 10, 10), (50, 0, 10, 10)]) == {0: 1, 1: 0}
    assert pictures.matches(boxes, [(107, 0, 10, 10)]) == {}


def test_what_is_counted():
    count = pictures.Count()
    face = make_face(bbox=(100.0, 50.0, 40.0, 50.0), pnp_error=5.0, conf=0.9)
    other = make_face(bbox=(500.0, 50.0, 40.0, 50.0), conf=0.7)
    count.add("a", 100, [(100.0, 50.0, 40.0, 50.0), (300.0, 0.0, 10.0, 10.0)], [face, other])
    count.add("b", 100, [], [])
    assert count.share() == (0.5, 2) and count.share(least=1 / 8) == (1.0, 1)
    assert count.errors == [0.1] and count.confidences == [0.9]
    assert count.missed == [("a", (300.0, 0.0, 10.0, 10.0))]
    assert [name for name, *_ in count.false] == ["a"]
    line = dict(zip(("label", "all", "large"), pictures.row("x", count), strict=False))
    assert line == {"label": "x", "all": "0.500 of 2", "large": "1.000 of 1"}
    assert 50.0 in pictures.row("x", count), "one false face in two pictures"


def test_a_folder_of_pictures(tmp_path, root, monkeypatch, capsys):
    frame = cv2.VideoCapture(str(root / "samples" / "talking_head.mp4")).read()[1]
    (tmp_path / "some").mkdir()
    cv2.imwrite(str(tmp_path / "some" / "head.png"), frame)
    boxes = tmp_path / "some.json"
    boxes.write_text(json.dumps({"head.png": [[224, 166, 191, 196]]}))
    monkeypatch.setattr("sys.argv", ["pictures", str(tmp_path / "some"), "--models", "-3"])
    pictures.main()
    assert "| -3, default | 1.000 of 1 | 1.000 of 1 |" in capsys.readouterr().out
    boxes.write_text(json.dumps({"nothing.png": []}))
    with pytest.raises(SystemExit):
        pictures.main()
    assert "nothing.png can't be read" in capsys.readouterr().err
