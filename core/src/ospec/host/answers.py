"""One hook call of one plugin: timed, its answer checked against the specification, its faults named."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from attrs import frozen

from ospec import hookspecs
from ospec.errors import OspecError, PluginBugError
from ospec.host.implementations import Implementation
from ospec.telemetry.session import Telemetry


@frozen
class AnswerType:
    """What a hook may answer, read from its annotation."""

    many: bool
    """True for an iterable of `classes`, False for one of them."""
    classes: tuple[type, ...]
    """Empty for a hook that answers nothing."""

    def wrong(self, value: object) -> TypeError:
        """The error for a value of another type."""
        names = " or ".join(one.__name__ for one in self.classes) or "nothing"
        expected = f"an iterable of {names}" if self.many else names
        return TypeError(f"answered {type(value).__name__}, expected {expected}")


@cache
def answer_type(hook: str) -> AnswerType:
    """What the hook's specification says it answers."""
    returned = typing.get_type_hints(getattr(hookspecs, hook))["return"]
    parts = [part for part in _parts(returned) if part is not type(None)]
    if len(parts) == 1 and typing.get_origin(parts[0]) is Iterable:
        return AnswerType(True, tuple(_parts(typing.get_args(parts[0])[0])))
    return AnswerType(False, tuple(parts))


def _parts(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)


def checked(
    implementation: Implementation, given: Mapping[str, Any], telemetry: Telemetry, attributes: Mapping[str, str]
) -> Any:
    """Call a hook function and give its answer: a tuple for iterables (read to the end within the timed call), or None.

    Raises:
        OspecError: as the plugin raised it.
        PluginBugError: the plugin raised anything else, or the answer has the wrong type.
    """
    expected = answer_type(implementation.hook)
    with telemetry.hook(implementation.hook, implementation.plugin, attributes):
        try:
            answer = implementation(**given)
            if answer is None:
                return None
            if expected.many:
                return tuple(_each(expected, answer))
            if not isinstance(answer, expected.classes):
                raise expected.wrong(answer)
            return answer
        except OspecError:
            raise
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise PluginBugError(implementation.plugin, implementation.hook, error) from error


def streamed(
    implementation: Implementation, given: Mapping[str, Any], telemetry: Telemetry, attributes: Mapping[str, str]
) -> Iterator[Any]:
    """As `checked`, for an iterable that may go on for long: gives each item as it comes; one span over all."""
    expected = answer_type(implementation.hook)
    with telemetry.hook(implementation.hook, implementation.plugin, attributes, current=False):
        try:
            answer = implementation(**given)
            if answer is not None:
                yield from _each(expected, answer)
        except OspecError:
            raise
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise PluginBugError(implementation.plugin, implementation.hook, error) from error


def _each(expected: AnswerType, answer: Any) -> Iterator[Any]:
    if isinstance(answer, (str, bytes, Mapping)) or not isinstance(answer, Iterable):
        raise expected.wrong(answer)
    for item in answer:
        if not isinstance(item, expected.classes):
            raise expected.wrong(item)
        yield item
