"""EfficientNet-Lite0 in numpy alone: an embedding and ImageNet class scores of a photograph in about 30 ms.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the Lite variant has no
squeeze-and-excitation and uses ReLU6. A neural network runtime would not fit into the bundle beside scipy and
scikit-image, so the few operations needed are written here for speed:

- Activations are channels-last, (pixels, channels), which makes every 1x1 convolution one matrix product.
- A depthwise convolution is one `einsum` over overlapping views of a zero-padded buffer. Its inner loop is a fused
  multiply-add along a whole row (columns x channels), which is why the taps are repeated for every column.
- Large buffers are kept for each thread; the weights are shared and never written.
"""

import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Array = NDArray[np.float32]

# The network was trained at 224; looking closer costs twice the time and is worth .035 of rank correlation
# (docs/models/general.md).
SIZE = 320
EMBEDDING_SIZE = 1280
CLASSES = 1000
WEIGHTS = Path(__file__).parent / "weights" / "effnet_lite0.npz"
WEIGHTS_SHA256 = "2eefda92c57f51039771f73c4fcbdfe7e39e9ee356aef6c4d8db468b96a9eb9b"


class Stage(NamedTuple):
    """A run of blocks of one shape; only its first block has the stride."""

    blocks: int
    kernel: int
    stride: int


STAGES = (
    Stage(1, 3, 1),
    Stage(2, 3, 2),
    Stage(2, 5, 2),
    Stage(3, 3, 2),
    Stage(3, 5, 1),
    Stage(4, 5, 2),
    Stage(1, 3, 1),
)


class WeightsMismatchError(Exception):
    """The weight file is not the one this code was written for."""


class Output(NamedTuple):
    """What the network says about one image."""

    embedding: Array  # (1280,): mean over the image of the last activations, each 0 to 6
    logits: Array  # (1000,): one for each ImageNet class


class Workspace(threading.local):
    """Large arrays of one thread, made at first use and then used again. They begin as zeros."""

    def __init__(self) -> None:
        self.arrays: dict[tuple[str, tuple[int, ...]], Array] = {}

    def array(self, name: str, *shape: int) -> Array:
        if (name, shape) not in self.arrays:
            self.arrays[name, shape] = np.zeros(shape, np.float32)
        return self.arrays[name, shape]


WORKSPACE = Workspace()


@dataclass(frozen=True)
class Pointwise:
    """A 1x1 convolution (or a fully connected layer)."""

    weight: Array  # (channels in, channels out)
    bias: Array  # (channels out,)

    def __call__(self, image: Array) -> Array:
        """image: (rows, columns, channels in). The result is overwritten by the next call for the same shape."""
        out = WORKSPACE.array("pointwise", *image.shape[:2], len(self.bias))
        np.matmul(image.reshape(-1, image.shape[2]), self.weight, out=out.reshape(-1, out.shape[2]))
        return np.add(out, self.bias, out=out)


