"""Log-densities and their gradients beside JAX (NumPyro's formulas, compiled by XLA) and SciPy, on one core in one run.

For each distribution of our catalogue that NumPyro has: ns a number for a million numbers, ours and JAX's in turn, so that a
change of the machine's speed meets both; SciPy's log-density where it has one. Gradients are by the values (of continuous
laws) and by all real parameters. With --write the table goes into benches/distributions.md.

Needs Python 3.11 with pip: on the first run it makes a virtual environment under target/peers and installs NumPyro and
SciPy into it. Usage: distributions.py [--rounds N] [--values N] [--only NAME,NAME] [--no-build] [--write]
"""
import argparse, json, os, pathlib, platform, re, statistics, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VENV = TARGET / "peers"
PYTHON = VENV / "bin" / "python"
PAGE = ROOT / "benches" / "distributions.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"

options = argparse.ArgumentParser()
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--values", type=int, default=1_000_000)
options.add_argument("--only")
options.add_argument("--no-build", action="store_true", help="take programs and packages as they are")
options.add_argument("--write", action="store_true")
options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
options = options.parse_args()


def pinned(*command):
    # One core, the same for both sides, which take turns: XLA would share a large loop among threads.
    pin = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if hasattr(os, "sched_getaffinity") else []
    return pin + [str(c) for c in command]


class Side:
    """A process that measures what a line names and answers with a line of JSON."""

    def __init__(self, *command):
        self.process = subprocess.Popen(pinned(*command), cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"no answer to {line}")
        return json.loads(answer)


def child():
    """Answers each line {"name", "parameters", "numbers"} by [log density, gradient, SciPy's log density]."""
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
    def measure(f):
        """The shortest call, as on the other side."""
        f()
        times = []
        while len(times) < 3 or (len(times) < 15 and sum(times) < 0.1):
            begin = time.perf_counter()
            f()
            times.append(time.perf_counter() - begin)
        return 1e9 * min(times)

    def prepare(name, parameters, numbers):
        make, plain = laws[name]
        extra = ()
        if name in counted:
            extra, parameters = (int(parameters[0]),), parameters[1:]
        p = jnp.array(parameters)
        x = make(p, *extra).sample(jax.random.PRNGKey(1), (options.values // max(numbers, 1),))
        x = x if name in discrete else x.astype(jnp.float64)
        log_prob = jax.jit(lambda x, p: make(p, *extra).log_prob(x))
        total = lambda x, p: make(p, *extra).log_prob(x).sum()
        gradient = jax.jit(jax.value_and_grad(total, argnums=(1,) if name in discrete else (0, 1)))
        values, plain_p = np.asarray(x), np.asarray(p)
        calls = [lambda: jax.block_until_ready(log_prob(x, p)), lambda: jax.block_until_ready(gradient(x, p))]
        slow = (lambda: plain(values, plain_p, *extra)) if plain else None
        return x.size, calls, slow

    import numpyro, scipy

    print(json.dumps(f"JAX {jax.__version__}, NumPyro {numpyro.__version__}, SciPy {scipy.__version__}"), flush=True)
    last, case, once = None, None, None
    for line in sys.stdin:
        line = json.loads(line)
        name = line["name"]
        if not laws.get(name):
            print("null", flush=True)
            continue
        if name != last:
            last, case = name, prepare(name, line["parameters"], line["numbers"])
            n, calls, slow = case
            once = None
            if slow:
                begin = time.perf_counter()
                slow()
                once = 1e9 * (time.perf_counter() - begin) / n
        n, calls, _ = case
        print(json.dumps([measure(f) / n for f in calls] + [once]), flush=True)


def build():
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "numpyro", "scipy"], check=True)
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "ppl-benches", "--bin", "dist"], cwd=ROOT, check=True)


def names():
    folder = ROOT / "crates" / "ppl-core" / "src" / "dist"
    found = [name for file in folder.glob("*.rs") for name in re.findall(r'^    name: "(\w+)",$', file.read_text(), re.M)]
    constants = {file: re.search(r'const NAME: &str = "(\w+)"', file.read_text()) for file in folder.glob("*.rs")}
    found += [m[1] for file, m in constants.items() if m and re.search(r"^    name: NAME,$", file.read_text(), re.M)]
    return sorted(n for n in found if not options.only or n in options.only.split(","))


def table():
    ours = Side(TARGET / "release" / "dist", "--values", options.values, "--serve")
    theirs = Side(PYTHON, __file__, "--child", "--values", options.values)
    versions = json.loads(theirs.process.stdout.readline())
    lines = ["| `dist/` | ppl | JAX | SciPy | ratio | gradient: ppl | JAX | ratio |", "|---|---|---|---|---|---|---|---|"]
    ratios = []
    for name in names():
        rounds = []
        for _ in range(options.rounds):
            mine = ours.ask(name)
            other = theirs.ask(json.dumps({"name": name, "parameters": mine["parameters"], "numbers": mine["numbers"]}))
            rounds.append(([mine["log_prob_ns"], mine["gradient_ns"]], other))
            if other is None:
                break
        best = [min(m[i] for m, _ in rounds) for i in (0, 1)]
        if rounds[0][1] is None:
            lines.append(f"| {name} | {best[0]:.1f} | | | | {best[1]:.1f} | | |")
        else:
            jax = [min(t[i] for _, t in rounds) for i in (0, 1)]
            ratio = [statistics.median(m[i] / t[i] for m, t in rounds) for i in (0, 1)]
            scipy = "" if rounds[0][1][2] is None else f"{rounds[0][1][2]:.1f}"
            ratios += [(ratio[0], f"log-density of {name}"), (ratio[1], f"gradient of {name}")]
            lines.append(f"| {name} | {best[0]:.1f} | {jax[0]:.1f} | {scipy} | {ratio[0]:.2f} | {best[1]:.1f} "
                         f"| {jax[1]:.1f} | {ratio[1]:.2f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    slowest = sorted(ratios, reverse=True)[:5]
    slower = sum(r > 1 for r, _ in ratios)
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    head = (f"{cpu}, one core; {versions}; ns a number, {options.values} numbers, shortest times; ratios "
            f"are medians of {options.rounds} rounds, ours and JAX in turn.")
    tail = "Slowest ratios against JAX: " + ", ".join(f"{r:.2f} ({what})" for r, what in slowest) + "."
    middle = statistics.median(r for r, _ in ratios) if ratios else float("nan")
    return "\n".join([head, "", *lines, "", f"{tail} The median is {middle:.2f}, of {len(ratios)}; {slower} are above 1."])


if options.child:
    child()
else:
    if not options.no_build:
        build()
    text = table()
    print(text)
    if options.write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
