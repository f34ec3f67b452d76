"""Still and animated pictures, read by Pillow."""

from __future__ import annotations

import warnings

import numpy as np
from PIL import Image, ImageOps

from capture.frames import Frame, Frames, InputError, quoted, reason, to_bgr8

# Only these of Pillow's formats: it can also "open" a PostScript file, a font, the first bytes of an MPEG.
PICTURE_FORMATS = {"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"}
ANIMATED_FORMATS = {"AVIF", "GIF", "PNG", "WEBP"}


def open_picture(path: str) -> Image.Image | None:
    """The file as a picture that Pillow knows, else None; only its header is read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except Image.DecompressionBombError as error:
        raise InputError(f"{quoted(path)} has too many pixels.") from error
    except Exception:  # Pillow's readers raise what they like for a file that is not theirs
        return None
    if picture.format in PICTURE_FORMATS:
        return picture
    picture.close()
    return None


def picture_frames(picture: Image.Image, path: str) -> Frames:
    """The frames of a picture, one unless it is animated, upright.

    Raises:
        InputError: a frame is damaged.
    """
    animated = picture.format in ANIMATED_FORMATS and getattr(picture, "is_animated", False)
    number, at = 0, 0.0
    with picture:
        while True:
            try:
                if number > 0 and not (animated and _seek(picture, number)):
                    return
                frame = _picture_to_bgr8(ImageOps.exif_transpose(picture))
            except Exception as error:  # damaged data makes Pillow's readers raise what they like
                after = f" after frame {number}" if number else ""
                raise InputError(f"{quoted(path)} is damaged{after}: {reason(error)}.") from error
            yield Frame(frame, at if animated else None)
            number += 1
            at += picture.info.get("duration", 0) / 1000  # ms, of the frame that was just shown


def _seek(picture: Image.Image, number: int) -> bool:
    try:
        picture.seek(number)
    except EOFError:  # Pillow's word for "no such frame"
        return False
    return True


def _picture_to_bgr8(picture: Image.Image) -> np.ndarray:
    """Pillow's picture as BGR uint8 (h, w, 3), what is transparent on white."""
    if picture.mode == "F":
        values = np.asarray(picture)
        # Such files go to 1, or to what whole numbers went to that were stored as fractions; a little above 1 is noise.
        greatest = values.max(where=np.isfinite(values), initial=0.0)
        white = 1 if greatest <= 2 else 255 if greatest <= 256 else 65535
        return to_bgr8(values / np.float32(white))
    if picture.mode.startswith("I;16"):
        return to_bgr8(np.asarray(picture))
    if picture.mode == "I":  # 32 bits, but what Pillow opens so has 16
        return to_bgr8(np.clip(np.asarray(picture), 0, 65535).astype(np.uint16))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return to_bgr8(np.asarray(picture.convert("RGB"))[:, :, ::-1])
