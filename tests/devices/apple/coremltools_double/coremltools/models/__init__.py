from coremltools.models.model import MLModel

__all__ = ["MLModel"]
