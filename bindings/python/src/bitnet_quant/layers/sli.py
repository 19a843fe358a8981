"""A model's layers one after the other, kept quantized: SLI's processor."""
from __future__ import annotations

import hashlib
import json
import os
import pathlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Iterator, Mapping, Optional, Union

from .. import context as contexts
from .._handles import StrPath
from ..config import ConfigLike
from ..conversion import Plan, as_plan
from ..errors import NotFoundError
from .cache import LayerCache
from .model import Layers

#: The endings of the files of a model's weights.
_WEIGHTS = (".safetensors", ".bnq", ".npy")


class UniversalSLIProcessor:
    """Runs a model larger than memory a layer at a time. Each layer is quantized once, into a
    LayerCache, found there from then on, and let go after use:

        processor = UniversalSLIProcessor("Llama-2-7b", get_int8_config(), cache_dir="layers")
        y = processor.process(x, lambda x, layer: run(x, layer))

    A layer is a dictionary from tensors' names to QuantizedTensors, and to read-only arrays
    of what is not quantized. In memory are `look_ahead` layers besides the one in use, and
    what the cache keeps; a thread gets them ready.

    model_name: a model file or folder, as for open_file; nothing is downloaded.
    quantization_config: a config of bitnet_quant.torch, or a Plan, Config or text as for
        Layers; None leaves tensors as they are.
    cache: None: a LayerCache in cache_dir that keeps nothing in memory.
    delete_shards: remove a shard of the model (a file of a folder with an index) as soon as
        all layers with tensors in it are in the cache, and from the index. What was removed
        is not needed again, as long as the layers are there.
    progress: called with the layers done and of all, after each; False stops: process returns
        what there is.

    Layers are found by the files they came from (size and time), and by the plan: a model
    that has changed is quantized anew. For one thread at a time.
    """

    def __init__(self, model_name: StrPath, quantization_config: Any = None, *,
                 cache: Optional[LayerCache] = None, cache_dir: Optional[StrPath] = None,
                 look_ahead: int = 1, delete_shards: bool = False,
                 progress: Optional[Callable[[int, int], object]] = None,
                 context: Optional[contexts.Context] = None) -> None:
        if cache is not None and cache_dir is not None:
            raise TypeError("cache and cache_dir exclude each other")
        if look_ahead < 0:
            raise ValueError(f"look_ahead is {look_ahead}; 0 or more is accepted")
        self.model_name = os.fspath(model_name)
        self.cache = (LayerCache(cache_dir, max_memory_cache_size_gb=0) if cache is None
                      else cache)
        self.look_ahead, self.progress = look_ahead, progress
        self._plan = _plan_of(quantization_config)
        self._context, self._delete = context, delete_shards
        self._layers: Optional[Layers] = None
        self._counts = {"layers_processed": 0, "quantized": 0, "restored": 0, "shards_deleted": 0}
        self._manifest = self._known() or self._made()

    @property
    def names(self) -> list[str]:
        """The layers' names, in order."""
        return list(self._manifest["names"])

    def __len__(self) -> int:
        return len(self._manifest["names"])

    def load(self, index: int) -> dict[str, Any]:
        """A layer: from the cache, else from the model, and into the cache."""
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} layers")
        found = self.cache.get_layer(self.model_id, index)
        if found is not None:
            self._counts["restored"] += 1
        else:
            found = self._from_model(index)
            self._counts["quantized"] += 1
        if not isinstance(found, dict):
            raise TypeError(f"the cache has a {type(found).__name__} for layer {index}")
        return found

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The layers in order; the next ones are got ready meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            ahead: list[Future[dict[str, Any]]] = []
            for index in range(len(self)):
                while len(ahead) <= self.look_ahead and index + len(ahead) < len(self):
                    ahead.append(pool.submit(self.load, index + len(ahead)))
                yield ahead.pop(0).result()

    def process(self, x: Any, function: Callable[[Any, Mapping[str, Any]], Any]) -> Any:
        """x = function(x, layer) for each layer in order; returns the last x."""
        done = 0
        for layer in self:
            x = function(x, layer)
            del layer
            done += 1
            self._counts["layers_processed"] += 1
            if self.progress is not None and self.progress(done, len(self)) is False:
                break
        return x

    def get_stats(self) -> dict[str, Any]:
        """Layers processed, quantized and restored, shards deleted, and the cache's."""
        return {**self._counts, "cache": self.cache.get_stats()}

    @property
    def model_id(self) -> str:
        """The layers' model_id in the cache."""
        return str(self._manifest["id"])

    def _from_model(self, index: int) -> dict[str, Any]:
        if self._layers is None:
            self._layers = Layers(self.model_name, self._plan, look_ahead=0,
                                  context=self._context)
        layer = dict(self._layers.load(self._manifest["names"][index]))
        if not self.cache.cache_layer(self.model_id, index, layer):
            return layer
        # From the cache, so that nothing of the model is held.
        restored = self.cache.get_layer(self.model_id, index)
        if not isinstance(restored, dict):
            return layer
        del layer
        if self._delete:
            self._delete_shards()
        return restored

    def _delete_shards(self) -> None:
        """Removes the shards all of whose layers are in the cache, and from the index."""
        deleted = self._manifest["deleted"]
        done = [name for name, layers in self._manifest["shards"].items()
                if os.path.exists(os.path.join(self.model_name, name))
                and all(self.cache.contains(self.model_id, index)
                        for index in layers)]
        if not done:
            return
        # Written before: a shard that is gone is one that was let go.
        deleted.extend(name for name in done if name not in deleted)
        self._save()
        index = _index(self.model_name)
        assert index is not None
        about = json.loads(index.read_text("utf-8"))
        about["weight_map"] = {name: file for name, file in about["weight_map"].items()
                               if file not in deleted}
        _replace(index, json.dumps(about, indent=2))
        self._layers = None
        for name in done:
            os.remove(os.path.join(self.model_name, name))
            self._counts["shards_deleted"] += 1

    def _known(self) -> Optional[dict[str, Any]]:
        """What is known of the model from before; None where it is another by now."""
        try:
            known: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        files = _files(self.model_name)
        gone = set(known["files"]) - set(files)
        same = all(known["files"].get(name) == state for name, state in files.items())
        if not same or not gone <= set(known["deleted"]):
            return None
        # What was removed is needed where the cache has lost a layer of it.
        lost = [index for name in gone for index in known["shards"][name]
                if not self.cache.contains(known["id"], index)]
        if lost:
            raise NotFoundError(
                f"model {self.model_name!r} has no {', '.join(sorted(gone))} any more, which were "
                f"deleted, and the cache has no layer {min(lost)}")
        return known

    def _made(self) -> dict[str, Any]:
        self._layers = Layers(self.model_name, self._plan, look_ahead=0, context=self._context)
        files = _files(self.model_name)
        text = json.dumps([self.model_name, files, str(self._plan)], sort_keys=True)
        self._manifest = {
            "id": f"{self.model_name}@{hashlib.sha256(text.encode()).hexdigest()}",
            "names": list(self._layers.names), "files": files,
            "shards": _shards(self.model_name, self._layers), "deleted": []}
        self._save()
        return self._manifest

    @property
    def _path(self) -> pathlib.Path:
        text = json.dumps([os.path.abspath(self.model_name), str(self._plan)])
        return self.cache.cache_dir / f"{hashlib.sha256(text.encode()).hexdigest()}.json"

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _replace(self._path, json.dumps(self._manifest))


