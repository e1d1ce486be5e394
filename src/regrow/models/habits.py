"""What scikit-learn expects of an estimator, without scikit-learn: it is loaded only where its own classes are asked for.

An estimator of ours stores its parameters and nothing else in `__init__`; what it learns gets names that end with "_".
"""

from __future__ import annotations

import inspect
import operator
import sys
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError, UsageError

__all__ = ["Estimator", "NotFitted", "WrongData", "WrongKind", "WrongUse", "number", "whole"]

Array = npt.NDArray[Any]


class WrongData(DataError, ValueError):
    """Data that cannot be learned from: the ValueError that scikit-learn and its users catch."""


class WrongKind(DataError, TypeError):
    """Data of a type that nothing can be made of."""


class WrongUse(UsageError, ValueError):
    """A parameter that cannot be."""


class NotFitted(UsageError, ValueError, AttributeError):
    """What was asked for is known only after fit; where scikit-learn is loaded, its NotFittedError too."""

    @classmethod
    def made(cls, message: str, advice: str) -> NotFitted:
        """An error that also scikit-learn knows, if it is there to know it."""
        theirs = sys.modules.get("sklearn.exceptions")
        kind = type(cls.__name__, (cls, theirs.NotFittedError), {}) if theirs is not None else cls
        made: NotFitted = kind(message, advice)
        return made


def whole(name: str, value: Any) -> int:
    """A parameter that is a whole number, as an int: people give numpy's too. Raises WrongUse."""
    try:
        return operator.index(value)
    except TypeError:
        raise WrongUse(f"{name}={value!r}", "give a whole number") from None


def number(name: str, value: Any) -> float:
    """A parameter that is a number, as a float. Raises WrongUse."""
    if isinstance(value, (bool, str)) or not np.isscalar(value):
        raise WrongUse(f"{name}={value!r}", "give a number")
    return float(value)  # type: ignore[arg-type]


class Estimator:
    """Parameters, tags, and the names and containers of what `transform` gives. Subclasses say `outputs`, how many columns that has."""

    @property
    def outputs(self) -> int:
        """Columns of what `transform` gives; known after fit."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        """Whether fit has been called."""
        return hasattr(self, "model_")

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFitted.made(f"this {type(self).__name__} has learned nothing yet", "call fit first")

    # Parameters

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """The parameters of `__init__` and their defaults, in order."""
        return {name: given.default for name, given in inspect.signature(cls).parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; they count from the next fit on. Raises WrongUse for a name that is none."""
        for name in parameters:
            if name not in self._defaults():
                raise WrongUse(f'{type(self).__name__} has no parameter "{name}"', f"its parameters are {', '.join(self._defaults())}")
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = self._defaults()
        said = [f"{name}={value!r}" for name, value in self.get_params().items() if repr(value) != repr(defaults[name])]
        return f"{type(self).__name__}({', '.join(said)})"

    # What transform gives

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the columns that `transform` gives: the class's name in small letters and the number of the column."""
        self._check_fitted()
        return np.array([f"{type(self).__name__.lower()}{k}" for k in range(self.outputs)], object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Let `transform` give a DataFrame ("pandas") or an array ("default"); None: as it is."""
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _contained(self, array: Array, given: Any) -> Any:
        """What transform makes of an array: as `set_output` asks, or else the configuration of scikit-learn, if that is loaded."""
        wanted = getattr(self, "_sklearn_output_config", {}).get("transform")
        if wanted is None and (sklearn := sys.modules.get("sklearn")) is not None:
            wanted = sklearn.get_config().get("transform_output")
        if wanted in (None, "default"):
            return array
        names = self.get_feature_names_out().tolist()
        if wanted == "pandas":
            import pandas

            return pandas.DataFrame(
                array, columns=names, index=given.index if isinstance(given, (pandas.DataFrame, pandas.Series)) else None
            )
        raise WrongUse(f'set_output(transform="{wanted}")', "it is one of default, pandas")

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may know of this estimator. `categorical` says that its numbers are whole."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        taken = InputTags(sparse=True, string=True, positive_only=True, categorical=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=False), transformer_tags=TransformerTags(), input_tags=taken)
