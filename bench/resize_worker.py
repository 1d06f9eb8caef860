"""One engine, kept running: reads a request a line, answers the CPU time that it took.

    python -m bench.resize_worker ENGINE        proofsheet, pyvips or floor

A request is {photo, widths, format, profile?, save?}: a JPEG's path, and what is wanted of it. The answer is
{cpu_ms, bytes}, all threads together, the file already read. With `save`, a path with {width} in it, the pictures are
written. bench/resize_sharp.js speaks the same.

floor: what no resizer on libjpeg-turbo can go below: the decode at the smallest scale (n/8) that has the pixels, and
the encode of a picture that was resized before the clock started.
"""

from __future__ import annotations

import gc
import io
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from PIL import Image

type Pictures = list[bytes]
type Engine = Callable[[bytes, dict[str, Any]], Pictures]

QUALITY = 80
ORIENTATION = 0x0112


def proofsheet() -> Engine:
    from chalicelib.delivery.operations import Operations
    from chalicelib.delivery.render import Rendered, ladder, render

    def engine(photo: bytes, request: dict[str, Any]) -> Pictures:
        wanted = [Operations(w=width, profile=request.get("profile", "fast")) for width in request["widths"]]
        if len(wanted) == 1:
            return [render(photo, wanted[0], request["format"]).body]
        rungs = dict(ladder(photo, [(operations, request["format"]) for operations in wanted]))
        return [cast(Rendered, rungs[at]).body for at in range(len(wanted))]

    return engine


def pyvips() -> Engine:
    vips = import_module("pyvips")
    vips.cache_set_max(0)

    def one(photo: bytes, width: int, format: str) -> bytes:
        # libvips would convert a photo without a profile too, from sRGB to sRGB, for twice the time.
        has_profile = vips.Image.new_from_buffer(photo, "").get_typeof("icc-profile-data")
        convert = {"output_profile": "srgb"} if has_profile else {}
        image = vips.Image.thumbnail_buffer(photo, width, height=10_000_000, **convert)
        if format == "webp":
            return bytes(image.webpsave_buffer(Q=QUALITY, effort=4, keep="none"))
        return bytes(image.jpegsave_buffer(Q=QUALITY, keep="none"))

    return lambda photo, request: [one(photo, width, request["format"]) for width in request["widths"]]


def floor() -> Engine:
    numpy, simplejpeg = import_module("numpy"), import_module("simplejpeg")
    resized: dict[tuple[int, int], Any] = {}

    def decoded(photo: bytes, width: int) -> Any:
        with Image.open(io.BytesIO(photo)) as image:
            lies = image.getexif().get(ORIENTATION, 1) >= 5
            scale = width / (image.height if lies else image.width)
            size = round(image.width * scale), round(image.height * scale)
        return size, simplejpeg.decode_jpeg(photo, "RGB", min_width=size[0], min_height=size[1], strict=False)

    def one(photo: bytes, width: int) -> bytes:
        size, pixels = decoded(photo, width)
        if (hash(photo), width) not in resized:
            image = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
            resized[hash(photo), width] = numpy.ascontiguousarray(numpy.asarray(image))
        return bytes(simplejpeg.encode_jpeg(resized[hash(photo), width], QUALITY, "RGB", "420", False))

    return lambda photo, request: [one(photo, width) for width in request["widths"]]


ENGINES: dict[str, Callable[[], Engine]] = {"proofsheet": proofsheet, "pyvips": pyvips, "floor": floor}


def answer(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    photo = Path(request["photo"]).read_bytes()
    gc.collect()
    start = time.process_time()
    pictures = engine(photo, request)
    cpu_ms = (time.process_time() - start) * 1000
    if "save" in request:
        for width, picture in zip(request["widths"], pictures, strict=True):
            Path(request["save"].format(width=width)).write_bytes(picture)
    return {"cpu_ms": cpu_ms, "bytes": sum(map(len, pictures))}


def main(name: str) -> None:
    engine = ENGINES[name]()
    for line in sys.stdin:
        print(json.dumps(answer(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
