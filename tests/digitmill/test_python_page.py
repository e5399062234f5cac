"""The examples in docs/python.md run, in their order, as a program would contain them."""

import re
from pathlib import Path

import numpy as np

import digitmill
from producer.calls import functions

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_examples_run(mill, digits, png, tmp_path, monkeypatch, capsys):
    """One after the other, in a folder with three images. They print the digits and the sentences of errors."""
    for name, digit in (("seven", 7), ("eight", 8)):
        index = digits.labels.tolist().index(digit)
        (tmp_path / f"{name}.png").write_bytes(png(digits.images[index]))
    both = np.hstack([digits.images[0], np.zeros((28, 28), np.uint8), digits.images[1]])
    (tmp_path / "meter.png").write_bytes(png(both))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITMILL_REDIS_URL", mill.stack.url)
    monkeypatch.setattr(functions, "_shared", {})
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) == 7
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102  our own page
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("7 0.9")
    assert 'floats="0..1"' in lines[1]
    assert "Nothing is drawn" in lines[2]
    assert lines[3:5] == ["7", "8"]
    assert sorted(lines[5:7]) == ["7", "8"]
    assert lines[7:9] == ["7", "72"]
    assert lines[9:] == ["7", "8"]
    for client in functions._shared.values():
        client.close()


def test_the_page_names_every_public_name_of_calls():
    """Each class and function for single images is on the page, and each error that they raise."""
    page = PAGE.read_text(encoding="utf-8")
    others = {"__version__", "DataError", "ImageError", "ModelError", "JobFailed", "UnknownFormat", "WireError"}
    others |= {"Doubt", "DoubtCode", "Failure"}  # by their attributes
    assert [name for name in digitmill.__all__ if name not in others and name not in page] == []
