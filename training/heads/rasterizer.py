"""A small software rasteriser: triangles and hair strands into a depth buffer, compiled with numba.

Screen space is x to the right and y down in pixels (pixel centres at whole numbers), depth is the distance from
the camera in centimetres along its axis. Every function works on one frame and on one core.
"""

import numpy as np
from numba import njit

FAR = np.float32(1e9)


def new_depth(height: int, width: int) -> np.ndarray:
    """An empty depth buffer, float32 (height, width)."""
    return np.full((height, width), FAR, np.float32)


@njit(cache=True, fastmath=True, boundscheck=False)
def rasterize(screen, triangles, depth, triangle_map, weights, perspective):
    """Draws triangles into `depth`; the nearest one's number and its weights are kept for each pixel.

    screen (n, 3) float32: x, y, depth; triangles (m, 3) int32; depth (h, w) float32, changed in place;
    triangle_map (h, w) int32 (-1: none) and weights (h, w, 2) float32 (of the first two corners), changed in place.
    With `perspective` the weights are perspective-correct: those of Heckbert, "Fundamentals of Texture Mapping and
    Image Warping", 1989 (weights divided by depth, then normalised).
    """
    height, width = depth.shape
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        z0, z1, z2 = screen[a, 2], screen[b, 2], screen[c, 2]
        if z0 <= 0.1 or z1 <= 0.1 or z2 <= 0.1:  # at or behind the camera
            continue
        x0, y0, x1, y1, x2, y2 = (screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1])
        left = max(0, int(np.ceil(min(x0, x1, x2))))
        right = min(width - 1, int(np.floor(max(x0, x1, x2))))
        top = max(0, int(np.ceil(min(y0, y1, y2))))
        bottom = min(height - 1, int(np.floor(max(y0, y1, y2))))
        if left > right or top > bottom:
            continue
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        inverse = 1.0 / area
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                w0 = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) * inverse
                w1 = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) * inverse
                w2 = 1.0 - w0 - w1
                if w0 < -1e-5 or w1 < -1e-5 or w2 < -1e-5:
                    continue
                if perspective:
                    w0 /= z0
                    w1 /= z1
                    z = 1.0 / (w0 + w1 + w2 / z2)
                    w0 *= z
                    w1 *= z
                else:
                    z = w0 * z0 + w1 * z1 + w2 * z2
                if z < depth[y, x]:
                    depth[y, x] = z
                    triangle_map[y, x] = k
                    weights[y, x, 0] = w0
                    weights[y, x, 1] = w1


@njit(cache=True, fastmath=True, boundscheck=False)
def draw_strands(screen, colors, half_width, image, depth, write_depth):
    """Draws polylines (hairs) with depth test over `image`; thin ones (under a pixel) are blended by their width.

    screen (s, k, 3): x, y, depth; colors (s, k, 3); half_width (s, k) pixels; image (h, w, 3) float32 and
    depth (h, w) float32 are changed in place. Thick parts (alpha over 0.5) also write depth when asked to.
    """
    height, width = depth.shape
    for s in range(screen.shape[0]):
        for k in range(screen.shape[1] - 1):
            x0, y0, z0 = screen[s, k, 0], screen[s, k, 1], screen[s, k, 2]
            x1, y1, z1 = screen[s, k + 1, 0], screen[s, k + 1, 1], screen[s, k + 1, 2]
            if z0 <= 0.1 or z1 <= 0.1:
                continue
            if max(x0, x1) < -4 or min(x0, x1) > width + 4 or max(y0, y1) < -4 or min(y0, y1) > height + 4:
                continue
            steep = abs(y1 - y0) > abs(x1 - x0)
            steps = int(max(abs(x1 - x0), abs(y1 - y0))) + 1
            for i in range(steps):
                t = i / steps
                x = x0 + (x1 - x0) * t
                y = y0 + (y1 - y0) * t
                z = z0 + (z1 - z0) * t
                half = half_width[s, k] + (half_width[s, k + 1] - half_width[s, k]) * t
                across = y if not steep else x
                first = int(np.floor(across - half + 0.5))
                last = int(np.floor(across + half + 0.5))
                for j in range(first, last + 1):
                    px = int(np.floor(x + 0.5)) if not steep else j
                    py = j if not steep else int(np.floor(y + 0.5))
                    if px < 0 or py < 0 or px >= width or py >= height or z >= depth[py, px]:
                        continue
                    alpha = min(across + half, j + 0.5) - max(across - half, j - 0.5)
                    if alpha <= 0.0:
                        continue
                    alpha = min(alpha, 1.0)
                    for c in range(3):
                        color = colors[s, k, c] + (colors[s, k + 1, c] - colors[s, k, c]) * t
                        image[py, px, c] += (color - image[py, px, c]) * alpha
                    if write_depth and alpha > 0.5:
                        depth[py, px] = z


