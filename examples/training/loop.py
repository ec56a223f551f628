"""The training loop: AdamW, warm-up and cosine, label smoothing, an average of the weights."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.images import Squares, evaluation_batches, training_batches
from training.state import load_state, save_state

WARM_UP = 0.08  # of all steps
EVALUATE_EVERY = 5  # epochs


@dataclass(frozen=True)
class Recipe:
    """All that decides what a training yields."""

    network: str  # its name, or the hash of the checkpoint to start from
    images: str  # fingerprint of the training images
    epochs: int
    small_epochs: int  # the first ones, on images of half the size: a quarter of the work
    batch_size: int
    image_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    average_decay: float
    seed: int


@dataclass
class Progress:
    """A training between two epochs: what an interruption must not lose."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int = 0  # finished ones
    seconds: float = 0.0


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Return the rate of a step: a linear rise, then half a cosine down to zero."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def start(model: nn.Module, recipe: Recipe) -> Progress:
    """Set a training up; normalisations and biases do not decay."""
    model = model.to(memory_format=torch.channels_last)  # the faster order on a CPU
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return Progress(model, copy.deepcopy(model), torch.optim.AdamW(groups))


def train(
    progress: Progress, recipe: Recipe, train_set: Squares, test_set: Squares, state: Path
) -> None:
    """Train up to the last epoch, from where ``state`` was left if there is such a file.

    The test set is looked at to report, never to choose: the last epoch's average is the result.
    """
    load_state(progress, recipe, state)
    while progress.epoch < recipe.epochs:
        started = time.perf_counter()
        loss, top1 = _epoch(progress, recipe, train_set)
        progress.epoch += 1
        progress.seconds += time.perf_counter() - started
        line = f"epoch {progress.epoch:3d}/{recipe.epochs}  loss {loss:.3f}  train top-1 {top1:.3f}"
        if progress.epoch % EVALUATE_EVERY == 0 or progress.epoch == recipe.epochs:
            line += f"  test top-1 {accuracy(progress.average, test_set, recipe.image_size):.3f}"
        minutes = progress.seconds / 60
        left = minutes / progress.epoch * (recipe.epochs - progress.epoch)
        save_state(progress, recipe, state)
        print(f"{line}  {minutes:.1f} min, {left:.1f} to go", flush=True)


def _epoch(progress: Progress, recipe: Recipe, train_set: Squares) -> tuple[float, float]:
    """Train one epoch; return its mean loss and its accuracy on the augmented images."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + progress.epoch)
    torch.manual_seed(recipe.seed * 1_000_003 + progress.epoch)  # dropout
    per_epoch = max(1, len(train_set) // recipe.batch_size)
    progress.model.train()
    losses, hits, seen = 0.0, 0, 0
    batches = training_batches(train_set, recipe.image_size, recipe.batch_size, generator)
    for index, (x, labels) in enumerate(batches):
        step = progress.epoch * per_epoch + index
        for group in progress.optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step, recipe.epochs * per_epoch)
        if progress.epoch < recipe.small_epochs:
            x = F.avg_pool2d(x, 2)
        logits = progress.model(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        progress.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(progress.model.parameters(), 5.0)
        progress.optimizer.step()
        _update_average(progress, recipe.average_decay, step)
        losses += loss.item() * len(labels)
        hits += int((logits.argmax(1) == labels).sum())
        seen += len(labels)
    return losses / seen, hits / seen


@torch.no_grad()
def _update_average(progress: Progress, decay: float, step: int) -> None:
    """Move the exponential moving average towards the model; faster during the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    kept, new = progress.average.state_dict().values(), progress.model.state_dict().values()
    for average, current in zip(kept, new, strict=True):
        if average.is_floating_point():
            average.lerp_(current, 1 - decay)
        else:
            average.copy_(current)


@torch.inference_mode()
def accuracy(model: nn.Module, squares: Squares, size: int) -> float:
    """Return the top-1 accuracy of ``model`` in eval mode, 0..1."""
    model.eval()
    hits: list[Tensor] = [
        model(x.contiguous(memory_format=torch.channels_last)).argmax(1) == labels
        for x, labels in evaluation_batches(squares, size)
    ]
    return torch.cat(hits).float().mean().item()
