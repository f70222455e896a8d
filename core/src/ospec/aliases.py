"""What names in documents stand for, known without importing any plugin."""

from __future__ import annotations

import re

from ospec.errors import DocumentError

_PLATFORMS = {
    "local": ("local", "local processes", "localhost", "this machine"),
    "kubernetes": ("kubernetes", "k8s", "docker + kubernetes", "docker and kubernetes", "helm", "eks", "gke", "aks"),
    "ecs": (
        "ecs",
        "aws ecs",
        "aws ecs with fargate",
        "aws ecs fargate",
        "ecs fargate",
        "aws fargate",
        "fargate",
        "amazon ecs",
    ),
    "lambda": ("lambda", "aws lambda", "serverless aws"),
    "vercel": ("vercel",),
    "railway": ("railway",),
    "script": ("script", "scripts", "custom", "custom script"),
}
_STRATEGIES = {
    "blue-green": ("blue_green", "bluegreen", "red black"),
    "canary": ("canary", "progressive"),
    "rolling": ("rolling", "rolling update"),
    "recreate": ("recreate", "all at once"),
    "script": ("script",),
}


_CORES_JUDGE = "bounds"
_JUDGED = ("canary", "rolling")


NOTIFIERS = ("pagerduty", "slack", "webhook")
"""Channels that ospec itself publishes a plugin for, by the plugin's name."""


def platform_name(text: str) -> str:
    """The plugin name of a platform as `stack.deploy` names it; a name nobody knows is taken as a plugin's own."""
    return _canonical(_PLATFORMS, text)


def strategy_name(text: str) -> str:
    """The plugin name of a strategy as `deployment.strategy` names it."""
    return _canonical(_STRATEGIES, text)


def known_strategies() -> tuple[str, ...]:
    """Strategy names that ospec itself publishes a plugin for."""
    return tuple(_STRATEGIES)


def package_for_platform(name: str) -> str:
    """The package to install for a platform."""
    return f"ospec-plugin-{name}"


def package_for_strategy(name: str) -> str:
    """The package to install for a strategy."""
    return f"ospec-plugin-{name}"


def package_for_judge(name: str) -> str:
    """The package to install for a judge."""
    return f"ospec-plugin-judge-{name}"


def plugin_names_for(platform: str, strategy: str, judge: str = "") -> tuple[str, ...]:
    """The plugins that a platform, a strategy and a judge (canonical names) cannot do without."""
    judges = (f"judge-{judge}",) if judge not in ("", _CORES_JUDGE) else ()
    return tuple(dict.fromkeys((platform, strategy, *judges)))


def welcome_plugins(strategy: str) -> tuple[str, ...]:
    """Plugins that a strategy is better with, where they are installed."""
    return ("judge-sequential",) if strategy in _JUDGED else ()


def _canonical(known: dict[str, tuple[str, ...]], text: str) -> str:
    plain = _plain(text)
    for name, words in known.items():
        if plain in {_plain(word) for word in (name, *words)}:
            return name
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not slug:
        raise DocumentError(f"{text!r} names nothing: expected one of {', '.join(known)}")
    return slug


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
