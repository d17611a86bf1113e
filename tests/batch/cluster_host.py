"""A Ray cluster of two machines with one processor each, to try things on.

    python -m tests.batch.cluster_host

It writes its address, and hears ``lose`` and ``end``.
"""

from __future__ import annotations

import logging
import sys

import ray
from ray.cluster_utils import Cluster


def main() -> None:
    logging.disable()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    _tell(cluster.address)
    for line in sys.stdin:
        if line.strip() == "lose":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            _tell("lost")
        if line.strip() == "end":
            break
    cluster.shutdown()
    ray.shutdown()


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