@njit(cache=True, fastmath=True)
def strand_depth(screen, depth):
    """Draws polylines (s, k, 3) into a depth buffer only: hair that throws a shadow."""
    height, width = depth.shape
    for s in range(screen.shape[0]):
        for k in range(screen.shape[1] - 1):
            x0, y0, z0 = screen[s, k, 0], screen[s, k, 1], screen[s, k, 2]
            x1, y1, z1 = screen[s, k + 1, 0], screen[s, k + 1, 1], screen[s, k + 1, 2]
            steps = int(max(abs(x1 - x0), abs(y1 - y0))) + 1
            for i in range(steps):
                t = i / steps
                px = int(np.floor(x0 + (x1 - x0) * t + 0.5))
                py = int(np.floor(y0 + (y1 - y0) * t + 0.5))
                if px < 0 or py < 0 or px >= width or py >= height:
                    continue
                z = z0 + (z1 - z0) * t
                if z < depth[py, px]:
                    depth[py, px] = z


@njit(cache=True, fastmath=True)
def vertex_normals(points, triangles, weld):
    """Unit normals (n, 3) of a mesh, weighted by area; vertices with the same `weld` number share theirs."""
    n = points.shape[0]
    total = np.zeros((n, 3), np.float32)
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in range(3):
            v = weld[triangles[k, i]]
            total[v, 0] += nx
            total[v, 1] += ny
            total[v, 2] += nz
    normals = np.empty((n, 3), np.float32)
    for i in range(n):
        x, y, z = total[weld[i], 0], total[weld[i], 1], total[weld[i], 2]
        length = np.sqrt(x * x + y * y + z * z) + 1e-12
        normals[i, 0], normals[i, 1], normals[i, 2] = x / length, y / length, z / length
    return normals


@njit(cache=True, fastmath=True, inline="always")
def _sample(texture, u, v, c):
    """Bilinear value of channel c at column u, row v of a texture (h, w, channels); clamped at the edges."""
    height, width = texture.shape[0], texture.shape[1]
    u = min(max(u, 0.0), width - 1.001)
    v = min(max(v, 0.0), height - 1.001)
    x, y = int(u), int(v)
    fx, fy = u - x, v - y
    top = texture[y, x, c] * (1 - fx) + texture[y, x + 1, c] * fx
    bottom = texture[y + 1, x, c] * (1 - fx) + texture[y + 1, x + 1, c] * fx
    return top * (1 - fy) + bottom * fy


# Materials of a triangle.
SKIN, EYE, FLAT, WET, SHINY, FABRIC = 0, 1, 2, 3, 4, 5


