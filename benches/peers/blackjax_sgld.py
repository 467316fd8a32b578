"""BlackJAX's SGLD on the flat half-moon network, batches of 50 of 500 rows: microseconds per step, as JSON.

Kind to the peer: steps are timed inside one compiled loop, on its second run, so that neither compiling nor dispatch
counts. Usage: blackjax_sgld.py [--f32] [--repeats N]
"""
import argparse, csv, json, os, pathlib, time

os.environ.setdefault("JAX_PLATFORMS", "cpu")
options = argparse.ArgumentParser()
options.add_argument("--f32", action="store_true")
options.add_argument("--repeats", type=int, default=5)
options = options.parse_args()

import blackjax
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", not options.f32)
DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "moons" / "moons_flat.csv"
with open(DATA) as file:
    rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
x = jnp.asarray([[float(row["x1"]), float(row["x2"])] for row in rows])
y = jnp.asarray([float(row["y"]) for row in rows])
TOTAL, BATCH, STEPS = len(rows), 50, 40000


def log_density(w, batch):
    x, y = batch
    z = jnp.tanh(jnp.tanh(x @ w[0]) @ w[1]) @ w[2]
    prior = -0.5 * sum((v**2).sum() for v in w)
    return prior + TOTAL / BATCH * (y * z - jax.nn.softplus(z)).sum()


sgld = blackjax.sgld(jax.grad(log_density))


def step(w, key):
    key_rows, key_noise = jax.random.split(key)
    index = jax.random.randint(key_rows, (BATCH,), 0, TOTAL)
    w = sgld.step(key_noise, w, (x[index], y[index]), 1e-4)
    return w, jnp.concatenate([jnp.ravel(v) for v in w])


@jax.jit
def run(key):
    start = [jax.random.normal(key, shape) for shape in ((2, 5), (5, 5), (5,))]
    return jax.lax.scan(step, start, jax.random.split(key, STEPS))


jax.block_until_ready(run(jax.random.PRNGKey(0)))
times = []
for repeat in range(options.repeats):
    begin = time.perf_counter()
    jax.block_until_ready(run(jax.random.PRNGKey(1 + repeat)))
    times.append((time.perf_counter() - begin) / STEPS * 1e6)
result = {"blackjax": blackjax.__version__, "jax": jax.__version__, "bits": 32 if options.f32 else 64}
result |= {"sgld_step/minibatch_50": float(np.median(times)), "least": min(times)}
print(json.dumps(result))
