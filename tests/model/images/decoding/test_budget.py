"""No file takes more time or memory than its budget, whatever it looks like."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from model.errors import FailureCode, ImageError
from model.images.decoding import decode as decode_module
from model.images.decoding import helper as module
from model.images.decoding.cost import MAX_LOADED_PIXELS, MAX_SEGMENTS, opens_cheaply
from model.images.decoding.decode import decode
from model.images.decoding.formats import identify
from model.images.decoding.helper import HELPER, DecodingHelper
from model.images.decoding.messages import REPLY
from model.images.decoding.pillow import MayBeCostly, decode_with_pillow
from model.images.limits import CPU_SECONDS, MEMORY_BYTES
from model.images.raster import Grey
from tests.model.images.decoding.costly import COSTLY, jpeg_of_hidden_scans, jpeg_of_many_scans, plain_tiff
from tests.model.images.drawings import drawing, encoded

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
GREY = drawing()
SOUND = encoded(GREY, "WEBP", lossless=True)

EXAMPLES = [
    "BMP, RLE of 1.1 kB",
    "PNG, 1 × 64,000,000",
    "TIFF, 1 × 64,000,000",
    "TIFF, tile of 46,000 × 46,000",
    "TIFF, many strips",
    "JPEG, many scans",
    "JPEG, 7 million segments",
    "GIF, 6 million comments",
]
"""Some of the costly files; `make fuzz` reads all."""

REFUSED_BY_HEADER = {"PNG, 1 × 64,000,000", "TIFF, 1 × 64,000,000", "TIFF, tile of 46,000 × 46,000"}


@pytest.fixture
def helper() -> Iterator[DecodingHelper]:
    """A helper of this test's own, which has answered once."""
    own = DecodingHelper()
    assert own.decode(SOUND).shape == GREY.shape
    yield own
    own._stop()


def process_of(helper: DecodingHelper) -> psutil.Process:
    """Return the process of a helper that runs."""
    assert helper.process_id
    return psutil.Process(helper.process_id)


def refusal(call: Callable[[], object]) -> ImageError:
    """Return the error with which a call refuses an image."""
    with pytest.raises(ImageError) as caught:
        call()
    return caught.value


def memory(process: int | str, kind: str) -> int:
    """Return a figure of a process' memory in bytes, as Linux names it."""
    return int(Path(f"/proc/{process}/status").read_text(encoding="utf-8").split(f"{kind}:")[1].split()[0]) * 1024


@LINUX
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_costly_file_stays_within_its_budget(name, helper, monkeypatch):
    """It is refused, after at most 2 s of CPU time and 256 MiB, in the helper or in this process."""
    data = COSTLY[name]()
    here, process = time.process_time(), process_of(helper)
    mine, idle = memory("self", "VmHWM"), memory(process.pid, "VmRSS")
    watch = Watch(process)
    used = sum(process.cpu_times()[:2])
    monkeypatch.setattr(decode_module, "HELPER", helper)
    assert refusal(lambda: decode(data)).code is FailureCode.TOO_COSTLY
    peak, seconds = watch.end()
    assert peak - idle < MEMORY_BYTES
    assert seconds - used < CPU_SECONDS + 0.1, "the system counts in hundredths of a second"
    assert time.process_time() - here < CPU_SECONDS
    assert memory("self", "VmHWM") - mine < MEMORY_BYTES
    assert helper.decode(SOUND).shape == GREY.shape, "the next file is read as if nothing had been"