@njit(cache=True, fastmath=True)
def shade(
    image, depth, triangle_map, weights, triangles, material, position, normal, rest, color, occlusion,
    skin, skin_frame, eye, lid, lights, light_colors, sky, ground, shadow, shadow_axes, shadow_frame,
):  # fmt: skip
    """Lights every covered pixel of `image` (h, w, 3), float32 linear RGB, in place.

    position and normal (n, 3) in camera space (x right, y up, z towards the viewer); rest (n, 3): where the vertex
    lies on the undeformed head (skin) or jumper, or in the eye's own frame in units of its radius (eyes); color (n, 3);
    occlusion (n,): 0 dark to 1 open; skin (th, tw, 4): the cylindrical skin texture, RGB and gloss; skin_frame:
    (axis z, rows per cm, top y); eye (t, t, 3): texture of an eyeball seen from the front, from
    -1 to 1; lid (n,): for eye vertices, the distance below the upper lid in cm; lights (m, 3) unit vectors towards
    the lights and light_colors (m, 3), the first one throws shadows; sky, ground (3,): light from above and below;
    shadow (sh, sw): depth from the first light; shadow_axes (3, 3): camera space to light space; shadow_frame:
    (x offset, y offset, pixels per cm).

    Diffuse light wraps round the edge, more so in red, which stands in for the light scattered under the skin
    ("wrap lighting", Green, GPU Gems 2004, chapter 16); highlights are Blinn's with Schlick's Fresnel factor.
    """
    height, width = depth.shape
    wrap = np.zeros(3, np.float32)
    albedo = np.zeros(3, np.float32)
    n = np.zeros(3, np.float32)
    p = np.zeros(3, np.float32)
    r = np.zeros(3, np.float32)
    view = np.zeros(3, np.float32)
    tu = skin.shape[1]
    for row in range(height):
        for column in range(width):
            k = triangle_map[row, column]
            if k < 0:
                continue
            a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
            w0, w1 = weights[row, column, 0], weights[row, column, 1]
            w2 = 1 - w0 - w1
            for i in range(3):
                p[i] = w0 * position[a, i] + w1 * position[b, i] + w2 * position[c, i]
                n[i] = w0 * normal[a, i] + w1 * normal[b, i] + w2 * normal[c, i]
                r[i] = w0 * rest[a, i] + w1 * rest[b, i] + w2 * rest[c, i]
                albedo[i] = w0 * color[a, i] + w1 * color[b, i] + w2 * color[c, i]
            open_sky = w0 * occlusion[a] + w1 * occlusion[b] + w2 * occlusion[c]
            length = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9
            distance = np.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) + 1e-9
            facing = 0.0
            for i in range(3):
                n[i] /= length
                view[i] = -p[i] / distance
                facing += n[i] * view[i]
            if facing < 0:  # the inside of an open surface
                for i in range(3):
                    n[i] = -n[i]
                facing = -facing
            kind = material[k]
            gloss, power = 0.03, 12.0
            wrap[0], wrap[1], wrap[2] = 0.15, 0.15, 0.15
            if kind == SKIN:
                # sin(angle / 2) of the angle round the axis
                ahead = r[2] - skin_frame[0]
                radius = np.sqrt(r[0] * r[0] + ahead * ahead) + 1e-6
                u = (r[0] / np.sqrt(2 * radius * (radius + ahead) + 1e-6) + 1) * 0.5 * tu - 0.5
                v = (skin_frame[2] - r[1]) * skin_frame[1] - 0.5
                for i in range(3):
                    albedo[i] = _sample(skin, u, v, i)
                gloss = _sample(skin, u, v, 3)
                power = 14.0
                wrap[0], wrap[1], wrap[2] = 0.45, 0.22, 0.15
            elif kind == EYE:
                t = eye.shape[0]
                for i in range(3):
                    albedo[i] = _sample(eye, (r[0] + 1) * 0.5 * t - 0.5, (1 - r[1]) * 0.5 * t - 0.5, i)
                below = w0 * lid[a] + w1 * lid[b] + w2 * lid[c]
                shade_by_lid = min(max(below / 0.55, 0.0), 1.0)
                open_sky = 0.3 + 0.55 * shade_by_lid
                gloss, power = 4.0, 260.0
                wrap[0], wrap[1], wrap[2] = 0.5, 0.45, 0.42
            elif kind == WET:
                gloss, power = 0.12, 50.0
            elif kind == FABRIC:  # wide folds and a fine knit
                gloss = 0.0
                x, y, z = r[0], r[1], r[2]
                n[0] += 0.16 * np.sin(0.55 * x + 0.4 * y + 1.3 * np.sin(0.21 * y + 0.3 * z)) + 0.05 * np.sin(
                    1.7 * x - y
                )
                n[1] += 0.12 * np.sin(0.8 * y - 0.25 * x + np.sin(0.33 * x)) + 0.05 * np.sin(2.1 * y + 0.9 * x)
                length = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9
                knit = 1 + 0.10 * np.sin(12 * x + 3 * np.sin(9 * y)) * np.sin(10 * y)
                for i in range(3):
                    n[i] /= length
                    albedo[i] *= knit
            elif kind == SHINY:
                gloss, power = 0.5, 60.0
            lit = 1.0
            if shadow.shape[0] > 1:
                sx = shadow_axes[0, 0] * p[0] + shadow_axes[0, 1] * p[1] + shadow_axes[0, 2] * p[2]
                sy = shadow_axes[1, 0] * p[0] + shadow_axes[1, 1] * p[1] + shadow_axes[1, 2] * p[2]
                sz = shadow_axes[2, 0] * p[0] + shadow_axes[2, 1] * p[1] + shadow_axes[2, 2] * p[2]
                mx = sx * shadow_frame[2] + shadow_frame[0]
                my = -sy * shadow_frame[2] + shadow_frame[1]
                count, blocked = 0, 0.0
                for oy in range(-2, 3, 2):
                    for ox in range(-2, 3, 2):
                        ix, iy = int(np.floor(mx + ox + 0.5)), int(np.floor(my + oy + 0.5))
                        if ix < 0 or iy < 0 or ix >= shadow.shape[1] or iy >= shadow.shape[0]:
                            continue
                        count += 1
                        over = 1000.0 - sz - 0.55 - shadow[iy, ix]
                        blocked += min(max(over / 0.3, 0.0), 1.0)
                if count > 0:
                    lit = 1.0 - blocked / count
            fresnel = 0.04 + 0.96 * (1 - facing) ** 5
            up = 0.5 + 0.5 * n[1]
            for i in range(3):
                image[row, column, i] = albedo[i] * open_sky * (ground[i] + (sky[i] - ground[i]) * up)
            for m in range(lights.shape[0]):
                cosine = n[0] * lights[m, 0] + n[1] * lights[m, 1] + n[2] * lights[m, 2]
                if cosine < -0.45:  # beyond the widest wrap
                    continue
                visible = lit if m == 0 else 0.4 + 0.6 * open_sky
                if kind == EYE:
                    visible = lit * open_sky if m == 0 else open_sky
                elif kind == WET:
                    visible *= open_sky
                highlight = 0.0
                if cosine > 0 and gloss > 0:
                    hx, hy, hz = view[0] + lights[m, 0], view[1] + lights[m, 1], view[2] + lights[m, 2]
                    hl = np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
                    h = max(0.0, (n[0] * hx + n[1] * hy + n[2] * hz) / hl)
                    highlight = gloss * (0.35 + 4 * fresnel) * h**power
                for i in range(3):
                    diffuse = max(0.0, (cosine + wrap[i]) / (1 + wrap[i]))
                    # The edge of a shadow on skin is reddish.
                    share = visible**0.8 if i == 0 and kind == SKIN and visible > 0 else visible
                    image[row, column, i] += light_colors[m, i] * share * (albedo[i] * diffuse + highlight)


