"""The tree against RFC 6962: its own example, the vectors of its reference code, its definition."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.values.trees import (
    EMPTY_ROOT,
    Frontier,
    Node,
    consistency_ranges,
    cover,
    fold,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    range_hash,
)

# The inputs and roots with which implementations of RFC 6962 are tested everywhere.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
NODE_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"

leaves = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def slow_root(data):
    """MTH of RFC 6962, 2.1, word for word."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = slow_split(len(data))
    return hashlib.sha256(b"\x01" + slow_root(data[:k]) + slow_root(data[k:])).digest()


def slow_split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def slow_path(m, data):
    """PATH of RFC 6962, 2.1.1, word for word."""
    if len(data) == 1:
        return []
    k = slow_split(len(data))
    if m < k:
        return [*slow_path(m, data[:k]), slow_root(data[k:])]
    return [*slow_path(m - k, data[k:]), slow_root(data[:k])]


def slow_proof(m, data, *, whole=True):
    """SUBPROOF of RFC 6962, 2.1.2, word for word."""
    if m == len(data):
        return [] if whole else [slow_root(data)]
    k = slow_split(len(data))
    if m <= k:
        return [*slow_proof(m, data[:k], whole=whole), slow_root(data[k:])]
    return [*slow_proof(m - k, data[k:], whole=False), slow_root(data[:k])]


def grown(data):
    """A tree that was grown leaf by leaf, with the hashes of all its perfect subtrees."""
    edge, known = Frontier(), {}
    for leaf in data:
        for run in edge.add([leaf_hash(leaf)]):
            known |= {
                Node(run.level, place): value
                for place, value in enumerate(run.hashes, start=run.first)
            }
    return edge, known


def hashed(ranges, known):
    return [range_hash(start, stop, known=known) for start, stop in ranges]


@pytest.mark.parametrize("size", range(9))
def test_root_is_that_of_the_published_vectors(size):
    edge, _ = grown(INPUTS[:size])

    assert edge.root.hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("seq", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [LEAF_1, NODE_2_3, NODE_4_7]),
        (5, 8, [LEAF_4, NODE_6_7, ROOTS[4]]),
        (2, 3, [ROOTS[2]]),
        (1, 5, [ROOTS[1], NODE_2_3, LEAF_4]),
    ],
)
def test_inclusion_path_is_that_of_the_published_vectors(seq, size, path):
    _, known = grown(INPUTS)

    found = hashed(inclusion_ranges(seq, size), known)

    assert [one.hex() for one in found] == path


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (1, 1, []),
        (1, 8, [LEAF_1, NODE_2_3, NODE_4_7]),
        (6, 8, [NODE_4_5, NODE_6_7, ROOTS[4]]),
        (2, 5, [NODE_2_3, LEAF_4]),
    ],
)
def test_consistency_path_is_that_of_the_published_vectors(old, new, path):
    _, known = grown(INPUTS)

    found = hashed(consistency_ranges(old, new), known)

    assert [one.hex() for one in found] == path


def test_example_of_section_2_1_3_has_the_paths_that_the_rfc_prints():
    data = [f"d{number}".encode() for number in range(7)]
    a, b, c, d, e, f, j = (leaf_hash(leaf) for leaf in data)
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l_ = node_hash(g, h), node_hash(i, j)
    edge, known = grown(data)

    audit = {seq: hashed(inclusion_ranges(seq, 7), known) for seq in (0, 3, 4, 6)}
    growth = {old: hashed(consistency_ranges(old, 7), known) for old in (3, 4, 6)}

    assert edge.root == node_hash(k, l_)
    assert audit == {0: [b, h, l_], 3: [c, g, l_], 4: [f, j, k], 6: [i, k]}
    assert growth == {3: [c, d, g, l_], 4: [l_], 6: [i, j, k]}


@given(leaves)
def test_grown_root_equals_the_definition(data):
    edge, _ = grown(data)

    assert edge.root == slow_root(data)


@given(leaves, st.integers(0, 70))
def test_growing_in_batches_equals_growing_one_by_one(data, cut):
    one, known = grown(data)
    first, before = grown(data[:cut])
    edge = Frontier(first.size, before)

    runs = list(edge.add([leaf_hash(leaf) for leaf in data[cut:]]))

    added = {
        Node(run.level, place): value
        for run in runs
        for place, value in enumerate(run.hashes, start=run.first)
    }
    assert (edge.root, before | added) == (one.root, known)


@given(leaves, st.data())
def test_inclusion_path_equals_the_definition_and_proves(data, choose):
    seq = choose.draw(st.integers(0, len(data) - 1))
    _, known = grown(data)

    path = hashed(inclusion_ranges(seq, len(data)), known)

    assert path == slow_path(seq, data)
    assert is_included(leaf_hash(data[seq]), slow_root(data), seq=seq, size=len(data), path=path)


@given(leaves, st.data())
def test_consistency_path_equals_the_definition_and_proves(data, choose):
    old = choose.draw(st.integers(1, len(data)))
    _, known = grown(data)

    path = hashed(consistency_ranges(old, len(data)), known)

    assert path == slow_proof(old, data)
    assert is_consistent(slow_root(data[:old]), slow_root(data), old=old, new=len(data), path=path)


@given(leaves, st.data())
def test_no_other_claim_is_proved_by_a_path(data, choose):
    seq = choose.draw(st.integers(0, len(data) - 1))
    other = choose.draw(
        st.integers(0, len(data) - 1).filter(lambda n: n != seq) if len(data) > 1 else st.just(-1)
    )
    root, path = slow_root(data), slow_path(seq, data)
    wrong = leaf_hash(data[seq] + b"!")

    proved = [
        is_included(wrong, root, seq=seq, size=len(data), path=path),
        is_included(leaf_hash(data[seq]), wrong, seq=seq, size=len(data), path=path),
        is_included(leaf_hash(data[seq]), root, seq=seq, size=len(data), path=[*path, root]),
        is_included(leaf_hash(data[seq]), root, seq=len(data), size=len(data), path=path),
    ]

    assert not any(proved)
    assert data[other] == data[seq] or not is_included(
        leaf_hash(data[seq]), root, seq=other, size=len(data), path=path
    )


@given(leaves, leaves, st.data())
def test_tree_that_did_not_grow_is_not_proved(data, others, choose):
    old = choose.draw(st.integers(1, len(data)))
    new_root = slow_root(data)
    before = slow_root([*others[:-1], b"another leaf than any"])

    grew = is_consistent(before, new_root, old=old, new=len(data), path=slow_proof(old, data))

    assert not grew


def test_empty_tree_is_the_beginning_of_every_tree():
    root = slow_root(INPUTS)

    grew = is_consistent(EMPTY_ROOT, root, old=0, new=8, path=[])
    forged = is_consistent(root, root, old=0, new=8, path=[])

    assert (grew, forged) == (True, False)


@pytest.mark.parametrize(("seq", "size"), [(0, 0), (8, 8), (-1, 8)])
def test_leaf_that_is_not_there_has_no_path(seq, size):
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_ranges(seq, size)


def test_cover_and_fold_of_an_empty_range_give_the_empty_root():
    assert (cover(0, 0), fold([])) == ((), EMPTY_ROOT)
