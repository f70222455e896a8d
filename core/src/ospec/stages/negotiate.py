"""What the document asks for against what is loaded and what the platform can do: refuse early, or say what is less."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

import attrs

from ospec.errors import RefusedError
from ospec.models.registration import Capabilities, Guardrail, Platform, Strategy
from ospec.models.target import Target

_CAPABILITY_WORDS = {
    "slots": "run a second release beside the one that serves",
    "weighted_traffic": "split traffic by weight",
    "header_routing": "route by a header",
    "sticky_sessions": "keep a user on one release",
    "maintenance": "answer for maintenance",
    "batches": "replace instances a few at a time",
    "release_header": "tell the release of an answer",
    "instances": "run a number of instances that we choose",
    "metrics": "tell requests and errors by release",
    "scripted": "be rolled out by the document's own scripts",
}


def negotiate(
    target: Target, platform: Platform, strategy: Strategy, strategies: Iterable[Strategy]
) -> tuple[str, ...]:
    """Check that the platform can do what the strategy needs.

    Returns:
        What is less than asked for, as notes of the plan.

    Raises:
        RefusedError: ``not-capable``, naming the strategies that would work.
    """
    lacking = [name for name in strategy.needs if not _can(platform.capabilities, name)]
    if lacking:
        working = sorted(one.name for one in strategies if all(_can(platform.capabilities, need) for need in one.needs))
        raise RefusedError(
            f"{platform.name} cannot {_words(lacking)}, which {strategy.name} needs",
            code="not-capable",
            where="deployment.strategy",
            hints=(f"use {' or '.join(working)}" if working else "install a strategy plugin that fits the platform",),
        )
    notes = [
        f"{platform.name} cannot {_words([name])}: {strategy.name} goes without it"
        for name in strategy.wants
        if not _can(platform.capabilities, name)
    ]
    if not platform.capabilities.scripted:
        notes += [
            f'scripts.{name} is not used: {platform.name} does this itself (stack.deploy = "script" would use it)'
            for name in ("deploy", "rollback")
            if name in target.scripts
        ]
    return tuple(notes)


def refuse_unprotected(target: Target, guardrails: Mapping[str, Guardrail], schemes: Collection[str]) -> None:
    """Refuse a target that asks for a protection which nothing loaded enforces; no such key is ever ignored.

    Args:
        schemes: those of the loaded secret providers.

    Raises:
        RefusedError: ``not-enforced``, with the packages to install.
    """
    enforced = {key for guardrail in guardrails.values() for key in guardrail.keys}
    open_keys = [
        one
        for one in target.protections
        if one.key not in enforced and not (one.key.startswith("secrets.") and _scheme(target) in schemes)
    ]
    if open_keys:
        packages = sorted({one.package for one in open_keys})
        raise RefusedError(
            "the document asks for protection that nothing installed enforces: "
            + ", ".join(one.key for one in open_keys),
            code="not-enforced",
            where=open_keys[0].where,
            hints=(
                f"install what enforces it: pip install {' '.join(packages)}",
                "or remove the key from the document",
            ),
        )


def check_validation(target: Target, known: Collection[str]) -> None:
    """Refuse a name in ``validation_checks`` that nothing loaded can check."""
    for name in target.deployment.traffic_switching.validation_checks:
        if name in known:
            continue
        close = difflib.get_close_matches(name, list(known), n=1)
        raise RefusedError(
            f"nothing installed can check {name!r}; known: {', '.join(sorted(known))}",
            code="not-enforced",
            where="deployment.traffic_switching.validation_checks",
            hints=(f"did you mean {close[0]!r}?" if close else f"remove {name!r}, or install a plugin that brings it",),
        )


def _scheme(target: Target) -> str:
    return target.secrets.provider.partition("://")[0]


def _can(capabilities: Capabilities, name: str) -> bool:
    return bool(attrs.asdict(capabilities, recurse=False).get(name))


def _words(names: Iterable[str]) -> str:
    return " or ".join(_CAPABILITY_WORDS.get(name, name.replace("_", " ")) for name in names)
