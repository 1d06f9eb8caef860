from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from skimage import data

from chalicelib.features import content, effnet, extract
from chalicelib.features.photo import Photo

# (kernel, stride, channels out) of each of the 16 blocks, Tan and Le 2019, table 1
BLOCKS = (
    [(3, 1, 16)]
    + [(3, 2, 24), (3, 1, 24)]
    + [(5, 2, 40), (5, 1, 40)]
    + [(3, 2, 80), (3, 1, 80), (3, 1, 80)]
    + [(5, 1, 112)] * 3
    + [(5, 2, 192), (5, 1, 192), (5, 1, 192), (5, 1, 192)]
    + [(3, 1, 320)]
)
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


class Graph:
    """EfficientNet-Lite0 as an ONNX model, built from the shipped weights and from nothing of the numpy engine."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors
        self.nodes: list[onnx.NodeProto] = []

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def convolve(self, value: str, layer: str, stride: int = 1, relu6: bool = True, group: int = 1) -> str:
        weight = f"{layer}.weight"
        options = {"auto_pad": "SAME_UPPER", "strides": [stride, stride], "group": group}
        value = self.add("Conv", value, weight, f"{layer}.bias", **options)
        return self.add("Clip", value, "zero", "six") if relu6 else value

    def block(self, value: str, index: int, stride: int, adds_its_input: bool) -> str:
        name, before = f"block{index}", value
        if f"{name}.expand.weight" in self.tensors:
            value = self.convolve(value, f"{name}.expand")
        value = self.convolve(value, f"{name}.depthwise", stride, group=len(self.tensors[f"{name}.depthwise.bias"]))
        value = self.convolve(value, f"{name}.project", relu6=False)
        return self.add("Add", value, before) if adds_its_input else value

    def build(self) -> onnx.ModelProto:
        value, channels = self.convolve("image", "stem", 2), 32
        for index, (_, stride, channels_out) in enumerate(BLOCKS):
            value = self.block(value, index, stride, adds_its_input=stride == 1 and channels == channels_out)
            channels = channels_out
        embedding = self.add("Flatten", self.add("GlobalAveragePool", self.convolve(value, "head")))
        logits = self.add("Gemm", embedding, "classifier.weight", "classifier.bias", transB=1)
        return self.model({embedding: 1280, logits: 1000})

    def model(self, outputs: dict[str, int]) -> onnx.ModelProto:
        constants = {"zero": np.float32(0), "six": np.float32(6), **self.tensors}
        graph = helper.make_graph(
            self.nodes,
            "effnet_lite0",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, effnet.SIZE, effnet.SIZE])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in outputs.items()],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    with np.load(effnet.WEIGHTS) as archive:
        return {name: archive[name].astype(np.float32) for name in archive.files}


@pytest.fixture(scope="module")
def reference(tensors: dict[str, np.ndarray]) -> onnxruntime.InferenceSession:
    model = Graph(tensors).build()
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def photo(name: str) -> Photo:
    rgb = getattr(data, name)()
    return Photo(rgb, rgb.shape[1], rgb.shape[0])


def names(labels: list[dict[str, object]]) -> str:
    return ", ".join(str(label["name"]) for label in labels)


@pytest.mark.parametrize("name", PHOTOS)
def test_the_engine_agrees_with_onnxruntime(name: str, reference: onnxruntime.InferenceSession) -> None:
    pixels = photo(name).resized(effnet.SIZE, effnet.SIZE)

    ours = effnet.network()(pixels)
    normalized = ((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    embedding, logits = reference.run(None, {"image": normalized})

    np.testing.assert_allclose(ours.embedding, embedding[0], atol=1e-4)
    np.testing.assert_allclose(ours.logits, logits[0], atol=1e-3)
    assert np.corrcoef(ours.embedding, embedding[0])[0, 1] > 0.9999


def test_the_kernels_are_those_of_the_paper(tensors: dict[str, np.ndarray]) -> None:
    shapes = [tensors[f"block{index}.depthwise.weight"].shape for index in range(16)]
    projections = [len(tensors[f"block{index}.project.bias"]) for index in range(16)]

    assert [shape[1:] for shape in shapes] == [(1, kernel, kernel) for kernel, _, _ in BLOCKS]
    assert projections == [channels for _, _, channels in BLOCKS]


@pytest.mark.parametrize(("name", "label"), [("chelsea", "tabby cat"), ("coffee", "espresso")])
def test_a_photo_is_named_after_what_it_shows(name: str, label: str) -> None:
    found = extract("content", photo(name))

    assert label in names(found["labels"])


def test_the_scalars_describe_the_labels() -> None:
    found = extract("content", photo("coffee"))

    probabilities = [label["probability"] for label in found["labels"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert found["confidence"] == probabilities[0] > 0.3
    assert len(probabilities) == 5


def test_the_embedding_is_1280_floats_from_0_to_6() -> None:
    embedding = content.embed(photo("chelsea"))

    assert (embedding.shape, embedding.dtype) == ((1280,), np.float32)
    assert 0 <= embedding.min() < embedding.max() <= 6


def test_one_sure_label_has_no_entropy_and_1000_alike_have_almost_ten_bits() -> None:
    sure, alike = np.zeros(1000, np.float32), np.full(1000, 0.001, np.float32)
    sure[7] = 1

    assert content.entropy(sure) == 0
    assert content.entropy(alike) == pytest.approx(np.log2(1000), abs=1e-4)


def test_large_logits_do_not_overflow() -> None:
    probabilities = content.softmax(np.array([1000, 999, -1000], np.float32))

    assert probabilities == pytest.approx([0.7311, 0.2689, 0], abs=1e-4)


def test_there_is_a_name_for_each_class() -> None:
    assert len(content.labels()) == effnet.CLASSES
    assert content.labels()[285] == "Egyptian Mau"


def test_threads_do_not_disturb_each_other() -> None:
    pixels = [photo(name).resized(effnet.SIZE, effnet.SIZE) for name in PHOTOS] * 5
    alone = [effnet.network()(image).embedding for image in pixels]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda image: effnet.network()(image).embedding, pixels))

    np.testing.assert_array_equal(together, alone)


def test_an_earlier_result_is_not_overwritten_by_the_next() -> None:
    first = effnet.network()(photo("coffee").resized(effnet.SIZE, effnet.SIZE))
    kept = first.embedding.copy(), first.logits.copy()

    effnet.network()(photo("rocket").resized(effnet.SIZE, effnet.SIZE))

    np.testing.assert_array_equal(first.embedding, kept[0])
    np.testing.assert_array_equal(first.logits, kept[1])


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    changed = bytearray(effnet.WEIGHTS.read_bytes())
    changed[len(changed) // 2] ^= 1
    path = tmp_path / "effnet_lite0.npz"
    path.write_bytes(changed)

    with pytest.raises(effnet.WeightsMismatchError, match="damaged"):
        effnet.load(path)


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=str(effnet.SIZE)):
        effnet.network()(np.zeros((200, effnet.SIZE, 3), np.uint8))


@pytest.mark.parametrize("shape", [(1, 1, 3), (512, 1, 3), (3, 512, 3)])
def test_the_smallest_photos_have_an_embedding(shape: tuple[int, ...]) -> None:
    embedding = content.embed(Photo(np.full(shape, 200, np.uint8), shape[1], shape[0]))

    assert np.isfinite(embedding).all()


def test_an_unknown_property_is_refused() -> None:
    with pytest.raises(KeyError, match="smell"):
        extract("smell", photo("coffee"))
