"""Runs a package for Python on the pictures that stdin names; see `tests.package.bulk`."""

import json
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]) / "src"))

from emoji_model import Classifier, PictureError
from emoji_model.pictures import decode

model = Classifier()
for line in sys.stdin.read().splitlines():
    try:
        image = decode(line)
        pixels = model.network.preprocessing.pixels(image).tobytes()
        best = model.classify(image)[0].index
        print(json.dumps({"file": line, "pixels": zlib.crc32(pixels), "class": best}))
    except PictureError as error:
        print(json.dumps({"file": line, "error": str(error)}))
