"""A drawn person teaches the tracker three faces and is told apart in other clips: through the command line, with few
pictures. `python -m training.tables.expressions` does it with six faces, more people and another light."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("numba", reason="numba is needed to draw heads only (training/requirements.txt)")
pytest.importorskip("sklearn", reason="scikit-learn is needed for training only (expressions/requirements.txt)")

from training.heads import HeadModel  # noqa: E402
from training.tables.expression_clips import RATE, pictures, prepared, somebody, write  # noqa: E402
from training.tables.expressions import run, told  # noqa: E402

FACES = ("neutral", "smile", "puff")
EVERY = 4  # of the frames is drawn


@pytest.mark.slow
def test_what_a_person_teaches_is_told(tmp_path: Path) -> None:
    try:
        model = HeadModel.load()
    except FileNotFoundError as error:
        pytest.skip(f"no 3D head to draw: {error.filename} (OSF_REFERENCE names the folder with it)")
    file = tmp_path / "me.osfx"
    actor = prepared(model, somebody(model, 0))
    for name in FACES:
        for purpose in ("record", "test"):
            frames = pictures(model, 0, name, purpose, actor, EVERY)
            write(tmp_path / f"{name}_{purpose}.avi", frames, RATE / EVERY)
        run("facetracker.py", "-c", tmp_path / f"{name}_record.avi", "--ip", "none", "--expressions", file,
            "--record", name, "--record-seconds", 9)  # fmt: skip
    run("-m", "expressions", "train", file)
    shares = []
    for name in FACES:
        counts = told(tmp_path / f"{name}_test.avi", file)
        assert counts.total() == 12
        shares.append(counts[name] / 11)  # the first frame has no answer that came twice
    assert min(shares) > 0.7 and sum(shares) / len(shares) > 0.85, shares
