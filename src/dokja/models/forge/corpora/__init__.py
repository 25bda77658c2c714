"""Which tokens a run reads, and when: the order of instances, and the batches made of them.

The order is a function of a seed: every instance of a run can be computed alone, by whoever
trains and by whoever checks it later. The tokens come from corpora that `documents.packing`
wrote.
"""

from dokja.models.forge.corpora.batches import TokenData, open_data
from dokja.models.forge.corpora.order import VERSION, Order, OrderSource

__all__ = ["VERSION", "Order", "OrderSource", "TokenData", "open_data"]
