"""Rotations, curves and steps that the parts of the renderer share."""

import math

import numpy as np


def head_rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation (3, 3) from head to camera space; degrees.

    First pitch (positive: the face looks up), then yaw (positive: towards the person's left, the image's right),
    then roll (positive: the crown leans to the image's right).
    """
    y, p, r = np.radians([yaw, pitch, roll])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_z = np.array([[math.cos(r), math.sin(r), 0], [-math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).astype(np.float32)


def smoothstep(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def unit(v):
    return v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-9)


def turn_vectors(axis_angle, weight, vectors):
    """Rotates vectors (n, 3) about one axis by weight (n,) times its angle (Rodrigues' formula)."""
    angle = np.linalg.norm(axis_angle)
    if angle < 1e-8:
        return vectors
    k = (axis_angle / angle).astype(np.float32)
    c, s = np.cos(angle * weight)[:, None], np.sin(angle * weight)[:, None]
    return (vectors * c + np.cross(k, vectors) * s + np.outer(vectors @ k, k) * (1 - c)).astype(np.float32)


def sphere(points):
    """Centre (3,) and radius of the sphere nearest to points (n, 3), by linear least squares."""
    system = np.c_[2 * points, np.ones(len(points))].astype(np.float64)
    x = np.linalg.lstsq(system, (points.astype(np.float64) ** 2).sum(1), rcond=None)[0]
    return x[:3].astype(np.float32), float(np.sqrt(x[3] + (x[:3] ** 2).sum()))


def curve(points, count):
    """A smooth curve (count, 2) through points (k, 2): Catmull-Rom splines."""
    padded = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    t = np.linspace(0, len(points) - 1 - 1e-6, count)
    i, f = t.astype(int), (t % 1)[:, None]
    p0, p1, p2, p3 = (padded[i + k] for k in range(4))
    return p1 + 0.5 * f * (p2 - p0 + f * (2 * p0 - 5 * p1 + 4 * p2 - p3 + f * (3 * (p1 - p2) + p3 - p0)))
