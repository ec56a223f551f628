"""How commands end, and what of the environment they read."""

from __future__ import annotations

EXIT_CODES = {
    0: "done",
    1: "a check failed, or the job could not be finished",
    2: "wrong use or bad input",
    3: "something is not installed, or a device is missing",
    130: "interrupted (128 and the signal's number); existing files were not changed",
}
#: What 0 and 1 say of commands that give a verdict.
VERDICTS = {
    "export": ("every file was written, and agrees with PyTorch", "a file was refused"),
    "verify": ("it agrees", "it disagrees: here, on a device, or on held-out images"),
    "check": ("no budget is FAIL", "one is; with --strict INCONCLUSIVE too"),
    "bench": (
        "every model was measured",
        "a measurement failed, or --require-placement is not met",
    ),
}
ENVIRONMENT = {
    "AFFNET_CACHE_DIR": "the folder of the cache, instead of the system's for caches",
    "AFFNET_CACHE_SIZE": "how much of what was exported is kept; default: 2 GB",
    "AFFNET_NO_CACHE": "1: export sources anew, and keep nothing",
    "AFFNET_KEY_PASSWORD": "the password of the private key that affnet sign takes",
    "AFFNET_STORE": "the store of results, as --store",
    "XDG_CONFIG_HOME": "where affnet/devices.toml stands; default: ~/.config",
}
FILES = {
    "affnet.toml": "the project file, here or in a folder above",
    "budgets.toml": "budgets that affnet check holds models to",
    "~/.config/affnet/devices.toml": "devices of yours, beside the shipped ones",
}
