"""NumPyro's NUTS on posteriors of the gallery: its draws and what they took.

Kind to the peer: chains are vectorised, which takes half the time of one after another (PEER_CHAINS=sequential); every
run is made twice, so that compiling is known and left out of the seconds; what other work took from the processor does
not count. Called by samplers.py, which makes the environment.
Usage: numpyro_gallery.py --out FOLDER [--seeds 1 2 3] [--chains N] [--draws N] [--warmup N] POSTERIOR...
"""
import os, sys, warnings

os.environ.setdefault("JAX_PLATFORMS", "cpu")
warnings.filterwarnings("ignore")

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.infer import MCMC, NUTS

import designs
import peer

jax.config.update("jax_enable_x64", True)


def flat(name, width=None):
    return numpyro.sample(name, dist.ImproperUniform(constraints.real, (), () if width is None else (width,)))


def half_flat(name):
    return numpyro.sample(name, dist.ImproperUniform(constraints.positive, (), ()))


def regression(x, y, sigma=None):
    """`y ~ Normal(x beta, sigma)` with flat beta, and flat sigma unless it has a law."""
    beta = flat("beta", x.shape[1])
    sigma = half_flat("sigma") if sigma is None else numpyro.sample("sigma", sigma)
    numpyro.sample("y", dist.Normal(x @ beta, sigma), obs=y)


def blr(d):
    def model():
        beta = numpyro.sample("beta", dist.Normal(0.0, 10.0).expand([d["D"]]))
        sigma = numpyro.sample("sigma", dist.HalfNormal(10.0))
        numpyro.sample("y", dist.Normal(d["X"] @ beta, sigma), obs=d["y"])
    return model


def kilpisjarvi(d):
    def model():
        alpha = numpyro.sample("alpha", dist.Normal(d["pmualpha"], d["psalpha"]))
        beta = numpyro.sample("beta", dist.Normal(d["pmubeta"], d["psbeta"]))
        numpyro.sample("y", dist.Normal(alpha + beta * d["x"], half_flat("sigma")), obs=d["y"])
    return model


def glm_poisson(d):
    year = d["year"]

    def model():
        alpha = numpyro.sample("alpha", dist.Uniform(-20.0, 20.0))
        b1, b2, b3 = (numpyro.sample(f"beta{k}", dist.Uniform(-10.0, 10.0)) for k in (1, 2, 3))
        numpyro.sample("C", dist.Poisson(jnp.exp(alpha + b1 * year + b2 * year**2 + b3 * year**3)), obs=d["C"])
    return model


def ar_k(d):
    y, k = d["y"], d["K"]
    past = np.column_stack([y[k - 1 - lag:len(y) - 1 - lag] for lag in range(k)])

    def model():
        alpha = numpyro.sample("alpha", dist.Normal(0.0, 10.0))
        beta = numpyro.sample("beta", dist.Normal(0.0, 10.0).expand([k]))
        sigma = numpyro.sample("sigma", dist.HalfCauchy(2.5))
        numpyro.sample("y", dist.Normal(alpha + past @ beta, sigma), obs=y[k:])
    return model


def dogs(d):
    y = d["y"]
    shocked = np.cumsum(y, axis=1) - y
    avoided = np.arange(y.shape[1]) - shocked

    def model():
        beta = numpyro.sample("beta", dist.Normal(0.0, 100.0).expand([3]))
        numpyro.sample("y", dist.Bernoulli(logits=beta[0] + beta[1] * avoided + beta[2] * shocked), obs=y)
    return model


def wells(d):
    distance = d["dist"] / 100.0

    def model():
        logits = flat("alpha") + flat("beta", 1)[0] * distance
        numpyro.sample("switched", dist.Bernoulli(logits=logits), obs=d["switched"])
    return model


def eight_schools_centered(d):
    def model():
        mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
        tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
        theta = numpyro.sample("theta", dist.Normal(mu, tau).expand([d["J"]]))
        numpyro.sample("y", dist.Normal(theta, d["sigma"]), obs=d["y"])
    return model


def eight_schools_noncentered(d):
    def model():
        mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
        tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
        theta = numpyro.sample("theta_trans", dist.Normal(0.0, 1.0).expand([d["J"]])) * tau + mu
        numpyro.sample("y", dist.Normal(numpyro.deterministic("theta", theta), d["sigma"]), obs=d["y"])
    return model


