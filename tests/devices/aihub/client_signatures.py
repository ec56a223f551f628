"""Prints the signatures of what `affnet.devices.aihub.service` calls."""

from __future__ import annotations

import inspect
import json

import qai_hub

METHODS = {
    "Client": [
        "__init__", "set_verbose", "get_devices", "get_model", "get_job", "upload_model",
        "submit_inference_job",
    ],
    "InferenceJob": ["get_status", "download_profile", "download_output_data"],
}  # fmt: skip
found = {
    f"{kind}.{name}": [
        [one.name, str(one.kind), repr(one.default)]
        for one in inspect.signature(getattr(getattr(qai_hub, kind), name)).parameters.values()
    ]
    for kind, names in METHODS.items()
    for name in names
}
found["Device"] = [[one] for one in inspect.signature(qai_hub.Device).parameters]
found["errors"] = [[kind.__name__] for kind in qai_hub.InternalError.__mro__]
print(json.dumps(found))