class Watch(threading.Thread):
    """Watches the memory and the CPU time of a process until it ends."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._peak, self._seconds, self._ends = 0, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        """Look every 10 ms."""
        try:
            while True:
                self._peak = memory(self._process.pid, "VmHWM")
                self._seconds = sum(self._process.cpu_times()[:2])
                if self._ends.wait(0.01):
                    return
        except (OSError, IndexError, psutil.Error):
            return

    def end(self) -> tuple[int, float]:
        """Return the peak of memory in bytes, and the CPU time in seconds."""
        self._ends.set()
        self.join()
        return self._peak, self._seconds


@pytest.mark.parametrize("name", sorted(REFUSED_BY_HEADER))
def test_what_the_header_tells_costs_nothing(name):
    """A picture that its header shows to be too costly is refused before any pixel is decoded."""
    data, before = COSTLY[name](), time.process_time()
    error = refusal(lambda: decode(data))
    assert error.code is FailureCode.TOO_COSTLY
    assert time.process_time() - before < 0.5


def test_a_file_that_takes_too_long_is_too_costly_and_says_so(helper):
    """The kernel ends the helper, and the next file gets a new one."""
    first = helper.process_id
    error = refusal(lambda: helper.decode(COSTLY["BMP, RLE of 1.1 kB"]()))
    assert error.code is FailureCode.TOO_COSTLY
    assert "CPU time" in error.sentence
    assert helper.process_id is None
    assert helper.decode(SOUND).shape == GREY.shape
    assert helper.process_id != first


@LINUX
def test_a_file_that_takes_too_much_memory_is_too_costly(helper):
    """A decoder that gets no more memory has met a costly image, not a broken one."""
    import resource

    used = memory(process_of(helper).pid, "VmSize")
    resource.prlimit(process_of(helper).pid, resource.RLIMIT_AS, (used + 2**24, used + 2**24))
    error = refusal(lambda: helper.decode(encoded(np.zeros((5000, 5000), np.uint8))))
    assert error.code is FailureCode.TOO_COSTLY
    assert helper.decode(SOUND).shape == GREY.shape


def test_the_helper_reads_what_this_process_reads(helper):
    """Both give the same pixels, whatever the format."""
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        data = encoded(GREY, kind)
        assert np.array_equal(helper.decode(data), decode_with_pillow(data, kind)), kind


@pytest.mark.parametrize(("megapixels", "options"), [(50, {}), (12, {"progressive": True})])
def test_large_photographs_are_read_within_the_budget(megapixels, options):
    """Photographs of telephones are read, and progressive ones up to the limit of memory."""
    side = int((megapixels * 1e6) ** 0.5)
    data = encoded(drawing(side, side), "JPEG", quality=85, **options)
    assert min(decode(data).shape) >= 250


def test_a_progressive_photograph_of_50_megapixels_is_refused_by_its_header():
    """Its decoder would keep all of it in memory until the last scan."""
    data = bytearray(encoded(cv2.merge([GREY] * 3), "JPEG", progressive=True))
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 7071, 7071)
    assert refusal(lambda: decode(bytes(data))).code is FailureCode.TOO_COSTLY


def test_ordinary_files_are_decoded_in_this_process():
    """Small files, photographs and scans do not pay for a helper, whatever metadata a camera writes."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0" + bytes(40_000)
    large = cv2.resize(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8), (4000, 3000))
    files = [encoded(GREY, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")]
    files += [encoded(large, "JPEG", exif=exif), encoded(large[:1200, :1600], "JPEG", progressive=True, exif=exif)]
    files += [encoded(large[:1000, :1000], kind) for kind in ("PNG", "BMP", "TIFF")]
    HELPER._stop()
    for data in files:
        decode(data)
    assert HELPER.process_id is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpeg_of_many_scans(1000, 1000, scans=200), id="scans"),
        pytest.param(encoded(np.zeros((3700, 3700), np.uint8)), id="pixels"),
        pytest.param(jpeg_of_hidden_scans(1000, 1000, scans=200), id="scans-after-fill-bytes"),
        pytest.param(encoded(GREY, "JPEG")[:2] + b"\xff" + encoded(GREY, "JPEG")[2:], id="fill-byte"),
        pytest.param(encoded(GREY, "JPEG")[:2] + b"\xff\xd0\0\x02" + encoded(GREY, "JPEG")[2:], id="marker"),
        *(
            pytest.param(plain_tiff(**{f"t{tag}": 8}), id=f"directory-{tag}")
            for tag in (330, 400, 34665, 34853, 40965, 65000)
        ),
        pytest.param(plain_tiff(t266=2), id="bit-order"),
        pytest.param(plain_tiff(t273=(8,) * 28, t278=1, t279=(100,) * 28), id="shared-strips"),
        pytest.param(plain_tiff(t322=0, t323=0), id="tiles"),
        pytest.param(encoded(GREY, "JPEG")[:2] + b"\xff\xfe\x03\0" * MAX_SEGMENTS + bytes(2**17), id="segments"),
    ],
)
def test_what_may_be_costly_is_not_decoded_in_this_process(data):
    """Repeated scans, many pixels and many segments go to the helper, although they may turn out to be cheap."""
    kind = identify(data)
    if opens_cheaply(data, kind):
        with pytest.raises(MayBeCostly):
            decode_with_pillow(data, kind, only_if_cheap=True)


