"""What names in documents stand for."""

from __future__ import annotations

import pytest
from ospec.aliases import (
    package_for_platform,
    package_for_strategy,
    platform_name,
    plugin_names_for,
    strategy_name,
)
from ospec.errors import DocumentError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("local", "local"),
        ("Local", "local"),
        ("Docker + Kubernetes", "kubernetes"),
        ("docker and kubernetes", "kubernetes"),
        ("k8s", "kubernetes"),
        ("AWS ECS", "ecs"),
        ("AWS ECS with Fargate", "ecs"),
        ("AWS ECS (Fargate)", "ecs"),
        ("AWS Lambda", "lambda"),
        ("Vercel", "vercel"),
        ("Railway", "railway"),
        ("script", "script"),
        ("Fly.io", "fly-io"),
    ],
)
def test_platforms(text: str, name: str) -> None:
    assert platform_name(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("blue_green", "blue-green"),
        ("blue-green", "blue-green"),
        ("Blue/Green", "blue-green"),
        ("bluegreen", "blue-green"),
        ("canary", "canary"),
        ("rolling_update", "rolling"),
        ("RollingUpdate", "rolling"),
        ("recreate", "recreate"),
        ("shadow traffic", "shadow-traffic"),
    ],
)
def test_strategies(text: str, name: str) -> None:
    assert strategy_name(text) == name


@pytest.mark.parametrize("text", ["", "  ", "+++", "→"])
def test_what_names_nothing(text: str) -> None:
    with pytest.raises(DocumentError, match="names nothing"):
        platform_name(text)


def test_packages_and_plugins() -> None:
    assert package_for_platform("ecs") == "ospec-plugin-ecs"
    assert package_for_strategy("blue-green") == "ospec-plugin-blue-green"
    assert plugin_names_for("local", "blue-green") == ("local", "blue-green")
    assert plugin_names_for("script", "script") == ("script",)
