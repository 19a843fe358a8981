"""Which config each tensor of a model should have under a budget."""
from __future__ import annotations

import ctypes
from typing import Callable, Mapping, NamedTuple, Optional, Sequence, Union

from . import _abi
from . import context as contexts
from ._handles import Handle, StrPath, create, decode, encode, encode_path
from ._loader import library
from ._options import read_text
from .config import Config, ConfigLike, as_config
from .conversion import Plan, Report, as_plan, read_report
from .errors import BitNetQuantError, CancelledError
from .files import shard_bytes, write_flags
from .progress import Progress, cancels, reporting

#: The model's loss with one tensor under one config. Returning False cancels, and so
#: does raising.
LossOf = Callable[[str, Config], float]

_BUDGETS = {"bits": _abi.BUDGET_BITS, "size": _abi.BUDGET_BYTES, "ratio": _abi.BUDGET_RATIO}


class Measurement(NamedTuple):
    """A tensor under a config."""

    tensor: str
    config: Config
    #: What it adds to a .bnq file that is not compressed.
    bytes: int
    bits_per_weight: float
    #: Sum of squared errors over the sum of squares.
    relative_error: float
    max_error: float
    cosine: float
    #: Elements times relative_error, or what was set.
    loss: float


class AllocatedTensor(NamedTuple):
    """What a tensor gets under a budget."""

    name: str
    #: Its config's text: "none" where it is left as it is.
    config: str
    #: "attention", "ffn", ...
    kind: str
    bytes: int
    elements: int
    bits_per_weight: float
    relative_error: float
    max_error: float
    cosine: float
    loss: float
    #: Of the loss of all.
    share: float
    #: By a rule of the plan that was given.
    pinned: bool
    #: The error is so large that losses may not just add up.
    coarse: bool
    #: The tensor whose config it shares, or itself.
    tied_to: str
    #: The next better config of the tensor and those tied to it, what it would take
    #: more and lose less; "" where there is none.
    upgrade: str
    upgrade_bytes: int
    upgrade_loss: float


class Allocation(Sequence[AllocatedTensor]):
    """The configs of least loss that fit a budget, a row for each tensor that was
    analyzed, sorted by name. `plan` is what quantize_file takes."""

    __slots__ = ("_handle", "_importance", "_rows", "_values")

    def __init__(self, handle: Handle, importance: bool) -> None:
        self._handle = handle
        self._importance = importance
        values = (ctypes.c_double * _abi.NUM_ALLOCATION_VALUES)()
        library().bnq_allocation_values(handle, values, len(values))
        self._values = tuple(values)
        names = [decode(library().bnq_allocation_name(handle, index))
                 for index in range(library().bnq_allocation_count(handle))]
        self._rows = tuple(self._read(index, names) for index in range(len(names)))

    def _read(self, index: int, names: Sequence[str]) -> AllocatedTensor:
        lib = library()
        values = (ctypes.c_double * _abi.NUM_ALLOCATION_ROW_VALUES)()
        lib.bnq_allocation_row(self._handle, index, values, len(values))
        (size, elements, bits, relative, greatest, cosine, loss, share, kind, pinned, coarse,
         tied_to, upgrade_bytes, upgrade_loss) = values
        return AllocatedTensor(
            names[index], decode(lib.bnq_allocation_config(self._handle, index)),
            decode(lib.bnq_layer_kind_name(int(kind))), int(size), int(elements), bits, relative,
            greatest, cosine, loss, share, bool(pinned), bool(coarse), names[int(tied_to)],
            decode(lib.bnq_allocation_upgrade(self._handle, index)), int(upgrade_bytes),
            upgrade_loss)

    @property
    def plan(self) -> Plan:
        """A rule for each tensor by its name."""
        return Plan._own(create(_abi.bnq_plan, library().bnq_allocation_plan, self._handle,
                                destroy="bnq_plan_destroy"), loaded=self._importance)

    def _value(self, which: int) -> float:
        return self._values[which]

    @property
    def budget_bytes(self) -> int:
        return int(self._value(_abi.ALLOCATION_BUDGET_BYTES))

    @property
    def bytes(self) -> int:
        """Of the file; up to 63 more than it has."""
        return int(self._value(_abi.ALLOCATION_BYTES))

    @property
    def fixed_bytes(self) -> int:
        """Of it, what has no choice."""
        return int(self._value(_abi.ALLOCATION_FIXED_BYTES))

    @property
    def min_bytes(self) -> int:
        """The smallest file that the candidates allow."""
        return int(self._value(_abi.ALLOCATION_MIN_BYTES))

    @property
    def max_bytes(self) -> int:
        return int(self._value(_abi.ALLOCATION_MAX_BYTES))

    @property
    def bits_per_weight(self) -> float:
        return self._value(_abi.ALLOCATION_BITS)

    @property
    def ratio(self) -> float:
        """Bytes of the tensors in the input over those of the file."""
        return self._value(_abi.ALLOCATION_RATIO)

    @property
    def loss(self) -> float:
        return self._value(_abi.ALLOCATION_LOSS)

    @property
    def bound(self) -> float:
        """No choice has less loss."""
        return self._value(_abi.ALLOCATION_BOUND)

    @property
    def gap(self) -> float:
        """(loss - bound) / loss: 0 where the choice is proven to be the best."""
        return self._value(_abi.ALLOCATION_GAP)

    @property
    def price(self) -> float:
        """What a byte more would take off the loss, about."""
        return self._value(_abi.ALLOCATION_LAMBDA)

    @property
    def proven(self) -> bool:
        return bool(self._value(_abi.ALLOCATION_PROVEN))

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return (f"Allocation({len(self)} tensors, {self.bytes} of {self.budget_bytes} bytes, "
                f"{self.bits_per_weight:.3f} bits a weight, gap {self.gap:.3g})")


