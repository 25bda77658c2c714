import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.scorers.texts import plain, visible

hangul = st.text(alphabet="독자의답은가나다 abcＡ１①", max_size=40)


@given(hangul)
def test_decomposed_text_reads_like_the_composed_one(text):
    composed = unicodedata.normalize("NFC", text)
    decomposed = unicodedata.normalize("NFD", text)

    assert plain(decomposed).text == plain(composed).text


@given(hangul)
def test_span_of_one_sign_holds_what_it_was_composed_of(text):
    decomposed = unicodedata.normalize("NFD", text)
    read = plain(decomposed, offset=7)

    pieces = [read.span(place, place + 1) for place in range(len(read.text))]
    back = "".join(decomposed[start - 7 : stop - 7] for start, stop in pieces)

    assert back == decomposed
    for place, (start, stop) in enumerate(pieces):
        assert plain(decomposed[start - 7 : stop - 7]).text == read.text[place]


def test_jamo_that_are_asked_for_are_not_put_together():
    assert plain("ㄱㅏㅂ").text == "ㄱㅏㅂ"


def test_reasoning_is_set_apart():
    assert visible("<think>A</think>B").text == "B"
    assert visible("A</think>B").text == "B"
    assert visible("<THINK>A</think>\nB<think>C").text == "\nB"
    assert visible("3 < 4").text == "3 < 4"


def test_reasoning_without_an_end_leaves_nothing_to_read():
    seen = visible("<think>정답은 B")

    assert (seen.text, seen.unfinished) == ("", True)


def test_offset_leads_back_to_the_whole_reply():
    text = "<think>x</think>정답: B"
    seen = visible(text)

    assert text[seen.offset :] == seen.text
