"""The dumped face shape."""

from pathlib import Path

import numpy as np

from output.shape_file import MIRROR, symmetric, write_shape
from tracking.face_shape import REFERENCE_SHAPE


def test_mirror_is_the_reference_shapes_own_symmetry() -> None:
    assert sorted(MIRROR) == list(range(70))
    assert (MIRROR[MIRROR] == np.arange(70)).all()
    # The reference shape is symmetric, so each point's partner is where the mirror puts it.
    np.testing.assert_allclose(REFERENCE_SHAPE[MIRROR] * (-1, 1, 1), REFERENCE_SHAPE, atol=1e-9)


def test_symmetric_is_half_way_between_both_sides() -> None:
    shape = REFERENCE_SHAPE + np.random.default_rng(0).normal(0, 0.02, (70, 3))
    made = symmetric(shape)
    np.testing.assert_allclose(made[MIRROR] * (-1, 1, 1), made)
    np.testing.assert_allclose(made[[8, 27, 60], 0], 0, atol=1e-12)
    np.testing.assert_allclose(made[0], (shape[0] + shape[16] * (-1, 1, 1)) / 2)
    np.testing.assert_allclose(symmetric(made), made)


def test_file_is_read_back(tmp_path: Path) -> None:
    shape = REFERENCE_SHAPE + np.random.default_rng(1).normal(0, 0.02, (70, 3))
    write_shape(tmp_path / "shape.csv", shape)
    table = np.loadtxt(tmp_path / "shape.csv", delimiter=",", skiprows=1)
    assert table.shape == (70, 4)
    assert (table[:, 0] == np.arange(70)).all()
    np.testing.assert_allclose(table[:, 1:], symmetric(shape), atol=1e-7)
    assert (tmp_path / "shape.csv").read_text().startswith("point,x,y,z\n0,")
