"""The weights of a job's teacher, opened and made sure of before anything is written.

A teacher decides what is learnt as the data do, so that other weights than the job names are
refused, even where their shapes fit.
"""

from pathlib import Path

from dokja.errors import Mistake, RecordError
from dokja.models.forge.engines.jobs import Teacher
from dokja.models.weights import Source, open_source
from dokja.models.weights.roots import root, root_text, source_digests

__all__ = ["teacher_source"]


def teacher_source(teacher: Teacher, *, base: Path) -> Source:
    """Return a teacher's weights.

    Args:
        teacher: As the job names it.
        base: The job file's folder.

    Raises:
        WeightsError: They are not there, damaged or hostile.
        RecordError: They are others than the job names; every mistake is in it.
    """
    source = open_source(base / teacher.weights)
    found, shapes = root_text(root(source_digests(source))), teacher.structure.shapes()
    held = {name: source.info(name).shape for name in source.names}
    wrong = sorted(name for name in shapes.keys() | held if shapes.get(name) != held.get(name))
    mistakes = [
        Mistake(
            file="job.json",
            place=f"teacher, tensor {name!r}",
            read=f"the shape {held[name]}" if name in held else "nothing",
            expected=f"the shape {shapes[name]}" if name in shapes else "no such tensor",
        )
        for name in wrong[:10]
    ]
    if found != teacher.root:
        remedy = "These are other weights than the plan names; nothing was changed."
        mistakes.append(
            Mistake(
                file="job.json",
                place="teacher.root",
                read=found,
                expected=teacher.root,
                remedy=remedy,
            )
        )
    if mistakes:
        raise RecordError(mistakes)
    return source
