"""A small endpoint to try recording with: it answers multiple choice at random, or lies.

    python3 endpoint.py FILE [--always TEXT] [--seconds 60]

It writes its address into FILE, and ends by itself.
"""

import argparse
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers a chat completion, another way each time it is asked."""

    protocol_version = "HTTP/1.1"
    always = ""

    def do_POST(self) -> None:
        """Answer."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self.always or random.choice("ABCD")  # noqa: S311  # chance, no secret
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        said = {"object": "chat.completion", "model": asked["model"], "choices": [choice]}
        raw = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def main() -> None:
    """Serve for a while."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("file", type=Path)
    words.add_argument("--always", default="")
    words.add_argument("--seconds", type=float, default=60)
    given = words.parse_args()
    Handler.always = given.always
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    given.file.write_text(f"http://127.0.0.1:{server.server_port}/v1")
    threading.Timer(given.seconds, server.shutdown).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
