"""What the scorers' tests share: items with options, and replies."""

import pytest

from dokja.evidence.benchmarks.scorers import Choice, Reply, Task

PROMPT = (
    "대한민국의 수도는?\n\nA. 부산\nB. 서울\nC. 대구\nD. 광주\n\n"
    "마지막 줄에 '정답: A'처럼 답하세요."
)


def options(*texts, labels="ABCDEFGHIJ"):
    return tuple(Choice(label=label, text=text) for label, text in zip(labels, texts, strict=False))


@pytest.fixture
def capital():
    """The capital of Korea, four options, B is right."""
    return Task(
        id="capital", keys=("B",), choices=options("부산", "서울", "대구", "광주"), prompt=PROMPT
    )


@pytest.fixture
def said():
    """Makes a reply that ended by itself."""

    def made(text, **changes):
        return Reply(**{"text": text, "tokens_out": 8, **changes})

    return made
