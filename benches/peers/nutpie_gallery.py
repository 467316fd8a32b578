"""nutpie's NUTS on PyMC models of posteriors of the gallery: its draws and what they took.

Kind to the peer: a run is made once for its draws in ArviZ's form and, with the same seed, thrice without that form for its
seconds, of which the fewest count; what other work took from the processor does not. As many runs of the warm-up alone, the
same to the bit, tell it from drawing. Warm-up is nutpie's default of 400 iterations: with 1000, effective draws a second
are as many, and 400 of them are there later. Compiling is that of the first model of a process, PyTensor's cache empty.
Called by samplers.py, which makes the environment.
Usage: nutpie_gallery.py --out FOLDER [--seeds 1 2 3] [--chains N] [--draws N] [--warmup N] POSTERIOR...
"""
import os, sys, tempfile, warnings

CACHE = tempfile.TemporaryDirectory()
os.environ["PYTENSOR_FLAGS"] = f"base_compiledir={CACHE.name}"
# All seconds are those of one processor.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
warnings.filterwarnings("ignore")
ROUNDS = 3

import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt

import designs
import peer


def regression(x, y, law=pm.HalfFlat):
    """`y ~ Normal(x beta, sigma)` with flat beta, and flat sigma unless it has another law."""
    pm.Normal("y", x @ pm.Flat("beta", shape=x.shape[1]), law("sigma"), observed=y)


def blr(d):
    beta = pm.Normal("beta", 0.0, 10.0, shape=d["D"])
    sigma = pm.HalfNormal("sigma", 10.0)
    pm.Normal("y", d["X"] @ beta, sigma, observed=d["y"])


def kilpisjarvi(d):
    alpha = pm.Normal("alpha", d["pmualpha"], d["psalpha"])
    beta = pm.Normal("beta", d["pmubeta"], d["psbeta"])
    pm.Normal("y", alpha + beta * d["x"], pm.HalfFlat("sigma"), observed=d["y"])


def glm_poisson(d):
    year = d["year"]
    alpha = pm.Uniform("alpha", -20.0, 20.0)
    b1, b2, b3 = (pm.Uniform(f"beta{k}", -10.0, 10.0) for k in (1, 2, 3))
    pm.Poisson("C", pm.math.exp(alpha + b1 * year + b2 * year**2 + b3 * year**3), observed=d["C"])


def ar_k(d):
    y, k = d["y"], d["K"]
    past = np.column_stack([y[k - 1 - lag:len(y) - 1 - lag] for lag in range(k)])
    alpha = pm.Normal("alpha", 0.0, 10.0)
    beta = pm.Normal("beta", 0.0, 10.0, shape=k)
    sigma = pm.HalfCauchy("sigma", 2.5)
    pm.Normal("y", alpha + past @ beta, sigma, observed=y[k:])


def dogs(d):
    y = d["y"]
    shocked = np.cumsum(y, axis=1) - y
    avoided = np.arange(y.shape[1]) - shocked
    beta = pm.Normal("beta", 0.0, 100.0, shape=3)
    pm.Bernoulli("y", logit_p=beta[0] + beta[1] * avoided + beta[2] * shocked, observed=y)


def wells(d):
    logits = pm.Flat("alpha") + pm.Flat("beta", shape=1)[0] * (d["dist"] / 100.0)
    pm.Bernoulli("switched", logit_p=logits, observed=d["switched"])


def eight_schools_centered(d):
    mu = pm.Normal("mu", 0.0, 5.0)
    tau = pm.HalfCauchy("tau", 5.0)
    theta = pm.Normal("theta", mu, tau, shape=d["J"])
    pm.Normal("y", theta, d["sigma"], observed=d["y"])


def eight_schools_noncentered(d):
    mu = pm.Normal("mu", 0.0, 5.0)
    tau = pm.HalfCauchy("tau", 5.0)
    theta = pm.Deterministic("theta", pm.Normal("theta_trans", 0.0, 1.0, shape=d["J"]) * tau + mu)
    pm.Normal("y", theta, d["sigma"], observed=d["y"])


