"""How well a model serves the head and the tail: the same words for every model.

    bands       one axis of frequency, from what was never seen in training to what was seen ten thousand times and more
    TailReport  units, share, loss and gain over the baseline of each band: text, JSON values
    ClickReport     loss, entropy, AUC, calibration and slope of predictions of clicks, by band
    draw        reports as a picture (PNG)
    compare     two models on the same documents: differences with bootstrap intervals

Nothing here knows a model: who measures brings bands, losses and baseline losses.
"""

from regrow.evaluation.bands import BANDS, LOWEST, band_of
from regrow.evaluation.clicks import ClickReport, blocks_of, compare_clicks
from regrow.evaluation.paired import Comparison, Difference, compare
from regrow.evaluation.picture import check_drawing, draw
from regrow.evaluation.tail import Row, TailReport

__all__ = [
    "BANDS",
    "LOWEST",
    "ClickReport",
    "Comparison",
    "Difference",
    "Row",
    "TailReport",
    "band_of",
    "blocks_of",
    "check_drawing",
    "compare",
    "compare_clicks",
    "draw",
]
