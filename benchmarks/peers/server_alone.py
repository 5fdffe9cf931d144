"""The ledger's server part without projector and clock: appends while the views stand still.

`python -m benchmarks.peers.server_alone DATA`; prints "listening on ADDRESS". The same code as the supervisor starts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.bootstrap import run_server, with_free_port
from ledger.config import load_config


def main() -> None:
    """Serve until SIGTERM."""
    config = with_free_port(load_config(data_dir=Path(sys.argv[1]), listen="127.0.0.1:0", environment={}))
    config.data.prepare()
    run_server(config, lambda said: print(f"listening on {config.address}", flush=True))


if __name__ == "__main__":
    main()
