"""What one plugin implements: its hook functions, checked against the specifications before any is called."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pluggy
from attrs import frozen

from ospec import hookspecs
from ospec.errors import RefusedError

PROJECT = "ospec"


@frozen
class Implementation:
    """One hook function of one plugin."""

    plugin: str
    hook: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    """Names of the hook's arguments that the function takes: all, or fewer."""
    on_failure: str = "stop"
    """What its failure does where another plugin gives the answer: ``stop`` or ``warn``."""

    def __call__(self, **given: Any) -> Any:
        """Call it with those of `given` that it takes."""
        return self.function(*[given[name] for name in self.arguments])


def hook_names() -> tuple[str, ...]:
    """Every hook of ospec, in the order of the specifications."""
    return tuple(name for name, value in vars(hookspecs).items() if hasattr(value, f"{PROJECT}_spec"))


class Inspector:
    """Reads plugins; one for all of them, since reading the specifications costs more than reading a plugin."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)

    def implementations(self, name: str, plugin: object) -> Mapping[str, Implementation]:
        """The hooks that `plugin` implements, by hook name.

        Raises:
            RefusedError: a hook that does not exist (``unknown-hook``), takes arguments it is not given
                (``hook-signature``) or wraps others (``hook-wrapper``).
        """
        try:
            self._pluggy.register(plugin, name=name)
        except pluggy.PluginValidationError as error:
            raise _bad_signature(name, str(error)) from None
        found: dict[str, Implementation] = {}
        for caller in self._pluggy.get_hookcallers(plugin) or ():
            own = next(impl for impl in caller.get_hookimpls() if impl.plugin_name == name)
            if not caller.has_spec():
                if own.optionalhook:
                    continue
                raise _unknown_hook(name, caller.name)
            if own.hookwrapper or own.wrapper:
                raise _wrapper(name, caller.name)
            declared = getattr(own.function, "ospec_on_failure", "stop")
            found[caller.name] = Implementation(name, caller.name, own.function, tuple(own.argnames), declared)
        return found


def unmarked(plugin: object) -> tuple[str, ...]:
    """Functions of a plugin's own module that are named like a hook but lack ``@hookimpl``: most likely forgotten."""
    if not inspect.ismodule(plugin):
        return ()
    values = ((name, getattr(plugin, name, None)) for name in hook_names())
    return tuple(
        name
        for name, value in values
        if inspect.isfunction(value) and value.__module__ == plugin.__name__ and not hasattr(value, f"{PROJECT}_impl")
    )


def _unknown_hook(plugin: str, hook: str) -> RefusedError:
    near = difflib.get_close_matches(hook, hook_names(), n=1, cutoff=0.6)
    hints = [f"did you mean {near[0]!r}?"] if near else [f"the hooks are {', '.join(hook_names())}"]
    return RefusedError(
        f"plugin {plugin!r} implements {hook!r}, which is no hook", code="unknown-hook", where=plugin, hints=hints
    )


def _bad_signature(plugin: str, text: str) -> RefusedError:
    reason = " ".join(line.strip() for line in text.splitlines()[1:] if line.strip())
    return RefusedError(
        f"plugin {plugin!r} has a hook with a wrong signature: {reason or text}",
        code="hook-signature",
        where=plugin,
        hints=("operational hooks take `ctx`, registration hooks take nothing",),
    )


def _wrapper(plugin: str, hook: str) -> RefusedError:
    return RefusedError(
        f"plugin {plugin!r} wraps hook {hook!r}: plugins are called apart, so there is nothing to wrap",
        code="hook-wrapper",
        where=plugin,
        hints=(f"implement {hook!r} plainly, or contribute steps with register_steps",),
    )
