"""What the scripts that run peers on posteriors of the gallery share: their options, the data, the form of the draws."""
import argparse, json, pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def options(text):
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=1000)
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
