"""Loads the Lua scripts with which Redis makes several changes at once."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

_PACKAGES = Path(__file__).parents[2]  # and not importlib.resources, which imports all that archives need


def load_scripts(client: "redis.Redis", package: str, names: Iterable[str]) -> dict[str, Any]:
    """Return Lua scripts that are ready to call, by name.

    Args:
        client: Connection that runs them.
        package: Package with a folder `scripts`.
        names: Names of the files there, without `.lua`. `common.lua` is put before each.
    """
    return {name: client.register_script(_read(package, name)) for name in names}


@cache
def _read(package: str, name: str) -> str:
    """Return the text of a script. A process may need it for each of its connections."""
    common = Path(__file__).with_name("common.lua")
    script = _PACKAGES.joinpath(*package.split("."), "scripts", f"{name}.lua")
    return common.read_text(encoding="utf-8") + script.read_text(encoding="utf-8")