def test_a_plain_tiff_opens_cheaply():
    """What the files above differ from is plain."""
    assert opens_cheaply(plain_tiff(), "TIFF")
    assert opens_cheaply(plain_tiff(t266=1), "TIFF")


def test_the_worst_files_that_this_process_decodes_itself_are_cheap():
    """At the bounds of what is decoded here, the CPU time is a fraction of the budget."""
    side = int(MAX_LOADED_PIXELS**0.5)
    stripes = np.repeat(np.random.default_rng(0).integers(0, 256, (side, 1, 4), np.uint8), side, axis=1)
    scans = jpeg_of_many_scans(400, 400, scans=800)
    for data in (encoded(stripes, compress_level=1), scans):
        before = time.process_time()
        decode_with_pillow(data, identify(data), only_if_cheap=True)
        assert time.process_time() - before < CPU_SECONDS / 2


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_helper_that_somebody_kills_is_replaced_without_harm(helper, end):
    """An image is not to blame if its helper ends while it is idle."""
    killed = process_of(helper)
    killed.send_signal(end)
    psutil.wait_procs([killed], timeout=10)
    assert helper.decode(SOUND).shape == GREY.shape


def test_a_helper_that_is_killed_at_work_tries_the_image_again(helper):
    """The second helper reads it."""
    data = encoded(np.zeros((5000, 5000), np.uint8))
    process = process_of(helper)
    used = sum(process.cpu_times()[:2])

    def kill_at_work() -> None:
        while sum(process.cpu_times()[:2]) == used:  # which is counted in hundredths of a second
            time.sleep(0.005)
        process.kill()

    killer = threading.Thread(target=kill_at_work)
    killer.start()
    assert min(helper.decode(data).shape) >= 250
    killer.join()
    assert helper.process_id != process.pid


def test_a_decoder_that_crashes_breaks_only_its_image(helper):
    """The image is broken, and the next one gets a new helper."""
    process = process_of(helper)
    process.suspend()
    process.send_signal(signal.SIGSEGV)
    process.resume()
    error = refusal(lambda: helper.decode(SOUND))
    assert error.code is FailureCode.BROKEN
    assert helper.decode(SOUND).shape == GREY.shape


def test_a_helper_that_does_not_answer_is_given_up(helper, monkeypatch):
    """After the limit of wall time, the image is too costly."""
    monkeypatch.setattr(module, "WALL_SECONDS", 1)
    stopped = process_of(helper)
    stopped.suspend()
    error = refusal(lambda: helper.decode(SOUND))
    assert error.code is FailureCode.TOO_COSTLY
    assert not psutil.pid_exists(stopped.pid)


def test_a_time_limit_leaves_no_helper_behind_that_answers_the_wrong_question(helper):
    """A time limit that Celery raises while a helper works ends that helper."""

    def exceed(*_: object) -> None:
        raise SoftTimeLimitExceeded

    working = process_of(helper)
    previous = signal.signal(signal.SIGUSR1, exceed)
    alarm = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
    data = COSTLY["BMP, RLE of 1.1 kB"]()
    alarm.start()
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            helper.decode(data)
    finally:
        alarm.join()
        signal.signal(signal.SIGUSR1, previous)
    assert not psutil.pid_exists(working.pid)
    assert helper.decode(SOUND).shape == GREY.shape


