"""Parameters that are searched for."""
from __future__ import annotations

import ctypes
import enum
import math
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

import numpy as np

from . import _abi, registry
from . import context as contexts
from ._arrays import ArrayArgument, DTypeLike, importance_weights, pointer
from ._handles import Handle, create
from ._loader import library
from ._options import Optioned, OptionValue
from ._values import Values
from .config import ConfigLike, as_config
from .progress import Progress, reporting
from .tensor import QuantizedTensor

#: The error of some values: called with the original and the dequantized ones, two
#: one-dimensional float32 arrays. Least is best; it must not be NaN.
Metric = Callable[["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"], float]


class OptimizationMethod(str, enum.Enum):
    """How parameters are searched for. The members are the texts that the option
    `method` takes; `optimization_options()` has those of the loaded library."""

    #: Narrower ranges, and other zero points, one after another.
    GRID = "grid"
    #: Scales and zero points follow the gradient of the error.
    GRADIENT = "gradient"
    #: HQQ's half-quadratic refinement; of integer formats.
    HQQ = "hqq"
    #: Each column's error is made up for by those after it; needs activations.
    GPTQ = "gptq"
    #: Weights of large inputs are scaled up; needs activations, which must then be
    #: divided by the input scales.
    AWQ = "awq"


class Figures(Values):
    """What an optimisation has come to, by name; these are also attributes. NaN for an
    empty array.

    objective_before, objective_after: the objective of the config's plain rule, and of
        the result, which is never worse.
    mse_before, mse_after: the mean squared error of the values; it may grow where
        another objective, or the layer's outputs, gain by it.
    segments, improved: how much was looked at (elements that share parameters; rows
        for gptq, inputs for awq, 1 for a gradient with activations), and how many of
        these are other than at the start.

    A newer library may have more.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        objective_before: float
        objective_after: float
        mse_before: float
        mse_after: float
        segments: float
        improved: float


class Optimization(NamedTuple):
    """What came of a search."""

    tensor: QuantizedTensor
    #: What the layer's inputs must be divided by, float32, one for each column of the
    #: weights: y = (x / input_scales) W^T. Other than 1 only for awq; None where no
    #: activations were given. With the option attach_input_scales they are also a part
    #: of the tensor, which QuantLinear divides by.
    input_scales: Optional[np.ndarray[Any, Any]]
    figures: Figures


class Optimizer(Optioned):
    """Quantizes with parameters that it searches for, starting at those of the config's
    own rule and never ending worse than there:

        Optimizer(method="hqq").quantize(weights, "int4_per_group_128").tensor
        Optimizer(method="gptq").quantize(weights, "int4_per_group_128",
                                          activations=inputs)

    Options are keywords, as for a Config; `optimization_options()` lists them with
    bounds and defaults. It does not change once made, and can be pickled if the metric
    can.

    metric: an error of the caller's, which the method "grid" makes small in place of
        those that the option objective names: for each segment (the elements that
        share parameters), or with scope="tensor" for the whole array at once. It is
        called some forty times for each. If it raises, the search stops and the
        exception comes out of `quantize` unchanged.
    """

    __slots__ = ("metric",)

    _prefix, _kind = "bnq_optimizer", registry.OPTIMIZER

    def __init__(self, *, metric: Optional[Metric] = None, **options: OptionValue) -> None:
        if metric is not None and not callable(metric):
            raise TypeError(f"metric must be callable, got {type(metric).__name__}")
        self._handle = create(_abi.bnq_optimizer, library().bnq_optimizer_create,
                              destroy="bnq_optimizer_destroy")
        self._set(options if metric is None else {"objective": "custom", **options})
        objective = self._get(registry.option("objective", self._kind))
        if metric is not None and objective != "custom":
            raise TypeError(f"metric and objective={objective!r} exclude each other")
        #: The caller's metric, or None.
        self.metric = metric

    @property
    def options(self) -> dict[str, OptionValue]:
        """Every option by name."""
        return self._all()

    @property
    def method(self) -> str:
        """The option `method`."""
        return str(self._get(registry.option("method", self._kind)))

    def quantize(self, source: np.ndarray[Any, Any], config: Optional[ConfigLike] = None, *,
                 activations: Optional[np.ndarray[Any, Any]] = None,
                 importance: Optional[np.ndarray[Any, Any]] = None,
                 dtype: Optional[DTypeLike] = None, activations_dtype: Optional[DTypeLike] = None,
                 copy: bool = False, progress: Optional[Progress] = None,
                 context: Optional[contexts.Context] = None, **options: OptionValue
                 ) -> Optimization:
        """Quantizes an array as `quantize` does, with parameters that were searched for.

        source, config, options: as in `quantize`. A linear layer's weights are
            [outputs, inputs].
        activations: inputs of that layer, [samples, inputs], or of more dimensions the
            last of which is the inputs; for the methods that need them ("gptq", "awq")
            or use them ("gradient").
        importance: a weight for the squared errors of each column of the last dimension,
            as in `quantize`; for the methods "grid" and "hqq". Figures of the objective are
            weighted, those of the mse are not.
        dtype, activations_dtype, copy: of the arrays, as in `compare`.
        progress: as in quantize_file.

        UnsupportedError for formats without scales, with outliers, and for what the
        method does not do; InvalidArgumentError where activations are missing or do not
        fit; NonFiniteError; NoDataError for activations of no samples.
        """
        into = as_config(config, options)
        array = ArrayArgument(source, "source", dtype=dtype, copy=copy)
        inputs = input_scales = None
        if activations is not None:
            inputs = ArrayArgument(activations, "activations", dtype=activations_dtype, copy=copy)
            shape = array.shape
            input_scales = np.empty(math.prod(shape[1:] if len(shape) > 1 else shape), np.float32)
        names = registry.figures()
        figures = (ctypes.c_double * len(names))()
        tensor = ctypes.POINTER(_abi.bnq_tensor)()
        raised: list[BaseException] = []
        optimizer, where = self._called(raised, importance), contexts.handle(context)
        reporting(progress, lambda callback: library().bnq_optimize(
            where, optimizer, into._handle, array, inputs, callback, None,
            ctypes.byref(tensor), pointer(input_scales, ctypes.c_float),
            0 if input_scales is None else input_scales.size, figures, len(names)), raised)
        return Optimization(
            QuantizedTensor._own(Handle(tensor, library().bnq_tensor_destroy)), input_scales,
            Figures(dict(zip(names, figures))))

    def _called(self, raised: list[BaseException],
                importance: Optional[np.ndarray[Any, Any]]) -> Handle:
        """The optimizer for one call, what the metric raises in which goes to `raised`."""
        metric, lib = self.metric, library()
        if metric is None and importance is None:
            return self._handle
        callback = None if metric is None else _abi.bnq_metric_fn(_forwarding(metric, raised))
        clone = create(_abi.bnq_optimizer, lib.bnq_optimizer_clone, self._handle,
                       destroy="bnq_optimizer_destroy", keep=callback)
        if callback is not None:
            lib.bnq_optimizer_set_metric(clone, callback, None)
        if importance is not None:
            weights = importance_weights(importance)
            lib.bnq_optimizer_set_importance(clone, pointer(weights, ctypes.c_float),
                                             weights.size)
        return clone

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.metric, self.options)

    def __repr__(self) -> str:
        shown: dict[str, object] = {"method": self.method, **self._changed()}
        if self.metric is not None:
            shown["metric"] = self.metric
        return f"Optimizer({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _forwarding(metric: Metric, raised: list[BaseException]
                ) -> Callable[[object, Any, Any, int, Any], int]:
    """`metric` as a bnq_metric_fn."""
    def values(data: Any, count: int) -> np.ndarray[Any, Any]:
        # A copy: the library's memory is gone after the call, the array may not be.
        return np.ctypeslib.as_array(data, (count,)).copy()

    def forward(_: object, original: Any, dequantized: Any, count: int, out: Any) -> int:
        try:
            if not raised:
                out[0] = float(metric(values(original, count), values(dequantized, count)))
        except BaseException as error:
            raised.append(error)
        return int(bool(raised))

    return forward


def _restore(metric: Optional[Metric], options: dict[str, OptionValue]) -> Optimizer:
    return Optimizer(metric=metric, **options)
