"""What a file is, told from its first bytes and never from its name.

`accepted` names one of the six formats we read; `refusal` says in a sentence why anything else is not an image to us.
"""

import re

ACCEPTED = ("jpeg", "png", "webp", "avif", "gif", "tiff")
_SEND = "send JPEG, PNG, WebP, AVIF, GIF or TIFF."

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_REFUSED: tuple[tuple[bytes, str], ...] = (
    (rb"%PDF-", "This is a PDF document, not an image."),
    (rb"BM.{4}\0{4}", f"This is a BMP image; {_SEND}"),
    (rb"\0\0[\1\2]\0[^\0]", f"This is an icon (ICO); {_SEND}"),
    (rb"8BPS", f"This is a Photoshop file; {_SEND}"),
    (rb"PK[\3\5\7]", "This is a zip archive, not an image."),
    (rb"\x1f\x8b|7z\xbc\xaf|Rar!", "This is an archive, not an image."),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51|\xff\x0a|\0\0\0\x0cJXL ", f"This is a JPEG 2000 or JPEG XL image; {_SEND}"),
    (rb".{4}ftyp", "This is a video, not an image."),
    (rb"\x1a\x45\xdf\xa3|RIFF.{4}AVI ", "This is a video, not an image."),
)
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body|script)[\s>]", re.IGNORECASE)


def accepted(data: bytes) -> str | None:
    """One of ACCEPTED, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    return "avif" if _AVIF_BRANDS & _brands(data) else None


def refusal(data: bytes) -> str:
    """Why a file that is not `accepted` is refused: one sentence."""
    if not data:
        return "The file is empty."
    if not data.strip(b"\0"):
        return "The file holds nothing but zero bytes."
    if _HEIC_BRANDS & _brands(data):
        return f"This is a HEIC photo; {_SEND}"
    for signature, sentence in _REFUSED:
        if re.match(signature, data[:64], re.DOTALL):
            return sentence
    return _refusal_of_text(data[:1024])


def _refusal_of_text(head: bytes) -> str:
    if _SVG.search(head):
        return f"This is an SVG drawing; {_SEND}"
    if _HTML.search(head):
        return "This is a web page, not an image."
    if _is_text(head):
        return "This is text, not an image."
    return "This is not an image in a format we know."


def _is_text(head: bytes) -> bool:
    # Control characters other than tab, line feed, form feed, carriage return and escape do not occur in text.
    return not re.search(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]", head.removeprefix(b"\xef\xbb\xbf")) and _is_utf8(head)


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) >= 1024  # the cut may split a character
    return True


def _brands(data: bytes) -> set[bytes]:
    """The major and compatible brands of an ISO media file (ISO/IEC 14496-12, `ftyp`)."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
