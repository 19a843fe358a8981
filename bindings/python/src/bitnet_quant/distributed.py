"""Work on models spread over processes or machines, by any executor: one of
`concurrent.futures`, a Dask `distributed.Client`, mpi4py's `MPIPoolExecutor`, or whatever has
their `submit`, or `map`.

    from concurrent.futures import ProcessPoolExecutor
    from bitnet_quant import distributed

    with ProcessPoolExecutor() as executor:
        distributed.convert("model", "model-int4", "int4_per_group_128", executor=executor)

A model is worked on in parts: runs of tensors of about as many bytes, by default as many as it
has files. Paths and texts travel, never weights, so all workers must see the same files, under
the same paths. A part can be made by any worker, at any time, and more than once: results are
the same to the last byte for every number of workers and every order, and depend on the number
of parts alone. A worker that is killed costs what it was doing; an executor that does not give
its task to another one (`concurrent.futures` raises BrokenProcessPool) is asked again by the
same call, which finds what is finished.

Each task uses one thread, since there is a worker for each core as a rule; `threads` says
otherwise. Without an executor the parts are made here, one after the other.

progress: called with tasks done, tasks in all, and what was finished. Returning False cancels,
and so does raising: tasks that have not begun are not begun, and those that have end at their
ends.
"""
from __future__ import annotations

import ctypes
import os
import shutil
import time
import uuid
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Optional, Sequence, Union

from . import _abi
from . import context as contexts
from ._handles import StrPath, create, encode_path, unsigned
from ._loader import library
from ._options import OptionValue
from .calibration import Calibration, Calibrator
from .config import ConfigLike, as_config
from .conversion import Plan, Report, as_plan, run_conversion
from .context import Context
from .errors import CancelledError, InvalidArgumentError, MissingFileError
from .files import File, write_flags
from .progress import Progress, cancels
from .sensitivity import Sensitivity, SizeEstimate, analyze_part, estimate_file

__all__ = ["calibrate", "convert", "estimate", "part_count", "sensitivity", "verify"]

#: Between two looks at what is running, in seconds.
_INTERVAL = 0.02


class _Plan(NamedTuple):
    """A plan on its way to a worker."""

    text: str
    importance: Optional[str]

    def open(self) -> Plan:
        plan = Plan.from_text(self.text)
        if self.importance is not None:
            plan.load_importance(self.importance)
        return plan


def part_count(input: StrPath) -> int:
    """In how many parts a model is worked on by default: as many as it has files, or one for
    each GiB of a single one."""
    count = ctypes.c_uint64()
    library().bnq_part_count(contexts.handle(None), encode_path(input, "input"),
                             ctypes.byref(count))
    return count.value


def convert(input: StrPath, output: StrPath, plan: Union[Plan, ConfigLike, None] = None, *,
            executor: Any, parts: Optional[int] = None, importance: Optional[StrPath] = None,
            overwrite: bool = False, compress: bool = False, requantize: bool = False,
            threads: int = 1, progress: Optional[Progress] = None, **options: OptionValue
            ) -> Report:
    """Quantizes a model into the folder `output`: a file for each part, an index of them, and
    what is beside the weights of a folder with a config.json. Nothing is at `output` before
    all of it is; until then what is finished is in `output` + ".parts", where a call that comes
    again, after one that failed or was killed, finds it.

    plan, overwrite, compress, requantize, options: as in quantize_file.
    importance: a file, as Plan.load_importance reads it.
    parts: how many; the bytes of the output depend on it.

    ExistsError where there is something at `output`, or parts of another input or plan are.
    """
    given = _given(plan, importance, options)
    flags = write_flags(overwrite, compress, requantize=requantize)
    paths = os.fspath(input), os.fspath(output)
    count = _count(input, parts)
    _run(executor, _quantize_part,
         [(f"part {part} of {count}", (*paths, given, part, count, flags, threads))
          for part in range(count)], progress)
    return run_conversion("bnq_join_parts", None, contexts.handle(None), given.open()._handle,
                          encode_path(input, "input"), encode_path(output, "output"), count,
                          flags)


