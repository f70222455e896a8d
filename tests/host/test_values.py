"""Values at the moment of use: from the provider, from the environment, or an error that names what is missing."""

from __future__ import annotations

import pytest
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
    assert values.unset() == {"ONE": "A"}
    with pytest.raises(DocumentError) as refused:
        refuse_unset(values, {"A": "ospec.toml:3:1 variables.A"})
    assert (refused.value.code, refused.value.where) == ("unset-variable", "ospec.toml:3:1 variables.A")
    refuse_unset(values_of(target(A="${ONE}"), {}, {"ONE": ""}), {})


def test_secrets_that_nothing_provides_are_an_error() -> None:
    with pytest.raises(OspecError) as caught:
        values_of(target(Secrets("vault://x", ("TOKEN",))), {"box": BOX}, {})
    assert caught.value.code == "no-secret-provider"
