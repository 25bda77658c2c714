from statistics import NormalDist, mean, stdev

import numpy as np
import pytest

from dokja.evidence.statistics.streams import normals, uniforms


def test_a_stream_is_written_down_once():
    # Raw words of a counter-based generator: the same on every machine and numpy release.
    assert uniforms(20261101, "team/narae", count=3).tolist() == GOLDEN


def test_streams_of_other_seeds_and_labels_differ():
    streams = [uniforms(seed, label, count=4).tolist() for seed in (1, 2) for label in ("a", "b")]

    assert len({tuple(stream) for stream in streams}) == 4


def test_a_longer_stream_begins_like_a_shorter_one():
    assert uniforms(1, "a", count=9)[:4].tolist() == uniforms(1, "a", count=4).tolist()


def test_uniforms_fill_the_interval_evenly():
    drawn = uniforms(3, "a", count=100_000)
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))

    # Chi-squared on 19 degrees of freedom: 43.8 is exceeded once in a thousand streams.
    assert float(((counts - 5_000) ** 2 / 5_000).sum()) < 43.8


def test_normals_are_the_inverse_of_uniforms():
    drawn = normals(3, "a", count=50)

    expected = [NormalDist().inv_cdf(u) for u in uniforms(3, "a", count=50).tolist()]
    assert drawn.tolist() == expected


def test_normals_have_their_moments():
    drawn = normals(3, "a", count=100_000).tolist()

    assert mean(drawn) == pytest.approx(0, abs=0.015)
    assert stdev(drawn) == pytest.approx(1, abs=0.01)


def test_kept_normals_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        normals(3, "a", count=5)[0] = 0.0


GOLDEN = [0.08007998387689302, 0.012310958962451768, 0.21383177403170756]
