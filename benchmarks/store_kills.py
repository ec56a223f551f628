"""Is a result lost where several machines write to one PostgreSQL server that is killed?

Starts a server of its own, and writers, processes that keep results as `affnet bench --store` does.
Meanwhile the server is killed and started again, or its store is migrated, as by a newer affnet::

    python -m benchmarks.store_kills                                    8 writers, 20 kills
    python -m benchmarks.store_kills --kills 0 --migrate --results 1000000

The project's bar: nothing is lost, and nothing is there twice.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import threading
import time
from collections import Counter

from affnet.bench.store.database import Query, Store
from affnet.bench.store.recorder import open_recorder
from affnet.bench.store.schema import MIGRATIONS, Migration
from affnet.processes import module_environment
from benchmarks.store import fill, invented
from tests.bench.store import postgresql

#: What a newer affnet might need.
NEWER = Migration(
    MIGRATIONS[-1].version + 1,
    ("CREATE INDEX affnet_results_trial ON affnet_results (precision, recorded_at)",),
)
_PAUSE_S = 0.02  # between results


def write(url: str, name: str, seconds: float) -> None:
    """Keep results for a while; print how many, and the longest that one took."""
    noise, count, longest = random.Random(name), 0, 0.0  # noqa: S311
    with open_recorder(url) as recorder:
        print("open", flush=True)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            started = time.monotonic()
            recorder.keep([invented(count, "peer", noise, device=name)])
            longest = max(longest, time.monotonic() - started)
            count += 1
            time.sleep(_PAUSE_S)
    print(count, f"{longest:.1f}", recorder.exit_code)


def disturb(server: postgresql.Server, kills: int, seconds: float) -> None:
    """Kill the server so often, and start it again."""
    for number in range(kills):
        time.sleep(seconds / (kills + 1))
        server.kill()
        server.start()
        print(f"kill {number + 1}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0, help="that writers work")
    parser.add_argument("--results", type=int, default=0, help="that the store has before")
    parser.add_argument("--migrate", action="store_true", help="migrate the store meanwhile")
    parser.add_argument("--write", nargs=2, metavar=("URL", "NAME"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write(*arguments.write, arguments.seconds)
        return
    with postgresql.server() as server:
        if arguments.results:
            fill(server.url, arguments.results)
        Store(server.url).close()
        names = [f"writer {number}" for number in range(arguments.writers)]
        command = [sys.executable, "-m", "benchmarks.store_kills", "--seconds"]
        writers = [
            subprocess.Popen(
                [*command, str(arguments.seconds), "--write", server.url, name],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=module_environment(),
            )
            for name in names
        ]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()  # it has opened the store
        killer = threading.Thread(target=disturb, args=(server, arguments.kills, arguments.seconds))
        killer.start()
        migrations = MIGRATIONS
        if arguments.migrate:
            time.sleep(arguments.seconds / 2)
            started = time.monotonic()
            migrations = (*MIGRATIONS, NEWER)
            Store(server.url, migrations=migrations).close()
            print(f"migrated in {time.monotonic() - started:.1f} s")
        said = [writer.communicate()[0].split() for writer in writers]
        killer.join()
        with Store(server.url, migrations=migrations) as store:
            found = Counter(result.device for result in store.find(Query(devices=tuple(names))))
    lost = {name: int(kept) - found[name] for name, (kept, *_) in zip(names, said, strict=True)}
    print(
        f"{arguments.writers} writers, {arguments.kills} kills: {found.total()} results, "
        f"{sum(lost.values())} lost; the longest write took "
        f"{max(float(longest) for _, longest, _ in said):.1f} s; "
        f"exit codes {sorted({code for *_, code in said})}"
    )


if __name__ == "__main__":
    main()
