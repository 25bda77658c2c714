"""A small engine to try recording with: asks sums, scores, and writes results as lm-eval does.

    python3 engine.py RESULTS

It asks the endpoint that OPENAI_BASE_URL names, and knows nothing of recording or replaying.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

ITEMS = [(f"{n} + {n + 1} = ? A. {2 * n} B. {2 * n + 1} C. {n} D. 1", "B") for n in range(40)]


def asked(question: str) -> str:
    """Return what the model says to a question."""
    body = {"model": "small", "messages": [{"role": "user", "content": question}]}
    request = urllib.request.Request(  # noqa: S310  # the address is the user's own
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as came:  # noqa: S310  # likewise
        return str(json.load(came)["choices"][0]["message"]["content"])


def main() -> None:
    """Ask everything, score, write."""
    right = sum(asked(question) == key for question, key in ITEMS)
    results = {"sums": {"alias": "sums", "acc,none": right / len(ITEMS)}}
    path = Path(sys.argv[1])
    path.write_text(json.dumps({"results": results, "versions": {"sums": 1}}))
    print(f"{right} of {len(ITEMS)} right")


if __name__ == "__main__":
    main()
