"""Promising what private items are without telling, and opening one of them later.

Each item is a salted leaf, SHA-256(0x00 ‖ salt ‖ RFC 8785 item). The leaves of a form stand in the
order of their hashes, which the salts make random, so that a place tells nothing; the promise is
the RFC 6962 root over them. On appeal one item is opened with its salt and its path to the root:
anyone can check it, and nothing is learnt about the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.suites import SuiteFolder, SuiteItem
from dokja.values import Digest, Json, canonical_bytes
from dokja.values.trees import Frontier, Node, inclusion_ranges, is_included, leaf_hash, range_hash

__all__ = [
    "FormCommitment",
    "Opening",
    "SuiteCommitment",
    "commitment_of",
    "opening_of",
    "read_commitment",
    "salted",
]

SALT_BYTES = 32
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FormCommitment:
    """What is promised about one form.

    Attributes:
        form: Its name; empty where the suite has no forms.
        role: See `suites.declared.ROLES`; empty where the suite has no forms.
        items: How many it has.
        root: RFC 6962 root over its salted leaves.
    """

    form: str
    role: str
    items: int
    root: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCommitment:
    """What is promised about a suite before anybody answers it.

    Attributes:
        suite: The suite's name.
        version: Its version.
        scorer: Digest of its scorer: a rule that is changed later is another promise.
        template: Digest of what a model is told.
        forms: One for each form with private items, by name.
    """

    suite: str
    version: str
    scorer: Digest
    template: Digest
    forms: tuple[FormCommitment, ...]

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in `commitment.json` and in the ledger."""
        forms: list[Json] = [
            {
                "form": each.form,
                "role": each.role,
                "items": each.items,
                "root": str(each.root),
            }
            for each in self.forms
        ]
        return {
            "v": _VERSION,
            "suite": self.suite,
            "version": self.version,
            "scorer": str(self.scorer),
            "template": str(self.template),
            "forms": forms,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One item with all that it takes to check that it was promised.

    Attributes:
        form: The form that it belongs to.
        item: The item with its key, as it was committed to.
        salt: Its 32 bytes.
        seq: The place of its leaf, from 0.
        size: How many leaves the form has.
        path: Hashes from the leaf up to the root.
    """

    form: str
    item: Mapping[str, Json]
    salt: bytes
    seq: int
    size: int
    path: tuple[bytes, ...]

    @property
    def leaf(self) -> bytes:
        """The hash of the item's leaf."""
        return leaf_hash(self.salt + canonical_bytes(self.item))

    def fits(self, commitment: SuiteCommitment) -> bool:
        """Tell whether the item was promised by the commitment."""
        root = next((each.root for each in commitment.forms if each.form == self.form), None)
        return root is not None and is_included(
            self.leaf, root.raw, seq=self.seq, size=self.size, path=self.path
        )

    def to_json(self) -> dict[str, Json]:
        """Return it as a document."""
        return {
            "v": _VERSION,
            "kind": "opening",
            "form": self.form,
            "item": dict(self.item),
            "salt": self.salt.hex(),
            "seq": self.seq,
            "size": self.size,
            "path": [each.hex() for each in self.path],
        }

    @classmethod
    def parse(cls, said: Mapping[str, Any], *, file: str) -> "Opening":
        """Return the opening that a document holds.

        Raises:
            SuiteError: It holds none.
        """
        try:
            _check_version(said, kind="opening")
            return cls(
                form=str(said["form"]),
                item=dict(said["item"]),
                salt=bytes.fromhex(said["salt"]),
                seq=int(said["seq"]),
                size=int(said["size"]),
                path=tuple(bytes.fromhex(each) for each in said["path"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            expected = "an opening, as `dokja suite open` writes one"
            wrong = Mistake(file=file, place="", read=str(error), expected=expected)
            raise SuiteError([wrong]) from error


def salted(
    items: Sequence[SuiteItem], known: Mapping[str, bytes], draw: Callable[[int], bytes]
) -> dict[str, bytes]:
    """Return a salt for each private item: the known ones, and fresh ones for the rest.

    Args:
        items: Of a suite; public ones get none.
        known: Salts by the ids of items.
        draw: Gives so many random bytes that nobody can foresee, such as `secrets.token_bytes`.
    """
    return {item.id: known.get(item.id) or draw(SALT_BYTES) for item in items if item.private}


def commitment_of(suite: SuiteFolder) -> SuiteCommitment:
    """Return what can be promised about a suite's private items.

    Raises:
        SuiteError: It has no private item.
        ValueError: A private item has no salt.
    """
    forms = []
    for form in sorted({item.form for item in suite.items if item.private}):
        leaves = _leaves(suite, form)
        role = suite.declared.forms.get(form, "")
        root = Digest(_grown(leaves).root.hex())
        forms.append(FormCommitment(form=form, role=role, items=len(leaves), root=root))
    if not forms:
        remedy = "Put private items in a file of their own, and name it under [private]."
        wrong = Mistake(
            file=str(suite.path / "suite.toml"),
            place="private",
            read="no private items",
            expected="some that can be committed to",
            remedy=remedy,
        )
        raise SuiteError([wrong])
    return SuiteCommitment(
        suite=suite.name,
        version=suite.version,
        scorer=suite.scorer.digest,
        template=suite.template.digest,
        forms=tuple(forms),
    )


def opening_of(suite: SuiteFolder, item: SuiteItem) -> Opening:
    """Return the opening of one private item.

    Raises:
        ValueError: The item is public, or not of the suite.
    """
    if not item.private:
        raise ValueError(f"item {item.id} is public: there is nothing to open")
    leaves = _leaves(suite, item.form)
    seq = leaves.index(item.leaf)
    known: dict[Node, bytes] = {}
    for run in Frontier().add(leaves):
        known |= {Node(run.level, run.first + n): each for n, each in enumerate(run.hashes)}
    path = tuple(
        range_hash(start, stop, known=known) for start, stop in inclusion_ranges(seq, len(leaves))
    )
    return Opening(
        form=item.form,
        item=item.whole,
        salt=item.salt,
        seq=seq,
        size=len(leaves),
        path=path,
    )


def read_commitment(said: Mapping[str, Any], *, file: str) -> SuiteCommitment:
    """Return the commitment that a document holds.

    Raises:
        SuiteError: It holds none.
    """
    try:
        _check_version(said, kind=None)
        return SuiteCommitment(
            suite=str(said["suite"]),
            version=str(said["version"]),
            scorer=Digest.parse(said["scorer"]),
            template=Digest.parse(said["template"]),
            forms=tuple(
                FormCommitment(
                    form=str(each["form"]),
                    role=str(each["role"]),
                    items=int(each["items"]),
                    root=Digest.parse(each["root"]),
                )
                for each in said["forms"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        expected = "a commitment, as `dokja suite commit` writes one"
        wrong = Mistake(file=file, place="", read=str(error), expected=expected)
        raise SuiteError([wrong]) from error


def _check_version(said: Mapping[str, Any], *, kind: str | None) -> None:
    if said["v"] != _VERSION or (kind is not None and said["kind"] != kind):
        raise ValueError(f"version {said['v']} of {said.get('kind', 'a commitment')}")


def _leaves(suite: SuiteFolder, form: str) -> list[bytes]:
    """Return the leaves of a form in the order in which they are committed to."""
    return sorted(item.leaf for item in suite.items if item.private and item.form == form)


def _grown(leaves: Sequence[bytes]) -> Frontier:
    edge = Frontier()
    for _ in edge.add(leaves):
        pass
    return edge