def sensitivity(input: StrPath, candidates: Sequence[ConfigLike] = (), *, executor: Any,
                plan: Optional[Plan] = None, importance: Optional[StrPath] = None,
                parts: Optional[int] = None, save: Optional[StrPath] = None, threads: int = 1,
                progress: Optional[Progress] = None) -> Sensitivity:
    """What analyze_file measures, part by part.

    importance: a file, as Plan.load_importance reads it.
    save: where to save it; what is finished of it is kept in `save` + ".parts" until all is,
        and is not measured again by a call that comes after one that failed.
    """
    given = _given(plan or Plan(), importance, {})
    count = _count(input, parts)
    kept = None if save is None else os.fspath(save) + ".parts"
    if kept is not None:
        os.makedirs(kept, exist_ok=True)
    texts = [str(as_config(candidate, {})) for candidate in candidates]
    merged = Sensitivity()
    for text in _run(executor, _analyze_part,
                     [(f"part {part} of {count}",
                       (os.fspath(input), texts, given, part, count,
                        kept and os.path.join(kept, f"{part}-of-{count}.json"), threads))
                      for part in range(count)], progress):
        merged.merge(Sensitivity.from_json(text))
    if save is not None and kept is not None:
        merged.save(save, overwrite=True)
        shutil.rmtree(kept)
    return merged


def calibrate(sources: Union[StrPath, Iterable[StrPath]], config: Optional[ConfigLike] = None, *,
              executor: Any, threads: int = 1, progress: Optional[Progress] = None,
              **options: OptionValue) -> Calibration:
    """A Calibration of batches in files and directories, as Calibration.observe_file takes
    them, a task for each file. With a config it is Calibration.for_config(config, **options).

    UnsupportedError for the methods moving_average and adaptive, whose result depends on the
    order of batches.
    """
    text = None if config is None else str(as_config(config, {}))
    one = (Calibrator(**options) if text is None else Calibrator.for_config(text, **options))
    one.merge(one.copy())  # an error before work is done that would be in vain
    merged = _calibration(text, options)
    files = list(_files(sources))
    if not files:
        raise MissingFileError("sources: there are no files of batches in them")
    for state in _run(executor, _observe, [(path, (path, text, options, threads))
                                           for path in files], progress):
        merged.merge(Calibration.from_bytes(state))
    return merged


def verify(path: StrPath, *, executor: Any, parts: Optional[int] = None, threads: int = 1,
           progress: Optional[Progress] = None) -> None:
    """Checks all of a model file, as File.verify: CorruptFileError or NonFiniteError names a
    tensor."""
    count = _count(path, parts)
    _run(executor, _verify_part, [(f"part {part} of {count}",
                                   (os.fspath(path), part, count, threads))
                                  for part in range(count)], progress)


def estimate(inputs: Union[StrPath, Sequence[StrPath]],
             plan: Union[Plan, ConfigLike, None] = None, *, executor: Any,
             progress: Optional[Progress] = None, **options: OptionValue) -> list[SizeEstimate]:
    """estimate_file of each of several models, from their headers alone."""
    given = _given(plan, None, options)
    paths = [os.fspath(each) for each in _listed(inputs)]
    return _run(executor, _estimate, [(path, (path, given)) for path in paths], progress)


# ---- What runs on workers ----

def _quantize_part(input: str, output: str, plan: _Plan, part: int, parts: int, flags: int,
                   threads: int) -> None:
    run_conversion("bnq_quantize_part", None, contexts.handle(_context(threads)),
                   plan.open()._handle, encode_path(input, "input"),
                   encode_path(output, "output"), part, parts, flags)


def _analyze_part(input: str, candidates: Sequence[str], plan: _Plan, part: int, parts: int,
                  save: Optional[str], threads: int) -> str:
    into = Sensitivity.load(save) if save is not None and os.path.exists(save) else None
    return analyze_part(input, candidates, plan.open(), into, save, None, _context(threads),
                         part, parts).to_json()


def _observe(path: str, config: Optional[str], options: dict[str, OptionValue],
             threads: int) -> bytes:
    calibration = _calibration(config, options)
    calibration.observe_file(path, context=_context(threads))
    return calibration.to_bytes()


