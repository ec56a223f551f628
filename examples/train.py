"""Train AFFNet or MobileViT on emoji, or on images of your own.

    python examples/train.py --output trained/affnet_et
    python examples/train.py --model mobilevit_xxs --output trained/mobilevit_xxs
    python examples/train.py --mixer twins --output trained/twins
    python examples/train.py --images photos --checkpoint checkpoint_best.pt --output mine

The first is behind the bundled source ``emoji``.  The third has another token mixer in AFFNet's
backbone; with --mixer, aff too, no epoch is at half the size, for which some mixers are not made,
so that all of them get the same budget.  The last gives a published checkpoint a new
classifier for the folders of ``photos`` and trains all of it.  An interrupted training goes on
after its last epoch when the same command is given again.  docs/accuracy.md tells more.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path

import platformdirs
import torch
from filelock import FileLock, Timeout

from affnet.errors import AffnetError, UsageError
from affnet.files import content_sha256, translating_os_errors, write_whole
from affnet.model.mixers import MIXERS
from affnet.model.sizes import SizeRule
from affnet.model.variants import VARIANTS
from training import emoji
from training.images import decode, open_splits
from training.loop import Recipe, accuracy, start, train
from training.networks import NETWORKS, create, load_for_classes, write_network

SMALL_SHARE = 5 / 8  # of the epochs from random weights, see `Recipe.small_epochs`


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--output", type=Path, required=True, help="folder for the weights and the training's state"
    )
    add("--model", default="affnet_et", choices=NETWORKS)
    add("--mixer", choices=MIXERS, help="token mixer of AFFNet's blocks; default: aff")
    add("--images", type=Path, help="folder of one folder per class, or with train and val in it")
    add("--checkpoint", type=Path, help="of AFFNet, to start from; --model is then its own")
    add("--config", type=Path, help="training config (YAML) of the checkpoint")
    add("--epochs", type=int, default=24)
    add("--small-epochs", type=int, help="the first, at half the size; default: 5 of 8, or none")
    add("--batch-size", type=int, default=64)
    add("--image-size", type=int, default=64, help="pixels, a multiple of 32")
    add("--learning-rate", type=float, help="default: 2e-3, from a checkpoint 3e-4")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=1)
    args = parser.parse_args()
    if min(args.epochs, args.batch_size, args.threads) < 1:
        parser.error("--epochs, --batch-size and --threads must be at least 1")
    if args.mixer and (args.model not in VARIANTS or args.checkpoint):
        parser.error(
            "--mixer is for AFFNet from random weights: without --checkpoint, and with "
            f"--model {', '.join(VARIANTS)}"
        )
    return args


def recipe_of(args: argparse.Namespace, images: str) -> Recipe:
    fresh = args.checkpoint is None
    small = round(SMALL_SHARE * args.epochs) if fresh and not args.mixer else 0
    name = "+".join(filter(None, (args.model, args.mixer)))
    return Recipe(
        network=name if fresh else content_sha256(args.checkpoint),
        images=images,
        epochs=args.epochs,
        small_epochs=small if args.small_epochs is None else args.small_epochs,
        batch_size=args.batch_size,
        image_size=args.image_size,
        learning_rate=args.learning_rate or (2e-3 if fresh else 3e-4),
        weight_decay=0.05,
        label_smoothing=0.1,
        average_decay=0.998,
        seed=args.seed,
    )


def run(args: argparse.Namespace) -> None:
    SizeRule().check(args.model, args.image_size, args.image_size)
    torch.set_num_threads(args.threads)
    # oneDNN's gradient of this mixer's convolution, 33 x 1 on short sequences, writes beyond its
    # memory (torch 2.13)
    torch.backends.mkldnn.enabled = args.mixer != "nystrom"
    cache = Path(platformdirs.user_cache_dir("affnet")) / "training"
    folder = args.images or emoji.make_dataset(cache / "emoji", cache)
    train_set, test_set = open_splits(folder, args.seed)
    classes = train_set.classes
    torch.manual_seed(args.seed)
    if args.checkpoint is None:
        model = create(args.model, classes, args.mixer or "aff", args.image_size)
    else:
        model = load_for_classes(args.checkpoint, args.config, classes)
    recipe = recipe_of(args, train_set.fingerprint())
    print(f"{len(train_set)} images to train on, {len(test_set)} to test on", flush=True)
    progress = start(model, recipe)
    train_pixels, test_pixels = (decode(part, args.image_size) for part in (train_set, test_set))
    train(progress, recipe, train_pixels, test_pixels, args.output / "state.pt")
    top1 = accuracy(progress.average, test_pixels, args.image_size)
    written = write_network(progress.average, classes, args.image_size, args.output)
    report = {
        "command": shlex.join(["python", *sys.argv]),
        "recipe": asdict(recipe),
        "test_images": len(test_pixels),
        "test_top1": round(top1, 4),
        "minutes": round(progress.seconds / 60, 1),
        "finished": time.strftime("%Y-%m-%d"),
    }
    write_whole(args.output / "training.json", json.dumps(report, indent=2) + "\n")
    print(f"test top-1 {100 * top1:.1f} %; wrote {written}")


def main() -> None:
    args = parse()
    try:
        with translating_os_errors(args.output):
            args.output.mkdir(parents=True, exist_ok=True)
        with FileLock(args.output / ".lock", timeout=0):
            run(args)
    except Timeout:
        error: AffnetError = UsageError(f"Another training writes to {args.output}.")
    except AffnetError as raised:
        error = raised
    except KeyboardInterrupt:
        print("Stopped; the same command goes on after the last whole epoch.", file=sys.stderr)
        sys.exit(130)
    else:
        return
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
