"""What fake quantization of a layer lost, over the steps of training."""
from __future__ import annotations

from typing import Any

from . import _abi
from ._handles import create, serialized
from ._loader import library
from ._values import Values, read_values

#: BNQ_TRAINING_STATISTIC_*, in their order.
_NAMES = ("steps", "elements", "clipped", "clipped_share", "mse", "relative_mse", "sqnr_db",
          "max_error", "scale_min", "scale_max", "worst_clipped_share", "worst_relative_mse")


class TrainingSummary(Values):
    """What `TrainingStatistics` add up to, by name, and as attributes. NaN where there are
    no elements.

    steps, elements: arrays that were fake quantized, and their elements.
    clipped, clipped_share: of these, those whose code would lie beyond those there are.
    mse, max_error: the mean squared and the greatest error.
    relative_mse, sqnr_db: that over the mean square of the values, and in decibels.
    scale_min, scale_max: of all scales; NaN where there are none.
    worst_clipped_share, worst_relative_mse: the greatest of a step.
    """

    __slots__ = ()


class TrainingStatistics:
    """A layer's: error and clipping of all arrays that `fake_quantize` was given it with.

        statistics = TrainingStatistics()
        for ... :
            fake = bq.fake_quantize(w, "int4", statistics=statistics)
        statistics.summary.sqnr_db
    """

    __slots__ = ("_handle", "__weakref__")

    def __init__(self) -> None:
        self._handle = create(_abi.bnq_training_statistics,
                              library().bnq_training_statistics_create,
                              destroy="bnq_training_statistics_destroy")

    @property
    def summary(self) -> TrainingSummary:
        """What they add up to."""
        return read_values(TrainingSummary, _NAMES, library().bnq_training_statistics_values,
                           self._handle)

    def merge(self, other: TrainingStatistics) -> None:
        """Adds the steps of `other`. Sums are exact: the same bits in whatever order."""
        library().bnq_training_statistics_merge(self._handle, other._handle)

    def to_bytes(self) -> bytes:
        """The same bytes on every machine."""
        return serialized(library().bnq_training_statistics_serialize, self._handle)

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainingStatistics:
        """The statistics that `to_bytes` wrote. CorruptFileError."""
        statistics = object.__new__(cls)
        statistics._handle = create(_abi.bnq_training_statistics,
                                    library().bnq_training_statistics_deserialize, bytes(data),
                                    len(data), destroy="bnq_training_statistics_destroy")
        return statistics

    def __reduce__(self) -> Any:
        return TrainingStatistics.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"<TrainingStatistics: {self.summary!r}>"
