"""The ledger's server part without projector and clock: appends while the views stand still.

`python -m benchmarks.peers.server_alone DATA [STORE VAULT]`; prints "listening on ADDRESS". The same code as the supervisor starts.
STORE, VAULT: addresses of PostgreSQL databases; by default log and vault are files in DATA.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.bootstrap import run_server
from ledger.config import load_config
from ledger.data_directory import SERVER
from ledger.processes import with_port
from ledger.server.part import collect_seldom


def main() -> None:
    """Serve until SIGTERM."""
    data, *databases = sys.argv[1:]
    store, vault = databases or (None, None)
    config = load_config(data_dir=Path(data), listen="127.0.0.1:0", store=store, vault=vault, workers=1, environment={})
    config, port = with_port(config)
    config.data.prepare()

    def ready(said: object) -> None:
        collect_seldom()
        print(f"listening on {config.address}", flush=True)

    with port:
        run_server(config, SERVER, ready)


if __name__ == "__main__":
    main()
