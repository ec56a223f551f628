"""Non-maximum suppression at the end of a Core ML program, as `decode_detections` does it.

A pipeline with a model of the kind NonMaximumSuppression gives each box its best class only, and
as many rows as it finds.  MIL's operator, with the classes as its batch, keeps a box for each of
its classes.

What the operator leaves open does not reach the result: nothing is said of equal scores, so it gets
ranks, which differ; where no score reaches its threshold it keeps the best box all the same
(github.com/apple/coremltools/issues/1654), so the threshold is applied after it.  One thing is
left: nothing says which of equal scores ``topk`` puts first.  The evaluator puts the lower index
first, as the decoder does; a device may not.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from affnet.detections import Suppression
from affnet.export.passes.heads import Detector, decode

_NAMES = (
    "affnet_export::detections",
    "affnet_export.detections",
)  # in TorchScript, in torch.export
_PREFIX = "suppression_"  # of the operators' names, which are numbered


class Suppressed(nn.Module):
    """A detection network, then one operator that coremltools gets as what `_suppression` adds."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map 1 x 3 x H x W images to boxes, scores and classes; see `Detector`."""
        found: tuple[Tensor, Tensor, Tensor] = torch.ops.affnet_export.detections(*self.network(x))
        return found


def suppressed(detector: Detector) -> Suppressed:
    """Return ``detector`` with one operator in the place of its decoder."""
    if not hasattr(torch.ops.affnet_export, "detections"):  # once in a process
        _register()
    return Suppressed(detector.network).eval()


def may_be_float16(operator: Any) -> bool:
    """Return whether coremltools may cast an operator of MIL to float16.

    The suppression stays in float32: half the digits would tie scores that differ.
    """
    return not operator.name.startswith(_PREFIX)


def _register() -> None:
    registry = import_module("coremltools.converters.mil.frontend.torch.torch_op_registry")

    @torch.library.custom_op(_NAMES[0], mutates_args=())
    def detections(scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return decode(scores, boxes)

    @detections.register_fake
    def _(scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count = Suppression().detections
        return (
            boxes.new_empty(1, count, 4),
            scores.new_empty(1, count),
            scores.new_empty(1, count, dtype=torch.int32),
        )

    registry.register_torch_op(_affnet_detections, torch_alias=[*_NAMES])


def _affnet_detections(context: Any, node: Any) -> None:
    """Give coremltools what the operator becomes."""
    found = _suppression(*(context[name] for name in node.inputs))
    if len(node.outputs) == 1:  # torch.export takes them apart afterwards
        context.add(found, torch_name=node.name)
        return
    for name, value in zip(node.outputs, found, strict=True):
        context.add(value, torch_name=name)


def _suppression(scores: Any, boxes: Any) -> tuple[Any, ...]:
    """Return boxes, scores and classes of the best detections.

    From scores, 1 x A x K, and boxes, 1 x A x 4; with C = K - 1 classes, without the background,
    L candidates and N detections of each::

        best, anchor = topk(softmax(scores) without class 0, transposed to C x A)
        kept = non_maximum_suppression(boxes[anchor], C x L x 4; ranks L .. 1, C x L x 1), C x N
        scores, index = topk(best[kept], or 0 unless above the threshold)
    """
    rule, build = Suppression(), _Builder()
    add = build.add
    (_, anchors, labels), count = scores.shape, rule.detections
    classes, limit = labels - 1, min(rule.candidates, anchors)
    each = min(limit, count)  # no class can have more among the best of all
    probabilities = add("softmax", x=scores, axis=-1)
    objects = add("slice_by_size", x=probabilities, begin=[0, 0, 1], size=[1, anchors, classes])
    by_class = add("transpose", x=add("squeeze", x=objects, axes=[0]), perm=[1, 0])
    best, anchor = add("topk", x=by_class, k=limit, axis=-1)
    corners = add("squeeze", x=boxes, axes=[0])
    kept = build.suppress(add("gather", x=corners, indices=anchor, axis=0), each)
    place = add("maximum", x=kept, y=np.int32(0))  # -1 where there is none
    value = add("gather_along_axis", x=best, indices=place, axis=1)
    real = add("logical_and",
        x=add("greater_equal", x=kept, y=np.int32(0)),
        y=add("greater", x=value, y=np.float32(rule.score_threshold)),
    )  # fmt: skip
    nothing = np.zeros((classes, each), np.float32)
    value = build.flatten(add("select", cond=real, a=value, b=nothing), count)
    place = build.flatten(add("gather_along_axis", x=anchor, indices=place, axis=1), count)
    label = np.repeat(np.arange(1, labels, dtype=np.int32), each)
    label = np.pad(label, (0, max(0, count - len(label))))
    found, index = add("topk", x=value, k=count, axis=0)
    real = add("cast", x=add("greater", x=found, y=np.float32(0)), dtype="fp32")
    rows = add("gather", x=corners, indices=add("gather", x=place, indices=index, axis=0), axis=0)
    rows = add("mul", x=rows, y=add("expand_dims", x=real, axes=[1]))
    label = add("mul",
        x=add("gather", x=label, indices=index, axis=0), y=add("cast", x=real, dtype="int32")
    )  # fmt: skip
    return tuple(add("expand_dims", x=result, axes=[0]) for result in (rows, found, label))


class _Builder:
    """Adds operators to the program that coremltools is building."""

    def __init__(self) -> None:
        self._mil = import_module("coremltools.converters.mil.mil")
        self._count = 0

    def add(self, kind: str, **arguments: Any) -> Any:
        """Add an operator; return its result, or several."""
        self._count += 1
        return getattr(self._mil.Builder, kind)(**arguments, name=f"{_PREFIX}{self._count}_{kind}")

    def flatten(self, values: Any, least: int) -> Any:
        """Return ``values`` on one axis, filled with zeros to ``least``."""
        flat = self.add("reshape", x=values, shape=[-1])
        missing = least - flat.shape[0]
        if missing <= 0:
            return flat
        return self.add("concat", values=[flat, np.zeros(missing, flat.dtype.nptype)], axis=0)

    def suppress(self, corners: Any, count: int) -> Any:
        """Return which of each class's candidates are kept, C x count; -1 where there are fewer.

        ``corners`` are C x L x 4, the best first.
        """
        add, half = self.add, np.float32(0.5)
        classes, limit, _ = corners.shape
        left, top, right, bottom = add("split", x=corners, num_splits=4, axis=-1)
        width, height = add("sub", x=right, y=left), add("sub", x=bottom, y=top)
        centre = [
            add("add", x=side, y=add("mul", x=length, y=half))
            for side, length in ((left, width), (top, height))
        ]
        boxes = add("concat", values=[*centre, width, height], axis=-1)
        ranks = np.broadcast_to(np.arange(limit, 0, -1, dtype=np.float32), (classes, limit))
        settings = {"iou_threshold": np.float32(Suppression().iou_threshold), "max_boxes": count}
        if self._since_ios17():  # the boxes on the last axis, and no threshold
            boxes, ranks = add("transpose", x=boxes, perm=[0, 2, 1]), ranks[:, None]
        else:
            ranks = ranks[..., None]
            settings["score_threshold"] = np.float32(0)
        return add("non_maximum_suppression", boxes=boxes, scores=ranks, **settings)[2]

    def _since_ios17(self) -> bool:
        """Return whether the program is for iOS 17 or later."""
        target = import_module("coremltools").target.iOS17
        since: bool = self._mil.block.is_current_opset_version_compatible_with(target)
        return since
