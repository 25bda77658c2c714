"""Model cards in Korean and English, written from a build record alone.

A card says what the record says, and says of what it does not know that it is not recorded. It
can be written again from the same record to the same bytes, so nobody needs to keep it by hand.
"""

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any, Literal

from dokja.models.forge.records.bom import is_spdx_expression
from dokja.models.forge.records.facts import Component, LeafKind
from dokja.models.forge.records.record import BuildRecord
from dokja.models.forge.records.teachers import taught_by
from dokja.values import Text, canonical_bytes

__all__ = ["Language", "model_card"]

Language = Literal["ko", "en"]

_WORDS = MappingProxyType(
    {
        "made": Text(
            ko="이 문서는 구축 기록에서 자동으로 만들어졌습니다. 손으로 고치지 마십시오.",
            en="This card was written from the build record. Do not edit it by hand.",
        ),
        "model": Text(ko="모델", en="Model"),
        "name": Text(ko="이름", en="Name"),
        "size": Text(ko="크기", en="Size"),
        "builder": Text(ko="구축자", en="Builder"),
        "record": Text(ko="구축 기록", en="Build record"),
        "started": Text(ko="시작", en="Started"),
        "finished": Text(ko="종료", en="Finished"),
        "components": Text(ko="구성 요소", en="Components"),
        "component": Text(ko="구성 요소", en="Component"),
        "role": Text(ko="역할", en="Role"),
        "parameters": Text(ko="매개변수 수", en="Parameters"),
        "share": Text(ko="비중", en="Share"),
        "licence": Text(ko="라이선스", en="Licence"),
        "root": Text(ko="텐서 루트", en="Tensor root"),
        "origin": Text(ko="출처", en="Origin"),
        "steps": Text(ko="처리 단계", en="What was done"),
        "ancestry": Text(ko="계보", en="Ancestry"),
        "data": Text(ko="학습 데이터", en="Training data"),
        "source": Text(ko="데이터", en="Source"),
        "weight": Text(ko="혼합 비율", en="Weight"),
        "documents": Text(ko="문서 수", en="Documents"),
        "tokens": Text(ko="토큰 수", en="Tokens"),
        "collected": Text(ko="수집 시기", en="Collected"),
        "personal": Text(ko="개인정보", en="Personal data"),
        "teachers": Text(ko="교사 모델", en="Teachers"),
        "taught": Text(
            ko="학습이 따라간 확률의 모델입니다. 그 가중치는 이 모델에 들어 있지 않습니다.",
            en="Models whose probabilities training followed. Their weights are not in this model.",
        ),
        "teacher": Text(ko="교사", en="Teacher"),
        "taught-share": Text(ko="손실에서의 비중", en="Share of the loss"),
        "temperature": Text(ko="온도", en="Temperature"),
        "training": Text(ko="학습", en="Training"),
        "step": Text(ko="단계 수", en="Steps"),
        "loss": Text(ko="마지막 손실(nat)", en="Last loss (nats)"),
        "live": Text(ko="실시간 입회 비율", en="Witnessed live"),
        "interruptions": Text(ko="중단", en="Interruptions"),
        "exports": Text(ko="내보내기", en="Exports"),
        "format": Text(ko="형식", en="Format"),
        "method": Text(ko="방법", en="Method"),
        "quality": Text(ko="품질 차이", en="Quality against the parent"),
        "file": Text(ko="파일", en="File"),
        "compute": Text(ko="계산량", en="Compute"),
        "hours": Text(ko="장치 시간", en="Device-hours"),
        "flop": Text(ko="부동소수점 연산 수", en="Floating-point operations"),
        "energy": Text(ko="에너지(kWh)", en="Energy (kWh)"),
        "claim": Text(ko="주장 등급", en="Claim"),
        "claimed": Text(
            ko="아래 주장은 계획에서 규칙표 {table}에 따라 도출된 것이며, 검증 결과가 아닙니다.",
            en="The claim below follows from the plan under the table {table}; it is no finding.",
        ),
        "none": Text(ko="기록되지 않음", en="not recorded"),
        "nothing": Text(ko="없음", en="none"),
        "S": Text(ko="시드에서 초기화한 가중치", en="weights drawn from a seed"),
        "O": Text(ko="타인의 공개 가중치", en="open weights of others"),
        "C": Text(ko="타인의 비공개 가중치", en="weights held closed by others"),
        "A": Text(ko="원격 인터페이스의 모델", en="a model behind an interface"),
    }
)


