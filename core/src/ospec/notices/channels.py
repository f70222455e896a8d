"""Which notifiers there are, what each is told, and how their secrets are kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import attrs

from ospec.aliases import NOTIFIERS
from ospec.models.context import SecretResolver
from ospec.models.notice import SEVERITIES, Notice, severity_of
from ospec.models.registration import Notifier
from ospec.notices.outbox import Channel, Outbox
from ospec.stages.shape import Misfit, Shape

_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
Table = Mapping[str, Any]


def outbox(
    notifiers: Mapping[str, Notifier],
    sources: Mapping[str, str],
    tables: Table,
    secrets: SecretResolver,
    monitoring: Table,
) -> Outbox:
    """The channels of one command, ready to be told.

    Args:
        sources: by notifier, the plugin that brought it.
        tables: ``[plugins.<name>]`` by plugin; what is secret in them is a reference.
        monitoring: the document's section.
    """
    channels = {name: _channel(one, tables.get(sources[name], {}), secrets) for name, one in notifiers.items()}
    return Outbox(channels, lambda notice, named: routed(notice, monitoring, notifiers, named))


def _channel(notifier: Notifier, table: Table, secrets: SecretResolver) -> Channel:
    settings = Shape(tells_values=False).section(notifier.settings, table) if notifier.settings else None
    known = _Remembering(secrets)
    return Channel(lambda notice: notifier.notify(notice, settings, known), known.redact, notifier.seconds_between)


class _Remembering:
    """A resolver that takes every value it gave, whatever its name, out of texts again."""

    def __init__(self, secrets: SecretResolver) -> None:
        self._secrets = secrets
        self._given: set[str] = set()

    def resolve(self, text: str) -> str:
        value = self._secrets.resolve(text)
        if value != text and value:
            self._given.add(value)
        return value

    def names(self, text: str) -> tuple[str, ...]:
        return self._secrets.names(text)

    def redact(self, text: str) -> str:
        for value in sorted(self._given, key=len, reverse=True):
            text = text.replace(value, "***")
        return self._secrets.redact(text)


# -- who is told ------------------------------------------------------------------------------------------------------


def routed(
    notice: Notice, monitoring: Table, notifiers: Collection[str], named: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """The channels of a notice: those that it is `named`, where it is.

    An alert goes where its own `channels` say. All else goes where `monitoring.notices.channels` say, from
    `monitoring.notices.severity` on; unsaid, to every notifier there is.
    """
    if named:
        return known_as(named, notifiers)
    section = monitoring.get("notices") or {}
    if notice.kind in ("alert", "resolved"):
        name = notice.fields.get("alert")
        own = [one.get("channels") or () for one in monitoring.get("alerts") or () if one["name"] == name]
        if any(own):
            return known_as((channel for channels in own for channel in channels), notifiers)
    least = SEVERITIES.index(severity_of(section.get("severity") or "info"))
    if SEVERITIES.index(notice.severity) < least and notice.state != "over":
        return ()
    return known_as(section["channels"], notifiers) if "channels" in section else tuple(notifiers)


def named_channels(monitoring: Table) -> tuple[str, ...]:
    """Every channel that a document's section names, each once."""
    section = monitoring.get("notices") or {}
    alerts = monitoring.get("alerts") or ()
    every = [*(section.get("channels") or ()), *(one for alert in alerts for one in alert.get("channels") or ())]
    return tuple(dict.fromkeys(str(one) for one in every))


def known_as(names: Iterable[str], notifiers: Collection[str]) -> tuple[str, ...]:
    """Channels by the names of their notifiers, compared without case; the others as they are written."""
    plain = {name.casefold(): name for name in notifiers}
    return tuple(dict.fromkeys(plain.get(str(name).strip().casefold(), str(name)) for name in names))


def plugins_of_channels(monitoring: Table, tables: Table) -> tuple[str, ...]:
    """Plugins that are loaded where they are installed: those that channels are called after, those with a table."""
    named = [name.strip().casefold() for name in named_channels(monitoring)]
    return tuple(dict.fromkeys([*named, *(name for name in tables if name in NOTIFIERS)]))


def missing_channels(
    monitoring: Table, tables: Table, notifiers: Collection[str], installed: Collection[str]
) -> Iterator[tuple[str, str]]:
    """(channel that the document names, or has a table for, and nothing loaded brings; what to do about it).

    Args:
        installed: plugins that could be loaded.
    """
    named = [*named_channels(monitoring), *(name for name in tables if name in NOTIFIERS)]
    for name in known_as(named, notifiers):
        if name in notifiers:
            continue
        plain = name.casefold()
        if plain in installed:
            yield name, f'put "{plain}" into plugins.enabled'
        elif plain in NOTIFIERS:
            yield name, f"pip install ospec-plugin-{plain}"
        else:
            yield name, "install a plugin that brings it and put it into plugins.enabled, or remove the name"


def missing_notes(missing: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """What a plan says about channels that nothing brings."""
    return tuple(f'no plugin brings the channel "{name}": {hint}' for name, hint in missing)


# -- secrets ----------------------------------------------------------------------------------------------------------


def secret_fields(notifier: Notifier) -> tuple[str, ...]:
    """The fields of its settings that are secret."""
    found = attrs.fields(notifier.settings) if notifier.settings else ()
    return tuple(one.name for one in found if one.metadata.get("secret"))


def with_references(tables: Table, written: Table, notifiers: Iterable[tuple[str, Notifier]]) -> dict[str, Any]:
    """`tables` with what is secret as it was written: a reference, not its value.

    Args:
        written: the same tables without any reference replaced.
        notifiers: (plugin, notifier).
    """
    made = dict(tables)
    for plugin, notifier in notifiers:
        told = {name: written[plugin][name] for name in secret_fields(notifier) if name in written.get(plugin, {})}
        if told:
            made[plugin] = {**made[plugin], **told}
    return made


def unset(tables: Table, notifiers: Iterable[tuple[str, Notifier]], known: Collection[str]) -> Iterator[str]:
    """What is wrong with references of secrets: each that is none of the `known` names, with its setting."""
    for plugin, notifier in notifiers:
        for name in secret_fields(notifier):
            for found in _REFERENCE.finditer(str(tables.get(plugin, {}).get(name, ""))):
                if found[0][2:-1] not in known:
                    yield f"plugins.{plugin}.{name}: {found[0]} is not set"


def misfits(tables: Table, notifiers: Iterable[tuple[str, Notifier]]) -> Iterator[Misfit]:
    """What is wrong with the secrets of notifiers: a value where a reference has to stand."""
    for plugin, notifier in notifiers:
        for name in secret_fields(notifier):
            value = tables.get(plugin, {}).get(name)
            if isinstance(value, str) and value and not _REFERENCE.search(value):
                hint = f'write {name} = "${{{plugin.upper().replace("-", "_")}_{name.upper()}}}", and export that'
                yield Misfit(
                    ("plugins", plugin, name),
                    "it is secret",
                    "a reference to an environment variable or a secret",
                    hint,
                )
