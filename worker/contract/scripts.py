"""Loads the Lua scripts with which Redis makes several changes at once."""

import re
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
        names: Names of the files there, without `.lua`. The parts of `common.lua` that a file uses are put
            before it, and no others, because Redis would run those, too.
    """
    return {name: client.register_script(_read(package, name)) for name in names}


@cache
def _read(package: str, name: str) -> str:
    """Return the text of a script. A process may need it for each of its connections."""
    script = _PACKAGES.joinpath(*package.split("."), "scripts", f"{name}.lua").read_text(encoding="utf-8")
    always, *others = Path(__file__).with_name("common.lua").read_text(encoding="utf-8").split("\n\n-- ")[1:]
    for part in reversed(others):  # each uses at most those before it
        names = re.findall(r"^local (?:function )?(\w+)", part, re.MULTILINE)
        if any(re.search(rf"\b{name}\b", script) for name in names):
            script = f"-- {part}\n\n{script}"
    return f"-- {always}\n\n{script}"
