"""Kill -9 of the playbooks in the middle of their work: every step is recorded, and recorded once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime

from clients.python import Client, event, group
from ledger.api.v1.core_pb2 import PLAYBOOK
from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.data_directory import DataDirectory
from ledger.followers.playbook_record import PlaybookRecord
from ledger.followers.playbooks import Playbooks
from ledger.followers.process import tools_of
from projections.view import Read
from tests.playing import STEPS, policy, stolen_phone
from tests.server_process import Server

REQUESTS = 120
KILLS = 3


def test_playbooks_killed_in_the_middle_record_every_step_once(server: Server) -> None:
    with Client(server.target) as client:
        published = PolicyPublished(policy_id="service", policy_version=1, policy=policy(stolen_phone()))
        published.in_force_from.FromDatetime(datetime.now(UTC))
        client.append(event(published))
        requests = [
            group(
                event(RequestOpened(request_id=f"r-{number}", reason="phone_stolen", owner_department="front"), department="front")
            )
            for number in range(REQUESTS)
        ]
        assert [None] * REQUESTS == [result.error for result in client.append_groups(requests)]
        for round_ in range(1, KILLS + 1):
            wait_for(client, server, round_ * REQUESTS * len(STEPS) // (KILLS + 1))
            old_pid = server.kill("playbooks")
            server.wait_until_restarted("playbooks", old_pid)

        wait_for(client, server, REQUESTS * len(STEPS))
        # Events are looked at in their order: when the last one is done, all that was looked at again is over, and added nothing.
        last = event(RequestOpened(request_id="r-last", reason="phone_stolen", owner_department="front"), department="front")
        client.append(last)
        server.wait_until(
            lambda: len(STEPS) == sum(one.envelope.causation_id == last.envelope.event_id for one in steps(client)),
            "the last request was not played",
        )
        made = steps(client)

        assert {f"stolen_phone:{step}": REQUESTS + 1 for step in STEPS} == Counter(one.envelope.actor for one in made)
        assert REQUESTS + 1 == len({one.envelope.causation_id for one in made})
        assert [] == list(client.refused_plays().plays)


def test_several_followers_at_once_record_every_step_once(server: Server) -> None:
    data = DataDirectory(server.data_dir)
    stopping = threading.Event()

    def follow(name: str) -> None:
        record = PlaybookRecord(server.data_dir / f"{name}.db")
        with tools_of(data) as tools:
            follower = Playbooks(tools.reader, tools.append, record)
            while not stopping.is_set():
                with tools.views.snapshot() as snapshot:
                    if snapshot is not None:
                        at = snapshot.position
                        follower.look(Read(snapshot.db, at, at, None, time.time_ns() // 1000, tools.reader, tools.content))
                time.sleep(0.01)
            tools.views.close()
        record.close()

    with Client(server.target) as client:
        published = PolicyPublished(policy_id="service", policy_version=1, policy=policy(stolen_phone()))
        published.in_force_from.FromDatetime(datetime.now(UTC))
        client.append(event(published))
        threads = [threading.Thread(target=follow, args=(f"follower-{number}",)) for number in range(3)]
        for thread in threads:
            thread.start()
        for number in range(30):
            client.append(event(RequestOpened(request_id=f"r-{number}", reason="phone_stolen", owner_department="front")))
        wait_for(client, server, 30 * len(STEPS))
        stopping.set()
        for thread in threads:
            thread.join()

        assert {f"stolen_phone:{step}": 30 for step in STEPS} == Counter(one.envelope.actor for one in steps(client))
        assert [] == list(client.refused_plays().plays)


def steps(client: Client) -> list[RecordedEvent]:
    return [one for one in client.read_events() if one.envelope.actor_kind == PLAYBOOK]


def wait_for(client: Client, server: Server, count: int) -> None:
    """Wait until so many steps are recorded."""
    server.wait_until(lambda: len(steps(client)) >= count, f"{count} steps were not recorded")
