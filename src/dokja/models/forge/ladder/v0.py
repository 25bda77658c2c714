"""V0, bytes: what is signed is whole, and what lies on the disk is what was signed.

| check | asks |
|---|---|
| V0.1 | are chain and record signed by keys that count |
| V0.2 | does the chain run from commit to seal without a gap |
| V0.3 | are the receipts right, and how much was witnessed live |
| V0.4 | do weights and states have the stated tensor roots |
| V0.5 | do the digest lists have the roots of their states |
| V0.6 | are the weights' files clean |
| V0.7 | are the corpora those that were committed to |
| V0.8 | are the logs those that the chain is bound to |
| V0.9 | do bills and cards follow from the record |
| V0.10 | does the record say what chain and plan say |

It shows nothing of how the weights came to be.
"""

from collections.abc import Iterator

from dokja.models.forge.ladder.artefacts import Artefacts
from dokja.models.forge.ladder.byte_checks import corpus_findings, root_findings
from dokja.models.forge.ladder.chain_checks import chain_findings, span_findings
from dokja.models.forge.ladder.findings import Finding
from dokja.models.forge.ladder.record_checks import paper_findings, record_findings
from dokja.models.forge.ladder.settings import Settings

__all__ = ["byte_level"]


def byte_level(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield every finding of V0."""
    yield from chain_findings(artefacts, settings)
    yield from root_findings(artefacts, settings)
    yield from corpus_findings(artefacts, settings)
    yield from span_findings(artefacts, settings)
    yield from paper_findings(artefacts, settings)
    yield from record_findings(artefacts, settings)
