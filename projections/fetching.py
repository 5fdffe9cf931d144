"""Asks another node for its views. Whatever is wrong with them, the log is there to build them from."""

from __future__ import annotations

import logging
import time
from typing import Final

import grpc

from ledger.internal.v1.node_service_pb2 import CopyViewsRequest
from ledger.internal.v1.node_service_pb2_grpc import NodeServiceStub
from ledger.store.recorder import LogReader
from projections.views_copy import CopyRefusedError, take_over
from projections.views_file import ViewsFolder

PROGRESS_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 10.0

log = logging.getLogger("tellonce.projector")


def fetch_views(folder: ViewsFolder, target: str, reader: LogReader, ledger_id: bytes, incarnation: int) -> bool:
    """Take over the views of the node at `target`, a host and port. False when that cannot be, with the reason in the log lines.

    Raises StoreError when our own log cannot be read.
    """
    log.info("The views are fetched from %s.", target)
    told = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            log.info("Views from %s: %s of %s %s.", target, f"{done:,}", f"{total:,}", what)

    options = [("grpc.max_receive_message_length", 4 << 20)]
    try:
        with grpc.insecure_channel(target, options=options) as channel:
            grpc.channel_ready_future(channel).result(CONNECT_SECONDS)
            pieces = NodeServiceStub(channel).CopyViews(CopyViewsRequest())
            position = take_over(folder, pieces, reader, ledger_id, incarnation, progress)
    except grpc.FutureTimeoutError:
        log.warning("%s does not answer: the views are built from the log.", target)
    except grpc.RpcError as error:
        log.warning("The views of %s cannot be had (%s): they are built from the log.", target, error.code().name)
    except (CopyRefusedError, OSError) as error:
        log.warning("The views of %s are not used: %s They are built from the log.", target, error)
    else:
        log.info("The views of %s are used, they stand at %d.", target, position)
        return True
    return False
