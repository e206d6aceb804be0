"""The grid search of grid_search.py on many machines: Dask's workers train one combination each.

Without --scheduler, it starts workers on this machine.
"""

from __future__ import annotations

import argparse

import joblib
from distributed import Client, LocalCluster
from grid_search import search

from minicnn.datasets import load_fashion_mnist


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a running Dask cluster: tcp://host:8786")
    parser.add_argument("--workers", type=int, default=2, help="on this machine (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=5000, help="training images (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each training (default: %(default)s)")
    options = parser.parse_args()
    images, labels = (array[: options.limit] for array in load_fashion_mnist().train)
    x = images[..., None].astype("float32") / 255
    cluster = options.scheduler or LocalCluster(options.workers, threads_per_worker=1, dashboard_address=None)
    with Client(cluster), joblib.parallel_backend("dask"):
        done = search(x, labels, options.epochs)
    print(f"Best: {done.best_params_}, held-out accuracy {done.best_score_:.4f}")


if __name__ == "__main__":
    main()
