"""The command `digitmill`, also as `python -m digitmill`."""

import gc
import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

from digitmill.packages import check_packages, ignore_current_folder

_ALLOCATIONS = 1_000_000
"""Objects after which Python looks for garbage. Imports make none, and with 700 they would take a tenth longer."""

_RARELY_USED = "importlib.metadata"
"""A module that redis-py imports and uses only for names that we do not ask for. Loading it takes as long as Click."""


def main(prog_name: str | None = None) -> None:
    """Run the command line.

    Args:
        prog_name: Name that help texts use, or None for that of the script.
    """
    try:
        check_packages()
    except ImportError as fault:
        print(f"digitmill: {fault}", file=sys.stderr)  # noqa: T201  Click's packages may be hidden too
        sys.exit(2)
    gc.set_threshold(_ALLOCATIONS)
    _load_on_use(_RARELY_USED)
    from producer.cli import main as run

    try:
        run(prog_name=prog_name)
    finally:
        gc.freeze()  # Python looks for garbage once more when it ends, for which nobody should wait


def _load_on_use(name: str) -> None:
    """Import a submodule so that its code runs only when somebody first uses one of its names."""
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = loader = LazyLoader(spec.loader)
    sys.modules[name] = module = module_from_spec(spec)
    loader.exec_module(module)
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent], child, module)


if __name__ == "__main__":
    ignore_current_folder()
    main("python -m digitmill")
