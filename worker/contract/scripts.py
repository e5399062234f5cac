"""Loads the Lua scripts with which Redis makes several changes at once."""

from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis


def load_scripts(client: "redis.Redis", package: str, names: Iterable[str]) -> dict[str, Any]:
    """Return Lua scripts that are ready to call, by name.

    Args:
        client: Connection that runs them.
        package: Package with a folder `scripts`.
        names: Names of the files there, without `.lua`. `common.lua` is put before each.
    """
    common = (files("worker.contract") / "common.lua").read_text(encoding="utf-8")
    folder = files(package) / "scripts"
    return {
        name: client.register_script(common + (folder / f"{name}.lua").read_text(encoding="utf-8")) for name in names
    }
