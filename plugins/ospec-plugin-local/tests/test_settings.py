"""`[plugins.local]`: what is wrong there is told with its place and what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from ospec.errors import DocumentError
from ospec.models.target import Target
from ospec_plugin_local.settings import LocalSettings, settings_of


def target(**settings: Any) -> Target:
    return Target("shop", "Shop", "production", "local", "blue-green", plugins={"local": settings})


def test_without_settings_the_front_door_is_on_8080_of_this_machine_alone() -> None:
    settings = settings_of(Target("shop", "Shop", "production", "local", "blue-green"))
    assert settings == LocalSettings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)


def test_settings_are_read() -> None:
    settings = settings_of(target(port=9000, host="0.0.0.0", stop_seconds=2, log_megabytes=1, log_files=0))
    assert settings == LocalSettings(9000, "0.0.0.0", 2, 1, 0)


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"prot": 9000}, "no such setting", "did you mean port?"),
        ({"colour": "blue"}, "no such setting", "there are: port"),
        ({"port": "9000"}, "expected int, found '9000'", "8080"),
        ({"port": True}, "expected int, found True", "8080"),
        ({"port": 0}, "expected 1 to 65535, found 0", "8080"),
        ({"port": 65536}, "expected 1 to 65535", "8080"),
        ({"host": 7}, "expected str", "127.0.0.1"),
        ({"stop_seconds": -1.0}, "expected 0 to 3600", "10.0"),
        ({"log_megabytes": 0}, "expected 1 to 4096", "10"),
    ],
)
def test_a_setting_that_is_wrong(settings: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(DocumentError) as told:
        settings_of(target(**settings))
    assert told.value.code == "invalid-document"
    assert told.value.where == f"plugins.local.{next(iter(settings))}"
    assert message in told.value.message
    assert hint in told.value.hints[0]
