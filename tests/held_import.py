"""The command `tellonce import`, stopped by itself once, in its middle: there a test can kill something on a machine of any speed.

`python -m tests.held_import TAKEN SETTLED import FILE …` takes so many rows, waits until so many of them are acknowledged and noted
in the checkpoint, and then stops (SIGSTOP) with the others under way. SIGCONT lets it go on.
"""

from __future__ import annotations

import os
import signal
import sys

from clients.cli.main import main
from clients.connectors.delivery import Sending
from clients.connectors.row_stream import RowOutcome


def hold(rows_taken: int, rows_settled: int) -> None:
    """Have the import of this process stop itself when it has taken so many rows, and settled so many of them."""
    take = Sending.take
    taken = 0

    def held(self: Sending, outcome: RowOutcome) -> None:
        nonlocal taken
        take(self, outcome)
        taken += 1
        if taken == rows_taken:
            while self._rows_done < rows_settled:
                self._settle_first()
            self._settled(self._rows_done)
            os.kill(os.getpid(), signal.SIGSTOP)

    Sending.take = held  # type: ignore[method-assign]


if __name__ == "__main__":
    hold(int(sys.argv[1]), int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
