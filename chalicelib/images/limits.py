"""What an image may have at most; checked before a pixel is decoded."""

MAX_BYTES = 25_000_000
MAX_PIXELS = 50_000_000
MAX_SIDE = 30_000
