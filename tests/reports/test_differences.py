from hypothesis import given
from hypothesis import strategies as st

from dokja.public.reports import differences

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(documents, documents)
def test_there_is_a_difference_exactly_where_documents_differ(first, second):
    same = first == second and repr(first) == repr(second)

    assert (list(differences({"a": first}, {"a": second})) == []) == (same or _equal(first, second))


def _equal(first, second):
    """Equality as JSON has it: true is no 1, the order of keys is nothing."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[k], second[k]) for k in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_equal, first, second))
    return type(first) is type(second) and first == second


def test_difference_names_its_place():
    claimed = {"teams": [{"total": 90.2}, {"total": None}]}
    computed = {"teams": [{"total": 90.2}, {"total": 88}], "new": True}

    assert list(differences(claimed, computed)) == [
        "new: not in the file; computed again it is true",
        "teams[1].total: the file says null; computed again it is 88",
    ]


def test_one_that_is_not_there_again_is_named():
    assert list(differences({"a": 1}, {})) == ["a: 1 in the file; not there when computed again"]


def test_lists_of_other_lengths_are_told():
    assert list(differences({"a": [1]}, {"a": [1, 2]})) == [
        "a: the file lists 1; computed again there are 2"
    ]
