"""How much is read, and from when on a likeness counts: one frozen value, no hidden threshold.

Where the figures come from:

- `effect_floor` 0.1 is the stricter of the two rules of the design note for likeness in the same
  coordinates, for use outside a calibrated range; this room has no calibration yet. Strangers
  reach 0.006 there, and the tests of this room measure what strangers reach here.
- `error_rate` is the chance, over all layer pairs of a component (Bonferroni), that re-ordered
  rows alone would be called related. With the floor it is seldom the binding rule.
- `agreement_floor` 0.25 and `agreement_factor` 10 are the stricter rule of the design note for
  the agreement of matchings: strangers of the zoo reach 0.02 in the median of interior layers.
- `third_party_factor` 10: a relation must stand out tenfold from every model that is known to be
  a stranger, where such models are given.
- `merge_fall` 0.3 is the threshold of arXiv 2607.10617, as the design note takes it over.
- The borders between relations are conventions (see `relations`), not measurements.
"""

from dataclasses import dataclass

from dokja.evidence.lineage.calibrations import Calibration
from dokja.models.comparison import MapPrices

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a comparison reads and when it calls a likeness a relation.

    Attributes:
        values_per_tensor: At most so many values of each tensor are read, as whole rows drawn
            by the seed; the same rows on both sides.
        budget_bytes: At most about so many bytes of values are read of each side; all that the
            plan says where there is none. `budgets` says what is given up.
        screen: Whether only what says most for its bytes is read; set by a budget.
        agreement: Whether neurons are matched; a budget may leave it out.
        tokens: At most so many shared tokens' rows of embedding and head are read.
        effect_floor: Smallest centred correlation that can be called a relation.
        error_rate: Chance of calling re-ordered rows related, over a component's layer pairs.
        null_draws: Row orders tried for each standard error.
        derived_controls: Correlations of the controls that are made from the reference.
        detectable_levels: Correlations tried, rising, for the smallest one that is found.
        detectable_draws: Draws at each of them.
        third_party_factor: How far a relation must stand above every third-party control.
        least_compared: Share of a component's matrix values that must have a counterpart of the
            same shape before "no evidence" may be said.
        agreement_floor: Smallest share of neurons, in the median of interior layers, on which all
            matchings agree and that can be called a relation.
        agreement_factor: How far it must stand above the largest share of the turned control.
        merge_fall: Share of the unexplained energy that each further parent of a mixture must take
            away, and by which it must beat its scrambled twin.
        held_values: A component whose feed-forward blocks have more values than this is not held
            but sketched.
        sketched_layers: So many interior layers of a suspect that is sketched, evenly spaced.
        sketch_axes: Through so many axes.
        sketched_neurons: Of each block of a reference that is sketched, drawn by the seed.
        widest_turn: Widest residual stream whose turn is computed: a turn is width² values.
        thorough: Whether every way of finding a basis is tried even after one found a relation.
        neuron_maps: Whether neurons are mapped one by one wherever they agree, and not only
            where another width shows.
        only: The suspect's components to look at; all of them where none are named.
        calibration: What known pairs say a reading means; without one no likelihood is told.
        level: Of every interval.
    """

    values_per_tensor: int = 65_536
    budget_bytes: int | None = None
    screen: bool = False
    agreement: bool = True
    tokens: int = 1024
    effect_floor: float = 0.1
    error_rate: float = 1e-6
    null_draws: int = 200
    derived_controls: tuple[float, ...] = (0.5, 0.3)
    detectable_levels: tuple[float, ...] = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    detectable_draws: int = 40
    third_party_factor: float = 10.0
    least_compared: float = 0.5
    agreement_floor: float = 0.25
    agreement_factor: float = 10.0
    merge_fall: float = 0.3
    held_values: int = 50_000_000
    sketched_layers: int = 6
    sketch_axes: int = 512
    sketched_neurons: int = 1024
    widest_turn: int = 5120
    thorough: bool = False
    neuron_maps: bool = False
    only: frozenset[str] | None = None
    calibration: Calibration | None = None
    level: float = 0.95

    @property
    def depth(self) -> str:
        """How much is looked at: `screen`, `forensic`, or `map`."""
        if self.screen:
            return "screen"
        return "map" if self.thorough else "forensic"

    @classmethod
    def at(cls, level: str) -> "Plan":
        """Return the plan of a level.

        Args:
            level: `screen` reads some rows of every layer and matches no neurons; `forensic` is
                what is done unless something else is said; `map` reads every value of every
                matrix and looks in every way.

        Raises:
            KeyError: There is no such level.
        """
        plans = {
            "screen": cls(screen=True, agreement=False, values_per_tensor=16_384),
            "forensic": cls(),
            "map": cls(values_per_tensor=2**40, thorough=True, neuron_maps=True),
        }
        return plans[level]

    @property
    def prices(self) -> MapPrices:
        """What layer maps pay: enough to smooth noise away, too little to bend a real map."""
        return MapPrices(
            unmatched=self.effect_floor, step=self.effect_floor / 2, back=self.effect_floor / 2
        )
