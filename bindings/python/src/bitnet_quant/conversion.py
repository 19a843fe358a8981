"""Whole model files: which tensor becomes what, conversion, comparison."""
from __future__ import annotations

import ctypes
import os
from typing import (TYPE_CHECKING, Any, Mapping, NamedTuple, Optional, Sequence, Union,
                    overload)

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import DTypeLike, dtype_id, importance_weights, pointer
from ._handles import (Handle, StrPath, create, decode, encode, encode_path, integer,
                       read_shape, unsigned)
from ._loader import library
from ._options import OptionValue, read_text
from .comparison import Metrics, read_metrics
from .config import Config, ConfigLike, as_config
from .files import shard_bytes, write_flags
from .tensor import overflow_id
from .progress import Progress, reporting

if TYPE_CHECKING:
    from .recipes import Recipes


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

    It can be pickled, and copied. As text, which people write and edit, a line is a rule:

        plan = Plan.from_text('''
            lm_head -> none
            * kind=norm,embedding -> none
            model.layers.?.* kind=attention rank>=2 -> int8_per_channel
            * -> int4_per_group_128,scale_rule=mse
        ''')

    bnq.h (bnq_plan_to_text) has all that a line can say.
    """

    __slots__ = ("_handle", "_importance", "_loaded", "__weakref__")

    def __init__(self) -> None:
        self._handle = create(_abi.bnq_plan, library().bnq_plan_create,
                              destroy="bnq_plan_destroy")
        self._importance: dict[str, np.ndarray[Any, Any]] = {}
        self._loaded = False

    @classmethod
    def _own(cls, handle: Handle, loaded: bool) -> Plan:
        """loaded: it may have importance that nobody here knows."""
        plan = cls.__new__(cls)
        plan._handle = handle
        plan._importance = {}
        plan._loaded = loaded
        return plan

    @property
    def _has_importance(self) -> bool:
        return self._loaded or bool(self._importance)

    @classmethod
    def from_text(cls, text: str, recipes: Optional[Recipes] = None) -> Plan:
        """The plan of a text; `recipes` has names for configs. Errors name the line."""
        plan = cls()
        plan.add_text(text, recipes)
        return plan

    @classmethod
    def load(cls, path: StrPath, recipes: Optional[Recipes] = None, *,
             context: Optional[contexts.Context] = None) -> Plan:
        """The plan of a text file."""
        plan = cls()
        library().bnq_plan_load(contexts.handle(context), plan._handle,
                                None if recipes is None else recipes._handle,
                                encode_path(path, "path"))
        return plan

    def save(self, path: StrPath, *, overwrite: bool = False,
             context: Optional[contexts.Context] = None) -> None:
        """Its text into a file, whole or not at all; without its importance."""
        library().bnq_plan_save(contexts.handle(context), self._handle,
                                encode_path(path, "path"), write_flags(overwrite))

    def __str__(self) -> str:
        """Its text, without its importance."""
        return read_text(library().bnq_plan_to_text, self._handle)

    def add_text(self, text: str, recipes: Optional[Recipes] = None) -> None:
        """Puts what a text says behind what there is."""
        library().bnq_plan_add_text(self._handle, None if recipes is None else recipes._handle,
                                    encode(text, "text"))

    def add(self, glob: str, config: Optional[ConfigLike], *, min_rank: int = 0) -> None:
        """Adds a rule behind the others, for tensors of rank `min_rank` (0 to 8) or
        more whose whole name matches `glob`: * is any characters, ? any one, [a-z]
        and [!a-z] sets, and \\ quotes the next; a glob without any of these also stands
        for the name with ".weight". `config` is a Config or its text; None, or the format
        "none", leaves them unquantized."""
        given = None if config is None else as_config(config, {})
        library().bnq_plan_add(self._handle, encode(glob, "glob"),
                               integer(min_rank, "min_rank", 32),
                               None if given is None else given._handle)

    def layer(self, name: str, config: Optional[ConfigLike] = None, *,
              bits: Optional[float] = None) -> Plan:
        """Adds a rule for the layer `name`, of one config or of what is usual for codes of
        so many bits (1, 1.58, 2, 3, 4, 5, 6, 8, 16, 32); returns the plan:

            Plan().layer("conv1", bits=8).layer("fc*", bits=1.58).layer("*", bits=4)
        """
        if (config is None) == (bits is None):
            raise TypeError("one of config and bits is needed")
        self.add(name, config if bits is None else f"bits={bits:.12g}",
                 min_rank=_abi.MIN_RANK_ALL)
        return self

    def add_model_defaults(self) -> None:
        """Adds a rule that leaves embeddings, heads, norms, routers, state spaces' small
        matrices and vision towers as they are."""
        library().bnq_plan_add_model_defaults(self._handle)

    def add_adaptive(self, base: ConfigLike, attention: Optional[ConfigLike] = None,
                     ffn: Optional[ConfigLike] = None) -> None:
        """Adds rules for attention, FFN and all other tensors of rank 2 and more; without
        configs of their own, attention has the next of the ladder nf4, int8_outliers,
        int8_per_channel, none, and FFN has `base`."""
        given = [None if config is None else as_config(config, {})
                 for config in (base, attention, ffn)]
        library().bnq_plan_add_adaptive(
            self._handle, *(None if config is None else config._handle for config in given))

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

    def match(self, name: str, shape: Union[int, Sequence[int]]) -> PlanMatch:
        """What becomes of a tensor of that name and shape; or of that rank, where rules that
        ask for a size are passed over."""
        rule, config = ctypes.c_int64(), ctypes.POINTER(_abi.bnq_config)()
        if isinstance(shape, Sequence):
            rank, dimensions = len(shape), (ctypes.c_uint64 * len(shape))(
                *(unsigned(dimension, "shape", 64) for dimension in shape))
        else:
            rank, dimensions = integer(shape, "rank", 32), None
        library().bnq_plan_match(self._handle, encode(name, "name"), dimensions, rank,
                                 ctypes.byref(rule), ctypes.byref(config))
        return PlanMatch(
            None if rule.value < 0 else rule.value,
            Config._own(Handle(config, library().bnq_config_destroy)) if config else None)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._loaded:
            raise TypeError("a Plan whose importance was loaded from a file, or that the library "
                            "made, cannot be pickled; set_importance keeps the weights, "
                            "Plan.from_text(str(plan)) the rest")
        return _plan_of, (str(self), self._importance)


def _plan_of(text: str, importance: Mapping[str, np.ndarray[Any, Any]]) -> Plan:
    plan = Plan.from_text(text)
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
    #: The tensor of which this is another name, and which takes the bytes; "": it is itself.
    same_as: str = ""
    #: Of a quantized tensor that was exported: "exact", "scales rounded", "not representable"
    #: (in a dry run) or "requantized"; else None.
    verdict: Optional[str] = None


class Report(Sequence[ReportRow]):
    """One row for each tensor of a conversion or comparison, sorted by name."""

    __slots__ = ("_dense_share", "_output", "_rows")

    def __init__(self, rows: Sequence[ReportRow], output: str = "",
                 dense_share: float = 0.0) -> None:
        self._rows = tuple(rows)
        self._output = output
        self._dense_share = dense_share

    @property
    def output(self) -> str:
        """What a conversion wrote and can be opened: a file, the index of several, or a
        folder; "" for a dry run without an output, and comparisons."""
        return self._output

    @property
    def dense_share(self) -> float:
        """Of all floating-point parameters those that are not quantized, 0 to 1."""
        return self._dense_share

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
        return (Report(self._rows[index], self._output, self._dense_share)
                if isinstance(index, slice) else self._rows[index])

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return (f"Report({len(self)} tensors, {self.bytes_before} bytes -> {self.bytes_after} "
                "bytes)")


def optional(text: Optional[bytes]) -> Optional[str]:
    return None if text is None else decode(text)


def read_report(handle: Handle) -> Report:
    lib = library()

    def row(index: int) -> ReportRow:
        format_id = lib.bnq_report_format(handle, index)
        dtype = lib.bnq_dtype_name(lib.bnq_report_dtype(handle, index))
        return ReportRow(
            decode(lib.bnq_report_name(handle, index)),
            read_shape(lib.bnq_report_shape, handle, index),
            registry.format_name(format_id),
            optional(dtype),
            int(lib.bnq_report_bytes_before(handle, index)),
            int(lib.bnq_report_bytes_after(handle, index)),
            float(lib.bnq_report_bits_per_weight(handle, index)),
            read_metrics(lib.bnq_report_metrics, handle, index),
            decode(lib.bnq_report_note(handle, index)),
            decode(lib.bnq_report_same_as(handle, index)),
            optional(lib.bnq_verdict_name(lib.bnq_report_verdict(handle, index))))

    return Report([row(index) for index in range(lib.bnq_report_count(handle))],
                  os.fsdecode(lib.bnq_report_output(handle)),
                  float(lib.bnq_report_dense_share(handle)))


def run_conversion(function: str, progress: Optional[Progress], *arguments: Any) -> Report:
    reports = []
    reporting(progress, lambda callback: reports.append(read_report(create(
        _abi.bnq_report, getattr(library(), function), *arguments, callback, None,
        destroy="bnq_report_destroy"))))
    return reports[0]


def optional_path(path: Optional[StrPath]) -> Optional[bytes]:
    return None if path is None else encode_path(path, "output")


def quantize_file(input: StrPath, output: Optional[StrPath],
                  plan: Union[Plan, ConfigLike, None] = None, *, overwrite: bool = False,
                  compress: bool = False, dry_run: bool = False,
                  max_shard_size: Optional[int] = None, resume: bool = False,
                  restart: bool = False, requantize: bool = False,
                  progress: Optional[Progress] = None,
                  context: Optional[contexts.Context] = None, **options: OptionValue) -> Report:
    """Quantizes a model (safetensors, or the index of a sharded one) into a .bnq
    file, slice by slice: memory does not grow with the model. A folder with a
    config.json, as Hugging Face's, becomes a folder (unless `output` ends in ".bnq"):
    model.bnq and copies of the files beside the weights.

    plan: which tensor gets which config; a Config, its text, or options as keywords
        stand for all tensors of rank 2 and more.
    overwrite: replace an existing output, rather than raise ExistsError.
    compress: DEFLATE the output's data.
    dry_run: do everything but write; `output` may then be None.
    max_shard_size: the most bytes of tensors in one file, as Writer's.
    resume: keep what is finished in a directory of the output's name with ".part"
        behind it until all is, and go on with what an interrupted call (or a killed
        process) left there: output and report are as if nothing had happened.
        ExistsError, saying what differs, where that was of another input or plan.
    restart: the same, but forget what is there.
    requantize: also a model that another program has quantized, which is otherwise
        UnsupportedError.
    progress: called with bytes done, bytes in all and a tensor's name. If it
        raises, the operation stops and the exception comes out of here unchanged;
        returning False raises CancelledError.

    If it fails, an existing output is as it was and, but for `resume`, nothing is
    left behind.
    NonFiniteError names tensor and index.
    """
    return run_conversion("bnq_quantize_file", progress, contexts.handle(context),
                          as_plan(plan, options)._handle, encode_path(input, "input"),
                          optional_path(output), write_flags(overwrite, compress, dry_run,
                                                             resume, restart, requantize),
                          shard_bytes(max_shard_size))


def dequantize_file(input: StrPath, output: Optional[StrPath], dtype: DTypeLike = "F32", *,
                    overflow: str = "error", overwrite: bool = False, dry_run: bool = False,
                    max_shard_size: Optional[int] = None, resume: bool = False,
                    restart: bool = False, requantize: bool = False,
                  progress: Optional[Progress] = None,
                    context: Optional[contexts.Context] = None) -> Report:
    """Dequantizes a .bnq file into a safetensors file, or a folder into a folder:
    quantized tensors become
    float32, float16 or bfloat16, others stay as they are. overflow is that of
    QuantizedTensor.dequantize, the rest as in quantize_file."""
    return run_conversion("bnq_dequantize_file", progress, contexts.handle(context),
                          encode_path(input, "input"), optional_path(output), dtype_id(dtype),
                          overflow_id(overflow),
                          write_flags(overwrite, False, dry_run, resume, restart),
                          shard_bytes(max_shard_size))


def compare_files(original: StrPath, other: StrPath, *, progress: Optional[Progress] = None,
                  context: Optional[contexts.Context] = None) -> Report:
    """Compares the tensors of two model files of any kind, slice by slice. Those in
    one of them only, or of another shape, are rows with a note."""
    return run_conversion("bnq_compare_files", progress, contexts.handle(context),
                          encode_path(original, "original"), encode_path(other, "other"))
