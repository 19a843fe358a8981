"""Whole model files: which tensor becomes what, conversion, comparison."""
from __future__ import annotations

import ctypes
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union, overload

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import DTypeLike, dtype_id, importance_weights, pointer
from ._handles import (Handle, StrPath, create, decode, encode, encode_path, integer,
                       read_shape)
from ._loader import library
from ._options import OptionValue
from .comparison import Metrics, read_metrics
from .config import Config, ConfigLike, as_config
from .files import shard_bytes, write_flags
from .tensor import overflow_id
from .progress import Progress, reporting


class PlanMatch(NamedTuple):
    """What a plan decides about a tensor."""

    #: The index of the rule that decides, in the order they were added; None where
    #: none does.
    rule: Optional[int]
    #: What to quantize into; None where the tensor stays as it is.
    config: Optional[Config]


class Plan:
    """Which tensor of a model gets which config: an ordered list of rules, of
    which the first that matches decides. What no rule matches stays as it is,
    and so does what is not float64, float32, float16 or bfloat16.

        plan = Plan()
        plan.add("lm_head.*", None)
        plan.add("*.attn.*", "int8_per_channel", min_rank=2)
        plan.add("*.weight", Config(format="int4", group_size=64), min_rank=2)

    It can be pickled, and copied.
    """

    __slots__ = ("_handle", "_importance", "_loaded", "_rules", "__weakref__")

    def __init__(self) -> None:
        self._handle = create(_abi.bnq_plan, library().bnq_plan_create,
                              destroy="bnq_plan_destroy")
        self._rules: list[tuple[str, Optional[Config], int]] = []
        self._importance: dict[str, np.ndarray[Any, Any]] = {}
        self._loaded = False

    def add(self, glob: str, config: Optional[ConfigLike], *, min_rank: int = 0) -> None:
        """Adds a rule behind the others, for tensors of rank `min_rank` (0 to 8) or
        more whose whole name matches `glob`: * is any characters, ? any one, [a-z]
        and [!a-z] sets, and \\ quotes the next. `config` is a Config or its text;
        None, or the format "none", leaves them unquantized."""
        given = None if config is None else as_config(config, {})
        rank = integer(min_rank, "min_rank", 32)
        library().bnq_plan_add(self._handle, encode(glob, "glob"), rank,
                               None if given is None else given._handle)
        self._rules.append((glob, given, rank))

    def set_importance(self, name: str, importance: np.ndarray[Any, Any]) -> None:
        """The importance of the columns of the tensor `name`, or of `name` + ".weight", as
        in `quantize`; used where its config has scale_rule="mse". It is judged when a file
        is quantized; where no tensor of the file has a use for any that fails."""
        weights = importance_weights(importance)
        library().bnq_plan_set_importance(self._handle, encode(name, "name"),
                                          pointer(weights, ctypes.c_float), weights.size)
        self._importance[name] = weights

    def load_importance(self, path: StrPath, *, context: Optional[contexts.Context] = None) -> None:
        """The same from a file: a model file (safetensors, .bnq, ...) whose arrays are the
        weights under those names, or a saved calibration of layers' inputs, whose channels'
        mean of x^2 they are. A plan with such weights cannot be pickled."""
        library().bnq_plan_load_importance(contexts.handle(context), self._handle,
                                           encode_path(path, "path"))
        self._loaded = True

    def match(self, name: str, rank: int) -> PlanMatch:
        """What becomes of a tensor of that name and rank."""
        rule, config = ctypes.c_int64(), ctypes.POINTER(_abi.bnq_config)()
        library().bnq_plan_match(self._handle, encode(name, "name"), None,
                                 integer(rank, "rank", 32), ctypes.byref(rule),
                                 ctypes.byref(config))
        return PlanMatch(
            None if rule.value < 0 else rule.value,
            Config._own(Handle(config, library().bnq_config_destroy)) if config else None)


    def __reduce__(self) -> tuple[Any, ...]:
        if self._loaded:
            raise TypeError("a Plan whose importance was loaded from a file cannot be pickled; "
                            "set_importance keeps the weights")
        return _plan_of, (self._rules, self._importance)


def _plan_of(rules: Sequence[tuple[str, Optional[Config], int]],
             importance: Mapping[str, np.ndarray[Any, Any]]) -> Plan:
    plan = Plan()
    for glob, config, min_rank in rules:
        plan.add(glob, config, min_rank=min_rank)
    for name, weights in importance.items():
        plan.set_importance(name, weights)
    return plan


def as_plan(plan: Union[Plan, ConfigLike, None], options: Mapping[str, OptionValue]) -> Plan:
    """`plan`; what is not one, with `options` changed, becomes one for all tensors that
    the library takes such a plan to mean: of rank 2 and more."""
    if not isinstance(plan, Plan):
        config = as_config(plan, options)
        plan = Plan()
        plan.add("*", config, min_rank=_abi.MIN_RANK_ALL)
    elif options:
        raise TypeError(f"options ({', '.join(options)}) and a Plan exclude each other")
    return plan