def _verify_part(path: str, part: int, parts: int, threads: int) -> None:
    with File(path) as file:
        library().bnq_file_verify_part(contexts.handle(_context(threads)), file._handle, part,
                                       parts, _abi.bnq_progress_fn(), None)


def _estimate(path: str, plan: _Plan) -> SizeEstimate:
    return estimate_file(path, plan.open())


# ---- What both sides share ----

def _context(threads: int) -> Optional[Context]:
    return None if threads == 1 else Context(threads)


def _calibration(config: Optional[str], options: dict[str, OptionValue]) -> Calibration:
    return (Calibration(**options) if config is None
            else Calibration.for_config(config, **options))


def _given(plan: Union[Plan, ConfigLike, None], importance: Optional[StrPath],
           options: dict[str, OptionValue]) -> _Plan:
    whole = as_plan(plan, options)
    if whole._has_importance:
        raise TypeError("plan has importance, which does not travel: give the file that has it "
                        "as importance")
    return _Plan(str(whole), None if importance is None else os.fspath(importance))


def _count(input: StrPath, parts: Optional[int]) -> int:
    if parts is None:
        return part_count(input)
    count = unsigned(parts, "parts", 64)
    if count == 0:
        raise InvalidArgumentError("parts = 0, must be 1 or more")
    return count


def _listed(several: Union[StrPath, Iterable[StrPath]]) -> list[StrPath]:
    return ([several] if isinstance(several, (str, bytes, os.PathLike)) else list(several))


def _files(sources: Union[StrPath, Iterable[StrPath]]) -> Iterator[str]:
    """The files of batches in them, each once."""
    lib = library()
    seen = set()
    for source in _listed(sources):
        batches = create(_abi.bnq_batches, lib.bnq_batches_find, None,
                         encode_path(source, "sources"), None, destroy="bnq_batches_destroy")
        for index in range(lib.bnq_batches_count(batches)):
            path = os.fsdecode(lib.bnq_batches_path(batches, index))
            if path not in seen:
                seen.add(path)
                yield path


# ---- Executors ----

def _run(executor: Any, task: Callable[..., Any], items: Sequence[tuple[str, tuple[Any, ...]]],
         progress: Optional[Progress]) -> list[Any]:
    """What the task returns for each item, in their order; the first error that is heard of."""
    # An executor that keeps results by their arguments, as Dask's, runs what is called again.
    run = uuid.uuid4().hex
    calls = [(run, task, arguments) for _, arguments in items]
    if executor is None:
        return _in_turn(map(_call, calls), items, progress)
    if not hasattr(executor, "submit"):
        if not hasattr(executor, "map"):
            raise TypeError(f"executor must have submit or map, got {type(executor).__name__}")
        return _in_turn(executor.map(_call, calls), items, progress)
    futures = [executor.submit(_call, call) for call in calls]
    try:
        _wait(futures, items, progress)
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        _let_end(futures)
        raise


def _call(call: tuple[str, Callable[..., Any], tuple[Any, ...]]) -> Any:
    _, task, arguments = call
    return task(*arguments)


def _in_turn(results: Iterable[Any], items: Sequence[tuple[str, tuple[Any, ...]]],
             progress: Optional[Progress]) -> list[Any]:
    done = []
    for result in results:
        done.append(result)
        _tell(progress, len(done), len(items), items[len(done) - 1][0])
    return done


def _wait(futures: Sequence[Any], items: Sequence[tuple[str, tuple[Any, ...]]],
          progress: Optional[Progress]) -> None:
    waiting = dict(enumerate(futures))
    while waiting:
        finished = [index for index, future in waiting.items() if future.done()]
        for index in finished:
            waiting.pop(index).result()
            _tell(progress, len(futures) - len(waiting), len(futures), items[index][0])
        if not finished:
            time.sleep(_INTERVAL)


def _let_end(futures: Sequence[Any]) -> None:
    """Waits for what was running: nobody writes any more when the caller hears of an error."""
    for future in futures:
        while not future.done():
            time.sleep(_INTERVAL)


def _tell(progress: Optional[Progress], done: int, total: int, item: str) -> None:
    if progress is not None and cancels(progress(done, total, item)):
        raise CancelledError("the progress callback asked to stop")