class Sensitivity:
    """What each tensor of a model costs and loses under each of several configs:
    measured once, by `analyze_file`, used for any number of budgets.

        sensitivity = bq.analyze_file("model.safetensors")
        allocation = sensitivity.allocate(bits=4.5)
        bq.quantize_file("model.safetensors", "model.bnq", allocation.plan)
    """

    __slots__ = ("_handle", "__weakref__")

    def __init__(self) -> None:
        self._handle = create(_abi.bnq_sensitivity, library().bnq_sensitivity_create,
                              destroy="bnq_sensitivity_destroy")

    @classmethod
    def _own(cls, handle: Handle) -> Sensitivity:
        sensitivity = cls.__new__(cls)
        sensitivity._handle = handle
        return sensitivity

    @classmethod
    def from_json(cls, text: str) -> Sensitivity:
        return cls._own(create(_abi.bnq_sensitivity, library().bnq_sensitivity_from_json,
                               encode(text, "text"), destroy="bnq_sensitivity_destroy"))

    def to_json(self) -> str:
        return read_text(library().bnq_sensitivity_to_json, self._handle)

    @classmethod
    def load(cls, path: StrPath, *, context: Optional[contexts.Context] = None) -> Sensitivity:
        return cls._own(create(_abi.bnq_sensitivity, library().bnq_sensitivity_load,
                               contexts.handle(context), encode_path(path, "path"),
                               destroy="bnq_sensitivity_destroy"))

    def save(self, path: StrPath, *, overwrite: bool = False,
             context: Optional[contexts.Context] = None) -> None:
        library().bnq_sensitivity_save(contexts.handle(context), self._handle,
                                       encode_path(path, "path"), write_flags(overwrite))

    def merge(self, other: Sensitivity) -> None:
        """Adds what another one measured of the same model, the same in any order;
        InvalidArgumentError where they contradict each other."""
        library().bnq_sensitivity_merge(self._handle, other._handle)

    def set_metric(self, tensor: str, config: ConfigLike, loss: float) -> None:
        """Your own loss of a tensor under a config that was measured: the growth of a
        perplexity, the fall of an accuracy. Below 0 counts as 0."""
        library().bnq_sensitivity_set_metric(self._handle, encode(tensor, "tensor"),
                                             as_config(config, {})._handle, float(loss))

    def set_metrics(self, metrics: Mapping[str, Mapping[str, float]]) -> None:
        """The same of many: losses by tensor and config's text."""
        for tensor, losses in metrics.items():
            for config, loss in losses.items():
                self.set_metric(tensor, config, loss)

    def load_metrics(self, path: StrPath, *, context: Optional[contexts.Context] = None) -> None:
        """The same of a JSON file, {"TENSOR": {"CONFIG": NUMBER}}: all or none."""
        library().bnq_sensitivity_load_metrics(contexts.handle(context), self._handle,
                                               encode_path(path, "path"))

    def set_weight(self, tensor: str, weight: float) -> None:
        """What the tensor's relative error counts, in place of its elements; 0: these."""
        library().bnq_sensitivity_set_weight(self._handle, encode(tensor, "tensor"),
                                             float(weight))

    def measure(self, loss_of: LossOf) -> None:
        """Asks loss_of(tensor, config) for every pair that has no metric yet, in order.
        What it raises comes out of here as it was; what was measured stays."""
        errors: list[BaseException] = []

        def forward(_: object, tensor: Optional[bytes], config: object,
                    out: object) -> int:
            try:
                copy = ctypes.POINTER(_abi.bnq_config)()
                library().bnq_config_clone(config, ctypes.byref(copy))
                given = Config._own(Handle(copy, library().bnq_config_destroy))
                loss = loss_of((tensor or b"").decode("utf-8"), given)
                if cancels(loss):
                    raise CancelledError("the metric asked to stop")
                out[0] = float(loss)  # type: ignore[index]
            except BaseException as error:
                errors.append(error)
            return int(bool(errors))

        try:
            library().bnq_sensitivity_measure(self._handle, _abi.bnq_sensitivity_fn(forward), None)
        except BitNetQuantError:
            if not errors:
                raise
        if errors:
            raise errors[0]

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """All that was measured, sorted by tensor and config."""
        return tuple(self._read(index, config)
                     for index in range(library().bnq_sensitivity_count(self._handle))
                     for config in range(library().bnq_sensitivity_config_count(self._handle,
                                                                                index)))

    def _read(self, index: int, config: int) -> Measurement:
        lib = library()
        values = (ctypes.c_double * _abi.NUM_SENSITIVITY_VALUES)()
        lib.bnq_sensitivity_values(self._handle, index, config, values, len(values))
        size, bits, relative, greatest, cosine, loss = values
        owned = Config._own(create(_abi.bnq_config, lib.bnq_sensitivity_config, self._handle, index,
                                   config, destroy="bnq_config_destroy"))
        return Measurement(decode(lib.bnq_sensitivity_name(self._handle, index)), owned, int(size),
                           bits, relative, greatest, cosine, loss)

    def allocate(self, plan: Union[Plan, str, None] = None, *, bits: Optional[float] = None,
                 size: Optional[int] = None, ratio: Optional[float] = None,
                 fused_apart: bool = False, experts_apart: bool = False) -> Allocation:
        """The configs of least loss for a budget: `bits` of the file for each element of
        all tensors, `size` in bytes of the .bnq file, or `ratio` of the input's tensors to
        the file.

        plan: rules that give a config pin it, rules of none leave a tensor as it is, rules
            of bits>=N are floors, ties hold; a Plan or its text.
        fused_apart: q, k and v, and gate and up need not have one config; experts_apart:
            nor all experts of a layer.

        InvalidArgumentError where nothing fits names the least budget.
        """
        given = {name: value for name, value in (("bits", bits), ("size", size), ("ratio", ratio))
                 if value is not None}
        if len(given) != 1:
            raise TypeError("one of bits, size and ratio is needed")
        (name, budget), = given.items()
        flags = (_abi.ALLOCATE_FUSED_APART if fused_apart else 0) | (
            _abi.ALLOCATE_EXPERTS_APART if experts_apart else 0)
        rules = Plan.from_text(plan) if isinstance(plan, str) else plan
        return Allocation(create(_abi.bnq_allocation, library().bnq_allocate, self._handle,
                                 None if rules is None else rules._handle, _BUDGETS[name],
                                 float(budget), flags, destroy="bnq_allocation_destroy"),
                          rules is not None and rules._has_importance)

    def __reduce__(self) -> tuple[Callable[[str], Sensitivity], tuple[str]]:
        return Sensitivity.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        return f"Sensitivity({library().bnq_sensitivity_count(self._handle)} tensors)"


