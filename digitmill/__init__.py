"""digitmill: classify handwritten digits in bulk and as a stream.

This module is the public API. Programs may rely on the names that it exports. Any other name may change with any
release.

    import digitmill

    try:
        print(digitmill.classify("seven.png").digit)
    except digitmill.DigitmillError as error:
        print(error)  # the fault and the remedy

docs/python.md describes it.

digitmill consists of the packages `model`, `worker` and `producer`. If the folder of a script holds a file with one of
these names, Python imports that file instead. The first use of a name that needs our packages then raises an
ImportError, and its message names the file in the way.
"""

from importlib import import_module

from digitmill.packages import check_packages

TYPE_CHECKING = False  # as typing has it, without loading typing: a user's file may hide what that imports

if TYPE_CHECKING:
    from model.errors import (
        DataError,
        DigitmillError,
        Failure,
        FailureCode,
        ImageError,
        InputError,
        ModelError,
        UsageError,
    )
    from model.images.doubts import Doubt, DoubtCode
    from producer.calls.asynchronous import AsyncClient
    from producer.calls.client import Client
    from producer.calls.functions import classify, classify_many
    from producer.calls.prediction import Prediction
    from worker.contract.errors import (
        JobFailed,
        LaneFull,
        NoLane,
        NotPermitted,
        NoWorkers,
        UnknownFormat,
        Unreachable,
        UnsuitableServer,
        WireError,
    )

    __version__: str

__all__ = [
    "AsyncClient",
    "Client",
    "DataError",
    "DigitmillError",
    "Doubt",
    "DoubtCode",
    "Failure",
    "FailureCode",
    "ImageError",
    "InputError",
    "JobFailed",
    "LaneFull",
    "ModelError",
    "NoLane",
    "NoWorkers",
    "NotPermitted",
    "Prediction",
    "UnknownFormat",
    "Unreachable",
    "UnsuitableServer",
    "UsageError",
    "WireError",
    "__version__",
    "classify",
    "classify_many",
]

_HOMES = (
    "model.errors",
    "worker.contract.errors",
    "model.images.doubts",
    "producer.calls.prediction",
    "producer.calls.client",
    "producer.calls.functions",
    "producer.calls.asynchronous",
)
"""Modules of the public names, those that need no library first."""


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
