"""Builds models at every grade, with a record that can be checked.

A recipe becomes a plan, a plan a run, a run a build record, and a record is verified level by
level. Engines train and run as processes of their own; nothing here but `workers` knows torch.
"""

__all__: list[str] = []