def candidates() -> tuple[Config, ...]:
    """The configs that analyze_file takes where none are given."""
    return tuple(Config._own(create(_abi.bnq_config, library().bnq_candidate_at, index,
                                    destroy="bnq_config_destroy"))
                 for index in range(library().bnq_candidate_count()))


def analyze_file(input: StrPath, candidates: Sequence[ConfigLike] = (), *,
                 plan: Optional[Plan] = None, into: Optional[Sensitivity] = None,
                 save: Optional[StrPath] = None, progress: Optional[Progress] = None,
                 context: Optional[contexts.Context] = None) -> Sensitivity:
    """Measures the tensors of a model (safetensors, or the index of a sharded one) under
    each candidate, one tensor in memory at a time.

    candidates: configs or their texts, "none" for the tensor as it is; without any, those
        of `candidates()`.
    plan: tensors that a rule gives a config are measured under that alone, those that a
        rule leaves are not; those that no rule is for, of rank 2 and more, under all. Its
        importance weighs the errors.
    into: what was measured before, and is not again; of the same model
        (InvalidArgumentError).
    save: where to save what there is, every few seconds and at the end, so that a run that
        was stopped can go on: into=Sensitivity.load(save).
    """
    return analyze_part(input, candidates, plan, into, save, progress, context, 0, 1)