def seeds(d):
    a0, a1, a12, a2 = (pm.Normal(name, 0.0, 1.0) for name in ("alpha0", "alpha1", "alpha12", "alpha2"))
    sigma = pm.HalfCauchy("sigma", 1.0)
    b = pm.Normal("b", 0.0, sigma, shape=d["I"])
    logits = a0 + a1 * d["x1"] + a2 * d["x2"] + a12 * (d["x1"] * d["x2"]) + b
    pm.Binomial("n", d["N"], logit_p=logits, observed=d["n"])


def rats(d):
    rat, day = d["rat"].astype(int) - 1, d["x"] - d["xbar"]
    mu_alpha = pm.Normal("mu_alpha", 0.0, 100.0)
    mu_beta = pm.Normal("mu_beta", 0.0, 100.0)
    sigma_y, sigma_alpha, sigma_beta = (pm.HalfFlat(f"sigma_{name}") for name in ("y", "alpha", "beta"))
    alpha = pm.Normal("alpha", mu_alpha, sigma_alpha, shape=d["N"])
    beta = pm.Normal("beta", mu_beta, sigma_beta, shape=d["N"])
    pm.Deterministic("alpha0", mu_alpha - d["xbar"] * mu_beta)
    pm.Normal("y", alpha[rat] + beta[rat] * day, sigma_y, observed=d["y"])


def gauss_mix(d):
    ordered = pm.distributions.transforms.ordered
    mu = pm.Normal("mu", 0.0, 2.0, shape=2, transform=ordered, initval=[-1.0, 1.0])
    sigma = pm.HalfNormal("sigma", 2.0, shape=2)
    theta = pm.Beta("theta", 5.0, 5.0)
    pm.NormalMixture("y", pt.stack([theta, 1.0 - theta]), mu, sigma, observed=d["y"])


MODELS = {
    "GLM_Poisson_model": glm_poisson,
    "arK": ar_k,
    "blr": blr,
    "dogs": dogs,
    "eight_schools_centered": eight_schools_centered,
    "eight_schools_noncentered": eight_schools_noncentered,
    "kilpisjarvi": kilpisjarvi,
    "low_dim_gauss_mix": gauss_mix,
    "rats_model": rats,
    "seeds_stanified_model": seeds,
    "wells_dist100_model": wells,
}


def declare(program, d):
    """The sites of a program, into the model that is open."""
    if program in designs.FLAT:
        regression(*designs.FLAT[program](d))
    elif program in designs.HALF_CAUCHY:
        regression(*designs.HALF_CAUCHY[program](d), lambda name: pm.HalfCauchy(name, 2.5))
    else:
        MODELS[program](d)


def run(compiled, options, seed, acceptance):
    """Draws by site with leading axes of chains and draws, and what they took."""
    def sample(draws, **settings):
        return nutpie.sample(compiled, draws=draws, tune=options.warmup, chains=options.chains, cores=1, seed=seed,
                             target_accept=acceptance, progress_bar=False, **settings)

    trace = sample(options.draws)
    total, warmup = (min(peer.timed(lambda: sample(draws, return_raw_trace=True))[0] for _ in range(ROUNDS))
                     for draws in (options.draws, 0))
    return {name: values.values for name, values in trace.posterior.items()}, {
        "warmup_seconds": warmup,
        "seconds": total - warmup,
        "gradients": int(trace.sample_stats.n_steps.sum()),
        "divergences": int(trace.sample_stats.diverging.sum()),
    }


def main():
    options = peer.options(__doc__, warmup=400)
    for name in options.posteriors:
        data, program = name.split("-")
        with pm.Model() as model:
            declare(program, peer.arrays(peer.data(data)))
        compile_seconds, compiled = peer.timed(lambda: nutpie.compile_pymc_model(model))
        for seed in options.seeds:
            sites, figures = run(compiled, options, seed, peer.acceptance(options, name))
            figures["compile_seconds"] = compile_seconds
            version = f"nutpie {nutpie.__version__} (PyMC {pm.__version__})"
            peer.write(options.out, version, name, seed, figures, peer.by_label(sites))
            print(name, seed, figures, file=sys.stderr)


main()