def test_a_forked_process_has_its_own_helper(helper):
    """It neither uses nor ends that of the process from which it was forked."""
    process = helper.process_id
    child = os.fork()
    if not child:
        right = False
        try:
            right = helper.process_id is None and helper.decode(SOUND).shape == GREY.shape
            right = right and helper.process_id != process
            helper._stop()
        finally:
            os._exit(not right)
    assert os.waitpid(child, 0)[1] == 0
    assert helper.process_id == process
    assert helper.decode(SOUND).shape == GREY.shape


def test_threads_share_a_helper(helper):
    """Each gets the answer to its own question."""
    files = [encoded(drawing(40 + index, 60), "PNG") for index in range(8)]
    shapes: dict[int, list[tuple[int, ...]]] = {}

    def ask(index: int) -> None:
        shapes[index] = [helper.decode(files[index]).shape for _ in range(10)]

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shapes == {index: [(40 + index, 60)] * 10 for index in range(8)}


PROGRAM = """
import sys
from model.images.decoding.helper import HELPER
HELPER.decode(sys.stdin.buffer.read())
print(HELPER.process_id, flush=True)
if sys.argv[1:]:
    import os
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["", "killed"])
def test_a_helper_ends_with_the_process_that_started_it(end, eventually):
    """That holds if the process exits and if it is killed."""
    command = [sys.executable, "-c", PROGRAM, *end.split()]
    done = subprocess.run(command, input=SOUND, capture_output=True, check=False)
    assert done.stderr == b""
    process = int(done.stdout)
    eventually(lambda: not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE)


@LINUX
def test_a_helper_holds_no_setting_and_no_file(monkeypatch):
    """It does not inherit the settings of digitmill, one of which has a password, nor any open file but its pipes."""
    monkeypatch.setenv("DIGITMILL_REDIS_URL", "redis://:pa55word@localhost/0")
    own = DecodingHelper()
    own.decode(SOUND)
    process = Path(f"/proc/{own.process_id}")
    assert b"pa55word" not in process.joinpath("environ").read_bytes()
    targets = [os.readlink(file) for file in process.joinpath("fd").iterdir()]  # noqa: PTH115  links to no path
    assert all(target.startswith("pipe:") or target == "/dev/null" for target in targets)
    assert sum(target.startswith("pipe:") for target in targets) == 2
    own._stop()


@pytest.mark.parametrize(
    "reply", [REPLY.pack(False, 60000, 60000, 0), REPLY.pack(False, 10, 10, 10), REPLY.pack(False, 0, 0, 0)]
)
def test_a_helper_that_answers_nonsense_is_not_believed(reply, helper, monkeypatch):
    """A decoder that was taken over cannot make the process that asked take memory."""
    process = process_of(helper)
    monkeypatch.setattr(module._Patience, "read", lambda *_: reply)
    with pytest.raises(ValueError, match="the helper answered"):
        helper.decode(SOUND)
    assert not psutil.pid_exists(process.pid)


def test_processes_of_one_family_decode_one_file_at_a_time() -> None:
    """So they take the memory for one costly image together. A process that is killed gives its turn to the next."""
    family = DecodingHelper()
    family.take_turns()
    reads, writes = os.pipe()
    other = os.fork()
    if other == 0:
        with family._turn():
            os.write(writes, b"mine")
            time.sleep(60)
        os._exit(0)
    try:
        assert os.read(reads, 4) == b"mine"
        decoded: list[Grey] = []
        waiting = threading.Thread(target=lambda: decoded.append(family.decode(SOUND)))
        waiting.start()
        waiting.join(0.5)
        assert not decoded
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
    waiting.join(30)
    assert decoded[0].shape == GREY.shape
    family._stop()
