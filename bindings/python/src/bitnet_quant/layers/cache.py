"""Layers that were quantized before: SLI's LayerCache."""
from __future__ import annotations

import copy
import hashlib
import os
import pathlib
import tempfile
import threading
import time
import urllib.parse
from collections import OrderedDict
from typing import Any, Callable, Iterator, NamedTuple, Optional

from .._handles import StrPath
from ..cache import Cache
from ..errors import CorruptFileError, InputOutputError, MissingFileError
from . import records
from .records import CachedLayer, Record

_GB = 1024**3
_SUFFIX = ".bnq"

#: The bytes of a part of a file's name that are kept as they are; file systems have 255.
_LONGEST = 120

#: Seconds after which a file that was not finished never will be.
_ABANDONED = 3600

#: deflate's, which is the library's only one.
_LEVEL = 6


class LayerKey(NamedTuple):
    """What a layer is found by."""

    model_id: str
    layer_index: int
    quantization_mode: Optional[str]


class LayerCache:
    """Layers by model, number and mode, in a folder of .bnq files that processes may share,
    and those used last in memory:

        cache = LayerCache("layers", max_cache_size_gb=20)
        cache.cache_layer("meta-llama/Llama-2-7b", 0, layer, quantization_mode="nf4")
        layer = cache.get_layer("meta-llama/Llama-2-7b", 0, quantization_mode="nf4")

    A layer is a mapping from names to arrays, QuantizedTensors or CPU tensors, a
    QuantizedTensor, or a module of torch. Its file is written whole or not at all and its
    checksums are checked when it is read; nothing in it is run. A damaged file is a miss,
    and is removed. Files that are not used for longest go first, by the times of the files,
    which hits in memory refresh, too.

    What a layer is called is the caller's word: a changed model needs another id, or
    invalidate_cache. `Cache` finds tensors by what they were made of instead.

    cache_dir: None: "layers" in Cache.default_folder().
    max_cache_size_gb, max_memory_cache_size_gb: of 1024^3 bytes; 0 for no file, and for
        none in memory.
    enable_compression: DEFLATE the files, at level 6, the only one that is accepted.
    persist_metadata: False: nothing is found but what this object has stored, in a folder
        of its own that goes with it.

    Any number of threads may use one.
    """

    def __init__(self, cache_dir: Optional[StrPath] = None, max_cache_size_gb: float = 50,
                 max_memory_cache_size_gb: float = 2, enable_compression: bool = False,
                 compression_level: int = _LEVEL, persist_metadata: bool = True) -> None:
        for name, limit in (("max_cache_size_gb", max_cache_size_gb),
                            ("max_memory_cache_size_gb", max_memory_cache_size_gb)):
            if not limit >= 0:
                raise ValueError(f"{name} is {limit}; 0 or more is accepted")
        if compression_level != _LEVEL:
            raise ValueError(f"compression_level is {compression_level}; {_LEVEL} is accepted")
        folder = pathlib.Path(os.path.join(Cache.default_folder(), "layers")
                              if cache_dir is None else cache_dir)
        self._own: Optional[tempfile.TemporaryDirectory[str]] = None
        if not persist_metadata:
            folder.mkdir(parents=True, exist_ok=True)
            self._own = tempfile.TemporaryDirectory(dir=folder, prefix="own-")
            folder = pathlib.Path(self._own.name)
        #: Where files are.
        self.cache_dir = folder
        self.max_cache_size_gb = max_cache_size_gb
        self.max_memory_cache_size_gb = max_memory_cache_size_gb
        self.enable_compression = enable_compression
        self._memory: OrderedDict[LayerKey, Record] = OrderedDict()
        self._counts = {name: 0 for name in (
            "memory_hits", "disk_hits", "total_misses", "total_evictions", "damaged",
            "not_stored", "total_bytes_served_from_cache")}
        self._load_seconds = 0.0
        self._lock = threading.RLock()

    def cache_layer(self, model_id: str, layer_index: int, layer: CachedLayer,
                    quantization_mode: Optional[str] = None) -> bool:
        """Stores a layer in place of what has that key. Returns whether it is on disk: a layer
        larger than the limit is not, and removes no other; nor is one that the folder does
        not take (it is full, or may not be written). It is in memory alone then, where it is
        not too large for that. Errors of the layer itself are raised."""
        key, record = _key(model_id, layer_index, quantization_mode), records.record_of(layer)
        with self._lock:
            self._memory.pop(key, None)
            stored = self._store(key, record)
            # What is cached does not change with the layer: as it is in the file, or copies.
            kept = self._load(key, self._path(key)) if stored else self._copied(record)
            if kept is not None:
                self._remember(key, kept)
            return stored

    def get_layer(self, model_id: str, layer_index: int,
                  quantization_mode: Optional[str] = None, device: str = "cpu", *,
                  into: Any = None) -> Optional[CachedLayer]:
        """The layer of exactly that key, None where there is none.

        Arrays and tensors are read-only views of the file; a module is a new one, each time.

        into: a module that takes the tensors of the module that was stored, whose class is
            known to nobody else (TypeError without). Those of torch.nn are.
        device: of a module.
        """
        key = _key(model_id, layer_index, quantization_mode)
        with self._lock:
            record = self._find(key)
        return None if record is None else records.layer_of(record, into, device)

    def contains(self, model_id: str, layer_index: int, quantization_mode: Optional[str] = None
                 ) -> bool:
        """Whether there is a file of that key. It counts as no request."""
        return self._path(_key(model_id, layer_index, quantization_mode)).exists()

    def invalidate_cache(self, model_id: Optional[str] = None,
                         layer_index: Optional[int] = None) -> int:
        """Removes a layer in all its modes, a model's, or all; returns how many files."""
        if model_id is None and layer_index is not None:
            raise ValueError(f"layer_index is {layer_index}, of no model_id")
        with self._lock:
            for key in list(self._memory):
                if model_id in (None, key.model_id) and layer_index in (None, key.layer_index):
                    del self._memory[key]
            where = None if model_id is None else self._folder(model_id)
            removed = 0
            for path, _ in list(self._files()):
                of_model = where is None or path.parent == where
                if of_model and (layer_index is None or _index(path) == layer_index):
                    removed += _remove(path)
            return removed

    def clear_cache(self) -> None:
        """Removes all layers, and no other files."""
        self.invalidate_cache()

    def get_stats(self) -> dict[str, Any]:
        """What is there, and under "performance" what became of requests."""
        with self._lock:
            sizes = [status.st_size for _, status in self._files()]
            memory = sum(record.nbytes for record in self._memory.values())
            counts = self._counts
            hits = counts["memory_hits"] + counts["disk_hits"]
            requests = hits + counts["total_misses"]
            loads = counts["disk_hits"]
            return {
                "disk_cache_entries": len(sizes), "disk_cache_size_gb": sum(sizes) / _GB,
                "max_disk_cache_size_gb": self.max_cache_size_gb,
                "memory_cache_entries": len(self._memory), "memory_cache_size_gb": memory / _GB,
                "max_memory_cache_size_gb": self.max_memory_cache_size_gb,
                "performance": {
                    **counts, "total_hits": hits,
                    "average_load_time_ms": 1000 * self._load_seconds / loads if loads else 0.0,
                    "cache_hit_ratio": hits / requests if requests else 0.0}}

    def print_stats(self) -> None:
        """get_stats, for people."""
        for name, value in self.get_stats().items():
            for label, each in (value.items() if isinstance(value, dict) else [(name, value)]):
                print(f"{label}: {each:.6g}")

    def verify_cache_integrity(self) -> dict[str, int]:
        """Reads every file; those that are damaged, or no layer of that place, are removed.
        How many are `valid`, and `corrupted`."""
        found = {"valid": 0, "corrupted": 0}
        for path, _ in list(self._files()):
            good = _checked(path, lambda about: self._path(LayerKey(*about["key"])) == path)
            found["corrupted" if good is None else "valid"] += 1
            if good is None:
                with self._lock:
                    self._counts["damaged"] += _remove(path)
        return found

    def optimize_cache(self) -> int:
        """Keeps the limits, and removes folders without files; returns how many files went."""
        with self._lock:
            removed = self._evict(0)
            self._shrink()
            for folder in self._folders():
                for path in folder.iterdir():
                    # Left by a process that was killed while it wrote.
                    if _index(path) is None and time.time() - path.stat().st_mtime > _ABANDONED:
                        _remove(path)
                if not any(folder.iterdir()):
                    folder.rmdir()
            return removed

    def _find(self, key: LayerKey) -> Optional[Record]:
        path = self._path(key)
        record = self._memory.get(key)
        if record is not None:
            self._memory.move_to_end(key)
            self._counts["memory_hits"] += 1
            _touch(path)
        else:
            start = time.perf_counter()
            record = self._load(key, path)
            if record is None:
                self._counts["total_misses"] += 1
                return None
            self._load_seconds += time.perf_counter() - start
            self._counts["disk_hits"] += 1
            _touch(path)
            self._remember(key, record)
        self._counts["total_bytes_served_from_cache"] += record.nbytes
        return record

    def _load(self, key: LayerKey, path: pathlib.Path) -> Optional[Record]:
        if not path.exists():
            return None
        record = _checked(path, lambda about: LayerKey(*about["key"]) == key)
        if record is None:
            self._counts["damaged"] += _remove(path)
        return record

    def _store(self, key: LayerKey, record: Record) -> bool:
        """Whether the record is in its file now."""
        limit, path = self.max_cache_size_gb * _GB, self._path(key)
        if record.nbytes <= limit:
            # Beside its place at first: what it will take is known when it is there.
            beside = path.with_name(f"{os.getpid()}-{threading.get_ident()}.new{_SUFFIX}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                records.write(beside, record, {"key": list(key)}, self.enable_compression)
                size = beside.stat().st_size
                if size <= limit:
                    _remove(path)  # what it replaces does not count
                    self._evict(size)
                    os.replace(beside, path)
                    return True
            except OSError:
                pass  # InputOutputError among them: as if there were no folder
            finally:
                _remove(beside)
        _remove(path)
        self._counts["not_stored"] += 1
        return False

    def _evict(self, needed: int) -> int:
        """Removes files, those not used for longest first, until so many bytes more are within
        the limit; returns how many."""
        files = sorted(self._files(), key=lambda each: each[1].st_mtime_ns)
        total, removed = sum(status.st_size for _, status in files) + needed, 0
        for path, status in files:
            if total <= self.max_cache_size_gb * _GB:
                break
            total -= status.st_size
            removed += _remove(path)
            for key in [key for key in self._memory if self._path(key) == path]:
                del self._memory[key]
        self._counts["total_evictions"] += removed
        return removed

    def _fits_memory(self, record: Record) -> bool:
        return record.nbytes <= self.max_memory_cache_size_gb * _GB

    def _copied(self, record: Record) -> Optional[Record]:
        """A record of its own; None of one that is too large to be kept."""
        return copy.deepcopy(record) if self._fits_memory(record) else None

    def _remember(self, key: LayerKey, record: Record) -> None:
        if self._fits_memory(record):
            self._memory[key] = record
            self._shrink()

    def _shrink(self) -> None:
        """Lets go of what was not used for longest until memory is within its limit."""
        total = sum(record.nbytes for record in self._memory.values())
        while total > self.max_memory_cache_size_gb * _GB:
            _, record = self._memory.popitem(last=False)
            total -= record.nbytes

    def _folder(self, model_id: str) -> pathlib.Path:
        return self.cache_dir / f"model-{_quoted(model_id)}"

    def _path(self, key: LayerKey) -> pathlib.Path:
        mode = "" if key.quantization_mode is None else f"-{_quoted(key.quantization_mode)}"
        return self._folder(key.model_id) / f"{key.layer_index}{mode}{_SUFFIX}"

    def _folders(self) -> Iterator[pathlib.Path]:
        if self.cache_dir.is_dir():
            yield from (path for path in self.cache_dir.iterdir()
                        if path.name.startswith("model-") and path.is_dir())

    def _files(self) -> Iterator[tuple[pathlib.Path, os.stat_result]]:
        """The layers' files; not those that somebody is just writing."""
        for folder in self._folders():
            for path in folder.iterdir():
                if path.suffix == _SUFFIX and _index(path) is not None:
                    try:
                        yield path, path.stat()
                    except FileNotFoundError:
                        pass  # another process has removed it

    def __repr__(self) -> str:
        return f"LayerCache({str(self.cache_dir)!r})"


class LayerCacheManager:
    """The one LayerCache that the parts of a program share."""

    _cache: Optional[LayerCache] = None
    _made_with: Optional[tuple[Any, ...]] = None
    _lock = threading.Lock()

    @classmethod
    def get_cache(cls, cache_dir: Optional[StrPath] = None, **options: Any) -> LayerCache:
        """The cache, made with these parameters when first asked for. ValueError where it was
        made with others; without any it is given as it is."""
        given = (cache_dir, tuple(sorted(options.items())))
        with cls._lock:
            if cls._cache is None:
                cls._cache, cls._made_with = LayerCache(cache_dir, **options), given
            elif given not in (cls._made_with, (None, ())):
                raise ValueError(f"the shared cache was made with {cls._made_with}, not with "
                                 f"{given}; LayerCacheManager.reset() lets it go")
            return cls._cache

    @classmethod
    def reset(cls) -> None:
        """Lets the cache go; its files stay."""
        with cls._lock:
            cls._cache = cls._made_with = None


def get_layer_cache(cache_dir: Optional[StrPath] = None, **options: Any) -> LayerCache:
    """LayerCacheManager.get_cache."""
    return LayerCacheManager.get_cache(cache_dir, **options)


def _key(model_id: str, layer_index: int, quantization_mode: Optional[str]) -> LayerKey:
    if not isinstance(model_id, str):
        raise TypeError(f"model_id must be a str, got {type(model_id).__name__}")
    index = int(layer_index)
    if index < 0:
        raise ValueError(f"layer_index is {index}; 0 or more is accepted")
    # Enums of modes have the documented text as their value.
    mode = getattr(quantization_mode, "value", quantization_mode)
    return LayerKey(model_id, index, mode)


def _quoted(text: str) -> str:
    """A part of a file's name: another for every text."""
    quoted = urllib.parse.quote(text, safe="").replace(".", "%2E").replace("~", "%7E")
    if len(quoted) > _LONGEST:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        quoted = f"{quoted[:_LONGEST - 65]}~{digest}"
    return quoted


def _index(path: pathlib.Path) -> Optional[int]:
    """The number of a layer's file; None of others."""
    number = path.stem.partition("-")[0]
    return int(number) if number.isdecimal() and not path.stem.endswith(".new") else None


def _checked(path: pathlib.Path, is_its: Callable[[dict[str, Any]], bool]) -> Optional[Record]:
    """The file's record; None where it is damaged or another's."""
    try:
        record, about = records.read(path)
        return record if is_its(about) else None
    except MissingFileError:
        return None
    except (CorruptFileError, InputOutputError, ValueError, KeyError, TypeError):
        return None


def _touch(path: pathlib.Path) -> None:
    try:
        os.utime(path)
    except OSError:
        pass  # read only, or removed meanwhile: the order of use is as good as it can be


def _remove(path: pathlib.Path) -> int:
    """1 where the file is gone now, and was there."""
    try:
        path.unlink()
        return 1
    except OSError:
        return 0
