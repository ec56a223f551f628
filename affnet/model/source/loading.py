"""Recognizing which kind of SOURCE a name or path is, and loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affnet.artifact import UNPROVEN, Provenance
from affnet.errors import UnknownNameError, UsageError
from affnet.files import content_sha256, portable
from affnet.model.bundled import BUNDLED, bundled_folder
from affnet.model.checkpoint import read_checkpoint
from affnet.model.complex_parts import PAIR
from affnet.model.create import NETWORKS, Network, create_model
from affnet.model.dense.deeplabv3 import PUBLISHED_ON_VOC, DeepLabv3
from affnet.model.mixers import get_mixer
from affnet.model.network import AFFNet
from affnet.model.peers import (
    DETECTION_PEERS,
    PEER_CLASSES,
    PEERS,
    SEGMENTATION_CLASSES,
    SEGMENTATION_PEERS,
)
from affnet.model.peers.libraries import is_of_library
from affnet.model.program_interface import LoadedProgram
from affnet.model.programs import build_program, is_function, load_program
from affnet.model.published import Published
from affnet.model.random_state import leaving_random_state
from affnet.model.random_weights import randomise
from affnet.model.source import files
from affnet.model.source.base import OWN_WEIGHTS, SEED, Source, interface, known_labels, with_labels
from affnet.model.source.peers import is_peer, library_source, peer_source
from affnet.model.source_file import PROGRAM_SUFFIX

#: Of files that a runtime executes, from which no network can be loaded.
EXPORTED_SUFFIXES = (
    ".aimodel", ".mlpackage", ".mnn", ".onnx", ".param", ".pte", ".tflite", ".xml",
)  # fmt: skip
_MIXER_SIGN = "+"


def source_names() -> tuple[str, ...]:
    """Return every name that is a source without a file."""
    return (*NETWORKS, *PEERS, *SEGMENTATION_PEERS, *DETECTION_PEERS, *BUNDLED)


@leaving_random_state
def load_source(
    source: str,
    *,
    variant: str | None = None,
    config: Path | None = None,
    activation: str | None = None,
    attn_norm: str | None = None,
    ema: bool = False,
    image_size: tuple[int, int] | None = None,
    weights: Path | None = None,
    labels: Path | None = None,
    dynamic: str | None = None,
    complex_as: str = PAIR,
) -> Source:
    """Load SOURCE.

    It is a variant's, peer's or bundled name, a variant's with another token mixer
    (``affnet_et+twins``, of `affnet.model.mixers.MIXERS`), a network of a library (``timm:NAME``,
    ``torchvision:NAME``), the path of a checkpoint, or a network
    of your own: the path of a ``torch.export`` program (``.pt2``) or ``module:function``, see
    `affnet.model.programs.build_program`.

    The options are those of `affnet.load_checkpoint`; ``activation`` and ``attn_norm`` also apply
    to a variant's name, whose weights are random.  ``image_size`` is that of the images, height and
    width, if it is not the source's own: a token mixer may be made for maps of one size.
    ``weights`` are those of a peer: a file of weights, or its folder, as ``save_pretrained``
    writes it.  ``labels`` is a text file of class names, one a line, instead of its own.
    ``dynamic`` names open axes of a function's network, as `affnet.dynamic_axes` reads them, and
    ``complex_as`` says what complex tensors are that it takes or gives: a ``pair``, real with a
    last axis of 2, or its ``parts``, two real tensors.

    Raises:
        UsageError: ``source`` is neither a known name nor a file, or an option does not apply.
        AffnetError: as `affnet.load_checkpoint`, `affnet.model.source.peers.peer_source` and the
            functions of `affnet.model.programs`.
    """
    options = {"config": config, "activation": activation, "attn_norm": attn_norm, "ema": ema}
    if labels is not None:
        given = {
            "variant": variant,
            "image_size": image_size,
            "weights": weights,
            "dynamic": dynamic,
            "complex_as": complex_as,
        }
        return with_labels(load_source(source, **options, **given), labels)  # type: ignore[arg-type]
    if weights is not None and not is_peer(source):
        raise UsageError(f"--weights fills a peer, such as mobilevit_xxs; {source!r} is none.")
    if complex_as != PAIR and not _is_own(source):
        raise UsageError(f"--complex is for networks of your own, and {source!r} is none.")
    name, sign, mixer = source.partition(_MIXER_SIGN)
    if name in NETWORKS:
        with_mixer = {"mixer": mixer, "image_size": image_size} if sign else {}
        return _from_name(name, variant, options, with_mixer)
    if sign and is_peer(name):
        raise UsageError(f"{source!r}: only AFFNet takes another token mixer, as affnet_et+twins.")
    if is_peer(source):
        _refuse_options(source, {**options, "variant": variant})
        return peer_source(source, weights)
    if is_of_library(source):
        _refuse_options(source, {**options, "variant": variant})
        return library_source(source)
    if source in BUNDLED:
        _refuse_options(source, {**options, "variant": variant})
        return _from_bundled(source)
    path = Path(source)
    if _is_own(source):
        _refuse_options(source, {**options, "variant": variant})
        own = _from_program if path.suffix == PROGRAM_SUFFIX else _from_function
        return own(source, dynamic, complex_as)
    if path.suffix in EXPORTED_SUFFIXES:
        raise UsageError(
            f"{source} is a file for a runtime, not a network to load",
            "name what it was exported from: a name, a checkpoint, a program or module:function.",
        )
    if not path.exists() and path.suffix == "" and path.parent == Path():
        raise UnknownNameError("source", source, (*source_names(), "a path, or module:function"))
    return _from_checkpoint(path, variant=variant, **options)


def _is_own(source: str) -> bool:
    """Return whether ``source`` is a program or a function of the user's."""
    if Path(source).suffix == PROGRAM_SUFFIX:
        return True
    return is_function(source) and not is_of_library(source) and not Path(source).exists()


