"""NumPyro's SVI (AutoNormal, Adam 1e-2) on the flat half-moon network: microseconds per step, as JSON.

Kind to the peer: steps are timed inside one compiled loop, on its second run, so that neither compiling nor dispatch
counts. Usage: numpyro_svi.py [--f32] [--repeats N]
"""
import argparse, csv, json, os, pathlib, time, warnings

os.environ.setdefault("JAX_PLATFORMS", "cpu")
warnings.filterwarnings("ignore")
options = argparse.ArgumentParser()
options.add_argument("--f32", action="store_true")
options.add_argument("--repeats", type=int, default=3)
options = options.parse_args()

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

jax.config.update("jax_enable_x64", not options.f32)
DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "moons" / "moons_flat.csv"
with open(DATA) as file:
    rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
x = jnp.asarray([[float(row["x1"]), float(row["x2"])] for row in rows])
y = jnp.asarray([int(row["y"]) for row in rows])


def network(x, y, batch):
    w0 = numpyro.sample("w0", dist.Normal(jnp.zeros((2, 5)), 1.0).to_event(2))
    w1 = numpyro.sample("w1", dist.Normal(jnp.zeros((5, 5)), 1.0).to_event(2))
    w = numpyro.sample("w_final", dist.Normal(jnp.zeros(5), 1.0).to_event(1))
    with numpyro.plate("rows", x.shape[0], subsample_size=batch) as index:
        x, y = (x, y) if batch is None else (x[index], y[index])
        numpyro.sample("y", dist.Bernoulli(logits=jnp.tanh(jnp.tanh(x @ w0) @ w1) @ w), obs=y)


def steps(batch, count):
    svi = SVI(network, AutoNormal(network), numpyro.optim.Adam(1e-2), Trace_ELBO())
    run = lambda state: svi.run(jax.random.PRNGKey(0), count, x, y, batch, progress_bar=False, init_state=state)
    result = run(None)
    jax.block_until_ready(result.losses)
    times = []
    for _ in range(options.repeats):
        begin = time.perf_counter()
        result = run(result.state)
        jax.block_until_ready(result.losses)
        times.append((time.perf_counter() - begin) / count * 1e6)
    return float(np.median(times)), -float(np.asarray(result.losses[-1000:]).mean())


result = {"numpyro": numpyro.__version__, "jax": jax.__version__, "bits": 32 if options.f32 else 64}
for name, batch, count in (("full_500", None, 10000), ("minibatch_50", 50, 10000)):
    result[f"advi_step/{name}"], result[f"elbo/{name}"] = steps(batch, count)
print(json.dumps(result))
