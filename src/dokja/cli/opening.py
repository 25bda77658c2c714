"""Opening the models that a command line names: all of them, or every mistake of every one."""

from collections.abc import Callable, Iterator, Sequence

from dokja.errors import InputError, Mistake
from dokja.evidence.lineage import Model
from dokja.models.weights import Access, Source, lay_onto, open_adapter, open_source

__all__ = ["open_all", "open_models"]

Tell = Callable[[str], None]


def open_all(places: Sequence[str], *, access: Access, tell: Tell, changed: str) -> list[Source]:
    """Return every model opened.

    Args:
        places: Folders, files and addresses.
        access: What may be asked of the network.
        tell: Told what is opened before it is.
        changed: What an error says of what was done.

    Raises:
        InputError: One cannot be opened; every mistake of every one.
    """
    opened: list[Source] = []
    mistakes: list[Mistake] = []
    for place in places:
        tell(f"opening {place}")
        try:
            opened.append(open_source(place, access=access))
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(list(dict.fromkeys(mistakes)), changed=changed)
    return opened


def open_models(
    places: Sequence[str], *, base: str | None, access: Access, tell: Tell, changed: str
) -> list[Model]:
    """Return every model opened; adapters are laid onto the base.

    Args:
        places: Folders, files and addresses; an adapter is a model like any other.
        base: What adapters among them were made for.
        access: What may be asked of the network.
        tell: Told what is opened before it is.
        changed: What an error says of what was done.

    Raises:
        InputError: One cannot be opened or laid, an adapter has no base, or a base no adapter;
            every mistake.
    """
    named = places if base is None else (*places, base)
    opened = open_all(named, access=access, tell=tell, changed=changed)
    adapters = {place for place, one in zip(places, opened, strict=False) if _is_adapter(one)}
    mistakes = list(_unpaired(sorted(adapters), base))
    models: list[Model] = []
    for place, source in zip(places, opened, strict=False):
        if place not in adapters:
            models.append(source)
            continue
        try:
            adapter = open_adapter(place, access=access)
            models += [lay_onto(opened[-1], adapter)] if base is not None else []
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(list(dict.fromkeys(mistakes)), changed=changed)
    return models


def _is_adapter(source: Source) -> bool:
    return "peft_type" in (source.config or {})


def _unpaired(adapters: Sequence[str], base: str | None) -> Iterator[Mistake]:
    if adapters and base is None:
        yield Mistake(
            file="--base",
            place="",
            read="nothing",
            expected=f"the model that {adapters[0]} was made for",
            remedy="An adapter adds to a base, and says little without it.",
        )
    if base is not None and not adapters:
        yield Mistake(
            file="--base",
            place="",
            read=base,
            expected="an adapter among SUSPECT and the references, and there is none",
        )
