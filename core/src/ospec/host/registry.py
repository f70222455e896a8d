"""What the loaded plugins bring, by kind and name; each record knows its plugin, and a clash names both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from attrs import field, frozen

from ospec.errors import PluginBugError, RefusedError
from ospec.host.answers import checked
from ospec.host.discover import Loaded
from ospec.models.registration import (
    Engine,
    Guardrail,
    Judge,
    MetricSource,
    Notifier,
    Platform,
    SecretProvider,
    StepContribution,
    StepKind,
    StoreKind,
    Strategy,
)
from ospec.telemetry.session import Telemetry, off

_KINDS: Mapping[type, tuple[str, str]] = {
    Platform: ("platform", "platforms"),
    Strategy: ("strategy", "strategies"),
    StepKind: ("step", "step_kinds"),
    StepContribution: ("contribution", "contributions"),
    SecretProvider: ("secret-provider", "secret_providers"),
    Guardrail: ("guardrail", "guardrails"),
    Notifier: ("notifier", "notifiers"),
    Judge: ("judge", "judges"),
    MetricSource: ("metric-source", "metric_sources"),
    StoreKind: ("store", "stores"),
    Engine: ("engine", "engines"),
}
"""Class of a record to its kind and its field in `Registry`."""
_HOOKS = (
    "register_platforms",
    "register_strategies",
    "register_steps",
    "register_secret_providers",
    "register_guardrails",
    "register_notifiers",
    "register_judges",
    "register_metric_sources",
    "register_stores",
    "register_engines",
)

Named = TypeVar("Named", Platform, Strategy)


@frozen
class Registry:
    """Everything the plugins registered, each kind by name."""

    platforms: Mapping[str, Platform]
    strategies: Mapping[str, Strategy]
    step_kinds: Mapping[str, StepKind]
    contributions: Mapping[str, StepContribution]
    secret_providers: Mapping[str, SecretProvider]
    guardrails: Mapping[str, Guardrail]
    notifiers: Mapping[str, Notifier]
    judges: Mapping[str, Judge]
    metric_sources: Mapping[str, MetricSource]
    stores: Mapping[str, StoreKind]
    engines: Mapping[str, Engine]
    sources: Mapping[tuple[str, str], str] = field(factory=dict)
    """(kind, name) to the plugin that brought it."""

    def source(self, kind: str, name: str) -> str:
        """The plugin that brought the record; KeyError where none did.

        `kind` is ``platform``, ``strategy``, ``step``, ``contribution``, ``secret-provider``, ``guardrail``,
        ``notifier``, ``judge``, ``metric-source``, ``store`` or ``engine``.
        """
        return self.sources[kind, name]

    def platform(self, text: str) -> Platform | None:
        """The platform with this name or alias (`stack.deploy`), compared without case, blanks and punctuation."""
        return _by_alias(self.platforms, text)

    def strategy(self, text: str) -> Strategy | None:
        """The strategy with this name or alias (`deployment.strategy`), compared in the same way."""
        return _by_alias(self.strategies, text)


def collect(loaded: Loaded, telemetry: Telemetry | None = None) -> Registry:
    """Ask every loaded plugin once for its records.

    Raises:
        RefusedError: two plugins bring one name, alias or secret scheme (``registration-clash``).
        PluginBugError: a plugin raised, or answered something that is no record of the hook's kind.
    """
    records: dict[str, dict[str, Any]] = {field_name: {} for _, field_name in _KINDS.values()}
    sources: dict[tuple[str, str], str] = {}
    claimed: dict[tuple[str, str], str] = {}
    for plugin in loaded.plugins:
        for record in _records(loaded, plugin, telemetry or off()):
            kind, field_name = next(_KINDS[one] for one in _KINDS if isinstance(record, one))
            for claim in _claims(record):
                if (kind, claim) in claimed:
                    raise _clash(loaded, kind, record.name, claim, (claimed[kind, claim], plugin))
                claimed[kind, claim] = plugin
            records[field_name][record.name] = record
            sources[kind, record.name] = plugin
    return Registry(**records, sources=sources)


def _records(loaded: Loaded, plugin: str, telemetry: Telemetry) -> Iterable[Any]:
    """Everything one plugin registers."""
    for hook in _HOOKS:
        implementation = loaded.hooks[plugin].get(hook)
        if implementation is None:
            continue
        for record in checked(implementation, {}, telemetry, {}) or ():
            if not (isinstance(record.name, str) and _plain(record.name)):
                raise PluginBugError(plugin, hook, ValueError(f"a {type(record).__name__} has no name"))
            yield record


def _claims(record: Any) -> list[str]:
    """Everything by which a record is found: its name, aliases and schemes, in plain form, each once."""
    words = [record.name]
    if isinstance(record, (Platform, Strategy)):
        words += record.aliases
    elif isinstance(record, SecretProvider):
        words += record.schemes
    return list(dict.fromkeys(_plain(word) for word in words))


def _clash(loaded: Loaded, kind: str, name: str, claim: str, plugins: tuple[str, str]) -> RefusedError:
    named = [str(loaded.available.get(plugin, f"{plugin!r} (built in)")) for plugin in plugins]
    what = f"{kind} {name!r}" if claim == _plain(name) else f"{claim!r} of {kind} {name!r}"
    return RefusedError(
        f"{what} is provided by {named[0]} and by {named[1]}",
        code="registration-clash",
        where=plugins[1],
        hints=("leave one of them out of `[plugins] enabled`",),
    )


def _by_alias(known: Mapping[str, Named], text: str) -> Named | None:
    if text in known:
        return known[text]
    plain = _plain(text)
    return next((one for one in known.values() if plain in _claims(one)), None)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
