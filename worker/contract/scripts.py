"""Loading the Lua scripts in which Redis makes several changes at once."""

from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis


def load_scripts(client: "redis.Redis", package: str, names: Iterable[str]) -> dict[str, Any]:
    """Return the scripts of these names in `package`/scripts, each after what all have in common."""
    common = (files("worker.contract") / "common.lua").read_text()
    folder = files(package) / "scripts"
    return {name: client.register_script(common + (folder / f"{name}.lua").read_text()) for name in names}