def analyze_part(input: StrPath, candidates: Sequence[ConfigLike], plan: Optional[Plan],
                 into: Optional[Sensitivity], save: Optional[StrPath],
                 progress: Optional[Progress], context: Optional[contexts.Context], part: int,
                 parts: int) -> Sensitivity:
    sensitivity = Sensitivity() if into is None else into
    configs = [as_config(candidate, {}) for candidate in candidates]
    pointers = (ctypes.POINTER(_abi.bnq_config) * len(configs))(
        *(config._handle._as_parameter_ for config in configs))
    reporting(progress, lambda callback: library().bnq_analyze_part(
        contexts.handle(context), None if plan is None else plan._handle,
        pointers if configs else None, len(configs), encode_path(input, "input"), part, parts,
        None if save is None else encode_path(save, "save"), callback, None,
        sensitivity._handle))
    return sensitivity


class SizeEstimate(NamedTuple):
    """What a model would take."""

    #: Of the .bnq file, or of all its shards and their index.
    file_bytes: int
    #: Without metrics.
    report: Report


def estimate_file(input: StrPath, plan: Union[Plan, ConfigLike, None] = None, *,
                  max_shard_size: Optional[int] = None,
                  context: Optional[contexts.Context] = None,
                  **options: Union[str, int, float]) -> SizeEstimate:
    """What quantize_file would write without compression, from the model's headers alone,
    to the byte; but for outlier columns, which only the data tell."""
    size = ctypes.c_uint64()
    report = create(_abi.bnq_report, library().bnq_estimate_file, contexts.handle(context),
                    as_plan(plan, options)._handle, encode_path(input, "input"),
                    shard_bytes(max_shard_size), ctypes.byref(size),
                    destroy="bnq_report_destroy")
    return SizeEstimate(size.value, read_report(report))


def layer_kind(name: str, plan: Optional[Plan] = None) -> str:
    """What the tensor of this name does in a model: "attention", "ffn", "embedding",
    "norm", "head", "router", "state_space", "vision" or "other"; the plan's words count
    first."""
    kind = library().bnq_layer_kind(None if plan is None else plan._handle, encode(name, "name"))
    return decode(library().bnq_layer_kind_name(kind))