def _replace(path: pathlib.Path, text: str) -> None:
    """A text in a file's place, whole or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)


def _index(model: str) -> Optional[pathlib.Path]:
    """The index of a folder's shards; None of other models."""
    names = sorted(pathlib.Path(model).glob("*.index.json")) if os.path.isdir(model) else []
    return names[0] if names else None


def _plan_of(config: Union[Plan, ConfigLike, None, Any]) -> Plan:
    if config is None:
        return Plan()
    to_plan: Optional[Callable[[], Plan]] = getattr(config, "to_plan", None)
    return as_plan(config, {}) if to_plan is None else to_plan()


def _files(model: str) -> dict[str, list[int]]:
    """Size and time of the files of the model's weights."""
    paths = ([os.path.join(model, name) for name in sorted(os.listdir(model))
              if name.endswith(_WEIGHTS)] if os.path.isdir(model) else [model])
    return {os.path.basename(path): [os.stat(path).st_size, os.stat(path).st_mtime_ns]
            for path in paths}


def _shards(model: str, layers: Layers) -> dict[str, list[int]]:
    """The layers that have tensors in each file of a folder."""
    index, found = _index(model), dict[str, set[int]]()
    if index is not None:
        for tensor, file in json.loads(index.read_text("utf-8"))["weight_map"].items():
            # A tensor that is taken apart (experts) is not found by its name.
            owners = [layers.find(tensor)] if tensor in layers else range(len(layers))
            found.setdefault(file, set()).update(owners)
    return {name: sorted(indices) for name, indices in found.items()}