class ReportRow(NamedTuple):
    """What became of one tensor, or how it compares."""

    name: str
    shape: tuple[int, ...]
    #: The format in the output (in the second file); None for a plain array.
    format: Optional[str]
    #: The data type of a plain array; None if quantized.
    dtype: Optional[str]
    #: Bytes in the input (first file) and in the output (second file, as stored).
    bytes_before: int
    bytes_after: int
    #: bytes_after times 8 over the number of elements; 0 where there are none.
    bits_per_weight: float
    #: NaN where there are none.
    metrics: Metrics
    #: Why there are no metrics, or what was done that was not asked for.
    note: str


class Report(Sequence[ReportRow]):
    """One row for each tensor of a conversion or comparison, sorted by name."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[ReportRow]) -> None:
        self._rows = tuple(rows)

    @property
    def bytes_before(self) -> int:
        """Bytes of all tensors in the input."""
        return sum(row.bytes_before for row in self._rows)

    @property
    def bytes_after(self) -> int:
        """Bytes of all tensors in the output."""
        return sum(row.bytes_after for row in self._rows)

    @overload
    def __getitem__(self, index: int) -> ReportRow: ...

    @overload
    def __getitem__(self, index: slice) -> Report: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[ReportRow, Report]:
        return Report(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return (f"Report({len(self)} tensors, {self.bytes_before} bytes -> {self.bytes_after} "
                "bytes)")


def _read_report(handle: Handle) -> Report:
    lib = library()

    def row(index: int) -> ReportRow:
        format_id = lib.bnq_report_format(handle, index)
        dtype = lib.bnq_dtype_name(lib.bnq_report_dtype(handle, index))
        return ReportRow(
            decode(lib.bnq_report_name(handle, index)),
            read_shape(lib.bnq_report_shape, handle, index),
            registry.format_name(format_id),
            None if dtype is None else decode(dtype),
            int(lib.bnq_report_bytes_before(handle, index)),
            int(lib.bnq_report_bytes_after(handle, index)),
            float(lib.bnq_report_bits_per_weight(handle, index)),
            read_metrics(lib.bnq_report_metrics, handle, index),
            decode(lib.bnq_report_note(handle, index)))

    return Report([row(index) for index in range(lib.bnq_report_count(handle))])


def run_conversion(function: str, progress: Optional[Progress], *arguments: Any) -> Report:
    reports = []
    reporting(progress, lambda callback: reports.append(_read_report(create(
        _abi.bnq_report, getattr(library(), function), *arguments, callback, None,
        destroy="bnq_report_destroy"))))
    return reports[0]


def optional_path(path: Optional[StrPath]) -> Optional[bytes]:
    return None if path is None else encode_path(path, "output")


def quantize_file(input: StrPath, output: Optional[StrPath],
                  plan: Union[Plan, ConfigLike, None] = None, *, overwrite: bool = False,
                  compress: bool = False, dry_run: bool = False,
                  max_shard_size: Optional[int] = None,
                  progress: Optional[Progress] = None,
                  context: Optional[contexts.Context] = None, **options: OptionValue) -> Report:
    """Quantizes a model (safetensors, or the index of a sharded one) into a .bnq
    file, slice by slice: memory does not grow with the model.

    plan: which tensor gets which config; a Config, its text, or options as keywords
        stand for all tensors of rank 2 and more.
    overwrite: replace an existing output, rather than raise ExistsError.
    compress: DEFLATE the output's data.
    dry_run: do everything but write; `output` may then be None.
    max_shard_size: the most bytes of tensors in one file, as Writer's.
    progress: called with bytes done, bytes in all and a tensor's name. If it
        raises, the operation stops and the exception comes out of here unchanged;
        returning False raises CancelledError.

    If it fails, an existing output is as it was and nothing is left behind.
    NonFiniteError names tensor and index.
    """
    return run_conversion("bnq_quantize_file", progress, contexts.handle(context),
                          as_plan(plan, options)._handle, encode_path(input, "input"),
                          optional_path(output), write_flags(overwrite, compress, dry_run),
                          shard_bytes(max_shard_size))


def dequantize_file(input: StrPath, output: Optional[StrPath], dtype: DTypeLike = "F32", *,
                    overflow: str = "error", overwrite: bool = False, dry_run: bool = False,
                    max_shard_size: Optional[int] = None,
                    progress: Optional[Progress] = None,
                    context: Optional[contexts.Context] = None) -> Report:
    """Dequantizes a .bnq file into a safetensors file: quantized tensors become
    float32, float16 or bfloat16, others stay as they are. overflow is that of
    QuantizedTensor.dequantize, the rest as in quantize_file."""
    return run_conversion("bnq_dequantize_file", progress, contexts.handle(context),
                          encode_path(input, "input"), optional_path(output), dtype_id(dtype),
                          overflow_id(overflow), write_flags(overwrite, dry_run=dry_run),
                          shard_bytes(max_shard_size))


def compare_files(original: StrPath, other: StrPath, *, progress: Optional[Progress] = None,
                  context: Optional[contexts.Context] = None) -> Report:
    """Compares the tensors of two model files of any kind, slice by slice. Those in
    one of them only, or of another shape, are rows with a note."""
    return run_conversion("bnq_compare_files", progress, contexts.handle(context),
                          encode_path(original, "original"), encode_path(other, "other"))