@dataclass(frozen=True)
class Depthwise:
    """A convolution of every channel by itself, padded as TensorFlow's "SAME".

    A stride of s splits the padded columns into s planes (column j stands in plane j % s), so that the columns one tap
    meets are neighbors in memory. The kernel's columns are filled up with zeros to a multiple of s.
    """

    taps: Array  # (kernel rows, kernel columns / stride, stride, columns out x channels)
    bias: Array  # (channels,)
    stride: int
    size: int  # rows and columns of the input

    def __call__(self, image: Array) -> Array:
        """image: (size, size, channels), clipped to 0-6 on the way in. The result is overwritten by a later call."""
        planes = self._planes()
        for columns, inside in self._interiors(planes):
            np.clip(image[:, columns], 0, 6, out=inside)
        size, channels = self.size // self.stride, len(self.bias)
        out = WORKSPACE.array("depthwise", size, size, channels)
        np.einsum("uvphx,uvpx->hx", self._windows(planes), self.taps, out=out.reshape(size, -1))
        return np.add(out, self.bias, out=out)

    @property
    def _padding(self) -> int:
        """Rows above and columns to the left; the odd one of an uneven padding goes below and to the right."""
        kernel: int = self.taps.shape[0]
        return (kernel - self.stride) // 2

    def _planes(self) -> Array:
        """The padded input as (planes, rows, columns, channels)."""
        kernel, column_taps = self.taps.shape[:2]
        rows, columns = self.size + kernel - self.stride, self.size // self.stride + column_taps - 1
        return WORKSPACE.array("planes", self.stride, rows, columns, len(self.bias))

    def _interiors(self, planes: Array) -> Iterator[tuple[slice, Array]]:
        """For each plane: which columns of the input belong there, and the part of the plane that takes them."""
        for plane in range(self.stride):
            first = (plane - self._padding) % self.stride
            left = (first + self._padding) // self.stride
            right = left + self.size // self.stride
            yield slice(first, None, self.stride), planes[plane, self._padding :, left:right][: self.size]

    def _windows(self, planes: Array) -> Array:
        """What each tap meets: (kernel rows, kernel columns / stride, stride, rows out, columns out x channels)."""
        plane, row, column, item = planes.strides
        kernel, column_taps, stride, width = self.taps.shape
        shape = (kernel, column_taps, stride, self.size // stride, width)
        return as_strided(planes, shape, (row, column, plane, row * stride, item))


@dataclass(frozen=True)
class Block:
    """An inverted residual: widen the channels, filter each by itself, project to fewer."""

    expand: Pointwise | None
    depthwise: Depthwise
    project: Pointwise

    def __call__(self, image: Array) -> Array:
        """image: (rows, columns, channels); returns the same form."""
        wide = self.expand(image) if self.expand else image
        out = self.project(relu6(self.depthwise(wide)))
        return out + image if out.shape == image.shape else out.copy()


def relu6(image: Array) -> Array:
    """Clip to 0-6, in place."""
    return np.clip(image, 0, 6, out=image)


@dataclass(frozen=True)
class Network:
    """EfficientNet-Lite0 with its weights. Safe to call from several threads."""

    stem: Pointwise  # over the 27 values of a 3x3 neighborhood
    blocks: tuple[Block, ...]
    head: Pointwise
    classifier: Pointwise

    def __call__(self, rgb: NDArray[np.uint8]) -> Output:
        """rgb: (320, 320, 3) uint8, sRGB. Raises ValueError for another shape."""
        if rgb.shape != (SIZE, SIZE, 3):
            raise ValueError(f"expected ({SIZE}, {SIZE}, 3) pixels, not {rgb.shape}")
        image = relu6(self.stem(neighborhoods(rgb)))
        for block in self.blocks:
            image = block(image)
        embedding = relu6(self.head(image)).mean((0, 1))
        return Output(embedding, embedding @ self.classifier.weight + self.classifier.bias)


def neighborhoods(rgb: NDArray[np.uint8]) -> Array:
    """The normalized 3x3 neighborhood of every second pixel, (112, 112, 27); zero past the last row and column."""
    padded = WORKSPACE.array("image", SIZE + 1, SIZE + 1, 3)
    np.divide(np.subtract(rgb, 127, dtype=np.float32), 128, out=padded[:SIZE, :SIZE])
    row, column, item = padded.strides
    half = SIZE // 2
    windows = as_strided(padded, (half, half, 3, 9), (2 * row, 2 * column, row, item))
    return windows.reshape(half, half, 27)


@lru_cache(maxsize=1)
def network() -> Network:
    """The network with the weights that ship with this package."""
    return load(WEIGHTS)


def load(path: Path) -> Network:
    """Build the network from an archive made by tools/convert_weights.py. Raises WeightsMismatchError."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != WEIGHTS_SHA256:
        raise WeightsMismatchError(f"{path.name} is damaged or of another version")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        tensors = {name: archive[name].astype(np.float32) for name in archive.files}
    return Network(
        stem=_stem(tensors),
        blocks=tuple(_blocks(tensors)),
        head=_pointwise(tensors, "head"),
        classifier=_pointwise(tensors, "classifier"),
    )


def _stem(tensors: dict[str, Array]) -> Pointwise:
    weight = tensors["stem.weight"].transpose(2, 3, 1, 0)
    return Pointwise(np.ascontiguousarray(weight.reshape(27, -1)), tensors["stem.bias"])


def _blocks(tensors: dict[str, Array]) -> Iterator[Block]:
    size, index = SIZE // 2, 0
    for stage in STAGES:
        for stride in (stage.stride, *[1] * (stage.blocks - 1)):
            name = f"block{index}"
            expand = _pointwise(tensors, f"{name}.expand") if f"{name}.expand.weight" in tensors else None
            depthwise = _depthwise(tensors, f"{name}.depthwise", stride, size)
            yield Block(expand, depthwise, _pointwise(tensors, f"{name}.project"))
            size, index = size // stride, index + 1


def _pointwise(tensors: dict[str, Array], name: str) -> Pointwise:
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    return Pointwise(np.ascontiguousarray(weight.reshape(len(weight), -1).T), bias)


def _depthwise(tensors: dict[str, Array], name: str, stride: int, size: int) -> Depthwise:
    weight = tensors[f"{name}.weight"][:, 0].transpose(1, 2, 0)
    kernel, _, channels = weight.shape
    filled = np.zeros((kernel, -(-kernel // stride) * stride, channels), np.float32)
    filled[:, :kernel] = weight
    columns = np.tile(filled.reshape(kernel, -1, stride, channels), size // stride)
    return Depthwise(columns, tensors[f"{name}.bias"], stride, size)
