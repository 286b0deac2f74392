"""The glossary: each term whole, found in three languages."""

import pytest

import qkit as qk


def test_each_term_has_a_sentence_a_notebook_and_both_languages():
    table = qk.glossary()
    assert table.index.is_unique
    assert len(table) > 40
    assert list(table.index) == sorted(table.index, key=str.lower)
    assert table["meaning"].str.endswith(".").all()
    assert (table["meaning"].str.len() < 160).all()
    assert table["notebook"].str.fullmatch(r"0\d|1[0-2]").all()
    assert (table["french"].str.len() > 0).all()
    assert (table["portuguese"].str.len() > 0).all()


@pytest.mark.parametrize("word", ["pruning", "élagage", "poda", "Pruning", " ÉLAGAGE\n"])
def test_term_is_found_in_three_languages(word):
    assert list(qk.glossary(word).index) == ["pruning"]


def test_what_is_not_there_is_told_with_what_is_like_it():
    with pytest.raises(ValueError, match="Like it: clipping"):
        qk.glossary("cliping")
    with pytest.raises(ValueError, match="Like it: scale"):
        qk.glossary("SCALES")
    with pytest.raises(ValueError, match=r"lists all \d+"):
        qk.glossary("qqq")
