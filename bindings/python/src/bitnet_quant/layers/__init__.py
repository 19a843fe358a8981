"""A model's layers one after the other, and layers that were quantized before: `Layers`,
and SLI's LayerCache and UniversalSLIProcessor."""
from .cache import LayerCache, LayerCacheManager, get_layer_cache
from .model import Layer, Layers, LayerStatistics
from .sli import UniversalSLIProcessor

__all__ = ["Layer", "LayerCache", "LayerCacheManager", "LayerStatistics", "Layers",
           "UniversalSLIProcessor", "get_layer_cache"]
