"""What the scripts that run peers on posteriors of the gallery share: options, data, the clock, the form of the draws."""
import argparse, json, pathlib, time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def options(text, warmup=1000):
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=warmup)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--acceptance", type=json.loads, default={}, help="targets other than 0.8, by posterior, as JSON")
    parser.add_argument("posteriors", nargs="+")
    return parser.parse_args()


def acceptance(options, posterior):
    return options.acceptance.get(posterior, 0.8)


def labels(posterior):
    """The parameters of a posterior's reference."""
    return json.loads((ROOT / "gallery/reference/posteriordb" / f"{posterior}.json").read_text())["parameters"].keys()


def data(name):
    """The data of a posterior as posteriordb has them, by the name before the dash."""
    return json.loads((ROOT / "gallery/data/posteriordb" / f"{name}.json").read_text())


def arrays(data):
    return {k: np.asarray(v, dtype=float) if isinstance(v, list) else v for k, v in data.items()}


def timed(work):
    """Seconds of the clock, or of the processor where these are fewer, so that other work on the machine does not count;
    and what the work gave."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return min(time.perf_counter() - clock, time.process_time() - processor), result


def by_label(sites):
    """Draws `[chain, draw]` by parameter from `[chain, draw, ...]` by site: the first of theta is theta[1]."""
    draws = {}
    for site, values in sites.items():
        values = np.asarray(values)
        for index in np.ndindex(values.shape[2:]):
            suffix = "[" + ",".join(str(i + 1) for i in index) + "]" if index else ""
            draws[site + suffix] = values[(..., *index)]
    return draws


def write(folder, peer, posterior, seed, figures, draws):
    """Figures with the labels of the draws as JSON; the draws beside them as `f64`, label by label, chain by chain.
    Only what the reference knows is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    draws = {label: draws[label] for label in labels(posterior)}
    stem = folder / f"{posterior}.{seed}"
    values = np.stack([np.asarray(v, dtype="<f8") for v in draws.values()])
    head = {"peer": peer, "posterior": posterior, "seed": seed, **figures, "labels": list(draws),
            "chains": values.shape[1], "draws": values.shape[2]}
    values.tofile(f"{stem}.f64")
    pathlib.Path(f"{stem}.json").write_text(json.dumps(head))
