"""Names that moved to `quantize`."""

from .quantize.calibrate import observe_ranges
from .quantize.choice import cut_flat_tails, tie_ranges
from .quantize.scheme import Calibration, Ranges
from .quantize.statistics import to_input

__all__ = ["Calibration", "Ranges", "cut_flat_tails", "observe_ranges", "tie_ranges", "to_input"]
