"""Puts a component of another model into a model: tensors replaced by prefix, as they are.

This is how an encoder comes into a model that somebody else trained. Every tensor that was taken
is named in the record, and brings its donor's leaves with it.
"""

from collections.abc import Iterator

from dokja.errors import Mistake
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse
from dokja.models.forge.transforms.tensors import Derived, copied

__all__ = ["transplant"]


def transplant(
    model: Model, donor: Model, *, prefix: str, donor_prefix: str | None = None
) -> Transformed:
    """Return the model with all tensors under a prefix taken from a donor.

    Args:
        model: Whose tensors under the prefix are replaced; it may have none there.
        donor: Whose tensors are taken.
        prefix: Beginning of the names, such as `vision_tower.`.
        donor_prefix: What stands instead of it in the donor's names; the same by default.

    Raises:
        TransformError: The donor has no such tensor, or they do not fit into the model's places.
    """
    theirs = prefix if donor_prefix is None else donor_prefix
    taken = {
        prefix + name.removeprefix(theirs): name
        for name in donor.tensors.names
        if name.startswith(theirs)
    }
    refuse(_mistakes(model, donor, taken=taken, prefix=prefix))
    plans = {name: copied(model.tensors, name) for name in model.tensors.names}
    plans |= {new: copied(donor.tensors, old) for new, old in taken.items()}
    return Transformed(
        tensors=Derived(plans),
        structure=model.structure,
        record=TransformRecord(
            kind="transplant",
            parameters={"prefix": prefix, "donor_prefix": theirs},
            map={"taken": dict(sorted(taken.items()))},
            parents=(model.name, donor.name),
        ),
    )


def _mistakes(
    model: Model, donor: Model, *, taken: dict[str, str], prefix: str
) -> Iterator[Mistake]:
    if not taken:
        yield Mistake(
            file=donor.name,
            place="prefix",
            read="no tensor of such a name",
            expected="tensors to be taken",
        )
    own = {name for name in model.tensors.names if name.startswith(prefix)}
    for name in sorted(own - set(taken)):
        yield Mistake(
            file=donor.name,
            place=f"tensor {name}",
            read="nothing",
            expected=f"a tensor for each of the {len(own)} that are replaced",
        )
    for new, old in sorted(taken.items()):
        if own and new not in own:
            yield Mistake(
                file=donor.name,
                place=f"tensor {old}",
                read="a tensor",
                expected=f"none: {model.name} has no place {new}",
            )
        elif own and model.tensors.shape(new) != donor.tensors.shape(old):
            yield Mistake(
                file=donor.name,
                place=f"tensor {old}",
                read=f"shape {donor.tensors.shape(old)}",
                expected=f"shape {model.tensors.shape(new)}",
            )
