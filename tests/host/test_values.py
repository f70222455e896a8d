"""Values at the moment of use: from the provider, from the environment, or an error that names what is missing."""

from __future__ import annotations

import pytest
from attrs import evolve
from ospec.errors import DocumentError, OspecError
from ospec.host.values import refuse_unset, values_of
from ospec.models.registration import SecretProvider
from ospec.models.target import Secrets, Target

BOX = SecretProvider("box", ("box",), lambda target, name: f"<{name}>", lambda target, name: "7")


def target(secrets: Secrets | None = None, **variables: str) -> Target:
    return Target("shop", "Shop", "default", "local", "blue-green", variables=variables, secrets=secrets or Secrets())


def test_secrets_come_from_their_provider_and_all_else_from_the_environment() -> None:
    values = values_of(target(Secrets("box://x", ("TOKEN",), ("KEY",))), {"box": BOX}, {"HOST": "h", "TOKEN": "not it"})
    assert values.resolve("${TOKEN}/${KEY}@${HOST} $$ $${HOST} $HOST") == "<TOKEN>/<KEY>@h $ ${HOST} $HOST"
    assert values.names("${HOST} ${TOKEN}") == ("TOKEN",)
    assert values.versions() == {"KEY": "7", "TOKEN": "7"}


def test_what_is_not_set_is_named() -> None:
    values = values_of(target(A="${ONE}", B="$${TWO} ${APP_URL} ${THREE}"), {}, {"THREE": "3"})
    with pytest.raises(OspecError) as caught:
        values.resolve("${ONE}")
    assert "ONE" in caught.value.message
    assert values.unset() == {"ONE": "variables.A"}
    with pytest.raises(DocumentError) as refused:
        refuse_unset(values, lambda key: f"ospec.toml:3:1 {key}")
    assert (refused.value.code, refused.value.where) == ("unset-variable", "ospec.toml:3:1 variables.A")
    refuse_unset(values_of(target(A="${ONE}"), {}, {"ONE": ""}), str)


def test_secrets_that_nothing_provides_are_an_error() -> None:
    with pytest.raises(OspecError) as caught:
        values_of(target(Secrets("vault://x", ("TOKEN",))), {"box": BOX}, {})
    assert caught.value.code == "no-secret-provider"


def test_a_value_of_many_lines_is_masked_as_a_whole_and_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n  kqhkiG9w0BAQEF\r\nab==\n-----END KEY-----\n"
    values = values_of(target(PEM="${CANARY_KEY}"), {}, {"CANARY_KEY": key})
    values.resolve("${CANARY_KEY}")
    assert values.redact(f"<{key}>") == "<***>"
    assert [values.redact(line) for line in key.splitlines()] == ["***", "***", "  ***", "ab==", "***"]


def test_a_variable_that_is_named_like_a_secret_is_masked() -> None:
    environ = {"CANARY_A": "hunter2-a", "CANARY_B": "hunter2-b", "HOST": "db.example"}
    variables = {"DB_PASSWORD": "${CANARY_A}", "API_TOKEN": "x-${CANARY_B}@${HOST}", "PLACE": "${HOST}"}
    values = values_of(target(None, **variables), {}, environ)
    for text in variables.values():
        values.resolve(text)
    assert values.redact("hunter2-a x-hunter2-b@db.example db.example") == "*** *** db.example"
    earlier = target(OLD_SECRET="${CANARY_B}${HOST}")
    values.watch(earlier)
    values.resolve("${CANARY_B}${HOST}")
    assert values.redact("hunter2-b, db.example") == "***, ***"


def test_a_health_url_is_looked_up_when_it_is_asked() -> None:
    made = evolve(target(), health_check_url="http://u:${PASSWORD}@${APP_URL}/")
    assert values_of(made, {}, {}).unset() == {"PASSWORD": "monitoring.health_check_url"}