@njit(cache=True, fastmath=True)
def shade_strands(strands, color, centre, lights, light_colors, sky, ground):
    """Lit colours (s, k, 3), linear RGB, of hairs.

    strands (s, k, 3): points in camera space; color (s, 3); centre (3,): of the head, whose roundness says which hairs
    face a light; lights (m, 3), light_colors (m, 3), sky and ground (3,) as in `shade`. After Kajiya and Kay,
    "Rendering fur with three dimensional textures", SIGGRAPH 1989, with two highlights: a broad one in the hair's own
    colour and a narrow white one. Hairs are darker towards their roots.
    """
    count, k = strands.shape[0], strands.shape[1]
    result = np.empty((count, k, 3), np.float32)
    tangent, outward = np.zeros(3, np.float32), np.zeros(3, np.float32)
    for s in range(count):
        mean = (color[s, 0] + color[s, 1] + color[s, 2]) / 3
        # Scales on the hair tilt its highlights, on each hair a little otherwise.
        tilt = 0.10 * np.sin(3e4 * mean)
        for j in range(k):
            before, after = max(j - 1, 0), min(j + 1, k - 1)
            lt, lo, lv = 1e-12, 1e-12, 1e-12
            for i in range(3):
                tangent[i] = strands[s, after, i] - strands[s, before, i]
                outward[i] = strands[s, j, i] - centre[i]
                lt += tangent[i] ** 2
                lo += outward[i] ** 2
                lv += strands[s, j, i] ** 2
            lt, lo, lv = np.sqrt(lt), np.sqrt(lo), np.sqrt(lv)
            length = 1e-12
            for i in range(3):
                outward[i] /= lo
                tangent[i] = tangent[i] / lt + tilt * outward[i]
                length += tangent[i] ** 2
            length = np.sqrt(length)
            along_view = 0.0
            for i in range(3):
                tangent[i] /= length
                along_view -= tangent[i] * strands[s, j, i] / lv
            across_view = np.sqrt(max(0.0, 1 - along_view * along_view))
            t = j / (k - 1)
            deep = 0.45 + 0.4 * t / 0.35 if t < 0.35 else 0.85 + 0.15 * (t - 0.35) / 0.65
            up = 0.5 + 0.5 * outward[1]
            for i in range(3):
                result[s, j, i] = 0.8 * deep * color[s, i] * (ground[i] + (sky[i] - ground[i]) * up)
            for m in range(lights.shape[0]):
                along, facing = 0.0, 0.0
                for i in range(3):
                    along += tangent[i] * lights[m, i]
                    facing += outward[i] * lights[m, i]
                toward = min(max((facing + 0.35) / 1.35, 0.0), 1.0) * deep
                if toward <= 0:
                    continue
                across = np.sqrt(max(0.0, 1 - along * along))
                mirror = min(max(across * across_view - along * along_view, 0.0), 1.0)
                broad, narrow = 0.9 * mirror**14, 0.035 * mirror**60
                for i in range(3):
                    own = color[s, i] * (0.25 + 0.75 * across) + broad * np.sqrt(color[s, i] * mean) + narrow
                    result[s, j, i] += light_colors[m, i] * toward * own
    return result


@njit(cache=True, fastmath=True)
def blend(texture, mask, color):
    """Moves the first three channels of texture (h, w, c) towards color (3,) by mask (h, w), in place."""
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            m = mask[y, x]
            if m != 0:
                for c in range(3):
                    texture[y, x, c] += m * (color[c] - texture[y, x, c])
