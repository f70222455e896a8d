"""The one strict converter between models and JSON values: nothing is coerced, unknown keys are errors."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


@lru_cache(maxsize=2)
def converter(unknown_keys: bool = False) -> Any:
    """The converter, made at first use since cattrs takes tens of milliseconds to import.

    Args:
        unknown_keys: leave out keys that the model does not have (any more) instead of refusing them.
    """
    from collections.abc import Mapping

    from cattrs import Converter
    from cattrs.strategies import configure_union_passthrough

    made = Converter(
        forbid_extra_keys=not unknown_keys, detailed_validation=True, unstruct_collection_overrides={tuple: list}
    )

    def exactly(*types: type) -> Any:
        def structure(value: Any, _: Any) -> Any:
            if type(value) not in types:
                raise TypeError(f"expected {types[0].__name__}, found {type(value).__name__}")
            return value

        return structure

    for kind in (str, bool, int):
        made.register_structure_hook(kind, exactly(kind))
    made.register_structure_hook(float, lambda value, _: float(exactly(float, int)(value, _)))
    made.register_structure_hook_func(lambda t: t is Any, lambda value, _: value)
    configure_union_passthrough(str | int | float | bool | None, made)
    made.register_unstructure_hook_func(lambda t: t is Mapping, lambda value: dict(value))
    return made


def to_json(value: Any) -> Any:
    """A model as JSON values."""
    return converter().unstructure(value)


def from_json(value: Any, kind: type[T]) -> T:
    """JSON values as a model; raises cattrs' `BaseValidationError`, every fault inside."""
    result: T = converter().structure(value, kind)
    return result


def from_stored_json(value: Any, kind: type[T]) -> T:
    """The same for what a journal holds, which another version of ospec may have written: it may know more keys."""
    result: T = converter(unknown_keys=True).structure(value, kind)
    return result
