"""Write every generated file of the documentation: ``python -m docs_generator``."""

from docs_generator.files import ROOT, generated

for name, text in generated().items():
    path = ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
