"""`dokja forge export`: its help, and words that it cannot use."""

import pytest

from dokja.cli.commands import run as dokja


def test_command_helps_with_an_example(capsys):
    code = dokja(["forge", "export", "--help"])

    out = capsys.readouterr().out
    assert (code, "dokja forge export " in out.partition("Example")[2]) == (0, True)
    assert "--json" in out


@pytest.mark.parametrize("content", [None, b"\xff", b"a" * ((1 << 22) + 1)])
def test_text_that_cannot_be_read_is_told_before_anything_else(tmp_path, capsys, content):
    text = tmp_path / "text"
    if content is not None:
        text.write_bytes(content)
    words = ["forge", "export", str(tmp_path), "gguf", "-o", str(tmp_path / "m")]

    code = dokja([*words, "--probe", str(text)])

    err = capsys.readouterr().err
    assert (code, f"{text}: read" in err, "Nothing was changed." in err) == (2, True, True)


@pytest.mark.parametrize("words", [("nowhere", "gguf"), (".", "gguf"), (".", "pte")])
def test_what_is_no_model_is_told(tmp_path, capsys, words):
    what, form = words

    code = dokja(["forge", "export", str(tmp_path / what), form, "-o", str(tmp_path / "m")])

    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "Nothing was changed." in capsys.readouterr().err
