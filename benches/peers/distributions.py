"""Log-densities and their gradients beside JAX (NumPyro's formulas, compiled by XLA) and SciPy, on one core in one run.

For each distribution of our catalogue that NumPyro has: ns a number for a million numbers, ours and JAX's in turn, so that a
change of the machine's speed meets both; SciPy's log-density where it has one. Gradients are by the values (of continuous
laws) and by all real parameters. With --write the table goes into benches/distributions.md.

Needs Python 3.11 with pip: on the first run it makes a virtual environment under target/peers and installs NumPyro and
SciPy into it. Usage: distributions.py [--rounds N] [--values N] [--only NAME] [--write]
"""
import argparse, json, os, pathlib, platform, statistics, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / "target" / "peers"
PYTHON = VENV / "bin" / "python"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PAGE = ROOT / "benches" / "distributions.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"

options = argparse.ArgumentParser()
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--values", type=int, default=1_000_000)
options.add_argument("--only")
options.add_argument("--write", action="store_true")
options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
options = options.parse_args()


def run(*command):
    # One core for each side: XLA would share a large loop among threads.
    pinned = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if hasattr(os, "sched_getaffinity") else []
    command = pinned + [str(c) for c in command]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def child():
    """One round of the peers, as JSON: {name: [log density, gradient, SciPy's log density]}."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import warnings

    warnings.filterwarnings("ignore")
    import jax
    import jax.numpy as jnp
    import numpy as np
    import numpyro.distributions as d
    import scipy.stats as s

    jax.config.update("jax_enable_x64", True)
    # name: (NumPyro's law of the parameters, SciPy's log-density of values and parameters or None)
    laws = {
        "AsymmetricLaplace": (lambda p: d.AsymmetricLaplace(*p), lambda x, p: s.laplace_asymmetric.logpdf(x, p[2], p[0], p[1])),
        "Bernoulli": (lambda p: d.BernoulliProbs(*p), lambda x, p: s.bernoulli.logpmf(x, *p)),
        "Beta": (lambda p: d.Beta(*p), lambda x, p: s.beta.logpdf(x, *p)),
        "BetaBinomial": (lambda p, n: d.BetaBinomial(p[0], p[1], n), lambda x, p, n: s.betabinom.logpmf(x, n, *p)),
        "Binomial": (lambda p, n: d.BinomialProbs(p[0], n), lambda x, p, n: s.binom.logpmf(x, n, *p)),
        "Categorical": (lambda p: d.CategoricalProbs(p), None),
        "Cauchy": (lambda p: d.Cauchy(*p), lambda x, p: s.cauchy.logpdf(x, *p)),
        "Chi2": (lambda p: d.Chi2(*p), lambda x, p: s.chi2.logpdf(x, *p)),
        "Dirichlet": (lambda p: d.Dirichlet(p), lambda x, p: s.dirichlet.logpdf(x.T, p)),
        "DirichletMultinomial": None,
        "Exponential": (lambda p: d.Exponential(*p), lambda x, p: s.expon.logpdf(x, 0, 1 / p[0])),
        "Gamma": (lambda p: d.Gamma(*p), lambda x, p: s.gamma.logpdf(x, p[0], 0, 1 / p[1])),
        "GammaPoisson": (lambda p: d.GammaPoisson(*p), lambda x, p: s.nbinom.logpmf(x, p[0], p[1] / (1 + p[1]))),
        "Geometric": (lambda p: d.GeometricProbs(*p), lambda x, p: s.geom.logpmf(x + 1, *p)),
        "Gompertz": (lambda p: d.Gompertz(*p), lambda x, p: s.gompertz.logpdf(x, p[0], 0, 1 / p[1])),
        "Gumbel": (lambda p: d.Gumbel(*p), lambda x, p: s.gumbel_r.logpdf(x, *p)),
        "HalfCauchy": (lambda p: d.HalfCauchy(*p), lambda x, p: s.halfcauchy.logpdf(x, 0, *p)),
        "HalfNormal": (lambda p: d.HalfNormal(*p), lambda x, p: s.halfnorm.logpdf(x, 0, *p)),
        "InverseGamma": (lambda p: d.InverseGamma(*p), lambda x, p: s.invgamma.logpdf(x, p[0], 0, p[1])),
        "Kumaraswamy": (lambda p: d.Kumaraswamy(*p), None),
        "Laplace": (lambda p: d.Laplace(*p), lambda x, p: s.laplace.logpdf(x, *p)),
        "Levy": (lambda p: d.Levy(*p), lambda x, p: s.levy.logpdf(x, *p)),
        "LogNormal": (lambda p: d.LogNormal(*p), lambda x, p: s.lognorm.logpdf(x, p[1], 0, np.exp(p[0]))),
        "LogUniform": (lambda p: d.LogUniform(*p), lambda x, p: s.loguniform.logpdf(x, *p)),
        "Logistic": (lambda p: d.Logistic(*p), lambda x, p: s.logistic.logpdf(x, *p)),
        "Multinomial": None,
        "NegativeBinomial": (lambda p: d.NegativeBinomial2(*p), lambda x, p: s.nbinom.logpmf(x, p[1], p[1] / (p[0] + p[1]))),
        "Normal": (lambda p: d.Normal(*p), lambda x, p: s.norm.logpdf(x, *p)),
        "Pareto": (lambda p: d.Pareto(*p), lambda x, p: s.pareto.logpdf(x, p[1], 0, p[0])),
        "Poisson": (lambda p: d.Poisson(*p), lambda x, p: s.poisson.logpmf(x, *p)),
        "RelaxedBernoulli": (lambda p: d.RelaxedBernoulli(p[0], probs=p[1]), None),
        "StudentT": (lambda p: d.StudentT(*p), lambda x, p: s.t.logpdf(x, *p)),
        "TruncatedNormal": (lambda p: d.TruncatedNormal(p[0], p[1], low=p[2], high=p[3]),
                            lambda x, p: s.truncnorm.logpdf(x, (p[2] - p[0]) / p[1], (p[3] - p[0]) / p[1], p[0], p[1])),
        "Uniform": (lambda p: d.Uniform(*p), lambda x, p: s.uniform.logpdf(x, p[0], p[1] - p[0])),
        "VonMises": (lambda p: d.VonMises(*p), lambda x, p: s.vonmises.logpdf(x, p[1], p[0])),
        "Weibull": (lambda p: d.Weibull(*p), lambda x, p: s.weibull_min.logpdf(x, p[1], 0, p[0])),
        "ZeroInflated": (lambda p: d.ZeroInflatedPoisson(p[0], rate=p[1]), None),
        "HurdlePoisson": (lambda p: d.HurdlePoisson(p[0], p[1]), None) if hasattr(d, "HurdlePoisson") else None,
        "OrderedLogistic": (lambda p: d.OrderedLogistic(p[0], p[1:]), None),
        "Mixture": (lambda p: d.MixtureSameFamily(d.CategoricalProbs(p[:2]), d.Normal(p[2:], 0.8)), None),
        "LKJCholesky": None,
        "GaussianRandomWalk": None,
        "ZeroSumNormal": None,
    }
    discrete = {"Bernoulli", "BetaBinomial", "Binomial", "Categorical", "GammaPoisson", "Geometric", "NegativeBinomial",
                "Poisson", "ZeroInflated", "HurdlePoisson", "OrderedLogistic"}
    counted = {"BetaBinomial", "Binomial"}
    lines = json.loads(os.environ["LINES"])
    out = {}

    def measure(f, *arguments):
        jax.block_until_ready(f(*arguments))
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            jax.block_until_ready(f(*arguments))
            times.append(time.perf_counter() - begin)
        return 1e9 * statistics.median(times)

    for key, line in lines.items():
        name = key.split("/")[1]
        if not laws.get(name):
            continue
        make, plain = laws[name]
        parameters = list(line["parameters"])
        extra = ()
        if name in counted:
            extra = (int(parameters.pop(0)),)
        p = jnp.array(parameters)
        law = make(p, *extra)
        x = law.sample(jax.random.PRNGKey(1), (options.values // max(line["numbers"], 1),))
        n = x.size
        log_prob = jax.jit(lambda x, p: make(p, *extra).log_prob(x))
        total = lambda x, p: make(p, *extra).log_prob(x).sum()
        by = (1,) if name in discrete else (0, 1)
        x = x if name in discrete else x.astype(jnp.float64)
        gradient = jax.jit(jax.value_and_grad(total, argnums=by))
        row = [measure(log_prob, x, p) / n, measure(gradient, x, p) / n, None]
        if plain:
            values, numbers = np.asarray(x), np.asarray(p)
            begin = time.perf_counter()
            plain(values, numbers, *extra)
            row[2] = 1e9 * (time.perf_counter() - begin) / n
        out[key] = row
    import numpyro, scipy

    out["versions"] = f"JAX {jax.__version__}, NumPyro {numpyro.__version__}, SciPy {scipy.__version__}"
    print(json.dumps(out))


def build():
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", VENV)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "numpyro", "scipy"], check=True)
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "ppl-benches", "--bin", "dist"], cwd=ROOT, check=True)


def table():
    ours, theirs = [], []
    only = ["--only", options.only] if options.only else []
    for _ in range(options.rounds):
        ours.append(json.loads(run(TARGET / "release" / "dist", "--values", options.values, *only)))
        os.environ["LINES"] = json.dumps(ours[-1])
        theirs.append(json.loads(run(PYTHON, __file__, "--child", "--values", options.values)))
    median = lambda rows: statistics.median(rows)
    lines = ["| `dist/` | ppl | JAX | SciPy | ratio | gradient: ppl | JAX | ratio |", "|---|---|---|---|---|---|---|---|"]
    ratios = []
    for key, line in ours[0].items():
        name = key.split("/")[1]
        mine = [median(o[key][k] for o in ours) for k in ("log_prob_ns", "gradient_ns")]
        if key not in theirs[0]:
            lines.append(f"| {name} | {mine[0]:.1f} | | | | {mine[1]:.1f} | | |")
            continue
        jax = [median(t[key][i] for t in theirs) for i in (0, 1)]
        ratio = [median(o[key][k] / t[key][i] for o, t in zip(ours, theirs))
                 for i, k in enumerate(("log_prob_ns", "gradient_ns"))]
        scipy = theirs[0][key][2]
        scipy = "" if scipy is None else f"{median(t[key][2] for t in theirs):.1f}"
        ratios += [(ratio[0], f"log-density of {name}"), (ratio[1], f"gradient of {name}")]
        lines.append(f"| {name} | {mine[0]:.1f} | {jax[0]:.1f} | {scipy} | {ratio[0]:.2f} | {mine[1]:.1f} | {jax[1]:.1f} "
                     f"| {ratio[1]:.2f} |")
    slowest = sorted(ratios, reverse=True)[:3]
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    head = (f"{cpu}, one core; {theirs[0]['versions']}; ns a number, {options.values} numbers, medians of {options.rounds} "
            f"rounds in turn.")
    tail = "Slowest ratios against JAX: " + ", ".join(f"{r:.2f} ({what})" for r, what in slowest) + "."
    middle = statistics.median(r for r, _ in ratios) if ratios else float("nan")
    return "\n".join([head, "", *lines, "", f"{tail} The median is {middle:.2f}, of {len(ratios)}."])


if options.child:
    child()
else:
    build()
    text = table()
    print(text)
    if options.write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
