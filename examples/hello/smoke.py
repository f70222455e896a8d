"""Ask the deployed application whether it is the release that was meant. Exit code 0: it is."""

from __future__ import annotations

import json
import os
import sys
import urllib.request


def main() -> int:
    """Ask OSPEC_URL; expect OSPEC_RELEASE in the answer and in the proxy's header."""
    url, release = os.environ["OSPEC_URL"].rstrip("/") + "/", os.environ["OSPEC_RELEASE"]
    with urllib.request.urlopen(url, timeout=5) as answer:
        header, body = answer.headers.get("x-ospec-release"), json.load(answer)
    for what, found in (("the header x-ospec-release", header), ("the answer", body["release"])):
        if found != release:
            print(f"{url}: {what} says {found!r}, expected {release!r}", file=sys.stderr)
            return 1
    print(f"{url} answers as {release}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
