"""Where opened weights lie, as a value that another process can open them by."""

from dataclasses import dataclass, replace

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.access import Access
from dokja.models.weights.adapted import Laid, lay_onto
from dokja.models.weights.adapters import open_adapter
from dokja.models.weights.ranges import RangeAccount
from dokja.models.weights.sources import Source, open_source
from dokja.values import Digest

__all__ = ["Origin", "origin_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where opened weights lie.

    Attributes:
        where: The folder or file with its whole path, or the address.
        access: What may be asked of the network.
        headers: Digest over what every header says, so that other weights are not taken for them.
        onto: The base that they are laid onto; none where they are no adapter.
    """

    where: str
    access: Access
    headers: Digest
    onto: "Origin | None" = None

    def open(self, *, account: RangeAccount | None = None) -> Source | Laid:
        """Return the weights, opened and checked again.

        Args:
            account: Where every range that is read is noted; of an address only.

        Raises:
            WeightsError: They cannot be opened, or their headers say something else.
        """
        noted = account if "://" in self.where else None
        if self.onto is None:
            source = open_source(self.where, access=self.access, account=noted)
            self._refuse_others(source)
            return source
        adapter = open_adapter(self.where, access=self.access, account=noted)
        self._refuse_others(adapter.source)
        base = self.onto.open(account=account)
        return lay_onto(base.source if isinstance(base, Laid) else base, adapter)

    def lent(self, budget_bytes: int | None) -> "Origin":
        """Return the same with another budget."""
        return replace(self, access=replace(self.access, budget_bytes=budget_bytes))

    def _refuse_others(self, source: Source) -> None:
        if source.headers != self.headers:
            wrong = Mistake(
                file=self.where,
                place="headers",
                read=f"headers of {source.headers}",
                expected=f"those that were opened before, of {self.headers}",
                remedy="Every machine must see the same files under the same path.",
            )
            raise WeightsError([wrong])


def origin_of(model: Source | Laid) -> Origin:
    """Return where a model lies and how it is opened again.

    Raises:
        ValueError: It was not opened by a name.
    """
    source = model.adapter.source if isinstance(model, Laid) else model
    if source.opened is None:
        raise ValueError(f"nobody knows where {source.name} lies: it was not opened by a name")
    where, access = source.opened
    onto = origin_of(model.base) if isinstance(model, Laid) else None
    return Origin(where=where, access=access, headers=source.headers, onto=onto)