def check_source(source: str, **options: Any) -> None:
    """Refuse what `load_source` refuses with the same options.

    What is only a name, without weights of the user's, is not built for that.

    Raises:
        AffnetError: as `load_source`.
    """
    name, sign, mixer = source.partition(_MIXER_SIGN)
    given = any(value for key, value in options.items() if key != "image_size")
    if given or not (name in NETWORKS or (not sign and source in source_names())):
        load_source(source, **options)
    elif sign:
        get_mixer(mixer)


def reload_source(provenance: Provenance, artifact: Path | None = None) -> Source:
    """Build the network that ``artifact`` was exported from again.

    Raises:
        UsageError: its checkpoint or weights are not at hand or have changed since, or it was not
            exported by affnet.
    """
    if provenance.kind == UNPROVEN:
        raise UsageError(
            f"{artifact or provenance.location} was not exported by affnet",
            "name the network that it should agree with: --against of affnet verify and eval.",
        )
    location, settings = provenance.location, dict(provenance.settings)
    if (weights := settings.get("weights")) is not None:
        settings["weights"] = files.find(provenance, str(weights), artifact)
    elif provenance.kind in ("checkpoint", "program"):
        found = files.find(provenance, location, artifact)
        location = str(found)
        if settings.get("config") is not None:
            settings["config"] = files.beside(str(settings["config"]), found)
    return load_source(location, **settings)


def _refuse_options(name: str, options: dict[str, Any]) -> None:
    given = [f"--{key.replace('_', '-')}" for key, value in options.items() if value]
    if given:
        raise UsageError(f"{', '.join(given)} does not apply to {name!r}.")


def _from_name(
    name: str, variant: str | None, options: dict[str, Any], with_mixer: dict[str, Any]
) -> Source:
    _refuse_options(name, {"config": options["config"], "ema": options["ema"]})
    if variant not in (None, name):
        raise UsageError(f"--variant {variant} contradicts the source {name!r}.")
    settings = {key: options[key] for key in ("activation", "attn_norm") if options[key]}
    model = create_model(name, **settings, **with_mixer)
    randomise(model, SEED)
    published, size = _published(model), None
    if with_mixer:
        size = with_mixer["image_size"] or model.DEFAULT_SIZE
        name, published = _MIXER_SIGN.join((name, with_mixer["mixer"])), None
        settings["image_size"] = list(size)
    labels, labels_notes = known_labels(model)
    return Source(
        model=model.eval(),
        name=name,
        provenance=Provenance("variant", name, f"random (seed {SEED})", None, settings),
        labels=labels,
        published=published,
        notes=(
            f"{name} has random weights (seed {SEED}); its outputs mean nothing.",
            *labels_notes,
        ),
        **interface(model, size),
    )


