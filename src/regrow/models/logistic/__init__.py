"""Logistic regression for clicks: FTRL-Proximal (McMahan and others, KDD 2013), with an exact dictionary and a report on the tail."""

from regrow.models.logistic.model import ClickModel
from regrow.models.logistic.program import FTRL

__all__ = ["FTRL", "ClickModel"]
