"""Stan's NUTS, through PyStan, on posteriors of the gallery: its draws and what they took.

Kind to the peer: a chain is drawn once with all its draws and timed a second time with the same seed, keeping one draw
alone, so that PyStan's transport of draws does not count. Called by samplers.py, which makes the environment.
Usage: stan_gallery.py --out FOLDER [--seeds 1 2 3] [--chains N] [--draws N] [--warmup N] POSTERIOR...
"""
import json, os, pathlib, re, shutil, sys

import peer

options = peer.options(__doc__)
options.out = options.out.resolve()
# Programs that are compiled once; what compiling took is kept beside them.
CACHE = options.out / "cache"
os.environ["XDG_CACHE_HOME"] = str(CACHE)
# The compiler leaves a folder where it is called.
CACHE.mkdir(parents=True, exist_ok=True)
os.chdir(CACHE)

import httpstan
import stan

PROGRAMS = pathlib.Path(__file__).resolve().parent / "stan"
CHAIN_SEEDS = 1000  # apart


def processor():
    """Seconds of the processor that this process and the programs it waited for have taken."""
    return sum(os.times()[:4])


def workers():
    """Seconds of the processor that the processes of the chains have taken."""
    seconds = 0.0
    for task in pathlib.Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            seconds += int(pathlib.Path(f"/proc/{child}/schedstat").read_text().split()[0]) * 1e-9
    return seconds


def silently(work):
    """The result of `work` without what PyStan prints."""
    saved, null = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1), os.dup2(null, 2)
    try:
        return work()
    finally:
        for place, file in enumerate(saved, 1):
            os.dup2(file, place)
            os.close(file)
        os.close(null)


def build(program, data, seed):
    """The model, and the seconds that compiling its program took when it was not in the cache."""
    code = (PROGRAMS / f"{program}.stan").read_text()
    file = CACHE / f"{program}.seconds.json"
    begin = processor()
    model = silently(lambda: stan.build(code, data=data, random_seed=seed))
    if not file.exists():
        file.write_text(json.dumps(processor() - begin))
    return model, json.loads(file.read_text())


def elapsed(output):
    """Seconds of warm-up and of sampling by Stan's own clock."""
    found = re.findall(r"([0-9.e+-]+) seconds \((Warm-up|Sampling)\)", output)
    return {name: float(seconds) for seconds, name in found}


def main():
    # Draws of an earlier run would be found again, in no time.
    for fits in CACHE.glob("**/fits"):
        shutil.rmtree(fits)
    for name in options.posteriors:
        data_name, program = name.split("-")
        data = peer.data(data_name)
        for seed in options.seeds:
            chains, totals = [], {"warmup_seconds": 0.0, "seconds": 0.0, "gradients": 0, "divergences": 0}
            for chain in range(options.chains):
                model, compile_seconds = build(program, data, CHAIN_SEEDS * seed + chain)
                settings = dict(num_chains=1, num_warmup=options.warmup, num_samples=options.draws,
                                delta=peer.acceptance(options, name))
                fit = silently(lambda: model.sample(**settings))
                begin = workers()
                timed = silently(lambda: model.sample(**settings, num_thin=options.draws))
                busy = workers() - begin
                clock = elapsed(timed.stan_outputs[0].decode())
                # What other work took from the processor does not count.
                scale = min(1.0, busy / max(sum(clock.values()), 1e-3))
                totals["warmup_seconds"] += scale * clock["Warm-up"]
                totals["seconds"] += scale * clock["Sampling"]
                totals["gradients"] += int(fit["n_leapfrog__"].sum())
                totals["divergences"] += int(fit["divergent__"].sum())
                chains.append(fit)
            draws = {}
            for label in chains[0].constrained_param_names:
                row = len(chains[0].sample_and_sampler_param_names) + chains[0].constrained_param_names.index(label)
                # theta.2 is theta[2] in the references.
                site, *index = label.split(".")
                draws[site + (f"[{','.join(index)}]" if index else "")] = [f._draws[row, :, 0] for f in chains]
            figures = {**totals, "compile_seconds": compile_seconds}
            peer.write(options.out, f"Stan (httpstan {httpstan.__version__})", name, seed, figures, draws)
            print(name, seed, figures, file=sys.stderr)


main()
