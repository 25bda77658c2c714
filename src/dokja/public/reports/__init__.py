"""The dossier: a decision told to everybody, and the same facts for whoever counts again.

It shows what was decided and judges nothing: what it says stands in the decision document and in
the ledger. Beside it stand the report of one comparison of weights and that of a stage simulated
before it opens. All speak Korean and English from fixed wording tables, which hold no accusation.
"""

from dokja.public.reports.comparison_text import comparison_text
from dokja.public.reports.differences import differences
from dokja.public.reports.dossier import DossierFiles, write_dossier
from dokja.public.reports.lineage_page import lineage_page, write_lineage_page
from dokja.public.reports.lineage_text import lineage_text
from dokja.public.reports.simulations import simulation_page, write_simulation_page
from dokja.public.reports.simulations_telling import Assumption, SimulationReport
from dokja.public.reports.simulations_text import simulation_text
from dokja.public.reports.terminal import headline, standing_text, word_reason

__all__ = [
    "Assumption",
    "DossierFiles",
    "SimulationReport",
    "comparison_text",
    "differences",
    "headline",
    "lineage_page",
    "lineage_text",
    "simulation_page",
    "simulation_text",
    "standing_text",
    "word_reason",
    "write_dossier",
    "write_lineage_page",
    "write_simulation_page",
]