def model_card(record: BuildRecord, language: Language) -> bytes:
    """Return the model card of a record as Markdown in UTF-8.

    Args:
        record: All that is said comes from here.
        language: `ko` or `en`.
    """
    writer = _Card(record, language)
    sections = (
        writer.front(),
        writer.model(),
        writer.components(),
        writer.ancestry(),
        writer.data(),
        *([writer.teachers()] if taught_by(record) else []),
        writer.training(),
        writer.exports(),
        writer.compute(),
        writer.claim(),
    )
    return ("\n\n".join("\n".join(section) for section in sections) + "\n").encode()


class _Card:
    """Writes the sections of one card in one language."""

    def __init__(self, record: BuildRecord, language: Language) -> None:
        self._record = record
        self._language: Language = language

    def front(self) -> Iterator[str]:
        """Yield what Hugging Face reads: licence, languages, bases, data."""
        record = self._record
        licences = sorted({one.licence for one in record.components if one.licence is not None})
        spoken = sorted({language for source in record.data for language in source.languages})
        bases = sorted(
            {
                leaf.name
                for component in record.components
                for leaf in component.leaves
                if leaf.kind is LeafKind.OPEN
            }
        )
        yield "---"
        if len(licences) == 1 and is_spdx_expression(licences[0]) and " " not in licences[0]:
            yield f"license: {licences[0].lower()}"
        elif licences:
            yield "license: other"
        for key, values in (
            ("language", spoken),
            ("base_model", bases),
            ("datasets", [source.name for source in record.data]),
        ):
            if values:
                yield f"{key}:"
                yield from (f"- {canonical_bytes(value).decode()}" for value in values)
        yield "---"

    def model(self) -> Iterator[str]:
        """Yield name, builder, times and digests."""
        record = self._record
        yield f"# {_cell(record.name)} ({_cell(record.size)})"
        yield ""
        yield self._word("made")
        yield ""
        yield from self._table(
            ("name", "builder", "record", "started", "finished"),
            [
                (
                    record.name,
                    record.builder.name,
                    f"`{record.digest}`",
                    record.span.started.isoformat(timespec="seconds"),
                    record.span.finished.isoformat(timespec="seconds"),
                )
            ],
        )

    def components(self) -> Iterator[str]:
        """Yield what the model is made of."""
        yield f"## {self._word('components')}"
        yield ""
        yield from self._table(
            ("component", "role", "parameters", "share", "licence", "root"),
            [
                (
                    one.id,
                    one.role,
                    self._number(one.parameters),
                    self._share(one.share),
                    one.licence or self._word("none"),
                    self._word("nothing") if one.root is None else f"`{one.root}`",
                )
                for one in self._record.components
            ],
        )

    def ancestry(self) -> Iterator[str]:
        """Yield where each component comes from and what was done to it."""
        yield f"## {self._word('ancestry')}"
        yield ""
        rows = [self._descent(component) for component in self._record.components]
        yield from self._table(("component", "origin", "steps"), rows)

    def _descent(self, component: Component) -> tuple[str, str, str]:
        origins = []
        for leaf in component.leaves:
            said = f"{leaf.name}: {self._word(leaf.kind.value)}"
            origins.append(said if leaf.licence is None else f"{said} ({leaf.licence})")
        steps = " → ".join(str(step.get("do", "?")) for step in component.steps)
        nothing = self._word("nothing")
        return component.id, "; ".join(origins) or nothing, steps or nothing

    def data(self) -> Iterator[str]:
        """Yield what was trained on."""
        yield f"## {self._word('data')}"
        yield ""
        yield from self._table(
            (
                "source",
                "weight",
                "documents",
                "tokens",
                "licence",
                "origin",
                "collected",
                "personal",
            ),
            [
                (
                    source.name,
                    f"{source.weight:g}",
                    self._number(source.documents),
                    self._number(source.tokens),
                    source.licence,
                    source.origin,
                    source.collected,
                    source.personal_data,
                )
                for source in self._record.data
            ],
        )

    def teachers(self) -> Iterator[str]:
        """Yield whose probabilities were followed."""
        none = self._word("none")
        yield f"## {self._word('teachers')}"
        yield ""
        yield self._word("taught")
        yield ""
        yield from self._table(
            ("component", "teacher", "licence", "root", "taught-share", "temperature"),
            [
                (
                    one.component,
                    one.name,
                    one.licence or none,
                    none if one.root is None else f"`{one.root}`",
                    self._share(one.share),
                    none if one.temperature is None else f"{one.temperature:g}",
                )
                for one in taught_by(self._record)
            ],
        )

    def training(self) -> Iterator[str]:
        """Yield how long each component was trained, and how much of it was witnessed."""
        record = self._record
        yield f"## {self._word('training')}"
        yield ""
        rows = []
        for name, found in sorted(record.chain.witnessed.items()):
            told = [said for said in record.metrics if said.component == name]
            stops = sum(one.component == name for one in record.interruptions)
            rows.append(
                (
                    name,
                    self._number(found.steps),
                    self._number(told[-1].tokens if told else None),
                    f"{told[-1].loss:.4f}" if told else self._word("none"),
                    self._share(found.live / found.steps if found.steps else None),
                    str(stops),
                )
            )
        heads = ("component", "step", "tokens", "loss", "live", "interruptions")
        yield from self._table(heads, rows)

    def exports(self) -> Iterator[str]:
        """Yield other formats, with what they cost in quality."""
        yield f"## {self._word('exports')}"
        yield ""
        yield from self._table(
            ("component", "format", "method", "file", "quality"),
            [
                (
                    one.component,
                    one.format,
                    one.method,
                    one.file,
                    f"`{canonical_bytes(dict(one.quality)).decode()}`",
                )
                for one in self._record.exports
            ],
        )

    def compute(self) -> Iterator[str]:
        """Yield what it took; what was not measured says so."""
        taken = self._record.compute
        yield f"## {self._word('compute')}"
        yield ""
        for device, hours in sorted(taken.device_hours.items()):
            yield f"- {self._word('hours')} ({_cell(device)}): {hours:g}"
        flop = self._word("none") if taken.flop is None else f"{taken.flop:.3g}"
        yield f"- {self._word('flop')}: {flop}"
        energy = self._word("none") if taken.energy_kwh is None else f"{taken.energy_kwh:g}"
        yield f"- {self._word('energy')}: {energy}"

    def claim(self) -> Iterator[str]:
        """Yield what was claimed, and that it is a claim."""
        record = self._record
        yield f"## {self._word('claim')}"
        yield ""
        yield self._word("claimed").format(table=record.claim_table)
        yield ""
        yield "```json"
        yield canonical_bytes(dict(record.claim)).decode()
        yield "```"

    def _table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
        if not rows:
            yield self._word("nothing")
            return
        yield "| " + " | ".join(self._word(head) for head in heads) + " |"
        yield "|" + "---|" * len(heads)
        for row in rows:
            yield "| " + " | ".join(map(_cell, row)) + " |"

    def _word(self, key: str) -> str:
        text = _WORDS[key]
        return text.ko if self._language == "ko" else text.en

    def _number(self, value: int | None) -> str:
        return self._word("none") if value is None else f"{value:,}"

    def _share(self, value: float | None) -> str:
        return self._word("none") if value is None else f"{100 * value:.1f} %"


def _cell(value: Any) -> str:
    """Return text that cannot break a table or be taken for markup."""
    text = " ".join(str(value).split())
    return text.replace("|", "\\|").replace("<", "&lt;")
