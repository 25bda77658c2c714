"""Families of small models whose relations are known, for trying what tells relations.

Roots grow from seeds; everything else is made of them: trained on, merged, cut, laundered. What
a model truly is follows from its record (`label`), never from anybody's word. Trained models lie
on the disk; all others are made again, bit by bit, when they are opened. Sizes and costs of the
tiers stand in `tiers`.
"""

from dokja.models.forge.zoo.growing import Grower, grow
from dokja.models.forge.zoo.labels import WORDS, Label, label
from dokja.models.forge.zoo.manifest import Zoo, ZooModel, read_zoo, relabel
from dokja.models.forge.zoo.planning import LeftOut, ZooPlan, plan_zoo
from dokja.models.forge.zoo.records import ZooRecord
from dokja.models.forge.zoo.shelf import changed, find_by_root, open_made, open_model, write_model
from dokja.models.forge.zoo.tiers import FAMILIES, TIERS, tier_named
from dokja.models.forge.zoo.truths import Truth, Truths, truth

__all__ = [
    "FAMILIES",
    "TIERS",
    "WORDS",
    "Grower",
    "Label",
    "LeftOut",
    "Truth",
    "Truths",
    "Zoo",
    "ZooModel",
    "ZooPlan",
    "ZooRecord",
    "changed",
    "find_by_root",
    "grow",
    "label",
    "open_made",
    "open_model",
    "plan_zoo",
    "read_zoo",
    "relabel",
    "tier_named",
    "truth",
    "write_model",
]
