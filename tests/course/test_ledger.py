"""Guesses are held against what was found, drawn, and kept; without a reader nothing happens."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path))
    return tmp_path


def test_without_a_guess_it_runs_through_and_keeps_nothing(empty, capsys):
    guess = qk.predict("02.1", ..., unit="kB")
    guess.resolve(24.3)
    ax = qk.plot_guess(guess)
    assert not ax.lines
    assert "nothing predicted" in capsys.readouterr().out
    assert not [*empty.iterdir()]
    assert qk.ledger().table.empty
    assert repr(qk.ledger()) == "Ledger(nothing predicted and nothing answered yet)"
    assert qk.ledger()._repr_html_() is None
    plt.close("all")


@pytest.mark.parametrize(
    ("guess", "truth", "said"),
    [
        (50, 25, "2 times too large"),
        (5, 25, "5 times too small"),
        (24, 25, "within a tenth"),
        (-1, 2, "3 kB off"),
        (0, 2, "2 kB off"),
        (1, 9999.6, "it is 10,000 kB"),
        (1000, 99.6, "you said 1000 kB: 10 times too large"),
        (np.float32(24), 25, "within a tenth"),
        (np.int64(50), 25, "2 times too large"),
        (24, 24904, "it is 24,904 kB; you said 24 kB: 1,038 times too small"),
        (-24910, 24904, "you said -24,910 kB: 49,814 kB off"),
    ],
)
def test_guess_is_held_against_what_was_found(guess, truth, said, capsys):
    qk.predict("02.1", guess, unit="kB").resolve(truth)
    assert said in capsys.readouterr().out
    row = qk.ledger().table.loc["02.1"]
    assert (row["said"], row["found"], row["unit"], row["tries"]) == (guess, truth, "kB", 1)


def test_choice_is_right_or_another_one(capsys):
    choices = ("falls", "stays", "rises")
    qk.predict("04.1", "falls", choices=choices).resolve("stays")
    qk.predict("04.2", "stays", choices=choices).resolve("stays")
    said = capsys.readouterr().out
    assert "you said falls: another one" in said
    assert "you said stays: right" in said
    with pytest.raises(ValueError, match="has the choices"):
        qk.predict("04.2", "stays", choices=choices).resolve("none")
    with pytest.raises(ValueError, match="is a choice"):
        qk.plot_guess(qk.predict("04.2", "stays", choices=choices))


@pytest.mark.parametrize("guess", ["much", True, float("nan"), None])
def test_what_is_no_guess_is_refused_and_not_kept(guess, empty):
    with pytest.raises(ValueError, match=r"02\.1 is a number of kB"):
        qk.predict("02.1", guess, unit="kB")
    with pytest.raises(ValueError, match=r"04\.1 is one of 'a', 'b'"):
        qk.predict("04.1", guess, choices=("a", "b"))
    assert not [*empty.iterdir()]


@pytest.mark.parametrize("along", ["x", "y"])
def test_guess_is_drawn_where_it_lies(along):
    ax = qk.plot_guess(qk.predict("02.1", 7, unit="kB"), along=along)
    (line,) = ax.lines
    at = line.get_xdata() if along == "x" else line.get_ydata()
    assert list(at) == [7, 7]
    assert line.get_label() == "your guess"
    plt.close("all")


def test_ledger_counts_tries_and_what_is_right(capsys):
    qk.check("01.1", 4 / 255)
    qk.check("01.1", 6 / 255)
    qk.check("01.1", ...)
    row = qk.ledger().table.loc["01.1"]
    assert (row["kind"], row["found"], row["tries"]) == ("check", "right", 2)
    assert "exercises: 1 right of 1 tried" in qk.ledger().summary()


def test_damaged_ledger_is_told_and_left_alone(empty):
    (empty / "ledger.json").write_text("{")
    with pytest.raises(ValueError, match="Move it away"):
        qk.ledger()
    assert (empty / "ledger.json").read_text() == "{"


def test_ledger_is_handed_in_with_a_report(toy_model, toy_data, empty):
    comparison = qk.compare(toy_model(), toy_data, ["float16"])
    qk.check("01.1", 4 / 255)
    qk.predict("01.1", 40).resolve(44)
    page = comparison.to_html(empty / "report.html", also=[qk.ledger()])
    text = page.read_text(encoding="utf-8")
    assert "not yet" in text
    assert "predictions: 1 of 1 resolved" in text
