"""Heads matched by what they write and attend to, beside the matrices made in full."""

import numpy as np
import pytest

from dokja.models.comparison import Heads, head_likeness, head_pairs, polar

HEADS, INSIDE, WIDTH = 5, 4, 12


def heads(seed):
    rng = np.random.default_rng(seed)
    return Heads(**{name: rng.standard_normal((HEADS, INSIDE, WIDTH)) for name in "qkvo"})


def slow_likeness(child, parent):
    found = np.empty((len(child[0]), len(parent[0])))
    for i, (left, right) in enumerate(zip(*child, strict=True)):
        for j, (other_left, other_right) in enumerate(zip(*parent, strict=True)):
            one, other = left.T @ right, other_left.T @ other_right
            found[i, j] = (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)
    return found


def test_likeness_equals_the_cosine_of_the_matrices():
    one, other = heads(1), heads(2)

    found = head_likeness((one.q, one.k), (other.q, other.k))

    assert np.allclose(found, slow_likeness((one.q, one.k), (other.q, other.k)), atol=1e-5)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_heads_are_found_in_another_order_and_with_another_basis_inside(noise):
    rng = np.random.default_rng(3)
    parent = heads(1)
    order = rng.permutation(HEADS)
    inside = rng.standard_normal((HEADS, INSIDE, INSIDE)) + 3 * np.eye(INSIDE)
    back = np.linalg.inv(inside).transpose(0, 2, 1)
    parts = {
        "q": parent.q,
        "k": parent.k,
        "v": inside @ parent.v,
        "o": back @ parent.o,
    }
    child = Heads(
        **{
            name: values[order] + noise * values.std() * rng.standard_normal(values.shape)
            for name, values in parts.items()
        }
    )

    assert head_pairs(child, parent) == tuple(enumerate(order.tolist()))


def test_turned_heads_are_the_same_heads_in_the_other_coordinates():
    turn = polar(np.random.default_rng(4).standard_normal((WIDTH, WIDTH)))
    parent = heads(1)

    assert head_pairs(parent.turned(turn), parent.turned(turn)) == tuple(
        (head, head) for head in range(HEADS)
    )
    assert len(head_pairs(parent.turned(turn), parent)) < HEADS
