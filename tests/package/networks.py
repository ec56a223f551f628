"""Small artifacts of each task, written without an export, and so within milliseconds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from affnet.artifact import (
    CENTERS,
    PROBABILITIES,
    Artifact,
    Manifest,
    Provenance,
    TensorSpec,
    image_spec,
    manifest_path,
    usual_preprocessing,
)
from affnet.files import content_sha256

SIZE = (16, 24)
CLASSES = 3
ANCHORS = SIZE[0] * SIZE[1]
#: What would break out of a string in a language, a page or a file that is generated.
HOSTILE = ('a "quoted" \\ label', "<script>alert(1)</script>", "??/`${x}` {{name}} é\n$@'")


def write(
    folder: Path, task: str = "classification", name: str = "net", *, mediapipe: bool = False
) -> Artifact:
    """Write a network of a task with random weights; it gives one score for each class.

    With ``mediapipe`` in the form that TFLite files for MediaPipe's classes have.
    """
    path = folder / f"{name}.onnx"
    outputs = _outputs(task)
    model = _model(task, outputs)
    if mediapipe:
        model, outputs = _for_mediapipe(model, outputs)
    onnx.save(model, path)
    manifest = Manifest(
        model=name,
        format="onnx",
        precision="fp32",
        sha256=content_sha256(path),
        inputs=(image_spec(*SIZE),),
        outputs=outputs,
        labels=HOSTILE,
        fft_plan={},
        route="by hand",
        fallbacks=(),
        details={},
        provenance=Provenance("program", "net.pt2", "as given", None, {}),
        parameters=None,
        macs=None,
        published=None,
        tools={},
        parity=None,
        task=task,
        preprocessing=usual_preprocessing(image_spec(*SIZE), task),
    )
    manifest_path(path).write_text(manifest.to_json())
    return Artifact(path, manifest)


def rewrite(artifact: Artifact, **changes: object) -> None:
    """Replace fields of the manifest that lies beside an artifact."""
    manifest = dataclasses.replace(artifact.manifest, **changes)
    manifest_path(artifact.path).write_text(manifest.to_json())


def _outputs(task: str) -> tuple[TensorSpec, ...]:
    if task == "classification":
        return (TensorSpec("logits", (1, CLASSES), "float32", class_axis=1),)
    if task == "segmentation":
        return (TensorSpec("scores", (1, CLASSES, *SIZE), "float32", class_axis=1),)
    scores = TensorSpec("scores", (1, ANCHORS, CLASSES), "float32", class_axis=2)
    return (scores, TensorSpec("boxes", (1, ANCHORS, 4), "float32"))


def _model(task: str, outputs: tuple[TensorSpec, ...]) -> onnx.ModelProto:
    """Return 1 x 1 convolutions, and what makes outputs of the shape of the task of them."""
    random = np.random.default_rng(0)

    def conv(name: str, channels: int) -> tuple[onnx.NodeProto, onnx.TensorProto]:
        weight = numpy_helper.from_array(
            random.normal(0, 4, (channels, 3, 1, 1)).astype(np.float32), f"{name}_weight"
        )
        return helper.make_node("Conv", ["image", f"{name}_weight"], [name]), weight

    first, weight = conv("map", CLASSES)
    nodes, weights = [first], [weight]
    if task == "classification":
        axes = numpy_helper.from_array(np.array([2, 3]), "axes")
        nodes.append(helper.make_node("ReduceMean", ["map", "axes"], ["logits"], keepdims=0))
        weights.append(axes)
    elif task == "segmentation":
        nodes.append(helper.make_node("Identity", ["map"], ["scores"]))
    else:
        second, more = conv("corners", 4)
        nodes.append(second)
        weights.append(more)
        for source, target, last in (("map", "scores", CLASSES), ("fractions", "boxes", 4)):
            shape = numpy_helper.from_array(np.array([1, ANCHORS, last]), f"{target}_shape")
            weights.append(shape)
            nodes.append(
                helper.make_node("Transpose", [source], [f"{source}_last"], perm=[0, 2, 3, 1])
            )
            nodes.append(
                helper.make_node("Reshape", [f"{source}_last", f"{target}_shape"], [target])
            )
        nodes.insert(2, helper.make_node("Sigmoid", ["corners"], ["fractions"]))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *SIZE])],
        [
            helper.make_tensor_value_info(one.name, TensorProto.FLOAT, list(one.shape))
            for one in outputs
        ],
        weights,
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def _for_mediapipe(
    model: onnx.ModelProto, outputs: tuple[TensorSpec, ...]
) -> tuple[onnx.ModelProto, tuple[TensorSpec, ...]]:
    """Put the classes of a map last; give centers, and probabilities without class 0."""
    graph, scores = model.graph, outputs[0]
    if len(outputs) == 1:
        changed = (scores.channels_last(),)
        last = helper.make_node("Transpose", ["scores"], ["scores_last"], perm=[0, 2, 3, 1])
        graph.node.append(last)
        names = ["scores_last"]
    else:
        changed = (
            dataclasses.replace(outputs[1], name=CENTERS),
            TensorSpec(PROBABILITIES, (1, ANCHORS, CLASSES - 1), "float32", class_axis=2),
        )
        for name, value in (("first", [1]), ("end", [CLASSES]), ("axis", [2])):
            graph.initializer.append(numpy_helper.from_array(np.array(value), name))
        graph.node.extend(
            (
                helper.make_node("Softmax", ["scores"], ["shares"], axis=2),
                helper.make_node("Slice", ["shares", "first", "end", "axis"], [PROBABILITIES]),
            )
        )
        names = ["boxes", PROBABILITIES]
    del graph.output[:]
    for name, one in zip(names, changed, strict=True):
        graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(one.static_shape()))
        )
    return model, changed


def taking_pictures(artifact: Artifact, picture: tuple[int, int]) -> Artifact:
    """Put steps before the network: it takes 8-bit pictures of a size, whose corner it looks at."""
    model, height, width = onnx.load(artifact.path), *SIZE
    graph = model.graph
    for name, value in (("begin", [0, 0, 0, 0]), ("end", [1, 3, height, width])):
        graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    graph.initializer.append(numpy_helper.from_array(np.float32(255), "most"))
    for at, (kind, given, made) in enumerate(
        (
            ("Cast", ["picture"], "numbers"),
            ("Transpose", ["numbers"], "planes"),
            ("Slice", ["planes", "begin", "end"], "corner"),
            ("Div", ["corner", "most"], "image"),
        )
    ):
        more = {"Cast": {"to": TensorProto.FLOAT}, "Transpose": {"perm": [0, 3, 1, 2]}}
        graph.node.insert(at, helper.make_node(kind, given, [made], **more.get(kind, {})))
    del graph.input[:]
    shape = (1, *picture, 3)
    graph.input.append(helper.make_tensor_value_info("picture", TensorProto.UINT8, shape))
    onnx.save(model, artifact.path)
    taken = TensorSpec("picture", shape, "uint8", "NHWC", (0.0, 255.0))
    steps = dataclasses.replace(artifact.pixel_contract(), picture=picture)
    sha256 = content_sha256(artifact.path)
    rewrite(artifact, inputs=(taken,), preprocessing=steps, sha256=sha256)
    return Artifact.open(artifact.path)
