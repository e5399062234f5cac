"""digitmill: classify handwritten digits in bulk and as a stream.

This module is the public API. Programs may rely on the names that it exports. Any other name may change with any
release.

    import digitmill

    print(digitmill.__version__)
    try:
        ...
    except digitmill.DigitmillError as error:
        print(error)  # the fault and the remedy

digitmill consists of the packages `model`, `worker` and `producer`. If the folder of a script holds a file with one of
these names, Python imports that file instead. The first use of a name that needs our packages then raises an
ImportError, and its message names the file in the way.
"""

from importlib import import_module

from digitmill.packages import check_packages

TYPE_CHECKING = False  # as typing has it, without loading typing: a user's file may hide what that imports

if TYPE_CHECKING:
    from model.errors import DataError, DigitmillError, Failure, FailureCode, ImageError, ModelError, UsageError
    from worker.contract.errors import JobFailed, NoWorkers, UnknownFormat, Unreachable, WireError

    __version__: str

__all__ = [
    "DataError",
    "DigitmillError",
    "Failure",
    "FailureCode",
    "ImageError",
    "JobFailed",
    "ModelError",
    "NoWorkers",
    "UnknownFormat",
    "Unreachable",
    "UsageError",
    "WireError",
    "__version__",
]

_HOMES = ("model.errors", "worker.contract.errors")


def __getattr__(name: str) -> object:
    """Load a public name on its first use, so that `import digitmill` costs nothing and always works.

    Raises:
        AttributeError: digitmill does not export this name.
        ImportError: A user's file hides one of our packages. The message names the file.
        PackageNotFoundError: `__version__` was asked for, and digitmill is on the module path but not installed.
    """
    if name == "__version__":
        from importlib import metadata

        return metadata.version("digitmill")
    if name in __all__:
        check_packages()
        for home in _HOMES:
            module = import_module(home)
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'digitmill' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