def seeds(d):
    def model():
        names = ("alpha0", "alpha1", "alpha12", "alpha2")
        a0, a1, a12, a2 = (numpyro.sample(name, dist.Normal(0.0, 1.0)) for name in names)
        sigma = numpyro.sample("sigma", dist.HalfCauchy(1.0))
        b = numpyro.sample("b", dist.Normal(0.0, sigma).expand([d["I"]]))
        logits = a0 + a1 * d["x1"] + a2 * d["x2"] + a12 * (d["x1"] * d["x2"]) + b
        numpyro.sample("n", dist.Binomial(d["N"], logits=logits), obs=d["n"])
    return model


def rats(d):
    rat, day = d["rat"].astype(int) - 1, d["x"] - d["xbar"]

    def model():
        mu_alpha = numpyro.sample("mu_alpha", dist.Normal(0.0, 100.0))
        mu_beta = numpyro.sample("mu_beta", dist.Normal(0.0, 100.0))
        sigma_y, sigma_alpha, sigma_beta = (half_flat(f"sigma_{name}") for name in ("y", "alpha", "beta"))
        alpha = numpyro.sample("alpha", dist.Normal(mu_alpha, sigma_alpha).expand([d["N"]]))
        beta = numpyro.sample("beta", dist.Normal(mu_beta, sigma_beta).expand([d["N"]]))
        numpyro.deterministic("alpha0", mu_alpha - d["xbar"] * mu_beta)
        numpyro.sample("y", dist.Normal(alpha[rat] + beta[rat] * day, sigma_y), obs=d["y"])
    return model


def gauss_mix(d):
    def model():
        prior = dist.Normal(0.0, 2.0).expand([2]).to_event(1)
        mu = numpyro.sample("mu", dist.ImproperUniform(constraints.ordered_vector, (), (2,)))
        numpyro.factor("mu_prior", prior.log_prob(mu))
        sigma = numpyro.sample("sigma", dist.HalfNormal(2.0).expand([2]))
        theta = numpyro.sample("theta", dist.Beta(5.0, 5.0))
        weights = dist.Categorical(probs=jnp.stack([theta, 1.0 - theta]))
        numpyro.sample("y", dist.MixtureSameFamily(weights, dist.Normal(mu, sigma)), obs=d["y"])
    return model


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


def model_of(program, d):
    if program in designs.FLAT:
        return lambda: regression(*designs.FLAT[program](d))
    if program in designs.HALF_CAUCHY:
        return lambda: regression(*designs.HALF_CAUCHY[program](d), dist.HalfCauchy(2.5))
    return MODELS[program](d)


def timed(work):
    return peer.timed(lambda: jax.block_until_ready(work()))[0]


def run(model, options, seed, acceptance):
    """Draws by site with a leading axis of chains, and the seconds of the second of two equal runs."""
    method = os.environ.get("PEER_CHAINS", "vectorized")
    mcmc = MCMC(NUTS(model, target_accept_prob=acceptance), num_warmup=options.warmup, num_samples=options.draws,
                num_chains=options.chains, chain_method=method, progress_bar=False)
    key = jax.random.PRNGKey(seed)
    rounds = []
    for _ in range(2):
        warmup = timed(lambda: (mcmc.warmup(key), mcmc.last_state)[1])
        sampling = timed(lambda: (mcmc.run(key, extra_fields=("num_steps",)), mcmc.get_samples())[1])
        rounds.append((warmup, sampling))
    (warmup, sampling) = rounds[1]
    return mcmc.get_samples(group_by_chain=True), {
        "warmup_seconds": warmup,
        "seconds": sampling,
        # A difference of two long times: other work on the machine may make more of it than there is.
        "compile_seconds": max(0.0, sum(rounds[0]) - sum(rounds[1])),
        "gradients": int(mcmc.get_extra_fields()["num_steps"].sum()),
        "divergences": int(mcmc.get_extra_fields()["diverging"].sum()),
        "chain_method": method,
    }


def main():
    options = peer.options(__doc__)
    for name in options.posteriors:
        data, program = name.split("-")
        model = model_of(program, peer.arrays(peer.data(data)))
        for seed in options.seeds:
            samples, figures = run(model, options, seed, peer.acceptance(options, name))
            peer.write(options.out, f"NumPyro {numpyro.__version__}", name, seed, figures, peer.by_label(samples))
            print(name, seed, figures, file=sys.stderr)


main()
