"""Programs that train with torch, each a process of its own: `python -m …workers.NAME job.json`.

The only modules of Dokja that know torch. They read a job and packed tokens, and write events,
checkpoints and final weights; nothing of Dokja imports them.
"""

__all__: list[str] = []
