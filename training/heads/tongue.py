"""The tongue: the mesh has one that lies in the mouth; here it comes out over the lower lip.

It is laid along a curve from its root over the lower teeth and the lip, and down before the chin.
"""

import heapq

import numpy as np

from training.heads.geometry import curve, smoothstep

TIP = 16761  # vertex at the tongue's tip
JAWS = slice(14062, 17039)  # the gums, of one piece with the tongue
REACH = 4.0  # cm over the surface from the tip to where the tongue has grown on to the floor of the mouth
ROOT_Z, TIP_Z = 6.0, 9.75  # the part of the resting tongue that is laid along the curve, cm
MIDDLE_Y = (-3.8, -4.0)  # its middle line's height at both ends


def _surface_distances(points: np.ndarray, triangles: np.ndarray, weld: np.ndarray) -> np.ndarray:
    """Lengths (n,) of the shortest ways along edges from TIP, cm (Dijkstra); inf beyond 1.5 REACH."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = edges[((edges >= JAWS.start) & (edges < JAWS.stop)).all(1)]
    neighbours: dict[int, set[int]] = {}
    for a, b in weld[edges].tolist():
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    distance = {int(weld[TIP]): 0.0}
    queue = [(0.0, int(weld[TIP]))]
    while queue:
        length, vertex = heapq.heappop(queue)
        if length > distance[vertex] or length > 1.5 * REACH:
            continue
        for other in neighbours[vertex]:
            longer = length + float(np.linalg.norm(points[vertex] - points[other]))
            if longer < distance.get(other, np.inf):
                distance[other] = longer
                heapq.heappush(queue, (longer, other))
    return np.array([distance.get(int(v), np.inf) for v in weld])


class Tongue:
    """The tongue of a mesh of neutral vertices (n, 3): `vertices` (k,) belong to it, `share` (k,) says how far each
    one follows it, 0 to 1."""

    def __init__(self, neutral: np.ndarray, triangles: np.ndarray, weld: np.ndarray) -> None:
        distance = _surface_distances(neutral, triangles, weld)
        self.vertices = np.flatnonzero(distance < REACH + 0.3)
        self.share = smoothstep(REACH + 0.3, REACH - 0.8, distance[self.vertices])[:, None]
        resting = neutral[self.vertices]
        self._along = np.clip((resting[:, 2] - ROOT_Z) / (TIP_Z - ROOT_Z), 0, 1)
        self._height = resting[:, 1] - np.interp(resting[:, 2], [ROOT_Z, TIP_Z], MIDDLE_Y)
        self._side = resting[:, 0]

    def stick_out(self, points: np.ndarray, inner_lip: np.ndarray, outer_lip: np.ndarray, amount: float) -> None:
        """Moves the tongue of vertices `points` (n, 3) in place. inner_lip, outer_lip (3,): the middle of the lower
        lip, its edge inside and outside; amount: 0 in the mouth, 1 wholly out."""
        if amount <= 0:
            return
        now = points[self.vertices]
        root = now[self._along < 0.1].mean(0)[1:]
        y, z = inner_lip[1], max(inner_lip[2], outer_lip[2])
        low = outer_lip[1]
        way = curve(np.array([root, (y + 0.42, inner_lip[2] - 0.9), (y + 0.34, z + 0.1), (0.5 * (y + low), z + 0.75),
                              (low - 0.7, z + 0.75)]), 120)  # fmt: skip
        length = np.concatenate([[0], np.linalg.norm(np.diff(way, axis=0), axis=1).cumsum()])
        out = amount**0.7  # soon seen
        reach = (TIP_Z - ROOT_Z) * (1 - out) + length[-1] * out
        place = np.stack([np.interp(self._along * reach, length, way[:, i]) for i in (0, 1)], 1)
        tangent = np.gradient(way, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        ty, tz = (np.interp(self._along * reach, length, tangent[:, i]) for i in (0, 1))
        height = self._height * (1 - 0.45 * self._along * min(1.0, 2 * amount))  # flatter than at rest
        side = self._side * (1 + 0.3 * self._along * out)
        moved = np.stack([side + 0.5 * (inner_lip[0] + outer_lip[0]), place[:, 0] + height * tz,
                          place[:, 1] - height * ty], 1)  # fmt: skip
        share = self.share * smoothstep(0.0, 0.25, amount)
        points[self.vertices] = now + share * (moved - now)
