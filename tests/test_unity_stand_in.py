"""The stand-in for UnityEngine counts as Unity does, as far as Unity's manual says how: scipy is the judge.

Unity's axes are left-handed; written down as numbers its rotations are those of right-handed axes.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp


def close(found, wanted, atol: float = 1e-4) -> None:
    np.testing.assert_allclose(found, wanted, atol=atol)


def same_turn(found, wanted: Rotation, degrees: float = 0.05) -> None:
    assert np.degrees((Rotation.from_quat(found) * wanted.inv()).magnitude()) < degrees


def test_its_rotations_are_unity_s(unity) -> None:
    """Euler angles about z, x, y in this order; LookRotation turns z there and y as near up as it goes."""
    lines = unity.run("Math")
    assert len(lines) == 200
    for line in lines:
        x, y, z = line.angles
        a = Rotation.from_euler("zxy", [z, x, y], degrees=True)
        b = Rotation.from_euler("zxy", [line.other[2], line.other[0], line.other[1]], degrees=True)
        same_turn(line.a, a)
        same_turn(line.b, b)
        same_turn(line.product, a * b)
        same_turn(line.inverse, a.inv())
        same_turn(line.eulerAgain, a, 0.2)
        close(line.turned, a.apply(line.point))
        assert abs(line.apart - np.degrees((a * b.inv()).magnitude())) < 0.1
        same_turn(line.between, Slerp([0, 1], Rotation.concatenate([a, b]))(line.share), 0.2)
        same_turn(Rotation.from_rotvec(np.radians(line.angle) * np.array(line.axis)).as_quat(), a, 0.1)
        look = Rotation.from_quat(line.look)
        forward = np.array(line.point) / np.linalg.norm(line.point)
        close(look.apply([0, 0, 1]), forward, 1e-3)
        assert abs(np.dot(look.apply([1, 0, 0]), line.other)) < 0.05, "its x lies level"
        assert np.dot(look.apply([0, 1, 0]), line.other) > 0


def test_its_transforms_are_unity_s(unity) -> None:
    """Scaled, turned, moved, by each parent in its turn; what changes its parent may stay where it is."""
    for line in unity.run("Math"):
        b = Rotation.from_quat(line.b)
        world = b.apply(np.array(line.scale) * line.point) + np.array(line.other) / 100
        close(line.world, world)
        close(line.matrix, world)
        close(line.worldAlone, world)
        close(line.again, line.point, 1e-3)
        same_turn(line.turn, b * Rotation.from_quat(line.a))
        same_turn(line.turnAlone, b * Rotation.from_quat(line.a))
