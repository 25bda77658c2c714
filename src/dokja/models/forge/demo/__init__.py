"""The false T4: who claims drawn weights and took another's, and which check says so.

One text, honest builders, and cheats who start from the weights of one of them. Every run is a
real one with a chain, receipts and a signed record; the cheats' only lie in what their engine
leaves on the disk. Every check is the one of the ladder. Nothing is imported here: a cheat's
engine starts often, and needs nothing of what verifies it.
"""

__all__: list[str] = []