def _from_bundled(name: str) -> Source:
    folder = bundled_folder(name)
    checkpoint = read_checkpoint(folder / "weights.safetensors", config=folder / "config.yaml")
    assert checkpoint.config is not None  # given
    return Source(
        model=checkpoint.model,
        name=name,
        provenance=Provenance("bundled", name, "trained", checkpoint.sha256, {}),
        labels=tuple((folder / "labels.txt").read_text(encoding="utf-8").splitlines()),
        published=None,
        notes=(),
        **interface(checkpoint.model, checkpoint.config.image_size),
    )


def _from_checkpoint(path: Path, **options: Any) -> Source:
    options["config"] = Path(options["config"]) if options.get("config") else None
    checkpoint = read_checkpoint(path, **options)
    config, model = checkpoint.config, checkpoint.model
    labels, labels_notes = known_labels(model, path)
    settings = {
        "variant": checkpoint.name,
        "config": portable(config.path) if config else None,
        "activation": model.activation,
        "attn_norm": model.attn_norm,
        "ema": bool(options.get("ema")),
    }
    files.remember(checkpoint.sha256, path)
    mixer = _mixer(model)
    kind = checkpoint.name + ("" if mixer == "aff" else _MIXER_SIGN + mixer)
    found = f"{path.name} is {kind} with {model.num_classes} classes"
    return Source(
        model=model,
        name=path.stem,
        provenance=Provenance(
            "checkpoint", portable(path), OWN_WEIGHTS, checkpoint.sha256, settings
        ),
        labels=labels,
        published=_published(model),
        notes=(
            f"{found}, {model.activation}, {model.attn_norm}"
            + (f" (config {config.path.name})." if config else "."),
            *checkpoint.notes,
            *labels_notes,
        ),
        **interface(model, config.image_size if config else None),
    )


def _mixer(model: Network) -> str:
    return model.mixer if isinstance(model, AFFNet) else model.encoder.mixer


def _published(model: Network) -> Published | None:
    """Return the published numbers of a network, if its weights could be the published ones."""
    if _mixer(model) != "aff":
        return None
    if isinstance(model, DeepLabv3) and model.num_classes == SEGMENTATION_CLASSES:
        return PUBLISHED_ON_VOC[model.variant.name]
    if isinstance(model, AFFNet) and model.num_classes == PEER_CLASSES:
        return model.variant.published
    return None


def _from_program(name: str, dynamic: str | None, complex_as: str) -> Source:
    loaded, path = load_program(Path(name), dynamic, complex_as), Path(name)
    sha256 = content_sha256(path)
    files.remember(sha256, path)
    provenance = Provenance("program", portable(path), "as given", sha256, {})
    return _of_your_own(loaded, path.stem, provenance)


def _from_function(name: str, dynamic: str | None, complex_as: str) -> Source:
    loaded = build_program(name, SEED, dynamic, complex_as)
    settings = {} if dynamic is None else {"dynamic": dynamic}
    settings |= {} if complex_as == PAIR else {"complex_as": complex_as}
    provenance = Provenance("function", name, "as given", None, settings)
    return _of_your_own(loaded, _function_name(name), provenance)


def _function_name(function: str) -> str:
    """Return the name of what a function builds, and so of its files.

    It is that of the module and the function without ``build``: ``nets`` for ``a.nets:build``,
    ``nets_small`` for ``a.nets:build_small``, ``nets_gfnet`` for ``a.nets:gfnet``.
    """
    path, _, function = function.partition(":")
    module = path.rpartition(".")[2]
    if function == "build":
        return module
    return f"{module}_{function.removeprefix('build_')}"


def _of_your_own(loaded: LoadedProgram, name: str, provenance: Provenance) -> Source:
    return Source(
        model=loaded.model,
        name=name,
        provenance=provenance,
        inputs=loaded.inputs,
        outputs=loaded.outputs,
        labels=None,
        published=None,
        notes=loaded.notes,
        program=loaded.program,
        example=loaded.example,
        captured=loaded.captured,
        task="other",
        dynamic=loaded.dynamic,
    )
