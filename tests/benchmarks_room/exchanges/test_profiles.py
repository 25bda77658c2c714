import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecordingError
from dokja.evidence.benchmarks.exchanges import PLAIN, Mask, Profile, exchange_key, read_profile
from dokja.evidence.benchmarks.exchanges.profiles import without_credentials

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=8)
whole_numbers = st.integers(-(2**53) + 1, 2**53 - 1)
values = st.recursive(
    st.none() | st.booleans() | whole_numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def slow_key(method, path, value):
    """The key by the words of its definition.

    For values without fractions: there JSON's own writer does as RFC 8785 does, but for the order
    of keys.
    """

    def ordered(part):
        if isinstance(part, dict):
            names = sorted(part, key=lambda name: name.encode("utf-16-be"))
            return {name: ordered(part[name]) for name in names}
        return [ordered(each) for each in part] if isinstance(part, list) else part

    body = json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":"))
    said = f"dokja.exchange/1\n{method}\n{path}\njson\n{body}"
    return sha256(said.encode()).hexdigest()


@given(values, st.integers(0, 4))
def test_key_is_the_digest_that_its_definition_names(value, indent):
    body = json.dumps(value, indent=indent).encode()

    key = exchange_key("POST", "/completions", body)

    assert key.hex == slow_key("POST", "/completions", value)


@given(values, values)
def test_different_bodies_have_different_keys(one, other):
    keys = [exchange_key("POST", "/a", json.dumps(each).encode()) for each in (one, other)]

    same_json = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (keys[0] == keys[1]) == same_json


@given(st.binary(min_size=1))
def test_body_without_a_canonical_form_is_told_apart_byte_by_byte(body):
    body = b"\xff" + body

    assert exchange_key("POST", "/a", body) != exchange_key("POST", "/a", body + b" ")
    assert exchange_key("POST", "/a", body) == exchange_key("POST", "/a", body)


def test_json_that_has_two_readings_is_taken_as_it_is():
    twice, large = b'{"a":1,"a":2}', b'{"seed":9007199254740993}'

    assert exchange_key("POST", "/a", twice) != exchange_key("POST", "/a", b'{"a":2}')
    assert exchange_key("POST", "/a", large) != exchange_key(
        "POST", "/a", b'{"seed":9007199254740992}'
    )


def test_method_path_and_body_cannot_take_from_one_another():
    assert exchange_key("POST", "/a", b"\n") != exchange_key("POST", "/a\n", b"")
    assert exchange_key("GET", "/a", b"") != exchange_key("POST", "/a", b"")
    assert exchange_key("POST", "/a", b"") != exchange_key("POST", "/a", b'""')


def test_volatile_places_do_not_count_and_all_others_do():
    profile = Profile(name="p", volatile=("user", "metadata.trace", "messages.*.id", "tools.0"))
    first = {
        "user": "u1",
        "metadata": {"trace": 1, "task": "t"},
        "messages": [{"id": 1, "content": "a"}, {"id": 2, "content": "b"}],
        "tools": ["x", "y"],
    }
    second = json.loads(json.dumps(first).replace('"u1"', '"u2"'))
    second["metadata"]["trace"] = [9]
    second["messages"][1]["id"] = 7
    other = json.loads(json.dumps(first))
    other["messages"][1]["content"] = "c"

    keys = [
        exchange_key("POST", "/a", json.dumps(each).encode(), profile=profile)
        for each in (first, second, other)
    ]

    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_masks_reach_text_wherever_it_stands():
    profile = Profile(name="p", masks=(Mask(pattern=r"\d{2}:\d{2}", stands_for="<time>"),))
    bodies = [b'{"m":[{"c":"at 10:30, go"}]}', b'{"m":[{"c":"at 11:45, go"}]}', b'{"m":"11:45"}']

    keys = [exchange_key("POST", "/a", body, profile=profile) for body in bodies]

    assert keys[0] == keys[1]
    assert keys[1] != keys[2]


@given(values)
def test_profile_that_names_nothing_is_plain(value):
    body = json.dumps(value).encode()
    named = Profile(name="other")

    assert exchange_key("POST", "/a", body, profile=named) == exchange_key("POST", "/a", body)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/models", "/models"),
        ("/models?key=abc", "/models"),
        ("/m?api-version=1&api_key=abc&x=2", "/m?api-version=1&x=2"),
        ("/m?X-Api-Key=abc&access_token=b&X%2DAPI%2DKEY=c&keyword=d", "/m?keyword=d"),
    ],
)
def test_credentials_of_a_query_are_left_out(path, kept):
    assert without_credentials(path) == kept
    assert exchange_key("GET", path, b"") == exchange_key("GET", kept, b"")


def test_profile_is_read_from_toml(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text(
        'name = "my-harness"\nvolatile = ["user"]\n'
        "[[mask]]\npattern = '[0-9a-f]{8}-[0-9a-f-]{27}'\nstands_for = '<uuid>'\n"
    )

    profile = read_profile(file)

    mask = Mask(pattern="[0-9a-f]{8}-[0-9a-f-]{27}", stands_for="<uuid>")
    assert profile == Profile(name="my-harness", volatile=("user",), masks=(mask,))
    assert Profile.of_body(profile.body) == profile
    assert profile.digest != PLAIN.digest


def test_every_mistake_of_a_profile_is_told_at_once(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text(
        'name = "My Harness"\nvolatil = 1\nvolatile = ["a..b", 3]\n'
        "[[mask]]\npattern = '['\nstands_for = ''\n[[mask]]\npattern = 'a'\n"
    )

    with pytest.raises(RecordingError) as caught:
        read_profile(file)

    places = [mistake.place for mistake in caught.value.mistakes]
    assert places == ["volatil", "name", "volatile.0", "volatile.1", "mask.0", "mask.1"]


@pytest.mark.parametrize("text", ["name = ", "name = 'a'\nvolatile = 'user'", "name='a'\nmask=1"])
def test_profile_of_another_form_is_refused(tmp_path, text):
    file = tmp_path / "p.toml"
    file.write_text(text)

    with pytest.raises(RecordingError):
        read_profile(file)
