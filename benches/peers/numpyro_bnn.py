"""NumPyro on the half-moon networks: microseconds per gradient, how it grows, and NUTS on the hierarchical one, as JSON.

Kind to the peer: gradients are timed inside one compiled loop, so that neither compiling nor dispatch counts.
Usage: numpyro_bnn.py [--f32] [--growth | --nuts] [--warmup N] [--draws N]
"""
import argparse, csv, json, os, pathlib, time, warnings

os.environ.setdefault("JAX_PLATFORMS", "cpu")
warnings.filterwarnings("ignore")
options = argparse.ArgumentParser()
options.add_argument("--f32", action="store_true")
options.add_argument("--growth", action="store_true")
options.add_argument("--nuts", action="store_true")
options.add_argument("--warmup", type=int, default=1000)
options.add_argument("--draws", type=int, default=500)
options.add_argument("--seed", type=int, default=0)
options = options.parse_args()

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS, Predictive
from numpyro.infer.util import initialize_model

jax.config.update("jax_enable_x64", not options.f32)
DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "moons"


def read(name, split):
    with open(DATA / name) as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    x = np.array([[float(row["x1"]), float(row["x2"])] for row in rows])
    return x, np.array([int(row["y"]) for row in rows])


def flat(x, y=None):
    z = x
    for i, (d_in, d_out) in enumerate([(2, 5), (5, 5)]):
        z = jnp.tanh(z @ numpyro.sample(f"w{i}", dist.Normal(jnp.zeros((d_in, d_out)), 1.0)))
    w = numpyro.sample("w_final", dist.Normal(jnp.zeros((5, 1)), 1.0))
    numpyro.sample("y", dist.Bernoulli(logits=(z @ w).squeeze(-1)), obs=y)


def hierarchical(x, y=None):
    sizes = [(2, 5), (5, 5), (5, 1)]
    groups = []
    for i, (d_in, d_out) in enumerate(sizes):
        mean = numpyro.sample(f"w{i}_c", dist.Normal(jnp.zeros((d_in, d_out)), 1.0))
        groups.append((mean, numpyro.sample(f"w{i}_c_std", dist.HalfNormal(1.0))))
    z = x
    with numpyro.plate("category", x.shape[0], dim=-3):
        for k, ((d_in, d_out), (mean, std)) in enumerate(zip(sizes, groups)):
            w = numpyro.sample(f"w{k}_all", dist.Normal(jnp.zeros((1, d_in, d_out)), 1.0)) * std + mean
            z = z @ w if k + 1 == len(sizes) else jnp.tanh(z @ w)
    numpyro.sample("y", dist.Bernoulli(logits=z.squeeze(-1)), obs=y)


def logistic(x, y=None):
    b = numpyro.sample("b", dist.Normal(jnp.zeros(x.shape[1]), 1.0))
    numpyro.sample("y", dist.Bernoulli(logits=x @ b), obs=y)


def numbers(n):
    i = np.arange(n)
    return 1.5 * np.sin(i * 12.9898) * np.cos(i * 0.618)


def growth():
    """Microseconds per gradient by rows, width and groups; fewer repetitions of what takes longer."""
    out = {}
    for rows, width in [(50, 5), (500, 5), (5000, 5), (50000, 5), (1000000, 5), (2000, 5), (2000, 32), (2000, 128),
                        (2000, 512), (100000, 50)]:
        x, y = numbers(rows * width).reshape(rows, width), (np.arange(rows) % 3 // 2).astype(int)
        steps = max(3, min(1000, 3_000_000 // (rows * width)))
        out[f"logistic {rows} x {width}"] = gradient_us(logistic, x, y, 5, steps)
    for groups in (1, 18, 100, 1000):
        pick = np.arange(groups) % 18
        steps = max(20, 4000 // groups)
        out[f"hierarchical {groups} x 50"] = gradient_us(hierarchical, xh[pick], yh[pick], 5, steps)
    return out


def gradient_us(model, x, y, repeats=7, steps=1000):
    """Median over repeats of the time of one gradient, in a compiled loop of `steps`."""
    start = initialize_model(jax.random.PRNGKey(0), model, model_kwargs={"x": x, "y": y})
    gradient = jax.grad(start.potential_fn)
    step = lambda _, z: jax.tree.map(lambda p, g: p - 1e-7 * g, z, gradient(z))
    loop = jax.jit(lambda z: jax.lax.fori_loop(0, steps, step, z))
    z = jax.block_until_ready(loop(start.param_info.z))
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(loop(z))
        times.append((time.perf_counter() - begin) / steps * 1e6)
    return float(np.median(times))


def nuts(x, y, x_test, y_test):
    mcmc = MCMC(NUTS(hierarchical), num_warmup=options.warmup, num_samples=options.draws, progress_bar=False)
    begin = time.perf_counter()
    mcmc.run(jax.random.PRNGKey(options.seed), x=x, y=y, extra_fields=("num_steps",))
    samples = jax.block_until_ready(mcmc.get_samples())
    with_compiling = time.perf_counter() - begin
    # The same run again, compiled already.
    begin = time.perf_counter()
    mcmc.run(jax.random.PRNGKey(options.seed), x=x, y=y, extra_fields=("num_steps",))
    jax.block_until_ready(mcmc.get_samples())
    seconds = time.perf_counter() - begin
    ess = np.concatenate([np.ravel(numpyro.diagnostics.effective_sample_size(np.asarray(v)[None]))
                          for v in samples.values()])
    mean = Predictive(hierarchical, samples)(jax.random.PRNGKey(1), x=x_test)["y"].mean(0)
    return {
        "seconds": seconds,
        "seconds_with_compiling": with_compiling,
        "gradients_while_drawing": int(mcmc.get_extra_fields()["num_steps"].sum()),
        "ess_median": float(np.median(ess)),
        "test_accuracy": float(((mean > 0.5) == y_test).mean()),
    }


x, y = read("moons_flat.csv", "train")
xh, yh = read("moons_hier.csv", "train")
xt, yt = read("moons_hier.csv", "test")
xh, yh, xt, yt = xh.reshape(18, 50, 2), yh.reshape(18, 50), xt.reshape(18, 50, 2), yt.reshape(18, 50)
result = {"numpyro": numpyro.__version__, "jax": jax.__version__, "bits": 32 if options.f32 else 64}
if options.growth:
    result |= growth()
elif options.nuts:
    result["nuts/hierarchical_bnn"] = nuts(xh, yh, xt, yt)
else:
    result["gradient/flat_bnn_500"] = gradient_us(flat, x, y)
    result["gradient/flat_bnn_50"] = gradient_us(flat, xh[0], yh[0])
    result["gradient/hierarchical_bnn"] = gradient_us(hierarchical, xh, yh)
print(json.dumps(result))
